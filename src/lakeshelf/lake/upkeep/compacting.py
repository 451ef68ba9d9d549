"""Merging small files of a table in a bucket, where nobody can be kept from merging the same ones.

delta-rs commits what merges files over any commit that was made meanwhile, also over one that merged the same, and
every row stands twice (docs/design/pitfalls.md#trap-57). Here the entry of the log is put, on condition, behind the
very version whose files were read: of two that merge them one stands, and a process that slept comes too late.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from deltalake import DeltaTable
from deltalake.transaction import AddAction

from lakeshelf.lake.form.commits import Write
from lakeshelf.lake.place import storage
from lakeshelf.lake.place.errors import Conflict
from lakeshelf.lake.place.folders import BucketFolder
from lakeshelf.lake.rows.reading import schema_of
from lakeshelf.lake.write import staging

ROWS_AT_ONCE = 65_536

Partition = tuple[tuple[str, str], ...]
"""Columns and values, as Delta writes them; empty for a table without partitions."""


@dataclass(frozen=True)
class DataFile:
    """A data file of a version: its path as the log has it, size in bytes, time in ms, and partition."""

    path: str
    size: int
    modified: int
    partition: Partition


def merge(
    handle: DeltaTable, name: str, files: Sequence[DataFile], target_bytes: int, write: Write
) -> dict[str, int]:
    """Put the rows of some files into fewer ones, in one commit behind the version of the handle, or in none.

    Args:
        handle: The table, in a bucket.
        name: Its name.
        files: Files of that version, of one partition.
        target_bytes: Bytes at which a new file is full.
        write: Stamp and metadata.

    Returns:
        `numFilesAdded`, `numFilesRemoved`.

    Raises:
        Conflict: Somebody else has committed since that version.
        StorageError: The bucket does not answer, or refuses.
    """
    if len(files) < 2:
        return {"numFilesAdded": 0, "numFilesRemoved": 0}
    rows = storage.dataset_of(handle, [file.path for file in files], schema_of(handle))
    reader = rows.scanner(batch_size=ROWS_AT_ONCE).to_reader()
    staged = staging.staged(handle, reader, target_bytes)
    _commit(handle, name, staged, list(_entries(handle, files, staged.files, write)))
    return {"numFilesAdded": len(staged.files), "numFilesRemoved": len(files)}


def _commit(
    handle: DeltaTable, name: str, staged: staging.Staged, entries: Sequence[Mapping[str, Any]]
) -> None:
    root, place = storage.place_of(handle)
    version = handle.version() + 1
    entry = BucketFolder(root, f"{place}/{storage.LOG}/{version:020d}.json")
    try:
        entry.swap("\n".join(json.dumps(line) for line in entries).encode(), None)
    except Conflict:
        storage.remove(root, f"{place}/{staged.folder}")
        raise Conflict(
            f"{name} was committed to by others while its files were merged",
            hint="try again when they have ended",
        ) from None
    handle.update_incremental()


def _entries(
    handle: DeltaTable, old: Sequence[DataFile], new: Sequence[AddAction], write: Write
) -> Iterator[dict[str, Any]]:
    """Lines of the entry, as https://github.com/delta-io/delta/blob/master/PROTOCOL.md has them."""
    now = time.time_ns() // 1_000_000
    yield {
        "commitInfo": {
            **(write.properties().custom_metadata or {}),
            "timestamp": now,
            "operation": "OPTIMIZE",
            "operationParameters": {"predicate": "[]"},
            "operationMetrics": {"numFilesAdded": len(new), "numFilesRemoved": len(old)},
            "readVersion": handle.version(),
            "isBlindAppend": False,
        }
    }
    for file in old:
        yield {
            "remove": {
                "path": file.path,
                "deletionTimestamp": now,
                "dataChange": False,
                "extendedFileMetadata": True,
                "partitionValues": _values(file.partition),
                "size": file.size,
            }
        }
    for added in new:
        yield {
            "add": {
                "path": quote(added.path, safe="/="),
                "partitionValues": added.partition_values,
                "size": added.size,
                "modificationTime": added.modification_time,
                "dataChange": False,
                "stats": added.stats,
            }
        }


def _values(partition: Partition) -> dict[str, str | None]:
    return {column: value or None for column, value in partition}
