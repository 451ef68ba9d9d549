"""`lakeshelf lake`: what keeps tables small, sound and readable, as people and programs see it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from deltalake import DeltaTable

from lakeshelf.contracts import CATALOG
from lakeshelf.lake import Lake
from lakeshelf.lake.form.features import FEATURES
from lakeshelf.lake.rows import tables
from lakeshelf.lake.upkeep.doctor import data_files
from tests.conftest import Run
from tests.lake.upkeep.rig import LOG, NAME, add, made, on_disk, owned, rows, without_retention

JOB = CATALOG.tables["cleansed/shelf_state"]


def test_optimize_merges_once_and_says_what_it_did(lakeshelf: Run, lake: Path) -> None:
    made(lake, ("a", "b"), files=3)
    content, before = rows(lake), on_disk(lake)
    planned = lakeshelf(
        "lake", "optimize", "curated.counts", "--min-files", 2, "--dry-run", "--json"
    )
    assert on_disk(lake) == before
    assert json.loads(planned.out)["dry_run"] is True
    done = lakeshelf("lake", "optimize", NAME, "--min-files", 2, "--json")
    assert done.code == 0
    assert [(p["partition"], p["files"], p["made"]) for p in json.loads(done.out)["done"]] == [
        ("day=a", 3, 1),
        ("day=b", 3, 1),
    ]
    assert rows(lake) == content
    again = lakeshelf("lake", "optimize", NAME, "--min-files", 2)
    assert (again.code, again.out) == (0, f"{NAME}: nothing to rewrite\n")


def test_a_partition_that_fails_is_exit_code_2_and_the_others_are_done(
    lakeshelf: Run, lake: Path
) -> None:
    handle = made(lake, ("a", "b"), files=3)
    next(lake / NAME / path for path in sorted(data_files(handle)) if "day=a" in path).unlink()
    done = lakeshelf("lake", "optimize", NAME, "--min-files", 2)
    assert done.code == 2
    assert "day=b" in done.out
    assert "failed" in done.out


def test_z_order_touches_the_named_partition_alone(lakeshelf: Run, lake: Path) -> None:
    made(lake, ("a", "b"), files=2)
    done = lakeshelf("lake", "optimize", NAME, "--zorder", "n, m", "--partition", "day=b", "--json")
    assert [p["partition"] for p in json.loads(done.out)["done"]] == ["day=b"]
    rest = lakeshelf("lake", "optimize", NAME, "--zorder", "n,m", "--json")
    assert [p["partition"] for p in json.loads(rest.out)["done"]] == ["day=a"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("optimize", NAME, "--partition", "day"), 2, "names no partition"),
        (("optimize", NAME, "--partition", "n=1"), 1, "not partitioned by n"),
        (("optimize", NAME, "--zorder", "nothing"), 1, "cannot be z-ordered by nothing"),
        (("optimize", "curated/other"), 1, "did you mean"),
        (("optimize", "../etc"), 1, "no name of a dataset"),
        (("vacuum", NAME, "--retention-hours", "1"), 1, "keeps them 7 days"),
        (("doctor", "curated/other"), 1, "no Delta table"),
        (("doctor", "../../etc"), 1, "no name of a dataset"),
        (("repair", "../../etc"), 1, "no name of a dataset"),
        (("repair", "curated/other"), 1, "no Delta table"),
        (("features", "curated/other"), 1, "did you mean"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    lakeshelf: Run, lake: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    made(lake, ("a",), files=1)
    before = on_disk(lake)
    done = lakeshelf("lake", *arguments)
    assert (done.code, said in done.error) == (code, True), done.error
    assert on_disk(lake) == before


def test_vacuum_names_files_first_and_deletes_them_then(lakeshelf: Run, lake: Path) -> None:
    handle = without_retention(made(lake, files=3))
    lakeshelf("lake", "optimize", NAME, "--min-files", 2)
    planned = lakeshelf("lake", "vacuum", NAME, "--dry-run")
    assert planned.out.count("part-") == 3
    assert json.loads(lakeshelf("lake", "vacuum", NAME, "--json").out)["files"] == 3
    assert lakeshelf("lake", "vacuum", NAME).out == f"{NAME}: nothing to delete\n"
    assert len(DeltaTable(handle.table_uri).file_uris()) == 1


@pytest.fixture
def owner(lake: Path) -> Iterator[subprocess.Popen[str]]:
    owned(lake, 20)
    command = [sys.executable, "-m", "tests.lake.upkeep.owning", str(lake), LOG.name]
    environment = {**os.environ, "PYTHONPATH": "src:."}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.communicate()


@pytest.mark.slow
def test_an_owner_that_is_up_does_it_and_an_owner_that_is_stuck_is_named(
    lakeshelf: Run, owner: subprocess.Popen[str]
) -> None:
    done = lakeshelf("lake", "optimize", LOG.name, "--min-files", 2, "--timeout", 240)
    assert done.code == 0
    assert f"done by {LOG.owner}" in done.out
    assert owner.poll() is None
    os.kill(owner.pid, 19)  # SIGSTOP: it holds its lease and answers nobody
    stuck = lakeshelf("lake", "vacuum", LOG.name, "--timeout", 0.3)
    assert stuck.code == 1
    assert f"{LOG.owner} owns {LOG.name} and has not maintained it within" in stuck.error
    assert "lakeshelf down" in lakeshelf("lake", "repair", LOG.name).error


def test_doctor_is_one_line_a_dataset_and_exit_code_2_where_one_is_damaged(
    lakeshelf: Run, lake: Path
) -> None:
    made(lake, files=3)
    owned(lake, 2)
    sound = lakeshelf("lake", "doctor")
    assert (sound.code, len(sound.out.splitlines())) == (0, 3)
    entry = lake / NAME / "_delta_log" / f"{3:020d}.json"
    entry.write_bytes(entry.read_bytes()[:-40])
    found = lakeshelf("lake", "doctor")
    assert found.code == 2
    assert f"bad commit _delta_log/{entry.name}" in found.out
    assert f"`lakeshelf lake repair {NAME}`" in found.out
    (health,) = json.loads(lakeshelf("lake", "doctor", NAME, "--json").out)
    assert (health["version"], health["rows"], len(health["damage"])) == (3, None, 1)


def test_repair_says_what_it_would_do_and_does_it(lakeshelf: Run, lake: Path) -> None:
    handle = made(lake, files=3)
    (lake / NAME / sorted(data_files(handle))[0]).unlink()
    planned = lakeshelf("lake", "repair", NAME, "--dry-run")
    assert "1 lost file would be taken out of the log, rows: 3" in planned.out
    assert DeltaTable(handle.table_uri).version() == handle.version()
    done = lakeshelf("lake", "repair", NAME, "--json")
    assert (done.code, json.loads(done.out)["lost_rows"]) == (0, 3)
    assert lakeshelf("lake", "repair", NAME).out == f"{NAME} has no damage\n"
    (lake / NAME / sorted(data_files(DeltaTable(handle.table_uri)))[0]).write_bytes(b"junk")
    left = lakeshelf("lake", "repair", NAME)
    assert left.code == 2
    assert "unreadable data file" in left.out


def test_the_way_out_of_a_commit_that_nobody_reads_is_the_command_that_is_named(
    lakeshelf: Run, lake: Path
) -> None:
    made(lake, files=3)
    entry = lake / NAME / "_delta_log" / f"{3:020d}.json"
    entry.write_bytes(b"")
    told = lakeshelf("lake", "doctor", NAME)
    assert (told.code, f"`lakeshelf lake repair {NAME} --drop-last-commit`" in told.out) == (
        2,
        True,
    )
    planned = lakeshelf("lake", "repair", NAME, "--drop-last-commit", "--dry-run")
    assert f"{entry.name} would be put into _damaged" in planned.out
    assert entry.exists()
    assert lakeshelf("lake", "repair", NAME, "--drop-last-commit").code == 0
    assert not entry.exists()
    assert lakeshelf("lake", "doctor", NAME).code == 0
    again = lakeshelf("lake", "repair", NAME, "--drop-last-commit")
    assert (again.code, "so it is not dropped" in again.error) == (1, True)


def test_features_of_all_engines_and_of_one_dataset(lakeshelf: Run, lake: Path) -> None:
    found = json.loads(lakeshelf("lake", "features", "--json").out)
    assert [line["feature"] for line in found] == list(FEATURES)
    words = {word for line in found for way in ("reads", "writes") for word in line[way].values()}
    assert words <= {"works", "notimpl", "notyet", "never"}
    made(lake, profile="spark_only")
    shown = lakeshelf("lake", "features", NAME)
    assert "reader 3, writer 7, profile spark_only" in shown.out
    told = json.loads(lakeshelf("lake", "features", NAME, "--json").out)
    assert told["written_by"] == {"delta-rs": ["deletionVectors"], "spark": []}
    assert told["read_by"]["polars"] == []


def test_restoring_a_table_that_a_job_owns_is_refused_with_the_way_out(
    lakeshelf: Run, lake: Path
) -> None:
    tables.ensure(lake, JOB)
    before = on_disk(lake, JOB.name)
    refused = lakeshelf("lake", "restore", JOB.name, 0)
    assert refused.code == 1
    assert "lakeshelf rebuild" in refused.error
    assert on_disk(lake, JOB.name) == before


def test_restoring_a_dataset_of_ones_own_gives_its_rows_back(lakeshelf: Run, lake: Path) -> None:
    handle = made(lake, files=1)
    then = rows(lake)
    add(handle, 1)
    assert json.loads(lakeshelf("lake", "restore", NAME, 1, "--json").out)[0]["version"] == 3
    assert rows(lake) == then
    assert len(Lake(lake).history(NAME)) == 4


def test_history_and_diff_take_the_path_of_a_table_anywhere(lakeshelf: Run, lake: Path) -> None:
    made(lake, ("a",), files=2)
    place = str(lake / NAME)
    told = json.loads(lakeshelf("lake", "history", place, "--json").out)
    assert [entry["version"] for entry in told] == [
        entry.version for entry in Lake(lake).history(NAME)
    ]
    same = lakeshelf("lake", "diff", place, told[0]["version"], told[0]["version"], "--json")
    assert json.loads(same.out) == []
    missing = lakeshelf("lake", "history", str(lake / "nothing"))
    assert missing.code == 1
    assert "no Delta table at" in missing.err


def test_a_table_that_cannot_be_opened_hides_no_other(lakeshelf: Run, lake: Path) -> None:
    made(lake)
    other = "curated/other"
    Lake(lake).append(other, [{"a": 1}])
    (lake / other / "_delta_log" / f"{2:020}.json").write_text('{"add": {"path"')
    found = lakeshelf("lake", "ls", "--json")
    assert found.code == 1
    assert [(line["dataset"], line["version"] is None) for line in json.loads(found.out)] == [
        (NAME, False),
        (other, True),
    ]
    assert f"table {other} at" in found.err
