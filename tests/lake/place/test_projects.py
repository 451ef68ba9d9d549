"""Datasets of projects: found where they lie, by every door of the library, and never taken for a layer's table."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshelf import migration, query
from lakeshelf.lake import Consumer, Dataset, Datasets, Lake, NameRefused, NotFound
from lakeshelf.lake.history import pins
from lakeshelf.lake.history.verification import verify
from lakeshelf.lake.place import layers, projects, storage
from lakeshelf.lake.rows import tables
from lakeshelf.lake.upkeep.doctor import examine
from lakeshelf.lake.upkeep.repair import repair

NAME = "retail/shelf_policies"
PATH = "projects/retail/datasets/shelf_policies/main"
SCHEMA = pa.schema([("shelf_id", pa.string()), ("reorder_point", pa.int64())])
FIRST, SECOND = {"shelf_id": "A1", "reorder_point": 3}, {"shelf_id": "A2", "reorder_point": 5}


def opened(root: Path) -> Lake:
    return Lake(root, who="tests")


@pytest.fixture
def shop(tmp_path: Path) -> Lake:
    lake = opened(tmp_path)
    lake.create(NAME, SCHEMA, key=("shelf_id",), path=PATH)
    lake.append(NAME, [FIRST])
    lake.merge(NAME, [SECOND])
    lake.append("curated/notes", [{"id": 1}])
    return lake


def beside(folder: Path) -> Path:
    """A place outside the lake."""
    return folder.parent / f"{folder.name}-beside"


def rows(lake: Lake, at: Any = None) -> list[dict[str, Any]]:
    return lake.read(NAME, at).read_all().sort_by("shelf_id").to_pylist()


def test_a_dataset_of_a_project_is_found_by_its_name_where_it_lies(shop: Lake) -> None:
    assert shop.names() == ["curated/notes", NAME]
    assert (shop.root.folder / PATH / "_delta_log").is_dir()  # type: ignore[operator]
    dataset = shop.dataset(NAME)
    assert (dataset.path, dataset.key, dataset.as_json()["path"]) == (PATH, ("shelf_id",), PATH)
    assert rows(shop) == [FIRST, SECOND]
    assert rows(shop, 1) == [FIRST]
    assert [entry.version for entry in shop.history(NAME)] == [2, 1, 0]
    assert shop.diff(NAME, 1, 2).read_all().num_rows == 1


def test_a_lake_that_is_copied_has_the_same_datasets(shop: Lake, tmp_path: Path) -> None:
    copy = beside(tmp_path)
    shutil.copytree(tmp_path, copy)
    assert rows(opened(copy)) == rows(shop)
    assert storage.place_of(shop.snapshot(NAME).handle)[1] == PATH
    assert storage.name_of(shop.snapshot(NAME).handle) == NAME


def test_a_catalogue_that_has_the_path_makes_the_table_there_with_its_first_rows(
    tmp_path: Path,
) -> None:
    known = Dataset(NAME, SCHEMA, key=("shelf_id",), path=PATH)
    lake = Lake(tmp_path, Datasets([known]))
    lake.merge(NAME, [FIRST])
    assert storage.project_tables(lake.root) == lake.names() == [NAME]
    assert rows(opened(tmp_path)) == [FIRST]


@pytest.mark.slow
def test_sql_has_it_as_project_and_dataset(shop: Lake) -> None:
    with query.run(shop, "SELECT shelf_id FROM retail.shelf_policies ORDER BY ALL") as result:
        assert result.read_all()["shelf_id"].to_pylist() == ["A1", "A2"]
        assert [(pin.name, pin.version) for pin in result.pins] == [(NAME, 2)]
    at = "SELECT count(*) AS n FROM retail.shelf_policies AT (VERSION => 1)"
    with query.run(shop, at) as result:
        assert result.read_all().to_pylist() == [{"n": 1}]
    with query.run(shop, "SHOW TABLES") as result:
        assert "retail.shelf_policies" in result.read_all()["name"].to_pylist()
    with pytest.raises(NotFound, match=r"retail\.shelf_policies"):
        query.run(shop, "FROM retail.shelf_policy")


def test_a_name_that_is_nearly_right_is_answered_with_it(shop: Lake) -> None:
    with pytest.raises(NotFound, match=NAME):
        shop.read("retail/shelf_policy")


def test_it_is_examined_exported_and_repaired(shop: Lake, tmp_path: Path) -> None:
    health = examine(shop.root, NAME)
    assert (health.version, health.rows, health.damage) == (2, 2, ())
    exported = shop.export_parquet(NAME, beside(tmp_path))
    assert (exported.dataset, exported.rows) == (NAME, 2)
    hint = tmp_path / PATH / "_delta_log" / "_last_checkpoint"
    hint.write_text("{")
    assert [damage.kind for damage in examine(shop.root, NAME).damage] == ["stale _last_checkpoint"]
    assert repair(shop, NAME).aside == ("_delta_log/_last_checkpoint",)
    assert (tmp_path / PATH / "_damaged" / "_last_checkpoint").is_file()


def test_runs_record_it_and_are_verified(shop: Lake) -> None:
    with shop.run("first") as run:
        assert run.read(NAME).read_all().num_rows == 2
        run.merge(NAME, [FIRST | {"reorder_point": 9}])
    shop.merge(NAME, [FIRST])
    assert rows(shop, "first")[0]["reorder_point"] == 9
    assert list(verify(shop, "first")) == []


def test_runs_and_cursors_hold_its_versions_back_from_vacuum(shop: Lake) -> None:
    reader = Consumer("reader", "curated/output")
    changes = shop.changes(NAME, reader)
    shop.overwrite(reader.output, [{"n": 1}], txn=changes.txns)
    for units in range(3):
        shop.merge(NAME, [FIRST | {"reorder_point": units}])
    assert pins.oldest(shop.root, NAME, timedelta(days=1)) == 2
    report = shop.vacuum(NAME, retention=timedelta(days=8)).report
    assert report["pin"] == 2
    assert shop.changes(NAME, reader).full_refresh is None
    assert shop.optimize(NAME).report["failed"] == ()


@pytest.mark.parametrize("project", ["curated", "bronze", "silver", "projects", "notes"])
def test_no_project_is_called_like_a_layer(tmp_path: Path, project: str) -> None:
    lake = opened(tmp_path)
    lake.append("notes/mine", [{"id": 1}])
    name = f"{project}/policies"
    with pytest.raises(NameRefused, match=f"no project can be called {project}"):
        lake.create(name, SCHEMA, path=projects.main(name))
    with pytest.raises(NameRefused, match=f"no project can be called {project}"):
        layers.require_project(lake.root, project)
    assert layers.require_project(lake.root, "retail") == "retail"


@pytest.mark.parametrize("name", ["retail/notes", "projects/notes"])
def test_no_layer_is_called_like_a_project(shop: Lake, tmp_path: Path, name: str) -> None:
    with pytest.raises(NameRefused, match="choose another layer"):
        shop.append(name, [{"id": 1}])
    source = beside(tmp_path)
    shop.export_parquet(NAME, source)
    with pytest.raises(NameRefused, match="choose another layer"):
        migration.migrate(shop, source, name, migration.Options())
    assert shop.names() == ["curated/notes", NAME]


def test_two_tables_of_one_name_are_refused_not_guessed(shop: Lake, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "curated/notes", tmp_path / NAME)
    with pytest.raises(NameRefused, match="lies at two places"):
        shop.read(NAME)


def test_a_table_whose_folders_only_look_like_a_projects_is_in_its_layer(tmp_path: Path) -> None:
    root = tmp_path / "projects" / "retail" / "datasets"
    lake = opened(root)
    lake.append("notes/main", [{"id": 1}])
    handle = tables.open_table(lake.root, "notes/main")
    assert storage.place_of(handle) == (lake.root, "notes/main")


@pytest.mark.parametrize(
    "path",
    ["projects/retail/datasets/other/main", "curated/shelf_policies", "../x", "/etc", PATH[1:]],
)
def test_a_path_from_which_the_name_cannot_be_told_is_refused(path: str) -> None:
    with pytest.raises(NameRefused, match="is no path of retail/shelf_policies"):
        Dataset(NAME, path=path)


@pytest.mark.parametrize("word", ["ab", "Retail", "1st", "a-b", "a" * 64, "", "..", "a/b", 7, None])
def test_what_is_no_id_names_no_project_and_no_dataset(word: Any) -> None:
    with pytest.raises(NameRefused):
        projects.checked(word)
    with pytest.raises(NameRefused):
        projects.main(f"retail/{word}" if isinstance(word, str) else word)


@given(st.lists(st.text(max_size=8), min_size=1, max_size=3))
def test_no_path_leads_out_of_its_dataset(parts: list[str]) -> None:
    folder = Path("/lake") / projects.folder(NAME)
    try:
        path = projects.inside(NAME, *parts)
    except NameRefused:
        return
    assert (Path("/lake") / path).resolve().is_relative_to(folder)
    assert "%" not in path
