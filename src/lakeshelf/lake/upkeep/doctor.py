"""What is wrong with a table: its log, its checkpoints, its files. Works on tables that cannot be opened.

Nothing is changed; `lakeshelf.lake.upkeep.repair` does what is safe.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable

from lakeshelf.errors import LakeError, first_line
from lakeshelf.lake.form import owners
from lakeshelf.lake.form.actions import added
from lakeshelf.lake.place import layers, names, storage
from lakeshelf.lake.place.location import Root
from lakeshelf.lake.place.storage import LOG
from lakeshelf.lake.rows import reading, tables
from lakeshelf.lake.upkeep.optimizing import SMALL_BYTES
from lakeshelf.lake.upkeep.vacuuming import checkpoints

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem

HINT = "_last_checkpoint"
BAD_COMMIT, EMPTY_COMMIT, GAP = "bad commit", "zero-byte commit", "gap in the log"
BAD_CHECKPOINT, STALE_HINT = "bad checkpoint", "stale _last_checkpoint"
MISSING_FILE, BAD_FILE, UNREADABLE = "missing data file", "unreadable data file", "cannot be opened"
REPAIR = "`lakeshelf lake repair {name}`"
DROP = "`lakeshelf lake repair {name} --drop-last-commit`"
COPY = "restore it from a copy, or `lakeshelf rebuild` where a job owns the table"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Damage:
    """Something that is broken.

    Attributes:
        kind: One of the words of this module.
        path: The file, relative to the table; empty: the table.
        detail: What is wrong with it.
        way_out: What to do.
        repairable: Whether `repair` does it.
        is_last: Whether it is the last commit, which `repair` puts aside where it is told to.
    """

    kind: str
    path: str
    detail: str
    way_out: str
    repairable: bool = False
    is_last: bool = False


@dataclass(frozen=True)
class TableHealth:
    """How a table is.

    Attributes:
        dataset: The dataset.
        version: Its latest version; where it cannot be opened, the latest that the log names.
        rows: Rows; None: it cannot be opened.
        protocol: Reader and writer version, `1/4`.
        files: Data files of the version.
        bytes: Their bytes.
        small_files: Those that are smaller than what maintenance merges up to.
        orphans: Files that no version knows, old enough to be vacuumed.
        log_entries: Commits that the log still tells of.
        damage: What is broken.
    """

    dataset: str
    version: int | None
    rows: int | None = None
    protocol: str | None = None
    files: int | None = None
    bytes: int | None = None
    small_files: int | None = None
    orphans: int | None = None
    log_entries: int = 0
    damage: tuple[Damage, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The record as JSON."""
        return asdict(self)


@dataclass(frozen=True)
class LogFiles:
    """Files of a log by what they are.

    Attributes:
        sizes: Name → bytes.
        commits: Versions that have a commit, ascending.
        whole: Versions with a complete checkpoint, ascending.
    """

    sizes: Mapping[str, int]
    commits: tuple[int, ...]
    whole: tuple[int, ...]

    @classmethod
    def of(cls, infos: Iterable[FileInfo]) -> LogFiles:
        """The files of a listing."""
        sizes = {info.base_name: int(info.size) for info in infos if info.is_file}
        commits = sorted(
            int(n[:20])
            for n in sizes
            if len(n) == 25 and n[:20].isdecimal() and n.endswith(".json")
        )
        return cls(sizes, tuple(commits), tuple(checkpoints(sizes)))

    @classmethod
    def at(cls, files: FileSystem, place: str) -> LogFiles:
        """The files of the log of the table in a folder; none where there is no log."""
        from pyarrow import fs  # noqa: PLC0415 - slow to import

        return cls.of(files.get_file_info(fs.FileSelector(f"{place}/{LOG}", allow_not_found=True)))

    @property
    def latest(self) -> int | None:
        """The latest version that is named; None: there is none."""
        return max((*self.commits, *self.whole), default=None)

    def is_readable_without(self, checkpoint: int) -> bool:
        """Whether the latest version can be read from an earlier checkpoint or the first commit on."""
        base = max((v for v in self.whole if v < checkpoint), default=-1)
        return self.latest is not None and set(range(base + 1, self.latest + 1)) <= set(
            self.commits
        )


