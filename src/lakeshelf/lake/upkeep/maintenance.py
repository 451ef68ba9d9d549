"""Maintenance that the owner of a table does between its commits, and that others ask it for.

A commit lists the log and reads it from the last checkpoint, so it takes the longer the more entries
there are; who reads a table opens each of its files.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from lakeshelf.errors import LakeError, LakeshelfError
from lakeshelf.lake.form import features
from lakeshelf.lake.history import pins
from lakeshelf.lake.place import storage
from lakeshelf.lake.rows import traits
from lakeshelf.lake.upkeep import optimizing, vacuuming
from lakeshelf.lake.upkeep.optimizing import SMALL_BYTES, SMALL_FILES, Optimized
from lakeshelf.lake.upkeep.vacuuming import Swept
from lakeshelf.lake.write import int96
from lakeshelf.telemetry import metrics

EVERY = 100
"""Versions of a table after which it is maintained again."""
WEIGHED_EVERY = 20
"""Versions of a table after which its files are counted again."""
ACTIONS = ("optimize", "vacuum")
Action = Literal["optimize", "vacuum"]
_ONE_AT_A_TIME = threading.Lock()
_MOST_HOURS = timedelta.max // timedelta(hours=1)


@dataclass(frozen=True)
class UpkeepLimits:
    """Bounds that keep maintenance from delaying its owner.

    Attributes:
        small_bytes: Files below it are merged, up to it.
        min_small_files: Fewest of them in a partition.
        bytes_a_round: Most bytes that are written again; what is beyond waits for `lakeshelf lake optimize`.
        files_a_round: Most files that are deleted; the rest goes with the next rounds.
        share_of_time: Most of an owner's time that the rounds of a table may take.
    """

    small_bytes: int = SMALL_BYTES
    min_small_files: int = SMALL_FILES
    bytes_a_round: int = 256 * 1024 * 1024
    files_a_round: int = 5_000
    share_of_time: float = 0.05


LIMITS = UpkeepLimits()


@dataclass(frozen=True)
class UpkeepReport:
    """What was done to a table in a round.

    Attributes:
        merged: Files that were merged.
        made: New ones that they were merged into.
        deleted: Files that were deleted.
        log: Entries of the log that were deleted.
        left: Partitions and files beyond the bounds of a round.
        kept: Why nothing was deleted; empty otherwise.
    """

    merged: int = 0
    made: int = 0
    deleted: int = 0
    log: int = 0
    left: int = 0
    kept: str = ""


class Maintenance:
    """Maintains the tables of one owner whenever a hundred more versions of them are there.

    Args:
        limits: Bounds of a round.
        seconds: Monotonic clock.
    """

    def __init__(
        self, limits: UpkeepLimits = LIMITS, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = limits
        self._seconds = seconds
        self._rounds: dict[str, int] = {}
        self._since: dict[str, int] = {}
        self._weighed: dict[str, int] = {}
        self._rest_until: dict[str, float] = {}

    def take_due(self, handles: Iterable[DeltaTable]) -> list[DeltaTable]:
        """Those whose turn has come, each once; a table that was not seen before has until its next hundred."""
        return [handle for handle in handles if self._take_turn(handle)]

    def attend(self, handles: Iterable[DeltaTable]) -> None:
        """Maintain those whose turn has come."""
        for handle in self.take_due(handles):
            self.maintain(handle)

    def maintain(self, handle: DeltaTable) -> UpkeepReport:
        """Maintain a table within the bounds, and rest afterwards."""
        began = self._seconds()
        try:
            with _measured(handle, "round"):
                report = maintain(handle, self._limits)
            self._since[handle.table_uri] = handle.version()
            _weigh(handle)
            return report
        finally:
            now = self._seconds()
            self._rest_until[handle.table_uri] = now + (now - began) / self._limits.share_of_time

    def _take_turn(self, handle: DeltaTable) -> bool:
        version, current = handle.version(), handle.version() // EVERY
        behind = version - self._since.setdefault(handle.table_uri, version)
        metrics.UNMAINTAINED.take(behind, table=storage.name_of(handle))
        if self._weighed.get(handle.table_uri) != version // WEIGHED_EVERY:
            self._weighed[handle.table_uri] = version // WEIGHED_EVERY
            _weigh(handle)
        before = self._rounds.setdefault(handle.table_uri, current)
        if current <= before or self._seconds() < self._rest_until.get(handle.table_uri, 0.0):
            return False
        self._rounds[handle.table_uri] = current
        return True


def _weigh(handle: DeltaTable) -> None:
    """Tell of how many files and bytes a table is, from the log that its owner has in memory."""
    sizes = pa.table(handle.get_add_actions()).column("size_bytes")
    name = storage.name_of(handle)
    metrics.TABLE_FILES.take(len(sizes), table=name)
    metrics.TABLE_BYTES.take(pc.sum(sizes).as_py() or 0, table=name)


@contextmanager
def _measured(handle: DeltaTable, kind: str) -> Iterator[None]:
    """Measure maintenance of a table, done or failed."""
    name, began = storage.name_of(handle), time.perf_counter()
    metrics.MAINTENANCE_RUNS.add(0, table=name, kind=kind, outcome="failed")
    try:
        yield
    except BaseException:
        metrics.MAINTENANCE_RUNS.add(table=name, kind=kind, outcome="failed")
        raise
    metrics.MAINTENANCE_RUNS.add(table=name, kind=kind, outcome="done")
    metrics.MAINTENANCE.take(time.perf_counter() - began, table=name)


def maintain(handle: DeltaTable, limits: UpkeepLimits = LIMITS) -> UpkeepReport:
    """Merge small files; delete files and log entries whose retention is over, unless a run or cursor needs them.

    Readers of the latest version and of pinned ones are not disturbed, nor is who appends meanwhile.

    Raises:
        LakeError: A partition could not be merged; everything else was done.
    """
    (root, _), name = storage.place_of(handle), storage.name_of(handle)
    with _ONE_AT_A_TIME:
        handle.update_incremental()
        if features.cannot_write(features.in_force(handle)):
            return UpkeepReport(kept="Spark maintains it")
        plan = optimizing.to_compact(
            optimizing.files_of(handle),
            limits.min_small_files,
            limits.small_bytes,
            limits.bytes_a_round,
        )
        merged = optimizing.compact(handle, name, plan, limits.small_bytes)
        try:
            swept = vacuuming.vacuum(
                handle, pins.oldest(root, name), most_files=limits.files_a_round
            )
            kept = ""
        except LakeshelfError as error:
            swept, kept = Swept(), str(error)
    if merged.failed:
        raise LakeError(merged.failed[0].note, hint="`lakeshelf lake doctor` names damage")
    return UpkeepReport(
        sum(part.files for part in merged.done),
        sum(part.made for part in merged.done),
        swept.files,
        swept.log,
        len(merged.left) + swept.left,
        kept,
    )


def optimize(
    handle: DeltaTable,
    partition: Mapping[str, str] | None = None,
    columns: Iterable[str] = (),
    min_small_files: int = SMALL_FILES,
    small_bytes: int = SMALL_BYTES,
    *,
    dry_run: bool = False,
) -> Optimized:
    """Merge small files, or put rows in z-order, where it is worth it.

    Args:
        handle: The table.
        partition: Values of partition columns, of which each partition has all; None: every partition.
        columns: Columns to z-order by; only partitions that have changed since the last time are rewritten.
        min_small_files: Fewest small files of a partition that are worth merging.
        small_bytes: What is smaller is small; files are merged up to it.
        dry_run: Whether only to say what would be done.

    Raises:
        SchemaError: Columns that the table does not have.
        FeatureRefused: delta-rs cannot write the table.
    """
    name = storage.name_of(handle)
    z_columns = tuple(columns)
    with _ONE_AT_A_TIME:
        handle.update_incremental()
        features.require_writable(handle, name)
        optimizing.require_partition(handle, name, partition)
        optimizing.require_z_columns(handle, name, z_columns)
        files = optimizing.matching(optimizing.files_of(handle), partition)
        if z_columns:
            plan = optimizing.to_z_order(files, optimizing.recorded(handle, z_columns, files))
        else:
            plan = optimizing.to_compact(files, min_small_files, small_bytes)
        if dry_run:
            return optimizing.planned(plan)
        if plan.due:
            int96.rewrite(handle, name)
            traits.require_near_times(handle, name)
        if z_columns:
            return optimizing.z_order(handle, name, plan, z_columns, None)
        return optimizing.compact(handle, name, plan, small_bytes)


def vacuum(
    handle: DeltaTable, retention: timedelta | None = None, *, dry_run: bool = False
) -> Swept:
    """Delete files and log entries that no version within the retention, no run and no cursor needs.

    Raises:
        LakeError: The retention is shorter than the table's own, or pins cannot be read.
        FeatureRefused: delta-rs cannot write the table, so it does not know all of its files.
    """
    (root, _), name = storage.place_of(handle), storage.name_of(handle)
    with _ONE_AT_A_TIME:
        handle.update_incremental()
        features.require_writable(handle, name)
        return vacuuming.vacuum(handle, pins.oldest(root, name), retention, dry_run=dry_run)


def perform(handle: DeltaTable, action: Action, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Optimize or vacuum a table; the report is made of plain values.

    Args:
        handle: The table.
        action: `optimize` or `vacuum`.
        arguments: Arguments of the action: `partition`, `columns`, `min_small_files`, `small_bytes`; `retention_hours`.
    """
    with _measured(handle, action):
        if action == "optimize":
            return asdict(optimize(handle, **arguments))
        hours = arguments.get("retention_hours")
        retention = None if hours is None else timedelta(hours=min(hours, _MOST_HOURS))
        return asdict(vacuum(handle, retention, dry_run=arguments.get("dry_run", False)))
