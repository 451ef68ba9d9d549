"""Maintenance leaves the rows, and few files and a short log."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.lake.form.commits import Txn, Write
from lakeshelf.lake.rows import tables
from lakeshelf.lake.upkeep import maintenance
from lakeshelf.lake.upkeep.maintenance import Maintenance
from lakeshelf.lake.write import merging, rewriting, writing

STATE = CATALOG.tables["ops/stock_discrepancies"]
LOG = CATALOG.tables["ops/batch_ledger"]
NOW = datetime(2017, 1, 1, tzinfo=UTC)
NO_RETENTION = {
    "delta.deletedFileRetentionDuration": "interval 0 seconds",
    "delta.logRetentionDuration": "interval 0 seconds",
}


def opened(root: Path, name: str) -> DeltaTable:
    tables.ensure(root, CATALOG.tables[name])
    return tables.open_table(root, name)


def entry(number: int) -> pa.Table:
    row = {column.name: "{}" for column in LOG.columns} | {
        "query_id": "q", "batch_id": number, "committed_at": NOW, "duration_ms": 1,
        "rows_in": 1, "valid": 1, "quarantined": 0, "duplicate": 0, "kind": "batch", "committer": "driver",
    }  # fmt: skip
    return pa.Table.from_pylist([row], arrow_contract.schema(LOG.columns))


def state(quantity: int) -> pa.Table:
    row = {
        "location": "store", "shelf_id": "a", "batch_code": "", "missing_qty": quantity,
        "since": NOW, "version": 1,
    }  # fmt: skip
    return pa.Table.from_pylist([row], arrow_contract.schema(STATE.columns))


def files(handle: DeltaTable, pattern: str) -> list[Path]:
    return sorted(Path(handle.table_uri.removeprefix("file://")).glob(pattern))


def numbers(root: Path) -> list[int]:
    return sorted(tables.rows(root, LOG.name)["batch_id"].to_pylist())


def appended(handle: DeltaTable, count: int) -> None:
    for number in range(count):
        writing.append(handle, LOG.name, entry(number), Write.once(Txn("app", number)))


@pytest.mark.slow
def test_small_files_become_one_and_every_row_and_identity_stays(tmp_path: Path) -> None:
    handle = opened(tmp_path, LOG.name)
    appended(handle, 60)
    reader = tables.open_table(tmp_path, LOG.name)
    assert maintenance.maintain(handle) == maintenance.UpkeepReport(merged=60, made=1)
    assert numbers(tmp_path) == list(range(60))
    assert len(tables.open_table(tmp_path, LOG.name).file_uris()) == 1
    assert reader.to_pyarrow_table().num_rows == 60, "who opened it before reads on"
    again = writing.append(handle, LOG.name, entry(59), Write.once(Txn("app", 59)))
    assert again.skipped == "already committed"
    assert writing.append(handle, LOG.name, entry(60), Write.once(Txn("app", 60))).rows == 1
    assert numbers(tmp_path) == list(range(61))


@pytest.mark.slow
def test_statistics_by_which_files_are_left_out_survive(tmp_path: Path) -> None:
    handle = opened(tmp_path, LOG.name)
    appended(handle, 60)
    maintenance.maintain(handle)
    (found,) = pa.table(handle.get_add_actions(flatten=True)).to_pylist()
    assert (found["num_records"], found["min.batch_id"], found["max.batch_id"]) == (60, 0, 59)


@pytest.mark.slow
def test_few_files_are_left_alone(tmp_path: Path) -> None:
    handle = opened(tmp_path, LOG.name)
    appended(handle, maintenance.SMALL_FILES - 1)
    before = handle.version()
    assert maintenance.maintain(handle) == maintenance.UpkeepReport()
    assert handle.version() == before


@pytest.mark.slow
def test_files_and_log_are_deleted_once_their_retention_is_over(tmp_path: Path) -> None:
    handle = opened(tmp_path, STATE.name)
    for version in range(60):
        rewriting.rewrite(
            handle, STATE.name, state(version), state(version), Write.once(Txn("app", version))
        )
    log = len(files(handle, "_delta_log/*.json"))
    assert maintenance.maintain(handle).deleted == 0
    assert len(files(handle, "_delta_log/*.json")) == log
    handle.alter.set_table_properties(NO_RETENTION)
    assert maintenance.maintain(handle).deleted == 59
    assert len(files(handle, "*.parquet")) == 1
    assert len(files(handle, "_delta_log/*.json")) < 25, "those behind the last checkpoint"
    fresh = tables.open_table(tmp_path, STATE.name)
    assert fresh.to_pyarrow_table()["missing_qty"].to_pylist() == [59]
    assert fresh.transaction_version("app") == 59


def test_a_file_that_no_commit_knows_is_deleted(tmp_path: Path) -> None:
    handle = opened(tmp_path, LOG.name)
    appended(handle, 1)
    orphan = files(handle, "*.parquet")[0].with_name("part-of-a-killed-writer.parquet")
    orphan.write_bytes(b"half")
    assert maintenance.maintain(handle).deleted == 0, "it may be about to be committed"
    os.utime(orphan, (0, 0))
    assert maintenance.maintain(handle).deleted == 1
    assert not orphan.exists()
    assert numbers(tmp_path) == [0]


def upsert(handle: DeltaTable, version: int) -> None:
    merging.upsert(handle, STATE.name, state(version), STATE.key, Write.once(Txn("app", version)))


def replace(handle: DeltaTable, version: int) -> None:
    rewriting.rewrite(
        handle, STATE.name, state(version), state(version), Write.once(Txn("app", version))
    )


def append(handle: DeltaTable, version: int) -> None:
    writing.append(handle, STATE.name, state(version), Write.once(Txn("app", version)))


def note(handle: DeltaTable, version: int) -> None:
    writing.note(handle, STATE.name, Write.once(Txn("app", version)))


LEFT_TO_DELTA = {"delta.enableExpiredLogCleanup": "true"}
WRITES = pytest.mark.parametrize("write", [append, note, upsert, replace])


def entries_after(root: Path, write: Callable[[DeltaTable, int], None], count: int) -> int:
    """How many of so many commits the log still has, when nothing has to be retained."""
    handle = opened(root, STATE.name)
    handle.alter.set_table_properties(NO_RETENTION | LEFT_TO_DELTA)
    before = handle.version()
    for version in range(count):
        write(handle, version)
    return sum(int(entry.stem) > before for entry in files(handle, "_delta_log/*.json"))


@pytest.mark.slow
@WRITES
def test_commits_leave_expired_entries_to_maintenance(
    tmp_path: Path, write: Callable[[DeltaTable, int], None]
) -> None:
    assert entries_after(tmp_path, write, 45) == 45
    maintenance.maintain(tables.open_table(tmp_path, STATE.name))
    assert len(files(tables.open_table(tmp_path, STATE.name), "_delta_log/*.json")) < 25


@pytest.mark.slow
@WRITES
def test_left_to_delta_commits_would_delete_expired_entries(
    tmp_path: Path,
    write: Callable[[DeltaTable, int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (writing, merging):
        monkeypatch.setattr(module, "HOOKS", None)
    assert entries_after(tmp_path, write, 45) < 25


@pytest.mark.slow
def test_a_table_has_its_turn_after_each_hundred_versions(tmp_path: Path) -> None:
    handle, owner, turns = opened(tmp_path, LOG.name), Maintenance(), []
    assert owner.take_due([handle]) == []
    for number in range(210):
        writing.append(handle, LOG.name, entry(number), Write.once(Txn("app", number)))
        turns += [due.version() for due in owner.take_due([handle])]
        assert owner.take_due([handle]) == [], "a turn is taken once"
    assert turns == [100, 200]


@pytest.mark.slow
def test_a_table_that_was_not_seen_before_waits_for_its_next_hundred(tmp_path: Path) -> None:
    handle, owner = opened(tmp_path, LOG.name), Maintenance()
    appended(handle, 130)
    assert owner.take_due([handle]) == []
    for number in range(130, 200):
        writing.append(handle, LOG.name, entry(number), Write.once(Txn("app", number)))
    assert owner.take_due([handle]) == [handle]


@pytest.mark.slow
def test_maintenance_that_fails_is_not_tried_again_with_each_commit(tmp_path: Path) -> None:
    handle, owner = opened(tmp_path, LOG.name), Maintenance()
    owner.attend([handle])
    appended(handle, 120)
    files(handle, "*.parquet")[0].unlink()
    with pytest.raises(Exception, match="not found"):
        owner.attend([handle])
    owner.attend([handle])
    assert writing.append(handle, LOG.name, entry(120), Write.once(Txn("app", 120))).rows == 1


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts a process that writes and maintains."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        script = [sys.executable, "-m", "tests.lake.upkeep.maintaining", str(tmp_path)]
        process = subprocess.Popen(
            script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1, text=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


Names = frozenset[str]
PHASES: dict[str, Callable[[Names, Names], bool]] = {
    "begins": lambda come, gone: True,
    "writes the merged file": lambda come, gone: any(".parquet" in name for name in come),
    "commits the merge": lambda come, gone: any(name.endswith(".json") for name in come),
    "deletes files": lambda come, gone: any(name.endswith(".parquet") for name in gone),
    "shortens the log": lambda come, gone: any(name.endswith(".json") for name in gone),
}
"""What can be seen of maintenance, by names that have come and gone since it began."""


def kill_when(
    process: subprocess.Popen[str], folder: Path, has_begun: Callable[[Names, Names], bool]
) -> None:
    """Have a writer maintain its table and kill it in a phase."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "appended\n"
    before = names(folder)
    process.stdin.write("maintain\n")
    process.stdin.flush()
    is_over = False
    while not has_begun((now := names(folder)) - before, before - now):
        assert not is_over, "maintained without that phase"
        is_over = bool(select.select([process.stdout], [], [], 0)[0])
    process.kill()
    process.wait()


def names(folder: Path) -> Names:
    return frozenset(name for at in (folder, folder / "_delta_log") for name in os.listdir(at))


@pytest.mark.faults
def test_a_writer_that_is_killed_in_any_phase_of_maintenance_loses_nothing(
    tmp_path: Path, writer: Callable[[], subprocess.Popen[str]]
) -> None:
    opened(tmp_path, LOG.name).alter.set_table_properties(NO_RETENTION)
    for times, phase in enumerate(PHASES, start=1):
        kill_when(writer(), tables.location(tmp_path, LOG.name), PHASES[phase])
        count = times * maintenance.SMALL_FILES
        assert numbers(tmp_path) == list(range(count)), f"every number once, killed when it {phase}"
        recorded = tables.open_table(tmp_path, LOG.name).transaction_version("app")
        assert recorded == count - 1
    survivor = tables.open_table(tmp_path, LOG.name)
    maintenance.maintain(survivor)
    assert numbers(tmp_path) == list(range(count))
    assert len(files(survivor, "*.parquet")) == len(survivor.file_uris()), "nothing is left behind"
