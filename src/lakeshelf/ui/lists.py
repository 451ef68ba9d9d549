"""Lists that only grow, so that nobody counts them: a page of one, and the number behind which the next begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

AT_ONCE = 200
"""Rows of such a list on a page."""
ASKED = str(AT_ONCE + 1)
"""How many rows are asked for: one more than are shown tells whether there are more."""


@dataclass(frozen=True)
class ListPart:
    """A page of such a list.

    Attributes:
        rows: Its rows.
        next: Number of the last, behind which the next page begins; None: there is none.
    """

    rows: Sequence[Any]
    next: int | None


def part(rows: Sequence[Any] | None, number: Callable[[Any], int]) -> ListPart:
    """A page of what was asked for by `ASKED`.

    Args:
        rows: What was answered; None: nothing.
        number: Gives the number of a row.
    """
    shown = list(rows or ())[:AT_ONCE]
    return ListPart(shown, number(shown[-1]) if len(rows or ()) > AT_ONCE else None)
