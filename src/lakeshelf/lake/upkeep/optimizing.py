"""Compaction and z-order: which partitions are rewritten, and the rewriting.

What is decided is pure: it is computed from the files of a version. A partition that fails does not stop the rest.

How far a partition is z-ordered stands in application transactions of a commit behind the rewriting, which outlive the
log: `z-order:<columns>:<partition>` → fingerprint of its files, or for a table without partitions the time of the
newest of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from deltalake import DeltaTable

from lakeshelf.errors import LakeError
from lakeshelf.lake.form import partitions
from lakeshelf.lake.form.actions import added
from lakeshelf.lake.form.commits import HOOKS, Txn, Write
from lakeshelf.lake.form.metadata import stamp
from lakeshelf.lake.place import storage
from lakeshelf.lake.place.errors import SchemaError, explained
from lakeshelf.lake.rows.reading import schema_of
from lakeshelf.lake.upkeep import compacting
from lakeshelf.lake.upkeep.alone import rewriting
from lakeshelf.lake.upkeep.compacting import DataFile, Partition
from lakeshelf.lake.write.writing import commit_files, repeated

SMALL_FILES = 50
"""Fewest files below `SMALL_BYTES` that are worth merging."""
SMALL_BYTES = 8 * 1024 * 1024
"""Files are merged up to it, so that what is written again stays as little as a batch."""
NEW_SHARE = 0.2
"""Share of new bytes from which a table without partitions is z-ordered again."""


@dataclass(frozen=True)
class Rewrite:
    """What is to be rewritten of a partition, or was.

    Attributes:
        partition: Its label, `column=value/…`; empty: the table has no partitions.
        files: Files that are rewritten.
        bytes: Their bytes.
        made: Files that replaced them.
        note: Why it failed or was left; empty otherwise.
    """

    partition: str
    files: int
    bytes: int
    made: int = 0
    note: str = ""


@dataclass(frozen=True)
class Optimized:
    """What `optimize` did to a table, or would do.

    Attributes:
        done: Partitions that were rewritten, or would be.
        failed: Partitions that were not, with the reason.
        left: Partitions that are beyond the bound of a round.
    """

    done: tuple[Rewrite, ...] = ()
    failed: tuple[Rewrite, ...] = ()
    left: tuple[Rewrite, ...] = ()


@dataclass(frozen=True)
class RewritePlan:
    """Partitions to rewrite, with the files that count, and partitions that are left for a bound."""

    due: Mapping[Partition, list[DataFile]]
    left: Mapping[Partition, list[DataFile]]


def to_compact(
    files: Iterable[DataFile],
    min_small_files: int = SMALL_FILES,
    small_bytes: int = SMALL_BYTES,
    most_bytes: int | None = None,
) -> RewritePlan:
    """Partitions that have enough small files, the smallest first, up to a bound in bytes."""
    small = _by_partition(file for file in files if file.size < small_bytes)
    enough = {p: group for p, group in small.items() if len(group) >= max(2, min_small_files)}
    due: dict[Partition, list[DataFile]] = {}
    left: dict[Partition, list[DataFile]] = {}
    total = 0
    for partition, group in sorted(enough.items(), key=lambda item: (_bytes(item[1]), item[0])):
        total += _bytes(group)
        (left if most_bytes is not None and total > most_bytes else due)[partition] = group
    return RewritePlan(due, left)


def to_z_order(
    files: Iterable[DataFile], marks: Mapping[Partition, int | None], new_share: float = NEW_SHARE
) -> RewritePlan:
    """Partitions whose files are not those that the last z-order left.

    Args:
        files: Files of the version.
        marks: What the last z-order by the same columns recorded of each partition.
        new_share: For a table without partitions, the least share of bytes that are newer.
    """
    grouped = _by_partition(files)
    due = {p: group for p, group in grouped.items() if _is_due(p, group, marks.get(p), new_share)}
    return RewritePlan(due, {})


def matching(files: Iterable[DataFile], partition: Mapping[str, str] | None) -> list[DataFile]:
    """Files of the partitions that have the given values; None: all."""
    values = set((partition or {}).items())
    return [file for file in files if values <= set(file.partition)]


def files_of(handle: DeltaTable) -> list[DataFile]:
    """Files of a table at the version of its handle that can be rewritten (`features.require_removable`).

    Those of partitions that delta-rs would not write again as they are stay as they are.
    """
    actions = added(handle).to_pylist()
    return [
        DataFile(
            action["path"],
            action["size_bytes"],
            action["modification_time"],
            tuple((name, _text(value)) for name, value in (action.get("partition") or {}).items()),
        )
        for action in actions
        if action["path"].isascii() and not partitions.is_garbled(action.get("partition") or {})
    ]


def compact(
    handle: DeltaTable, name: str, plan: RewritePlan, small_bytes: int = SMALL_BYTES
) -> Optimized:
    """Merge the small files of the partitions of a plan, one commit a partition."""

    def rewrite(partition: Partition) -> dict[str, Any]:
        if storage.place_of(handle)[0].folder is None:
            small = {file.path for file in plan.due[partition]}
            files = [file for file in files_of(handle) if file.path in small]
            return compacting.merge(handle, name, files, small_bytes, _write())
        return handle.optimize.compact(
            partition_filters=_filters(partition),
            target_size=small_bytes,
            max_concurrent_tasks=1,
            commit_properties=_write().properties(),
            post_commithook_properties=HOOKS,
        )

    return _rewritten(handle, name, plan, "compacted", rewrite)


def z_order(
    handle: DeltaTable,
    name: str,
    plan: RewritePlan,
    columns: Sequence[str],
    target_bytes: int | None,
) -> Optimized:
    """Rewrite the partitions of a plan in z-order, one commit a partition, and record how far they are."""
    marks: list[Txn] = []

    def rewrite(partition: Partition) -> dict[str, Any]:
        metrics = handle.optimize.z_order(
            list(columns),
            partition_filters=_filters(partition),
            target_size=target_bytes,
            max_concurrent_tasks=1,
            commit_properties=_write(_metadata(columns, partition)).properties(),
            post_commithook_properties=HOOKS,
        )
        now = [file for file in files_of(handle) if file.partition == partition]
        if len(now) == metrics["numFilesAdded"]:  # otherwise somebody has appended meanwhile
            marks.append(Txn(_app(columns, partition), _mark(partition, now)))
        return metrics

    done = _rewritten(handle, name, plan, "z-ordered", rewrite)
    if marks:
        write = replace(_write({"z_order": {"columns": list(columns)}}), txns=tuple(marks))
        repeated(handle, lambda: _record(handle, name, write))
    return done


def recorded(
    handle: DeltaTable, columns: Sequence[str], files: Iterable[DataFile]
) -> dict[Partition, int | None]:
    """What the last z-order by these columns recorded of each partition."""
    return {
        partition: handle.transaction_version(_app(columns, partition))
        for partition in {file.partition for file in files}
    }


def require_z_columns(handle: DeltaTable, name: str, columns: Sequence[str]) -> None:
    """Refuse to z-order by columns that a table cannot be z-ordered by, or in a bucket, where nobody can be held.

    Raises:
        SchemaError: Columns that it does not have, or is partitioned by.
        LakeError: It is in a bucket: two that z-order it at once would double its rows.
    """
    if columns and storage.place_of(handle)[0].folder is None:
        raise LakeError(
            f"{name} is in a bucket, where delta-rs puts no rows in z-order without doubling those of another",
            hint="leave --zorder out to merge its small files, or have Spark run OPTIMIZE … ZORDER BY",
        )
    inner = handle.metadata().partition_columns
    usable = [column for column in schema_of(handle).names if column not in inner]
    wrong = [column for column in columns if column not in usable]
    if wrong:
        raise SchemaError(
            f"{name} cannot be z-ordered by {', '.join(wrong)}",
            hint=f"choose of {', '.join(usable)}",
        )


def require_partition(handle: DeltaTable, name: str, partition: Mapping[str, str] | None) -> None:
    """Raise `SchemaError` for partitions that a table does not have."""
    columns = handle.metadata().partition_columns
    if wrong := [column for column in partition or {} if column not in columns]:
        listed = f"it is partitioned by {', '.join(columns)}" if columns else "it has no partitions"
        raise SchemaError(f"{name} is not partitioned by {', '.join(wrong)}", hint=listed)


def planned(plan: RewritePlan) -> Optimized:
    """What a plan would do."""
    return Optimized(done=_parts(plan.due), left=_parts(plan.left))


def label(partition: Partition) -> str:
    """A partition as people read it."""
    return "/".join(f"{column}={value}" for column, value in partition)


def _rewritten(
    handle: DeltaTable,
    name: str,
    plan: RewritePlan,
    verb: str,
    rewrite: Callable[[Partition], dict[str, Any]],
) -> Optimized:
    done, failed = [], []
    for partition, files in plan.due.items():
        place = f"partition {label(partition)} of {name}" if partition else name

        def attempt(partition: Partition = partition, place: str = place) -> dict[str, Any]:
            with explained(f"{place} was not {verb}", LakeError), rewriting(handle, name):
                return rewrite(partition)

        try:
            metrics = repeated(handle, attempt)
        except LakeError as error:
            failed.append(Rewrite(label(partition), len(files), _bytes(files), note=str(error)))
            continue
        made, removed = metrics["numFilesAdded"], metrics["numFilesRemoved"]
        done.append(Rewrite(label(partition), removed, _bytes(files), made))
    return Optimized(
        tuple(done), tuple(failed), _parts(plan.left, "more bytes than a round may write")
    )


def _write(metadata: Mapping[str, Any] | None = None) -> Write:
    return Write(stamp=stamp(why="maintenance"), metadata=metadata or {})


def _record(handle: DeltaTable, name: str, write: Write) -> None:
    with explained(f"the z-order of {name} was not recorded", LakeError):
        commit_files(handle, [], "append", write)


def _parts(by_partition: Mapping[Partition, list[DataFile]], note: str = "") -> tuple[Rewrite, ...]:
    return tuple(
        Rewrite(label(p), len(files), _bytes(files), note=note) for p, files in by_partition.items()
    )


def _is_due(
    partition: Partition, files: list[DataFile], mark: int | None, new_share: float
) -> bool:
    if mark is None:
        return True
    if partition:
        return mark != _mark(partition, files)
    newer = _bytes(file for file in files if file.modified > mark)
    return newer > 0 and newer >= new_share * _bytes(files)


def _mark(partition: Partition, files: list[DataFile]) -> int:
    if not partition:
        return max(file.modified for file in files)
    listed = "\n".join(sorted(file.path for file in files)).encode()
    return int.from_bytes(hashlib.sha256(listed).digest()[:7], "big")


def _app(columns: Sequence[str], partition: Partition) -> str:
    return f"z-order:{','.join(columns)}:{label(partition)}"


def _metadata(columns: Sequence[str], partition: Partition) -> dict[str, Any]:
    return {"z_order": {"columns": list(columns), "partition": label(partition)}}


def _filters(partition: Partition) -> list[tuple[str, str, str]] | None:
    return [(column, "=", value) for column, value in partition] or None


def _by_partition(files: Iterable[DataFile]) -> dict[Partition, list[DataFile]]:
    grouped: dict[Partition, list[DataFile]] = {}
    for file in sorted(files, key=lambda file: (file.partition, file.path)):
        grouped.setdefault(file.partition, []).append(file)
    return grouped


def _bytes(files: Iterable[DataFile]) -> int:
    return sum(file.size for file in files)


def _text(value: Any) -> str:
    """A partition value as delta-rs compares it; null is the empty text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    return str(value)
