"""`destroy` removes a lake and its state, and nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pytest

from lakeshelf.lake import Lake
from lakeshelf.lake.place.locks import FileLock
from lakeshelf.stack.machine.processes import identify


@pytest.fixture
def filled(lake: Path) -> Path:
    Lake(lake).append("sales/lines", [{"id": 1}])
    Lake(lake).append("sales/prices", [{"id": 1}])
    for folder in ("_stack/logs", "_checkpoints/query", "bronze/pos"):
        (lake / folder).mkdir(parents=True)
    (lake / "bronze" / "pos" / "a.csv").write_text("id\n1\n")
    return lake


def test_a_lake_is_removed_once_its_name_is_given(lakeshelf, filled):
    done = lakeshelf("destroy", "--yes", "lake", "--json")
    assert done.code == 0
    told = json.loads(done.out)
    assert told["left"] == []
    assert {"sales/lines", "sales/prices", "bronze"} <= set(told["removed"])
    assert not filled.exists()


@pytest.mark.parametrize("given", [("--yes", "another"), ("--yes", ""), ()])
def test_without_its_name_nothing_is_removed(lakeshelf, filled, given):
    before = sorted(filled.rglob("*"))
    assert lakeshelf("destroy", *given).code == 2
    assert sorted(filled.rglob("*")) == before


def test_the_name_is_asked_for(lakeshelf, filled, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "no")
    assert lakeshelf("destroy").code == 2
    assert filled.exists()
    monkeypatch.setattr("builtins.input", lambda _: "lake")
    assert lakeshelf("destroy").code == 0
    assert not filled.exists()


def test_what_is_not_the_lakes_stays_and_is_told(lakeshelf, filled):
    (filled / "photos").mkdir()
    (filled / "photos" / "cat.jpg").touch()
    (filled / "sales" / "notes.txt").touch()
    Lake(filled / "demo").append("sales/lines", [{"id": 1}])
    done = lakeshelf("destroy", "--yes", "lake")
    assert done.code == 0
    assert "demo, photos, sales" in done.out
    left = {str(path.relative_to(filled)) for path in filled.rglob("*") if path.is_file()}
    assert {"photos/cat.jpg", "sales/notes.txt"} < left
    assert Lake(filled / "demo").names() == ["sales/lines"]


def test_links_are_removed_and_never_followed(lakeshelf, filled, tmp_path):
    outside = Lake(tmp_path / "outside")
    outside.append("other/lines", [{"id": 1}])
    (filled / "linked").symlink_to(tmp_path / "outside" / "other")
    (filled / "sales" / "linked").symlink_to(tmp_path / "outside" / "other" / "lines")
    (filled / "bronze" / "linked").symlink_to(tmp_path / "outside")
    assert lakeshelf("destroy", "--yes", "lake").code == 0
    assert outside.names() == ["other/lines"]
    assert not filled.exists()


def test_a_lake_that_is_a_link_is_refused(lakeshelf, filled, tmp_path):
    (tmp_path / "link").symlink_to(filled)
    refused = lakeshelf("--lake", tmp_path / "link", "destroy", "--yes", "link")
    assert refused.code == 2
    assert str(filled) in refused.error
    assert filled.exists()


def test_a_lake_with_a_stack_is_refused(lakeshelf, filled):
    told = {"state": "running", "lake": str(filled), "parts": {}, **vars(identify(os.getpid()))}
    (filled / "_stack" / "stack.json").write_text(json.dumps(told))
    refused = lakeshelf("destroy", "--yes", "lake")
    assert refused.code == 1
    assert "`lakeshelf down`" in refused.error
    assert (filled / "sales" / "lines").exists()


def test_a_lake_that_somebody_holds_is_refused(lakeshelf, filled):
    with FileLock(filled / "_stack" / "stack.lock", "somebody"):
        assert lakeshelf("destroy", "--yes", "lake").code == 1
    assert (filled / "sales" / "lines").exists()


def test_a_folder_that_is_no_lake_is_refused(lakeshelf, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    refused = lakeshelf("--lake", tmp_path / "photos", "destroy", "--yes", "photos")
    assert refused.code == 2
    assert "is no lake" in refused.error
    assert (tmp_path / "photos" / "cat.jpg").exists()


def test_the_state_of_a_lake_that_keeps_it_elsewhere_goes_too(
    lakeshelf, filled, monkeypatch, tmp_path
):
    monkeypatch.setenv("LAKESHELF_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "state" / "_stack").mkdir(parents=True)
    assert lakeshelf("destroy", "--yes", "lake").code == 0
    assert not (tmp_path / "state" / "_stack").exists()


def test_datasets_of_projects_go_with_all_that_they_have(lakeshelf, filled):
    folder = filled / "projects/retail/datasets/shelf_policies"
    Lake(filled).create(
        "retail/shelf_policies",
        pa.schema([("id", pa.int64())]),
        path=str(folder.relative_to(filled) / "main"),
    )
    (folder / "staging").mkdir()
    done = lakeshelf("destroy", "--yes", "lake", "--json")
    assert "retail/shelf_policies" in json.loads(done.out)["removed"]
    assert not filled.exists()
