"""The shape of what an examination finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        ok: Whether it is in order.
        message: What there is, with its value.
        fix: What to do about it.
    """

    ok: bool
    message: str
    fix: str = ""


def good(message: str) -> Finding:
    """Something in order."""
    return Finding(True, message)


def bad(message: str, fix: str) -> Finding:
    """Something that keeps the stack from working, and the way out."""
    return Finding(False, message, fix)
