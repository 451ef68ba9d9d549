"""A table that names its owner is written by nobody else, by whatever door, wherever it is copied to."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from lakeshelf import migration
from lakeshelf.ingestion.io.target import Target
from lakeshelf.lake import Conflict, Dataset, Datasets, Lake
from lakeshelf.lake.form.commits import Txn, Write
from lakeshelf.lake.form.owners import GOVERNANCE, OWNER
from lakeshelf.lake.place import projects
from lakeshelf.lake.place.locks import FileLock
from lakeshelf.lake.readable import ReadableLake
from lakeshelf.lake.rows import tables
from lakeshelf.lake.upkeep import requests
from lakeshelf.lake.upkeep.repair import repair
from lakeshelf.lake.write import changing, merging, rewriting, writing

NAME = "retail/shelf_policies"
SCHEMA = pa.schema([("shelf_id", pa.string()), ("units", pa.int64())])
ROWS, NEW = [{"shelf_id": "A1", "units": 3}], [{"shelf_id": "A2", "units": 5}]
REFUSAL = (
    r"^retail\.shelf_policies belongs to governance; change it by a change request "
    r"\(`lakeshelf data edit retail/shelf_policies`\)$"
)


@pytest.fixture
def owner(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path, who="tests", writer=GOVERNANCE)
    lake.create(NAME, SCHEMA, key=("shelf_id",), path=projects.main(NAME), owner=GOVERNANCE)
    lake.append(NAME, ROWS)
    return lake


def version(lake: Lake) -> int:
    return lake.snapshot(NAME).version


DOORS: dict[str, Callable[[Lake], object]] = {
    "append": lambda lake: lake.append(NAME, NEW),
    "overwrite": lambda lake: lake.overwrite(NAME, NEW),
    "replace": lambda lake: lake.replace(NAME, NEW, [("shelf_id", "=", "A2")]),
    "merge": lambda lake: lake.merge(NAME, NEW),
    "delete": lambda lake: lake.delete(NAME, [("shelf_id", "=", "A1")]),
    "update": lambda lake: lake.update(NAME, [("shelf_id", "=", "A1")], {"units": 4}),
    "restore": lambda lake: lake.restore(NAME, 0),
    "enable": lambda lake: lake.enable(NAME, "appendOnly"),
    "note": lambda lake: lake.note(NAME, metadata={"kind": "fence"}),
    "create": lambda lake: lake.create(NAME, SCHEMA, exist_ok=True),
}
"""Every method of a lake that writes one table → a call of it."""
ASKED = {"optimize", "vacuum"}
"""Methods that ask the owner."""


def test_every_method_that_writes_is_among_the_doors() -> None:
    writing_methods = {n for n in {*dir(Lake)} - {*dir(ReadableLake)} if not n.startswith("_")}
    assert writing_methods - {"changes", "run"} == {*DOORS} | ASKED


@pytest.mark.parametrize("writer", [None, "price-watch"])
@pytest.mark.parametrize("door", DOORS)
def test_every_other_door_is_refused_with_the_owner_and_the_way(
    owner: Lake, door: str, writer: str | None
) -> None:
    before = version(owner)
    with pytest.raises(Conflict, match=REFUSAL):
        DOORS[door](Lake(owner.root, writer=writer))
    assert version(owner) == before


@pytest.mark.parametrize("door", sorted({*DOORS} - {"create", "enable"}))
def test_the_owner_opens_its_door_by_name(owner: Lake, door: str) -> None:
    before = version(owner)
    DOORS[door](owner)
    assert version(owner) == before + 1


def test_a_lake_that_is_copied_keeps_the_rule(owner: Lake, tmp_path: Path) -> None:
    copy = tmp_path.parent / f"{tmp_path.name}-copy"
    shutil.copytree(tmp_path, copy)
    for door in DOORS.values():
        with pytest.raises(Conflict, match=REFUSAL):
            door(Lake(copy))
    assert Lake(copy).dataset(NAME).owner == GOVERNANCE
    assert Lake(copy).read(NAME).read_all().to_pylist() == ROWS


def test_no_catalogue_and_no_other_root_leads_around_the_owner(owner: Lake, tmp_path: Path) -> None:
    path = projects.main(NAME)
    forgetful = Lake(tmp_path, Datasets([Dataset(NAME, SCHEMA, key=("shelf_id",), path=path)]))
    for door in DOORS.values():
        with pytest.raises(Conflict, match=REFUSAL):
            door(forgetful)
    aslant = Lake(tmp_path / "projects" / "retail" / "datasets")
    with pytest.raises(Conflict, match="belongs to governance"):
        aslant.append("shelf_policies/main", NEW)


HANDLES: dict[str, Callable[[DeltaTable], object]] = {
    "append": lambda handle: writing.append(handle, NAME, NEW, Write()),
    "overwrite": lambda handle: writing.overwrite(handle, NAME, NEW, Write()),
    "merge": lambda handle: merging.upsert(handle, NAME, NEW, ["shelf_id"], Write()),
    "delete": lambda handle: changing.delete(handle, NAME, [("shelf_id", "=", "A1")], Write()),
    "note": lambda handle: writing.note(handle, NAME, Write((Txn("app", 1),))),
    "rewrite": lambda handle: rewriting.rewrite(
        handle, NAME, pa.Table.from_pylist(NEW, SCHEMA).slice(0, 0), SCHEMA.empty_table(), Write()
    ),
}


@pytest.mark.parametrize("write", HANDLES)
def test_it_is_decided_at_the_handle_that_writes(owner: Lake, write: str) -> None:
    handle = tables.open_table(owner.root, NAME)
    with pytest.raises(Conflict, match=REFUSAL):
        HANDLES[write](handle)
    assert version(owner) == 1


def test_files_are_not_loaded_and_not_migrated_into_it(owner: Lake, tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    assert "belongs to governance" in Target(lake, NAME).refusal()
    assert Target(owner, NAME).refusal() == ""
    source = tmp_path.parent / f"{tmp_path.name}-exported"
    lake.export_parquet(NAME, source)
    (source / "_export.json").unlink()
    for incremental in (False, True):
        with pytest.raises(Conflict):
            migration.migrate(lake, source, NAME, migration.Options(), incremental=incremental)
    with pytest.raises(Conflict, match=REFUSAL):
        migration.dry_run(lake, source, NAME, migration.Options())


@pytest.mark.parametrize("damage", ["a stale hint", "a last commit that nobody reads"])
def test_nobody_else_repairs_it(owner: Lake, tmp_path: Path, damage: str) -> None:
    log = tmp_path / projects.main(NAME) / "_delta_log"
    broken = log / ("_last_checkpoint" if damage == "a stale hint" else f"{1:020d}.json")
    broken.write_text("{")
    with pytest.raises(Conflict, match=REFUSAL):
        repair(Lake(tmp_path), NAME)
    assert broken.is_file()
    assert repair(Lake(tmp_path), NAME, dry_run=True).aside == (f"_delta_log/{broken.name}",)
    assert repair(owner, NAME).aside == (f"_delta_log/{broken.name}",)


def test_a_projects_table_whose_owner_cannot_be_read_is_repaired_by_nobody(
    owner: Lake, tmp_path: Path
) -> None:
    log = tmp_path / projects.main(NAME) / "_delta_log"
    for commit in log.glob("*.json"):
        commit.write_text("{")
    with pytest.raises(Conflict, match="to see who owns it"):
        repair(Lake(tmp_path), NAME)


@pytest.mark.parametrize("action", sorted(ASKED))
def test_maintenance_is_asked_of_an_owner_that_is_up(
    owner: Lake, tmp_path: Path, action: Any
) -> None:
    stack = tmp_path / requests.STACK
    served: list[str] = []

    def serve() -> None:
        served.extend(requests.asked(stack, [NAME]))
        requests.serve(stack, NAME, lambda: tables.open_table(owner.root, NAME))

    forgetful = Lake(tmp_path, Datasets([Dataset(NAME, SCHEMA, path=projects.main(NAME))]))
    with FileLock(stack / "locks" / f"{GOVERNANCE}.lock", "the service"):
        done = requests.carry_out(forgetful, NAME, action, {}, waiting=serve, pause=lambda _: None)
        with pytest.raises(Conflict, match=GOVERNANCE):
            requests.carry_out(forgetful, NAME, action, {}, timeout_s=-1.0, pause=lambda _: None)
    assert (done.by, served) == (GOVERNANCE, [NAME])
    stood_in = requests.carry_out(forgetful, NAME, action, {})
    assert stood_in.by == "this process", (
        "under the owner's lease, so that it cannot start meanwhile"
    )


def test_the_owner_stands_in_the_properties_from_the_first_commit(owner: Lake) -> None:
    first = owner.snapshot(NAME, 0).handle
    assert first.metadata().configuration[OWNER] == GOVERNANCE
    assert first.metadata().configuration["lakeshelf.key"] == "shelf_id"


def test_only_the_owner_makes_a_table_of_its_own(tmp_path: Path) -> None:
    how = {"path": projects.main(NAME), "owner": GOVERNANCE}
    with pytest.raises(Conflict, match="governance"):
        Lake(tmp_path).create(NAME, SCHEMA, **how)
    assert not os.listdir(tmp_path)
