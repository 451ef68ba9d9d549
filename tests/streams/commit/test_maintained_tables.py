"""Committers among other writers, and after maintenance."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from deltalake.exceptions import DeltaError

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.lake.form.commits import Txn, Write
from lakeshelf.lake.rows import tables
from lakeshelf.lake.upkeep import maintenance
from lakeshelf.lake.write import writing
from lakeshelf.settings import load_settings
from lakeshelf.streams.commit import ledger
from lakeshelf.streams.commit.committers.driver import DriverCommitter
from lakeshelf.streams.commit.committers.spark import SparkCommitter
from lakeshelf.streams.declare import registry
from lakeshelf.streams.declare.plan import plan
from lakeshelf.streams.run.committing import Committing
from lakeshelf.streams.take.refusal import QUARANTINE, Refused, quarantine_rows, without_held
from tests.lake.upkeep.test_maintenance import NO_RETENTION, entry, files, numbers

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

RAW = "raw/lost_sales"
NOW = datetime(2017, 1, 1, tzinfo=UTC)


def books(root: Path) -> DriverCommitter:
    """What a query commits ledger and quarantine with."""
    settings = load_settings(lake_root=root)
    found = plan(registry.discover(settings.home).values())[0]
    return Committing(found, settings, {}).sink(None).books


def lake(root: Path, *names: str) -> None:
    for name in names:
        tables.ensure(root, CATALOG.tables[name])
        tables.open_table(root, name).alter.set_table_properties(NO_RETENTION)


def note(committer: DriverCommitter, query: str, *batches: int) -> None:
    """Rows of the ledger."""
    for number in batches:
        committer.append(ledger.LEDGER, entry(number), Txn(query, number))
    committer.settle()


def others_go_on(root: Path, busy: DriverCommitter) -> None:
    """Another query commits, and maintains the table so that little is left of its log."""
    note(busy, "busy", *range(1, 60))
    handle = tables.open_table(root, ledger.LEDGER)
    assert maintenance.maintain(handle).merged > 50
    assert files(handle, "_delta_log/*.json")[0].stem > f"{40:020}"


@pytest.mark.slow
def test_a_query_that_was_idle_goes_on_after_others_have_maintained_the_ledger(
    tmp_path: Path,
) -> None:
    lake(tmp_path, ledger.LEDGER)
    idle, busy = books(tmp_path), books(tmp_path)
    note(idle, "idle", 0)
    others_go_on(tmp_path, busy)
    note(idle, "idle", 60)
    note(busy, "busy", 61)
    assert numbers(tmp_path) == list(range(62))


@pytest.mark.slow
def test_without_a_look_at_what_others_have_written_it_would_fail(tmp_path: Path) -> None:
    lake(tmp_path, ledger.LEDGER)
    idle, busy = DriverCommitter(tmp_path, 0), books(tmp_path)
    note(idle, "idle", 0)
    others_go_on(tmp_path, busy)
    with pytest.raises(DeltaError, match="File not found"):
        note(idle, "idle", 60)


@pytest.mark.slow
def test_what_another_query_has_refused_meanwhile_is_known(tmp_path: Path) -> None:
    lake(tmp_path, QUARANTINE)
    idle, busy = books(tmp_path), books(tmp_path)
    refused = [Refused("wh_events", 0, n, NOW, b"k", b"v", "not_json", "") for n in range(60)]
    idle.handle(QUARANTINE)
    for number, one in enumerate(refused):
        busy.append(QUARANTINE, quarantine_rows([one], NOW), Txn("busy", number))
    busy.settle()
    maintenance.maintain(tables.open_table(tmp_path, QUARANTINE))
    assert without_held(quarantine_rows(refused, NOW), idle.handle(QUARANTINE)).num_rows == 0


def lost(number: int) -> pa.Table:
    row: dict[str, Any] = {
        "event_id": f"1483228800000-lost-{number:04}", "event_type": "lost_sale", "event_time": NOW,
        "store_id": "S1", "schema_version": 1, "shelf_id": "S1-I1", "item_id": "I1",
        "customer_id": "C1", "quantity": 1, "kafka_partition": 0, "kafka_offset": number,
        "kafka_timestamp": NOW, "ingested_at": NOW, "event_date": date(2017, 1, 1),
    }  # fmt: skip
    return pa.Table.from_pylist([row], arrow_contract.schema(CATALOG.tables[RAW].columns))


@pytest.mark.slow
def test_after_a_hundred_batches_files_are_merged_and_every_id_is_still_found(
    tmp_path: Path,
) -> None:
    lake(tmp_path, RAW)
    committer = DriverCommitter(tmp_path, window_rows=10)
    for number in range(120):
        assert committer.seen(RAW, lost(number)).num_rows == 0
        committer.append(RAW, lost(number), Txn("q", number))
        committer.end()
        committer.maintain()
    committer.settle()
    assert len(tables.open_table(tmp_path, RAW).file_uris()) < maintenance.SMALL_FILES
    assert len(files(committer.handle(RAW), "_delta_log/*.json")) < 50
    again = pa.concat_tables(lost(number) for number in range(120))
    found = committer.seen(RAW, again)
    assert sorted(found["kafka_offset"].to_pylist()) == list(range(120))


@pytest.fixture
def nearly_due(tmp_path: Path, spark: SparkSession) -> SparkCommitter:
    """The Spark committer, a few versions before the hundredth of its table."""
    lake(tmp_path, RAW)
    handle = tables.open_table(tmp_path, RAW)
    for number in range(98 - handle.version()):
        writing.append(handle, RAW, lost(number), Write.once(Txn("before", number)))
    committer = SparkCommitter(tmp_path)
    committer.attend(spark)
    take(committer, 200)
    return committer


def take(committer: SparkCommitter, number: int) -> None:
    """A batch of one event."""
    committer.append(RAW, committer.from_arrow(lost(number)), Txn("q", number))
    committer.end()
    committer.maintain()


@pytest.mark.slow
def test_the_spark_committer_merges_files_after_a_hundred_versions_and_goes_on(
    tmp_path: Path, nearly_due: SparkCommitter
) -> None:
    before = tables.row_count(tmp_path, RAW)
    assert len(tables.open_table(tmp_path, RAW).file_uris()) > maintenance.SMALL_FILES
    for number in (201, 202, 203):
        take(nearly_due, number)
    handle = tables.open_table(tmp_path, RAW)
    assert len(handle.file_uris()) < maintenance.SMALL_FILES
    assert len(files(handle, "_delta_log/*.json")) < 50
    assert nearly_due.table(RAW).count() == before + 3


@pytest.mark.slow
def test_maintenance_that_fails_hides_no_failure_of_the_batch_and_is_not_repeated(
    tmp_path: Path, nearly_due: SparkCommitter
) -> None:
    files(tables.open_table(tmp_path, RAW), "event_date=*/*.parquet")[0].unlink()
    nearly_due.append(RAW, nearly_due.from_arrow(lost(201)), Txn("q", 201))
    nearly_due.end()
    with pytest.raises(Exception, match="not found"):
        nearly_due.maintain()
    take(nearly_due, 202)
