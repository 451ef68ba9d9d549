"""The shape of what an examination finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CheckFinding:
    """One thing that was found.

    Attributes:
        ok: Whether it is in order.
        message: What there is, with its value.
        fix: What to do about it.
    """

    ok: bool
    message: str
    fix: str = ""


def good(message: str) -> CheckFinding:
    """Something in order."""
    return CheckFinding(True, message)


def bad(message: str, fix: str) -> CheckFinding:
    """Something that keeps the stack from working, and the way out."""
    return CheckFinding(False, message, fix)
