"""Ways out of damage that are safe: what is only derived is put aside, what is lost is taken out of the log.

Nothing is deleted: files that are taken out of the log's folder lie in the table's `_damaged` afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable

from lakeshelf.errors import LakeError
from lakeshelf.lake import doctor, requests, storage, tables
from lakeshelf.lake.commits import HOOKS, Write
from lakeshelf.lake.dataset import Dataset
from lakeshelf.lake.doctor import MISSING_FILE, Damage
from lakeshelf.lake.errors import Conflict, explained
from lakeshelf.lake.metadata import stamp

if TYPE_CHECKING:
    from lakeshelf.lake.lake import Lake

ASIDE = "_damaged"


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


def repair(lake: Lake, name: str, *, stack: Path | None = None, dry_run: bool = False) -> Repaired:
    """Do what is safe about the damage of a dataset; a second run does nothing.

    A dataset that has an owner is repaired under its leases, while it is down: what the owner has in memory would not
    be the table any more.

    Args:
        lake: The lake.
        name: The dataset.
        stack: Folder of the stack that its owner belongs to; None: that in the lake.
        dry_run: Whether only to say what would be done.

    Raises:
        Conflict: Its owner is up.
        NotFound: There is no such table.
    """
    dataset = lake.catalog[name] if name in lake.catalog else Dataset(name)
    if dry_run or dataset.writers == "many":
        return _repaired(lake, name, dry_run)
    with requests.leased(lake.root, dataset, stack) as is_ours:
        if not is_ours:
            raise Conflict(
                f"{dataset.owner} owns {name} and is up",
                hint="stop it with `lakeshelf down`, then repair",
            )
        return _repaired(lake, name, dry_run)


def _repaired(lake: Lake, name: str, dry_run: bool) -> Repaired:
    found = doctor.examine(lake.root, name)
    aside = [d.path for d in found.damage if d.repairable and d.kind != MISSING_FILE]
    if dry_run:
        missing = [d for d in found.damage if d.kind == MISSING_FILE]
        left = tuple(d for d in found.damage if not d.repairable)
        rows = _rows(_opened(lake, name), missing) if missing else 0
        return Repaired(name, tuple(aside), tuple(d.path for d in missing), rows, None, left)
    if aside:
        _put_aside(lake, name, aside)
        found = doctor.examine(
            lake.root, name
        )  # what is missing shows once the table can be opened
    missing = [d for d in found.damage if d.kind == MISSING_FILE]
    rows, version = _taken_out(lake, name, missing) if missing else (0, None)
    left = tuple(d for d in found.damage if d.kind != MISSING_FILE)
    return Repaired(name, tuple(aside), tuple(d.path for d in missing), rows, version, left)


def _put_aside(lake: Lake, name: str, paths: list[str]) -> None:
    files, base = storage.filesystem(lake.root)
    files.create_dir(f"{base}/{name}/{ASIDE}", recursive=True)
    for path in paths:
        there = f"{base}/{name}/{ASIDE}/{path.rpartition('/')[2]}"
        files.move(f"{base}/{name}/{path}", there)


def _taken_out(lake: Lake, name: str, missing: list[Damage]) -> tuple[int | None, int]:
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
    found = [counts.get(damage.path) for damage in missing]
    return None if None in found else sum(count or 0 for count in found)


def _counts(handle: DeltaTable) -> Mapping[str, int | None]:
    actions = pa.table(handle.get_add_actions()).select(["path", "num_records"]).to_pylist()
    return {unquote(a["path"]): a["num_records"] for a in actions}


def _opened(lake: Lake, name: str) -> DeltaTable:
    return tables.open_table(lake.root, name, to_read=True)
