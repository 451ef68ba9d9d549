"""Runs: what they read and write is recorded, and appears together."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakeshelf.lake import Conflict, Lake, LakeError, NameRefused, VersionNotFound
from lakeshelf.lake.history import runs, verification

A, B = "curated/a", "curated/b"
ONE, TWO = [{"k": 1, "v": "x"}], [{"k": 2, "v": "y"}]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path, who="tests")


def rows(lake: Lake, name: str, at: str | int | None = None) -> list[dict[str, object]]:
    return lake.read(name, at).read_all().to_pylist()


def fail(lake: Lake, run_id: str) -> None:
    run = lake.run(run_id)
    with pytest.raises(ZeroDivisionError), run:
        run.append(A, [{"k": 1 // (run.append(A, ONE).rows - 1)}])


def test_a_run_records_what_it_read_and_wrote_from_snapshots_and_commits(lake: Lake) -> None:
    read = lake.append(A, ONE)
    with lake.run("first", why="a test", profile="small") as run:
        rows(run, A)
        written = run.append(B, ONE, metadata={"source": "a"})
    found = {row["kind"]: row for row in runs.rows_of(lake.root, "first")}
    assert (found["read"]["dataset"], found["read"]["version"]) == (A, read.version)
    assert (found["write"]["dataset"], found["write"]["version"]) == (B, written.version)
    assert json.loads(found["write"]["commit_metadata"]) == {"source": "a"}
    assert {(row["rows"], row["status"], row["why"]) for row in found.values()} == {
        (1, "published", "a test")
    }
    assert {row["runtime_profile"] for row in found.values()} == {"small"}
    stamp = lake.history(B)[0].stamp
    assert stamp is not None
    assert (stamp.run_id, stamp.why) == ("first", "a test")


def test_a_run_is_read_by_its_id_although_its_outputs_have_changed_since(lake: Lake) -> None:
    with lake.run() as run:
        run.append(A, ONE)
        run.append(B, ONE)
    lake.overwrite(A, TWO)
    assert rows(lake, A, run.run_id) == ONE
    assert rows(lake, A) == TWO


def test_two_runs_are_compared_by_their_ids(lake: Lake) -> None:
    for run_id, given in (("a1", ONE), ("a2", TWO)):
        with lake.run(run_id) as run:
            run.overwrite(A, given)
    changed = lake.diff(A, "a1", "a2").read_all().to_pylist()
    assert sorted((row["_change_type"], row["k"]) for row in changed) == [
        ("delete", 1),
        ("insert", 2),
    ]


def test_a_run_reads_a_dataset_at_one_version_until_it_writes_it(lake: Lake) -> None:
    lake.append(A, ONE)
    with lake.run() as run:
        assert rows(run, A) == ONE
        lake.append(A, TWO)
        assert rows(run, A) == ONE, "pinned"
        run.overwrite(A, [{"k": 3, "v": "z"}])
        assert rows(run, A) == [{"k": 3, "v": "z"}]
    kinds = {row["kind"]: row["version"] for row in runs.rows_of(lake.root, run.run_id)}
    assert kinds == {"read": 1, "write": 3}


def test_a_feature_that_a_run_turns_on_is_recorded_as_its_commit(lake: Lake) -> None:
    lake.append(A, ONE)
    with lake.run("wider") as run:
        assert run.enable(A, "timestampNtz")
        assert not run.enable(A, "timestampNtz")
    (row,) = runs.rows_of(lake.root, "wider")
    assert (row["kind"], row["version"]) == ("write", 2)
    assert "timestampNtz" in row["features"]
    assert list(verification.verify(lake, "wider")) == []


def test_a_failed_run_is_recorded_and_cannot_be_read(lake: Lake) -> None:
    fail(lake, "bad")
    assert [row["status"] for row in runs.rows_of(lake.root, "bad")] == ["failed"]
    with pytest.raises(VersionNotFound, match="no published run 'bad'"):
        lake.read(A, "bad")


def test_a_failed_run_can_be_done_again_and_a_published_one_cannot(lake: Lake) -> None:
    fail(lake, "nightly")
    with lake.run("nightly") as run:
        run.overwrite(A, TWO)
    assert rows(lake, A, "nightly") == TWO
    assert len(runs.rows_of(lake.root, "nightly")) == 1
    with pytest.raises(Conflict, match="run nightly is published"):
        lake.run("nightly")


def test_of_two_runs_of_one_name_at_once_one_is_published(lake: Lake) -> None:
    first, second = lake.run("same"), lake.run("same")
    with first:
        first.append(A, ONE)
    with pytest.raises(Conflict, match="published by another process"), second:
        second.append(A, TWO)
    assert rows(lake, A, "same") == ONE


def test_a_killed_run_leaves_no_rows_and_its_id_in_the_history(lake: Lake, tmp_path: Path) -> None:
    script = (
        "import os, sys\n"
        "from lakeshelf.lake import Lake\n"
        "with Lake(sys.argv[1]).run('killed') as run:\n"
        f"    run.append({A!r}, {ONE!r})\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(tmp_path)], env=_path(), check=False)
    assert ended.returncode == -9
    assert runs.rows_of(lake.root, "killed") == []
    with pytest.raises(VersionNotFound):
        lake.read(A, "killed")
    assert [e.stamp.run_id for e in lake.history(A) if e.stamp and e.operation == "WRITE"] == [
        "killed"
    ]


def test_outputs_appear_together_to_whoever_reads_meanwhile(lake: Lake) -> None:
    """A reader that asks for the run finds all of its outputs or none, at any moment."""
    names = [f"curated/out_{n}" for n in range(5)]
    seen: list[int] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            try:
                found = {row["dataset"] for row in runs.rows_of(lake.root, "together")}
            except LakeError:
                continue  # the table is being created
            seen.append(len(found))

    reader = threading.Thread(target=look)
    reader.start()
    with lake.run("together") as run:
        for name in names:
            run.append(name, ONE)
        while 0 not in seen:
            pass
    while len(names) not in seen:
        pass
    stop.set()
    reader.join()
    assert set(seen) == {0, len(names)}


def test_rows_of_a_run_are_one_commit(lake: Lake) -> None:
    with lake.run() as run:
        for name in (A, B):
            run.append(name, ONE)
    assert [e.operation for e in lake.history(runs.RUNS)].count("WRITE") == 1


def test_a_dataset_that_was_created_again_is_not_that_of_the_run(
    lake: Lake, tmp_path: Path
) -> None:
    with lake.run("old") as run:
        run.append(A, ONE)
    (tmp_path / A).rename(tmp_path / "gone")
    lake.append(A, TWO)
    with pytest.raises(VersionNotFound, match="created again since run old"):
        lake.read(A, "old")


@pytest.mark.parametrize("run_id", ["7", "2026-01-01", "", "a b", "x'; --"])
def test_a_name_that_could_be_a_version_or_a_time_names_no_run(lake: Lake, run_id: str) -> None:
    with pytest.raises(NameRefused):
        lake.run(run_id)


def test_unexpired_runs_say_which_versions_they_need(tmp_path: Path) -> None:
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    lake = Lake(tmp_path, clock=lambda: now[0])
    lake.append(A, ONE)
    with lake.run("early") as run:
        rows(run, A)
    for _ in range(3):
        lake.append(A, TWO)
    now[0] += timedelta(days=20)
    with lake.run("late") as run:
        run.append(A, TWO)
    month = timedelta(days=30)
    assert runs.oldest_version(lake.root, A, month, lake.clock()) == 1
    now[0] += timedelta(days=20)
    assert runs.oldest_version(lake.root, A, month, lake.clock()) == 4, (
        "the version before its commit is compared"
    )
    now[0] += timedelta(days=20)
    assert runs.oldest_version(lake.root, A, month, lake.clock()) is None
    assert runs.oldest_version(lake.root, "curated/none", month, lake.clock()) is None


def _path() -> dict[str, str]:
    return {"PYTHONPATH": str(Path(__file__).parents[3] / "src")}
