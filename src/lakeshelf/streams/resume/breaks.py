"""Why a query does not go on, and what a person can do about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Break:
    """One reason why a query must not go on.

    Attributes:
        what: What does not agree, in words.
        about: The table or topic, empty: the checkpoint.
        continuable: Whether the ledger's offsets are a place to go on; else only a rebuild is a way.
        way: The way on where there is another one.
    """

    what: str
    about: str = ""
    continuable: bool = False
    way: str | None = None


def ways(broken: Break) -> str:
    """What a person can do about a break."""
    rebuild = "`lakeshelf rebuild`"
    if broken.way:
        return broken.way
    if not broken.continuable:
        return f"put a copy back that belongs to the rest, or run {rebuild}"
    return f"run `lakeshelf continue` to go on where the ledger ends, or {rebuild}"