def examine(root: Root, name: str, progress: Progress = lambda *_: None) -> TableHealth:
    """Look at a table: its log, and its files as the latest version names them.

    Args:
        root: Root of the lake.
        name: The dataset.
        progress: Called with the dataset, files looked at, files in all.

    Raises:
        NameRefused: It is no name.
        NotFound: There is no such table.
        StorageError: Its files cannot be listed.
    """
    files, base = storage.filesystem(root)
    place = f"{base}/{layers.path_of(root, names.checked(name))}"
    log = LogFiles.at(files, place)
    if log.latest is None:
        tables.open_table(root, name, to_read=True)
    damage = [*_log_damage(files, place, log, name)]
    health = TableHealth(name, log.latest, log_entries=len(log.commits))
    try:
        handle = tables.open_table(root, name, to_read=True)
        health = _content(handle, files, place, health)
        damage += _file_damage(handle, files, place, name, progress)
    except LakeError as error:
        if not damage:
            damage.append(_unreadable(root, name, log, error))
    way_out = owners.mending(_owner(root, name, log), name) if damage else None
    if way_out is not None:
        damage = [replace(one, way_out=way_out) for one in damage]
    return _with(health, damage)


def latest_sound(root: Root, name: str, log: LogFiles) -> DeltaTable | None:
    """The latest version of a table that can be opened; None: none can."""
    for version in (None, *sorted({*log.commits, *log.whole}, reverse=True)):
        with suppress(LakeError):
            return tables.open_table(root, name, to_read=True, version=version)
    return None


def _owner(root: Root, name: str, log: LogFiles) -> str | None:
    handle = latest_sound(root, name, log)
    return None if handle is None else owners.owner_of(handle)


def _unreadable(root: Root, name: str, log: LogFiles, error: LakeError) -> Damage:
    """Damage of a table whose log looks sound: by its last commit, if the version before can be opened."""
    if log.latest and _opens(root, name, log.latest - 1):
        return _last_commit(BAD_COMMIT, log.latest, error.message, name)
    return Damage(UNREADABLE, "", error.message, error.hint or COPY)


def _opens(root: Root, name: str, version: int) -> bool:
    try:
        tables.open_table(root, name, to_read=True, version=version)
    except LakeError:
        return False
    return True


def _last_commit(kind: str, version: int, detail: str, name: str) -> Damage:
    way_out = f"{DROP.format(name=name)} goes back to version {version - 1} and keeps the file"
    return Damage(kind, f"{LOG}/{version:020d}.json", detail, way_out, is_last=True)


def data_files(handle: DeltaTable) -> dict[str, int]:
    """Path, relative to the table, → bytes of each file of the version."""
    actions = added(handle).select(["path", "size_bytes"]).to_pylist()
    return {unquote(a["path"]): a["size_bytes"] for a in actions if "://" not in a["path"]}


def _content(handle: DeltaTable, files: FileSystem, place: str, health: TableHealth) -> TableHealth:
    sizes = data_files(handle)
    protocol = handle.protocol()
    return TableHealth(
        health.dataset,
        handle.version(),
        reading.count(handle, health.dataset),
        f"{protocol.min_reader_version}/{protocol.min_writer_version}",
        len(sizes),
        sum(sizes.values()),
        sum(size < SMALL_BYTES for size in sizes.values()),
        len(_orphans(handle, files, place)),
        health.log_entries,
    )


def _orphans(handle: DeltaTable, files: FileSystem, place: str) -> list[str]:
    # The light mode never sees files that no version knows, so they are what the full one sees besides.
    full = set(handle.vacuum(dry_run=True, enforce_retention_duration=False, full=True))
    light = set(handle.vacuum(dry_run=True, enforce_retention_duration=False))
    infos = files.get_file_info([f"{place}/{path}" for path in sorted(full - light)])
    return [info.path for info in infos if info.is_file]


def _log_damage(files: FileSystem, place: str, log: LogFiles, name: str) -> Iterator[Damage]:
    bad = list(_checkpoint_damage(files, place, log, name))
    gone = {int(d.path.rpartition("/")[2][:20]) for d in bad if d.repairable}
    yield from bad
    yield from _hint_damage(files, place, set(log.whole) - gone, log, name)
    yield from _gaps(log)
    for version in log.commits:
        entry = f"{version:020d}.json"
        if log.sizes[entry] == 0:
            detail = f"version {version} counts as empty: what it wrote is not in the table"
            if version == log.latest and version > 0:
                yield _last_commit(EMPTY_COMMIT, version, detail, name)
            else:
                yield Damage(EMPTY_COMMIT, f"{LOG}/{entry}", detail, COPY)
        elif (wrong := _bad_line(_content_of(files, f"{place}/{LOG}/{entry}"))) is not None:
            yield _bad_commit(log, version, wrong, name)


