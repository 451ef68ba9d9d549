"""One reconciliation of a shop that lives by itself: no receipts to compare with, but its own books."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lakeshelf.reconcile.books import opened
from lakeshelf.reconcile.checks import Reconciliation
from lakeshelf.reconcile.decisions import decisions_of
from lakeshelf.reconcile.invariants import invariants_of
from lakeshelf.reconcile.levels import levels_of
from lakeshelf.reconcile.refold import refold_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


def reconcile_loop(
    lake_root: str | Path,
    records: Mapping[str, int],
    *,
    seconds: Callable[[], float] = time.monotonic,
) -> Reconciliation:
    """Whether a quiet lake agrees with its raw events, and its decisions with what followed.

    The checks: I0 to I5, I6 (each state table recomputed from `raw`), and those of `decisions` and `levels` (M2, M3).

    Args:
        lake_root: Folder or URL of the lake.
        records: Records in each of the raw topics, from Kafka's offsets.
        seconds: Clock that the duration is read from.

    Raises:
        LakeError: A table is missing or cannot be read.
    """
    started = seconds()
    with opened(lake_root) as books:
        checks = (
            *invariants_of(books, records),
            *refold_of(books),
            *decisions_of(books),
            *levels_of(books),
        )
        return Reconciliation(checks, dict(books.rows), seconds() - started)
