"""One reconciliation of a lake: receipts, invariants and the size of the tables."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lakeshelf.reconcile.books import opened
from lakeshelf.reconcile.checks import Reconciliation
from lakeshelf.reconcile.invariants import invariants_of
from lakeshelf.reconcile.receipts import receipts_of
from lakeshelf.reconcile.refold import refold_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


def reconcile(
    lake_root: str | Path,
    records: Mapping[str, int],
    *,
    receipts: bool = True,
    stores: int | None = 10,
    baskets: int | None = None,
    seconds: Callable[[], float] = time.monotonic,
) -> Reconciliation:
    """Whether a quiet lake agrees with the receipts that were replayed into it and with itself.

    Args:
        lake_root: Folder or URL of the lake.
        records: Records in each of the raw topics.
        receipts: Whether receipts were replayed into it, and nothing else was sent.
        stores: The so many stores with most lines; None: all.
        baskets: The so many earliest baskets of those; None: all.
        seconds: Clock that the duration is read from.

    Raises:
        ConfigurationError: The wheel of the receipts is not installed.
        LakeError: A table is missing or cannot be read.
    """
    started = seconds()
    with opened(lake_root) as books:
        checks = (
            *(receipts_of(books, stores, baskets) if receipts else ()),
            *invariants_of(books, records),
            *refold_of(books),
        )
        return Reconciliation(checks, dict(books.rows), seconds() - started)
