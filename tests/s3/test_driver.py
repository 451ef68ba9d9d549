"""The driver committer on a lake in a bucket: batches that crash are committed once, also by the next process."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.errors import LakeError, StreamError
from lakeshelf.lake.form.commits import Txn
from lakeshelf.lake.place import folders
from lakeshelf.lake.rows import reading, tables
from lakeshelf.reconcile.books import opened
from lakeshelf.settings import Settings, load_settings
from lakeshelf.shop import history
from lakeshelf.stack.observing.live import Held
from lakeshelf.streams.commit import ledger
from lakeshelf.streams.commit.committers.driver import DriverCommitter
from lakeshelf.streams.declare.duck import Duck
from lakeshelf.streams.recover import quarantine, recovery
from lakeshelf.streams.resume import checkpoint
from lakeshelf.streams.resume.starting import rebuild_marker
from lakeshelf.streams.run.runner import Driver
from lakeshelf.streams.take.index import IdIndex
from tests.streams import harness, model
from tests.streams.recover.test_recovery import (
    BOOKS,
    FIRST,
    SECOND,
    folding_jobs,
    read_catalogue_again,
)
from tests.streams.strategies import facts

from .serving import Server

KEPT = [*FIRST, SECOND[0], SECOND[1], SECOND[4]]
"""Records that count: the others came twice."""


@pytest.fixture
def settings(root: str, tmp_path: Path) -> Settings:
    return load_settings(lake_root=root, state_dir=tmp_path / "state")


@pytest.fixture
def made(root: str) -> str:
    harness.make(root, harness.folding())
    for name in BOOKS:
        tables.ensure(root, CATALOG.tables[name])
    return root


@pytest.mark.slow
@pytest.mark.parametrize("commits", [1, 4])
def test_a_batch_that_crashed_between_commits_is_committed_once(made: str, commits: int) -> None:
    runner = harness.Runner(made, ledger=True)
    runner.run(0, FIRST)
    runner.run(1, SECOND, crash_after=commits)
    runner.again(1)
    assert harness.state(made) == model.tables(facts(KEPT))
    assert len(ledger.entries(made)) == 2
    assert ledger.reached(made, "wh_events", harness.folding().name)


@pytest.mark.slow
@pytest.mark.faults
def test_a_driver_that_is_killed_and_started_again_commits_each_batch_once(made: str) -> None:
    chance = random.Random(7)
    for batch in (0, 1, 1):
        process = folding(made)
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == f"begins {batch}":
                break
        time.sleep(chance.uniform(0.1, 0.8))  # somewhere within the batch
        process.kill()
        process.communicate()
    last = folding(made)
    out, err = last.communicate(timeout=300)
    assert out.endswith("done\n"), err
    assert harness.state(made) == model.tables(facts(KEPT))
    assert len(ledger.entries(made)) == 2


def folding(root: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.s3.folding", root],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_a_rewrite_whose_answer_is_lost_is_made_once(server: Server) -> None:
    """The commit is there, and nobody said so: the batch may fail, and its repetition finds it."""
    root, name = f"s3://{server.bucket('deaf')}/lake", "cleansed/wh_state"
    tables.ensure(root, CATALOG.tables[name])
    assert tables.open_table(root, name).version() == 1
    rows = wh_state(4711)
    first = DriverCommitter(root, 0)
    first.upsert(name, rows, Txn("batch", 0))
    with pytest.raises(Exception, match="commit"):
        first.settle()
    again = DriverCommitter(root, 0)
    again.upsert(name, rows, Txn("batch", 0))
    again.settle()
    handle = tables.open_table(root, name)
    assert handle.version() == 2
    assert reading.rows(handle, name)["balance"].to_pylist() == [4711]


def wh_state(balance: int) -> pa.Table:
    columns = CATALOG.tables["cleansed/wh_state"].columns
    values = {"shelf_id": "S1-I1", "store_id": "S1", "balance": balance, "version": 1}
    schema = arrow_contract.schema(columns)
    row = {f.name: values.get(f.name, None if f.nullable else _filler(f.type)) for f in schema}
    return pa.Table.from_pylist([row], schema)


def _filler(kind: pa.DataType) -> object:
    if pa.types.is_timestamp(kind):
        return harness.NOW
    return "" if pa.types.is_string(kind) else 0


@pytest.mark.slow
def test_another_identity_commits_the_batch_again(made: str) -> None:
    """The guarantee taken away: what keeps a repeated batch from being committed is its identity in the table."""
    runner = harness.Runner(made, ledger=True)
    runner.run(0, FIRST)
    runner.again(0)
    assert len(ledger.entries(made)) == 1
    runner.as_new_query("another")
    runner.again(0)
    assert len(ledger.entries(made)) == 2


@pytest.mark.slow
def test_a_state_table_is_rewritten_in_one_file_below_its_own_address(made: str) -> None:
    harness.Runner(made).run(0, FIRST)
    handle = tables.open_table(made, "cleansed/wh_state")
    adds = pa.table(handle.get_add_actions(flatten=True))
    assert adds.num_rows == 1
    assert adds["num_records"].to_pylist() == [1]
    assert handle.file_uris()[0].startswith(f"{made}/cleansed/wh_state/part-")


@pytest.mark.slow
def test_ids_that_have_left_the_window_are_found_in_the_files(made: str) -> None:
    harness.Runner(made).run(0, FIRST)
    handle = tables.open_table(made, "raw/wh_events")
    known = tables.rows(made, "raw/wh_events")["event_id"]
    for window in (0, 1000):
        index = IdIndex(handle, window, Duck())
        asked = pa.chunked_array([[*known.to_pylist(), "another"]])
        found = index.seen(asked)
        assert sorted(found["event_id"].to_pylist()) == sorted(known.to_pylist())
        assert found.schema.names == [field.name for field in handle.schema().fields]


@pytest.mark.slow
def test_a_rebuild_folds_the_tables_again(made: str, settings: Settings) -> None:
    runner = harness.Runner(made, ledger=True)
    runner.run(0, FIRST)
    runner.run(1, SECOND)
    before = harness.state(made)
    assert recovery.rebuild(settings, folding_jobs()).folded == 7
    read_catalogue_again(made)
    assert harness.state(made) == before
    assert checkpoint.begun(settings.checkpoint_dir)


@pytest.mark.slow
def test_what_tells_of_a_lake_reads_it_through_its_address(made: str) -> None:
    harness.Runner(made, ledger=True).run(0, FIRST)
    assert quarantine.counted(made) == {}
    told = history.History(made)
    shelf = told.rows("raw/shelf_events", history.equal("shelf_id", "S1-I1"))
    assert shelf.num_rows == 1
    held = Held(made, "cleansed/wh_state", lambda handle: tables.count(handle, "wh_state"))
    held.look()
    assert (held.value, held.problem) == (1, "")
    with opened(made) as books:
        assert books.rows["cleansed/wh_state"] == 1


@pytest.mark.slow
def test_a_way_out_needs_every_query_and_waits_for_who_has_them(
    made: str, settings: Settings, tmp_path: Path
) -> None:
    """A rebuild beside a driver that lives would fold twice, on whatever machine that runs."""
    jobs = folding_jobs()
    hasty = settings.model_copy(update={"lease_seconds": 5.0})
    first = Driver(jobs, hasty, {})
    first.acquire()
    with pytest.raises(LakeError, match="is held by the streams driver"):
        Driver(jobs, hasty, {}).acquire()
    elsewhere = hasty.model_copy(update={"state_dir": tmp_path / "elsewhere"})
    with pytest.raises(LakeError, match=r"query .* is run by a driver on .* \(term 1\)"):
        Driver(jobs, elsewhere, {}).acquire()
    first.release()
    other = Driver(jobs, elsewhere, {})
    other.acquire()
    other.release()


@pytest.mark.slow
def test_a_rebuild_that_was_interrupted_is_known_to_every_machine(
    made: str, settings: Settings, tmp_path: Path
) -> None:
    folders.write(rebuild_marker(settings), b"{}")
    elsewhere = settings.model_copy(update={"state_dir": tmp_path / "elsewhere"})
    with pytest.raises(StreamError, match="a rebuild of the lake was interrupted"):
        Driver(folding_jobs(), elsewhere, {}).acquire(alone=False)
    assert recovery.rebuild(elsewhere, folding_jobs()).folded == 0
    Driver(folding_jobs(), settings, {}).acquire(alone=False)
