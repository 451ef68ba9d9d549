"""Datasets of projects on the command line: every command that reads finds them, none that writes gets in."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from lakeshelf.lake import Lake
from lakeshelf.lake.form.owners import GOVERNANCE
from lakeshelf.lake.place import projects
from tests.conftest import Run

NAME, IN_SQL = "retail/shelf_policies", "retail.shelf_policies"
SCHEMA = pa.schema([("shelf_id", pa.string()), ("units", pa.int64())])


@pytest.fixture
def governed(lake: Path) -> Path:
    owner = Lake(lake, writer=GOVERNANCE)
    owner.create(NAME, SCHEMA, key=("shelf_id",), path=projects.main(NAME), owner=GOVERNANCE)
    owner.append(NAME, [{"shelf_id": "A1", "units": 3}])
    return lake


def test_every_command_that_reads_finds_them(
    lakeshelf: Run, governed: Path, tmp_path: Path
) -> None:
    def answer(*words: object) -> object:
        done = lakeshelf(*words, "--json")
        assert done.code == 0, done.err
        return json.loads(done.out)

    (line,) = answer("lake", "ls")  # type: ignore[misc]
    assert (line["dataset"], line["version"], line["key"]) == (NAME, 1, "shelf_id")
    assert line["written_by"] == GOVERNANCE
    assert [entry["version"] for entry in answer("lake", "history", IN_SQL)] == [1, 0]  # type: ignore[attr-defined]
    assert len(answer("lake", "diff", NAME, 0, 1)) == 1  # type: ignore[arg-type]
    assert [health["dataset"] for health in answer("lake", "doctor")] == [NAME]  # type: ignore[attr-defined]
    assert answer("lake", "features", IN_SQL)["dataset"] == NAME  # type: ignore[index]
    assert answer("lake", "vacuum", NAME, "--dry-run")["dataset"] == NAME  # type: ignore[index]
    assert answer("lake", "export", NAME, tmp_path / "out")["rows"] == 1  # type: ignore[index]
    assert answer("sql", f"FROM {IN_SQL}") == [{"shelf_id": "A1", "units": 3}]
    missed = lakeshelf("lake", "history", "retail.shelf_policy")
    assert (missed.code, NAME in missed.err) == (1, True)


@pytest.mark.parametrize(
    "words", [("restore", NAME, 0), ("restore", IN_SQL, 0), ("repair", NAME), ("repair", IN_SQL)]
)
def test_what_writes_is_refused_with_the_owner_and_the_way(
    lakeshelf: Run, governed: Path, words: tuple[object, ...]
) -> None:
    done = lakeshelf("lake", *words)
    assert done.code == 1
    assert "retail.shelf_policies belongs to governance; change it by a change request" in done.err
    assert f"data edit {NAME}`" in done.err
    assert Lake(governed).snapshot(NAME).version == 1


@pytest.mark.parametrize(
    "statement",
    [
        f"INSERT INTO {IN_SQL} VALUES ('A2', 5)",
        f"DELETE FROM {IN_SQL}",
        f"UPDATE {IN_SQL} SET units = 9",
        f"DROP TABLE {IN_SQL}",
        f"CREATE OR REPLACE TABLE {IN_SQL} AS SELECT 1",
    ],
)
def test_sql_only_reads_them(lakeshelf: Run, governed: Path, statement: str) -> None:
    done = lakeshelf("sql", statement)
    assert (done.code, "not allowed" in done.err) == (1, True)
    assert Lake(governed).snapshot(NAME).version == 1


def test_files_that_are_declared_for_it_are_refused(lakeshelf: Run, governed: Path) -> None:
    folder = governed / "bronze" / "policies"
    folder.mkdir(parents=True)
    (folder / "_dataset.toml").write_text(f'dataset = "{NAME}"\n')
    (folder / "a.csv").write_text("shelf_id,units\nA2,5\n")
    done = lakeshelf("files", "scan")
    assert done.code != 0
    assert "belongs to governance" in " ".join((done.out + done.err).split())
    assert Lake(governed).snapshot(NAME).version == 1


def test_parquet_files_are_not_migrated_into_it(
    lakeshelf: Run, governed: Path, tmp_path: Path
) -> None:
    lakeshelf("lake", "export", NAME, tmp_path / "out")
    done = lakeshelf("lake", "migrate", tmp_path / "out", NAME, "--incremental")
    assert (done.code, "belongs to governance" in done.err) == (1, True)
