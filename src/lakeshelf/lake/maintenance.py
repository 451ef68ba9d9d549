"""Maintenance that the owner of a table does between its commits.

A commit lists the log and reads it from the last checkpoint, so it takes the longer the more entries
there are; who reads a table opens each of its files.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
from deltalake import DeltaTable

from lakeshelf.lake.commits import HOOKS

EVERY = 100
"""Versions of a table after which it is maintained again."""
SMALL_FILES = 50
"""Fewest files below `SMALL_BYTES` that are worth merging."""
SMALL_BYTES = 8 * 1024 * 1024
"""Files are merged up to it, so that what is written again stays as little as a batch."""
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Report:
    """What was done to a table: files merged into `made` new ones, and files that were deleted."""

    merged: int = 0
    made: int = 0
    deleted: int = 0


class Maintenance:
    """Maintains the tables of one owner whenever a hundred more versions of them are there."""

    def __init__(self) -> None:
        self._rounds: dict[str, int] = {}

    def take_due(self, handles: Iterable[DeltaTable]) -> list[DeltaTable]:
        """Those whose turn has come, each once; a table that was not seen before has until its next hundred."""
        return [handle for handle in handles if self._take_turn(handle)]

    def attend(self, handles: Iterable[DeltaTable]) -> None:
        """Maintain those whose turn has come."""
        for handle in self.take_due(handles):
            maintain(handle)

    def _take_turn(self, handle: DeltaTable) -> bool:
        current = handle.version() // EVERY
        before = self._rounds.get(handle.table_uri, current)
        self._rounds[handle.table_uri] = current
        return current > before


def maintain(handle: DeltaTable) -> Report:
    """Merge small files; delete files and entries of the log whose retention is over.

    Readers of the latest version are not disturbed, nor is who appends meanwhile.
    """
    with _ONE_AT_A_TIME:
        handle.update_incremental()
        merged, made = _compact(handle)
        deleted = handle.vacuum(
            dry_run=False,
            enforce_retention_duration=False,
            full=True,
            post_commithook_properties=HOOKS,
        )
        handle.cleanup_metadata()
    return Report(merged, made, len(deleted))


def _compact(handle: DeltaTable) -> tuple[int, int]:
    sizes = pa.table(handle.get_add_actions())["size_bytes"].to_pylist()
    if sum(size < SMALL_BYTES for size in sizes) < SMALL_FILES:
        return 0, 0
    found = handle.optimize.compact(
        target_size=SMALL_BYTES, max_concurrent_tasks=1, post_commithook_properties=HOOKS
    )
    return found["numFilesRemoved"], found["numFilesAdded"]
