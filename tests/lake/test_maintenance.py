"""Maintenance leaves the rows, and few files and a short log."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.lake import commits, maintenance, tables
from lakeshelf.lake.commits import Txn
from lakeshelf.lake.maintenance import Maintenance

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
    return sorted(tables.read(root, LOG.name)["batch_id"].to_pylist())


def appended(handle: DeltaTable, count: int) -> None:
    for number in range(count):
        commits.append(handle, LOG.name, entry(number), Txn("app", number))


def test_small_files_become_one_and_every_row_and_identity_stays(tmp_path: Path) -> None:
    handle = opened(tmp_path, LOG.name)
    appended(handle, 60)
    reader = tables.open_table(tmp_path, LOG.name)
    assert maintenance.maintain(handle) == maintenance.Report(merged=60, made=1)
    assert numbers(tmp_path) == list(range(60))
    assert len(tables.open_table(tmp_path, LOG.name).file_uris()) == 1
    assert reader.to_pyarrow_table().num_rows == 60, "who opened it before reads on"
    again = commits.append(handle, LOG.name, entry(59), Txn("app", 59))
    assert again.skipped == "already committed"
    assert commits.append(handle, LOG.name, entry(60), Txn("app", 60)).rows == 1
    assert numbers(tmp_path) == list(range(61))


def test_statistics_by_which_files_are_left_out_survive(tmp_path: Path) -> None:
    handle = opened(tmp_path, LOG.name)
    appended(handle, 60)
    maintenance.maintain(handle)
    (found,) = pa.table(handle.get_add_actions(flatten=True)).to_pylist()
    assert (found["num_records"], found["min.batch_id"], found["max.batch_id"]) == (60, 0, 59)


def test_few_files_are_left_alone(tmp_path: Path) -> None:
    handle = opened(tmp_path, LOG.name)
    appended(handle, maintenance.SMALL_FILES - 1)
    before = handle.version()
    assert maintenance.maintain(handle) == maintenance.Report()
    assert handle.version() == before


def test_files_and_log_are_deleted_once_their_retention_is_over(tmp_path: Path) -> None:
    handle = opened(tmp_path, STATE.name)
    for version in range(60):
        commits.replace(handle, STATE.name, state(version), state(version), Txn("app", version))
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


def test_commits_leave_expired_entries_to_maintenance(tmp_path: Path) -> None:
    handle = opened(tmp_path, LOG.name)
    handle.alter.set_table_properties(NO_RETENTION)
    appended(handle, 45)
    assert len(files(handle, "_delta_log/*.json")) == handle.version() + 1
    maintenance.maintain(handle)
    assert len(files(handle, "_delta_log/*.json")) < 25


def test_a_table_is_due_after_each_hundred_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "EVERY", 5)
    handle, keeper, due = opened(tmp_path, LOG.name), Maintenance(), []
    assert not keeper.is_due(handle)
    for number in range(12):
        commits.append(handle, LOG.name, entry(number), Txn("app", number))
        due += [handle.version()] if keeper.is_due(handle) else []
        assert not keeper.is_due(handle)
    assert due == [5, 10]


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()


def test_a_writer_that_is_killed_while_it_maintains_loses_nothing(
    tmp_path: Path, writer: list[subprocess.Popen[str]]
) -> None:
    opened(tmp_path, LOG.name).alter.set_table_properties(NO_RETENTION)
    random_kill = random.Random(7)
    for _ in range(8):
        script = [sys.executable, "-m", "tests.lake.maintaining", str(tmp_path)]
        process = subprocess.Popen(script, stdout=subprocess.PIPE, text=True)
        writer.append(process)
        assert process.stdout is not None
        for _ in range(random_kill.randint(1, 4)):
            assert process.stdout.readline() == "maintaining\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    found = numbers(tmp_path)
    assert found == list(range(len(found))), "every number once"
    assert len(found) > 40
    recorded = tables.open_table(tmp_path, LOG.name).transaction_version("app")
    assert recorded == found[-1]