def _bad_commit(log: LogFiles, version: int, bad: tuple[str, bool], name: str) -> Damage:
    why, is_cut_off = bad
    path = f"{LOG}/{version:020d}.json"
    if version == log.latest and version > 0 and is_cut_off:
        way_out = f"{REPAIR.format(name=name)} goes back to version {version - 1}: nobody can read this one"
        return Damage(BAD_COMMIT, path, why, way_out, repairable=True)
    if version == log.latest and version > 0:
        return _last_commit(BAD_COMMIT, version, why, name)
    later = "; later versions can be read" if any(v >= version for v in log.whole) else ""
    return Damage(BAD_COMMIT, path, f"{why}{later}", COPY)


def _hint_damage(
    files: FileSystem, place: str, sound: set[int], log: LogFiles, name: str
) -> Iterator[Damage]:
    if HINT not in log.sizes:
        return
    way_out = f"{REPAIR.format(name=name)} puts it aside: readers find the checkpoints without it"
    try:
        hinted = json.loads(_content_of(files, f"{place}/{LOG}/{HINT}"))["version"]
    except (ValueError, KeyError, TypeError) as error:
        yield Damage(STALE_HINT, f"{LOG}/{HINT}", f"it is no JSON: {error}", way_out, True)
        return
    if hinted not in sound:
        why = f"there is no sound checkpoint {hinted}"
        yield Damage(STALE_HINT, f"{LOG}/{HINT}", why, way_out, True)


def _checkpoint_damage(files: FileSystem, place: str, log: LogFiles, name: str) -> Iterator[Damage]:
    for entry in sorted(n for n in log.sizes if ".checkpoint" in n):
        version = int(entry[:20])
        if version not in log.whole:
            why: str | None = "other parts of the checkpoint are missing"
        else:
            why = (
                _unreadable_parquet(files, f"{place}/{LOG}/{entry}")
                if entry.endswith("parquet")
                else None
            )
        if why is None:
            continue
        can = log.is_readable_without(version)
        way_out = (
            f"{REPAIR.format(name=name)} puts it aside: the log tells the same" if can else COPY
        )
        yield Damage(BAD_CHECKPOINT, f"{LOG}/{entry}", why, way_out, can)


def _gaps(log: LogFiles) -> Iterator[Damage]:
    if not log.commits:
        return
    first, last = log.commits[0], log.commits[-1]
    if first > 0 and not any(v >= first - 1 for v in log.whole):
        yield Damage(GAP, LOG, f"it begins with version {first}, without a checkpoint", COPY)
    for version in sorted(set(range(first, last)) - set(log.commits)):
        later = "; later versions can be read" if any(v >= version for v in log.whole) else ""
        yield Damage(
            GAP, f"{LOG}/{version:020d}.json", f"version {version} is missing{later}", COPY
        )


def _file_damage(
    handle: DeltaTable, files: FileSystem, place: str, name: str, progress: Progress
) -> Iterator[Damage]:
    sizes = data_files(handle)
    infos = files.get_file_info([f"{place}/{path}" for path in sorted(sizes)])
    for number, (path, info) in enumerate(zip(sorted(sizes), infos, strict=True)):
        progress(name, number, len(infos))
        if not info.is_file:
            way_out = (
                f"restore it from a copy, or {REPAIR.format(name=name)}, which gives its rows up"
            )
            yield Damage(MISSING_FILE, path, "the log names it", way_out, True)
        elif (why := _unreadable_data(files, info, sizes[path])) is not None:
            way_out = f"restore it from a copy, or delete it and {REPAIR.format(name=name)}"
            yield Damage(BAD_FILE, path, why, way_out)


def _unreadable_data(files: FileSystem, info: FileInfo, size: int) -> str | None:
    if info.size != size:
        return f"it has {info.size} bytes, the log says {size}"
    return _unreadable_parquet(files, info.path)


def _unreadable_parquet(files: FileSystem, path: str) -> str | None:
    from pyarrow import parquet  # noqa: PLC0415 - slow to import

    try:
        with files.open_input_file(path) as file:
            parquet.read_metadata(file)
    except (pa.ArrowException, OSError) as error:
        return f"its footer cannot be read: {first_line(error)}"
    return None


def _bad_line(commit: bytes) -> tuple[str, bool] | None:
    """What is wrong with a commit, and whether it is its last line alone, as if it was cut off."""
    lines = [line for line in commit.splitlines() if line.strip()]
    for number, line in enumerate(lines, 1):
        try:
            if not isinstance(json.loads(line), dict):
                return f"line {number} is no action", False
        except ValueError as error:
            return f"line {number} is no JSON: {error}", number == len(lines)
    return None


def _content_of(files: FileSystem, path: str) -> bytes:
    with files.open_input_stream(path) as file:
        return bytes(file.read())


def _with(health: TableHealth, damage: list[Damage]) -> TableHealth:
    return TableHealth(**{**vars(health), "damage": tuple(damage)})
