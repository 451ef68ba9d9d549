"""Reconciliation: whether the lake agrees with the receipts and with itself.

The receipts are read straight from the wheel's Parquet files, the tables with delta-rs; DuckDB
adds them up. Nothing here uses the streams, their folds or the replay, so an error in one of those
shows as a difference. `chart` is not imported from here: it needs matplotlib.
"""

from lakeshelf.reconcile.checks import Check, Reconciliation
from lakeshelf.reconcile.invariants import invariants
from lakeshelf.reconcile.loop import reconcile_loop
from lakeshelf.reconcile.performance import Achieved, BusinessDay, achieved
from lakeshelf.reconcile.receipts import receipts
from lakeshelf.reconcile.run import reconcile

__all__ = [
    "Achieved",
    "BusinessDay",
    "Check",
    "Reconciliation",
    "achieved",
    "invariants",
    "receipts",
    "reconcile",
    "reconcile_loop",
]
