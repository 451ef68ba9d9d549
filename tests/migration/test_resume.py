"""Killed anywhere and run again, a migration comes to the same rows; incremental ones add each file once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakeshelf.lake import Conflict, Damaged, Lake
from lakeshelf.lake.form import commits
from lakeshelf.lake.place.locks import FileLock
from lakeshelf.migration import Options, migrate, rows, staging, verify
from tests.conftest import Run
from tests.migration import killed
from tests.migration.layouts import NAME, counted, in_lake, left_over, lines, put

MOMENTS = 60
"""More than a migration of two files has; a run that is not killed at one of them ends the test."""


def expected(source: Path) -> Counter[str]:
    return counted(pq.read_table(source).to_pylist())


def plain(lake: Lake) -> Counter[str]:
    """Rows of the lake, the partition as pyarrow reads it from a path."""
    found = lake.read(NAME).read_all()
    return counted(found.to_pylist())


def killed_at(moment: int, root: Path, source: Path) -> bool:
    command = [sys.executable, "-m", killed.__name__, str(root), str(source), str(moment)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2]
    )
    assert done.returncode in (0, -9), done.stderr
    return done.returncode == -9


def killed_everywhere(tmp_path: Path, moments: range, *, existing: bool) -> None:
    source = tmp_path / "in"
    for moment in moments:
        root = tmp_path / str(moment)
        lake = Lake(root)
        lines(source, 1)
        if existing:
            migrate(lake, source, NAME, Options(partitions={"store_id": pa.int32()}))
        before = plain(lake) if existing else None
        lines(source, 2)
        ended = not killed_at(moment, root, source)
        whole = counted(
            [{"store_id": n, **row} for n in range(2) for row in
             pq.ParquetFile(source / f"store_id={n}/part-0.parquet").read().to_pylist()]
        )  # fmt: skip
        found = plain(lake) if NAME in lake.names() else None
        assert found in (before, whole)
        migrate(lake, source, NAME, Options(), incremental=True)
        assert plain(lake) == whole
        assert left_over(root) == []
        for file in source.rglob("store_id=1/*"):
            file.unlink()
        if ended:
            return
    assert moments.step > 1, "a migration has more moments than were tried"


@pytest.mark.faults
@pytest.mark.parametrize("existing", [False, True])
def test_killed_at_some_moments_and_run_again_nothing_is_lost_or_doubled(
    tmp_path: Path, existing: bool
) -> None:
    killed_everywhere(tmp_path, range(2, MOMENTS, 5), existing=existing)


@pytest.mark.nightly
@pytest.mark.faults
@pytest.mark.parametrize("existing", [False, True])
def test_killed_at_every_moment_and_run_again_nothing_is_lost_or_doubled(
    tmp_path: Path, existing: bool
) -> None:
    killed_everywhere(tmp_path, range(1, MOMENTS), existing=existing)


class Died(BaseException):
    """Stands for the end of the process."""


def died_after(files: int, lake: Lake, source: Path) -> None:
    def progress(step: str, done: int = 0, total: int = 0) -> None:
        if step == "load" and done == files:
            raise Died

    with pytest.raises(Died):
        migrate(lake, source, NAME, Options(), progress=progress)


def test_a_run_goes_on_with_the_files_that_are_not_in_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, source = Lake(tmp_path / "lake"), lines(tmp_path / "in", 4)
    died_after(3, lake, source)
    assert lake.names() == []
    read: list[str] = []
    inner = rows.converted
    monkeypatch.setattr(rows, "converted", lambda f, s: read.append(f.file.name) or inner(f, s))
    assert migrate(lake, source, NAME, Options()).target_rows == 8
    assert set(read) == {"store_id=3/part-0.parquet"}


def test_without_the_ledger_a_second_run_is_found_out_by_the_checksums(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, source = Lake(tmp_path / "lake"), lines(tmp_path / "in")
    died_after(2, lake, source)
    monkeypatch.setattr(commits.Write, "is_done", lambda *_: False)
    with pytest.raises(Damaged, match="the source has 6 rows, the target 10"):
        migrate(lake, source, NAME, Options())
    assert lake.names() == []


def test_a_source_that_changes_between_two_runs_starts_again(tmp_path: Path) -> None:
    lake, source = Lake(tmp_path / "lake"), lines(tmp_path / "in")
    died_after(2, lake, source)
    put(source, "store_id=0/part-0.parquet", {"sku": ["other"], "qty": [7]})
    assert migrate(lake, source, NAME, Options()).rows == 5
    assert sum(in_lake(lake).values()) == 5
    assert left_over(tmp_path / "lake") == []


def test_what_is_written_wrongly_is_not_published_and_without_the_comparison_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, source = Lake(tmp_path / "lake"), lines(tmp_path / "in")
    inner = rows._conformed

    def swapped(batch: pa.RecordBatch, *rest: object) -> pa.RecordBatch:
        found = inner(batch, *rest)
        turned = found.column("qty").take(pa.array(range(len(found) - 1, -1, -1)))
        return found.set_column(found.schema.names.index("qty"), found.schema.field("qty"), turned)

    monkeypatch.setattr(rows, "_conformed", swapped)
    with pytest.raises(Damaged, match="each column has the same values, in other rows"):
        migrate(lake, source, NAME, Options())
    assert lake.names() == []
    monkeypatch.setattr("lakeshelf.migration.run.differences", lambda *_: ())
    migrate(lake, source, NAME, Options())
    monkeypatch.undo()
    assert verify(lake, source, NAME, Options()).outcome == "differs"


def test_incremental_adds_each_file_once_and_reports_what_has_changed(
    tmp_path: Path, lakeshelf: Run, lake: Path
) -> None:
    source = lines(tmp_path / "in")
    assert lakeshelf("lake", "migrate", source, "sales.lines").code == 0
    put(source, "store_id=9/part-0.parquet", {"sku": ["new"], "qty": [1]})
    assert "--incremental" in lakeshelf("lake", "migrate", source, NAME).error
    done = lakeshelf("lake", "migrate", source, NAME, "--incremental", "--json")
    told = json.loads(done.out)
    assert (done.code, told["rows"], told["target_rows"]) == (0, 1, 1)
    assert {f["name"]: f["state"] for f in told["files"]}["store_id=9/part-0.parquet"] == "new"
    version = Lake(lake).snapshot(NAME).version
    put(source, "store_id=9/part-0.parquet", {"sku": ["changed"], "qty": [1]})
    again = lakeshelf(
        "lake", "migrate", source, NAME, "--incremental", "--report", tmp_path / "r.json"
    )
    assert again.code == 2
    assert "store_id=9/part-0.parquet has changed" in again.out
    assert json.loads((tmp_path / "r.json").read_text())["changed"] == ["store_id=9/part-0.parquet"]
    assert Lake(lake).snapshot(NAME).version == version
    assert lakeshelf("lake", "migrate", source, NAME, "--verify").code == 2


def test_verify_finds_a_tampered_target(tmp_path: Path, lakeshelf: Run, lake: Path) -> None:
    source = lines(tmp_path / "in")
    lakeshelf("lake", "migrate", source, NAME)
    assert lakeshelf("lake", "migrate", source, NAME, "--verify").code == 0
    opened = Lake(lake)
    table = opened.read(NAME).read_all().to_pylist()
    opened.overwrite(NAME, [row | {"qty": row["qty"] + (row["sku"] == "s1")} for row in table])
    done = lakeshelf("lake", "migrate", source, NAME, "--verify")
    assert done.code == 2
    assert "values differ in qty\n" in done.out
    opened.restore(NAME, 1)
    assert lakeshelf("lake", "migrate", source, NAME, "--verify").code == 0


def test_columns_that_a_later_file_adds_are_null_before(tmp_path: Path) -> None:
    lake, source = Lake(tmp_path / "lake"), lines(tmp_path / "in", 1)
    migrate(lake, source, NAME, Options())
    put(
        source,
        "store_id=7/a.parquet",
        {"sku": ["a"], "qty": pa.array([1], pa.int8()), "note": ["n"]},
    )
    migrate(lake, source, NAME, Options(schema="merge"), incremental=True)
    found = lake.read(NAME).read_all()
    assert sorted(found["note"].to_pylist(), key=str) == [None, None, "n"]
    assert verify(lake, source, NAME, Options()).outcome == "verified"


def test_two_migrations_into_one_dataset_do_not_meet(tmp_path: Path) -> None:
    lake, source = Lake(tmp_path / "lake"), lines(tmp_path / "in")
    path = tmp_path / "lake" / "_migrations" / "sales.lines.lock"
    with FileLock(path, "another"), pytest.raises(Conflict, match="migrates into sales/lines"):
        migrate(lake, source, NAME, Options())


def test_files_that_a_rival_has_migrated_meanwhile_are_not_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On an object store there is no lock: the commit decides."""
    lake, source = Lake(tmp_path / "lake"), lines(tmp_path / "in", 1)
    migrate(lake, source, NAME, Options())
    lines(source, 2)
    inner = staging.StagingTable.publish

    def late(self: staging.StagingTable) -> commits.Commit:
        inner(self)
        return inner(self)

    monkeypatch.setattr(staging.StagingTable, "publish", late)
    with pytest.raises(Exception, match="migrated meanwhile"):
        migrate(lake, source, NAME, Options(), incremental=True)
    assert sum(in_lake(lake).values()) == 4
