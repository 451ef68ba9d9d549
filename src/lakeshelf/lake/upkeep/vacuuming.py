"""Deletion of files and of log entries that nobody needs any more.

delta-rs says which files may go, those of killed writers included; what pinned versions need is taken out, and the
rest is deleted here. Its own deletion would also take change data that a cursor has not read, commit twice each time,
and count files again that are gone (docs/design/pitfalls.md#trap-39).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from lakeshelf.errors import LakeError
from lakeshelf.lake.place import storage
from lakeshelf.lake.place.errors import explained
from lakeshelf.lake.place.storage import LOG
from lakeshelf.lake.rows.versions import Timeline

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem

KEPT = ("delta.deletedFileRetentionDuration", timedelta(days=7))
"""How long replaced files are kept; seven days protect readers unless the table says otherwise."""
LOG_KEPT = ("delta.logRetentionDuration", timedelta(days=30))
COMMITTING = timedelta(hours=1)
"""Longest time for which a file of a commit may be older than the commit before it."""
_DURATION = re.compile(r"(?:interval\s+)?(\d+)\s+([a-z]+?)s?", re.IGNORECASE)
_UNITS = ("microsecond", "millisecond", "second", "minute", "hour", "day", "week")
_ENTRY = re.compile(r"(\d{20})\.(?:(\d{20})\.)?.+")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint(?:\.(\d{10})\.(\d{10}))?\..*(?:parquet|json)")


@dataclass(frozen=True)
class Swept:
    """Files that were deleted, or would be.

    Attributes:
        files: Their number.
        bytes: Their bytes.
        left: Files that may go, beyond the bound of a round.
        log: Entries of the log that were deleted as well.
        pin: Oldest version that runs and cursors hold back; None: none does.
        names: The files, where nothing was deleted.
    """

    files: int = 0
    bytes: int = 0
    left: int = 0
    log: int = 0
    pin: int | None = None
    names: tuple[str, ...] = ()


def vacuum(
    handle: DeltaTable,
    pin: int | None = None,
    retention: timedelta | None = None,
    most_files: int | None = None,
    *,
    dry_run: bool = False,
    now: datetime | None = None,
) -> Swept:
    """Delete files that no version within the retention, and none since a pin, needs; then expired log entries.

    Args:
        handle: The table, at its latest version.
        pin: Version that stays readable, with all that follow it.
        retention: How long replaced files are kept; None: as the table says.
        most_files: Bound on the files that are deleted; None: none.
        dry_run: Whether to delete nothing.
        now: The time, UTC; None: the present.

    Raises:
        LakeError: The retention is shorter than the table's own, which protects its readers.
    """
    now = now or datetime.now(UTC)
    root, path = storage.place_of(handle)
    name = storage.name_of(handle)
    files, base = storage.filesystem(root)
    place = f"{base}/{path}"
    reach = _reach(handle, name, pin, retention, now)
    candidates = _candidates(handle, name, files, place, reach, retention)
    chosen = candidates[:most_files]
    entries = _expired_entries(handle, files, place, reach, now)
    if not dry_run:
        _delete(files, [info.path for info in chosen])
        _delete(files, entries)
    paths = tuple(info.path.removeprefix(f"{place}/") for info in chosen) if dry_run else ()
    size = sum(info.size for info in chosen)
    return Swept(len(chosen), size, len(candidates) - len(chosen), len(entries), pin, paths)


def duration(handle: DeltaTable, kept: tuple[str, timedelta]) -> timedelta:
    """The duration that a table property holds, or its default.

    Raises:
        LakeError: The property is no duration.
    """
    name, default = kept
    text = handle.metadata().configuration.get(name)
    if text is None:
        return default
    match = _DURATION.fullmatch(text.strip())
    if match is None or match[2].lower() not in _UNITS:
        raise LakeError(f"{name} is {text!r}, which is no duration", hint="write `interval 7 days`")
    return timedelta(**{f"{match[2].lower()}s": int(match[1])})


def entries_before(names: Iterable[str], version: int) -> list[str]:
    """Files of a log that tell only of versions before one."""
    return [name for name in names if (last := _last_version(name)) is not None and last < version]


def checkpoints(names: Iterable[str]) -> list[int]:
    """Versions of the checkpoints that are complete, ascending."""
    parts: dict[tuple[int, int], set[int]] = {}
    for name in names:
        if match := _CHECKPOINT.fullmatch(name):
            number, of = int(match[2] or 1), int(match[3] or 1)
            parts.setdefault((int(match[1]), of), set()).add(number)
    return sorted({version for (version, of), numbers in parts.items() if len(numbers) == of})


def _reach(
    handle: DeltaTable, name: str, pin: int | None, retention: timedelta | None, now: datetime
) -> int | None:
    """The oldest version whose files stay, whatever their age; None: the retention of the table decides alone."""
    own = duration(handle, KEPT)
    if retention is not None and retention < own:
        raise LakeError(
            f"a retention of {retention} would delete files that readers of {name} may use: it keeps them {own}",
            hint=f"wait, or set the table's {KEPT[0]} if it has no readers",
        )
    versions = [] if pin is None else [pin]
    if retention is not None and retention > own:
        # The log forgets files that were replaced longer ago than the property says: they are kept by version.
        timeline = Timeline.of(name, handle)
        older = [
            v
            for v, at in zip(timeline.versions, timeline.times, strict=True)
            if now - at >= retention  # a long one would lead out of the calendar
        ]
        versions.append(older[-1] if older else timeline.versions[0])
    reach = min(versions, default=None)
    return reach if reach is not None and _is_there(handle, reach) else None


def _is_there(handle: DeltaTable, version: int) -> bool:
    try:
        DeltaTable(handle.table_uri, version=version, storage_options=handle._storage_options)  # noqa: SLF001
    except DeltaError:
        return False  # the log does not reach back to it: nobody can read it any more
    return True


def _candidates(
    handle: DeltaTable,
    name: str,
    files: FileSystem,
    place: str,
    reach: int | None,
    retention: timedelta | None,
) -> list[FileInfo]:
    hours = None if retention is None else math.ceil(retention / timedelta(hours=1))
    with explained(f"the files of {name} cannot be listed", LakeError):
        paths = handle.vacuum(
            retention_hours=hours,
            dry_run=True,
            enforce_retention_duration=False,
            full=True,
            keep_versions=None if reach is None else [reach],
        )
        infos = files.get_file_info([f"{place}/{path}" for path in sorted(set(paths))])
    since = None if reach is None else _committed_at(files, place, reach) - COMMITTING
    return [info for info in infos if info.is_file and (since is None or info.mtime < since)]


def _committed_at(files: FileSystem, place: str, version: int) -> datetime:
    """When a version was committed, as its entry says; the beginning of time where it does not."""
    try:
        with files.open_input_stream(f"{place}/{LOG}/{version:020d}.json") as entry:
            lines = entry.read().decode().splitlines()
        commit_infos = [json.loads(line).get("commitInfo") for line in lines]
        stamp = next(info["timestamp"] for info in commit_infos if info)
    except (OSError, ValueError, KeyError, StopIteration):
        return datetime.min.replace(tzinfo=UTC) + 2 * COMMITTING
    return datetime.fromtimestamp(int(stamp) / 1000, UTC)


def _expired_entries(
    handle: DeltaTable, files: FileSystem, place: str, reach: int | None, now: datetime
) -> list[str]:
    """Entries behind which a checkpoint stands that every version within the retention can be read from."""
    from pyarrow import fs  # noqa: PLC0415 - slow to import

    listed = {
        info.base_name: info for info in files.get_file_info(fs.FileSelector(f"{place}/{LOG}"))
    }
    since = now - duration(handle, LOG_KEPT)
    kept = [
        last
        for n, info in listed.items()
        if info.mtime >= since and (last := _last_version(n)) is not None
    ]
    bound = min([handle.version(), *kept, *([] if reach is None else [reach])])
    base = max((v for v in checkpoints(listed) if v <= bound), default=0)
    return [listed[name].path for name in entries_before(listed, base)]


def _last_version(name: str) -> int | None:
    match = _ENTRY.fullmatch(name)
    return int(match[2] or match[1]) if match else None


def _delete(files: FileSystem, paths: Iterable[str]) -> None:
    for path in paths:
        try:
            files.delete_file(path)
        except FileNotFoundError:
            continue
