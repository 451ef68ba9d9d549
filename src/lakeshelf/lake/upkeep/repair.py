"""Ways out of damage that are safe: what is only derived is put aside, what is lost is taken out of the log.

Nothing is deleted: files that are taken out of the log's folder lie in the table's `_damaged` afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from deltalake import DeltaTable

from lakeshelf.errors import LakeError
from lakeshelf.lake.form import owners
from lakeshelf.lake.form.actions import added
from lakeshelf.lake.form.commits import HOOKS, Write
from lakeshelf.lake.form.dataset import LIBRARY, Dataset
from lakeshelf.lake.form.metadata import stamp
from lakeshelf.lake.place import layers, projects, storage
from lakeshelf.lake.place.errors import Conflict, explained
from lakeshelf.lake.rows import tables
from lakeshelf.lake.rows.port import Tables
from lakeshelf.lake.upkeep import doctor, requests
from lakeshelf.lake.upkeep.doctor import MISSING_FILE, Damage

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

ASIDE = "_damaged"
_MOST_ASIDE = 1_000


@dataclass(frozen=True)
class Repaired:
    """What was repaired, or would be.

    Attributes:
        dataset: The dataset.
        aside: Files that were put into `_damaged`.
        lost: Data files that are gone and were taken out of the log.
        lost_rows: Their rows, as the log knew them; None: it did not.
        version: Version that this made; None: none.
        left: Damage that only other ways lead out of.
    """

    dataset: str
    aside: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    lost_rows: int | None = 0
    version: int | None = None
    left: tuple[Damage, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The record as JSON."""
        return asdict(self)


def repair(
    lake: Tables,
    name: str,
    *,
    stack: Path | None = None,
    dry_run: bool = False,
    drop_last_commit: bool = False,
) -> Repaired:
    """Do what is safe about the damage of a dataset; a second run does nothing.

    A dataset that has an owner is repaired under its leases, while it is down: what the owner has in memory would not
    be the table any more.

    Args:
        lake: The lake.
        name: The dataset.
        stack: Folder of the stack that its owner belongs to; None: that in the lake.
        dry_run: Whether only to say what would be done.
        drop_last_commit: Whether to put the last commit aside, if nobody can read it: the version before it is the
            latest then, and what the commit wrote is no part of the table.

    Raises:
        Conflict: Its owner is up, or named by the table itself, so that nobody else repairs it; or its last commit can
            be read and would be dropped.
        NotFound: There is no such table.
    """
    dataset = lake.catalog[name] if name in lake.catalog else Dataset(name)
    work = _dropped if drop_last_commit else _repaired
    if not dry_run:
        _require_owner(lake, name)
    if dry_run or dataset.owner in (LIBRARY, lake.writer):
        return work(lake, name, dry_run)
    with requests.leased(lake.root, dataset, stack) as is_ours:
        if not is_ours:
            raise Conflict(
                f"{dataset.owner} owns {name} and is up",
                hint="stop it with `lakeshelf down`, then repair",
            )
        return work(lake, name, dry_run)


def _require_owner(lake: Tables, name: str) -> None:
    """Refuse a table that names another owner in the latest of its versions that can be opened.

    Raises:
        Conflict: Others own it, or it is a project's and no version says whose.
    """
    log = doctor.LogFiles.at(*_folder(lake, name))
    handle = doctor.latest_sound(lake.root, name, log)
    if handle is None:
        if projects.named(layers.path_of(lake.root, name)) is not None:
            raise Conflict(
                f"no version of {name} can be opened to see who owns it", hint=doctor.COPY
            )
        return
    owners.require(handle, name, lake.writer)


def _dropped(lake: Tables, name: str, dry_run: bool) -> Repaired:
    """Put the last commit aside, with what was derived of it; other damage is left for another run."""
    health = doctor.examine(lake.root, name)
    last = next((d for d in health.damage if d.is_last or _is_cut_off(d, health)), None)
    if last is None:
        raise Conflict(
            f"the last commit of {name} can be read, so it is not dropped",
            hint=f"`lakeshelf lake restore {name} VERSION` goes back to an earlier version",
        )
    aside = _entries(lake, name, last)
    left = tuple(d for d in health.damage if d.path not in aside)
    if dry_run:
        return Repaired(name, aside, left=left)
    _put_aside(lake, name, list(aside))
    return Repaired(name, aside, left=doctor.examine(lake.root, name).damage)


def _is_cut_off(damage: Damage, health: doctor.TableHealth) -> bool:
    """Whether it is a last commit that `repair` puts aside without being told to."""
    is_last = damage.path == f"{storage.LOG}/{health.version:020d}.json"
    return damage.kind == doctor.BAD_COMMIT and damage.repairable and is_last


def _entries(lake: Tables, name: str, commit: Damage) -> tuple[str, ...]:
    """A commit and what was derived of it: its checkpoint and its checksum."""
    from pyarrow import fs  # noqa: PLC0415 - slow to import

    files, base = _folder(lake, name)
    version = commit.path.rpartition("/")[2].removesuffix("json")
    listed = files.get_file_info(fs.FileSelector(f"{base}/{storage.LOG}"))
    names = sorted(info.base_name for info in listed if info.is_file)
    return tuple(f"{storage.LOG}/{one}" for one in names if one.lstrip(".").startswith(version))


def _repaired(lake: Tables, name: str, dry_run: bool) -> Repaired:
    health = doctor.examine(lake.root, name)
    aside = [d.path for d in health.damage if d.repairable and d.kind != MISSING_FILE]
    if dry_run:
        missing = [d for d in health.damage if d.kind == MISSING_FILE]
        left = tuple(d for d in health.damage if not d.repairable)
        rows = _rows(_opened(lake, name), missing) if missing else 0
        return Repaired(name, tuple(aside), tuple(d.path for d in missing), rows, None, left)
    if aside:
        _put_aside(lake, name, aside)
        health = doctor.examine(
            lake.root, name
        )  # what is missing shows once the table can be opened
    missing = [d for d in health.damage if d.kind == MISSING_FILE]
    rows, version = _taken_out(lake, name, missing) if missing else (0, None)
    left = tuple(d for d in health.damage if d.kind != MISSING_FILE)
    return Repaired(name, tuple(aside), tuple(d.path for d in missing), rows, version, left)


def _put_aside(lake: Tables, name: str, paths: list[str]) -> None:
    files, base = _folder(lake, name)
    aside = f"{base}/{ASIDE}"
    files.create_dir(aside, recursive=True)
    for path in paths:
        files.move(f"{base}/{path}", _free(files, f"{aside}/{path.rpartition('/')[2]}"))


def _folder(lake: Tables, name: str) -> tuple[FileSystem, str]:
    """The file system of a lake, and a table's folder in it."""
    files, base = storage.filesystem(lake.root)
    return files, f"{base}/{layers.path_of(lake.root, name)}"


def _free(files: FileSystem, path: str) -> str:
    """A path at which nothing lies: a commit of that number may have been put aside before."""
    numbered = (path, *(f"{path}.{number}" for number in range(1, _MOST_ASIDE)))
    return next(one for one in numbered if files.get_file_info(one).type.name == "NotFound")


def _taken_out(lake: Tables, name: str, missing: list[Damage]) -> tuple[int | None, int]:
    """Take files that are gone out of the log: rows that are lost, and the version that says so."""
    handle = tables.open_table(lake.root, name)
    rows = _rows(handle, missing)
    write = Write(stamp=stamp(lake.stamp.who, why="repair"), metadata={"lost_files": len(missing)})
    with explained(f"{name} was not repaired", LakeError):
        handle.repair(commit_properties=write.properties(), post_commithook_properties=HOOKS)
    handle.update_incremental()
    return rows, int(handle.version())


def _rows(handle: DeltaTable, missing: list[Damage]) -> int | None:
    counts = _counts(handle)
    row_counts = [counts.get(damage.path) for damage in missing]
    return None if None in row_counts else sum(count or 0 for count in row_counts)


def _counts(handle: DeltaTable) -> Mapping[str, int | None]:
    actions = added(handle).select(["path", "num_records"]).to_pylist()
    return {unquote(a["path"]): a["num_records"] for a in actions}


def _opened(lake: Tables, name: str) -> DeltaTable:
    return tables.open_table(lake.root, name, to_read=True)
