"""What a query, a component and the owner of a table tell of their work, as it is scraped."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from lakeshelf.contracts import CATALOG
from lakeshelf.errors import LakeError
from lakeshelf.lake import Lake
from lakeshelf.lake.form.commits import Commit, Txn
from lakeshelf.lake.rows import tables
from lakeshelf.lake.upkeep import maintenance
from lakeshelf.lake.upkeep.maintenance import EVERY, Maintenance
from lakeshelf.settings import load_settings
from lakeshelf.streams.commit import sink as sinks
from lakeshelf.streams.commit.committers.driver import DriverCommitter
from lakeshelf.streams.commit.ledger import LEDGER, Counts, LedgerEntry
from lakeshelf.streams.commit.sink import Sink
from lakeshelf.streams.declare import registry
from lakeshelf.streams.declare.plan import QueryPlan, plan
from lakeshelf.streams.run import measuring
from lakeshelf.streams.run.query import RunningQuery
from lakeshelf.streams.take.refusal import Refused
from lakeshelf.telemetry import metrics
from lakeshelf.telemetry.metrics import Metric
from lakeshelf.telemetry.serving import Values
from tests.telemetry.test_metrics import samples, values

__all__ = ["values"]


@pytest.fixture(scope="module")
def query() -> QueryPlan:
    """A query of the product."""
    jobs = registry.discover(load_settings().home)
    return next(p for p in plan(jobs.values()) if "foot_traffic" in p.mirrors)


def test_lag_is_told_by_topic_and_partition_and_the_age_of_what_tables_have(
    values: Values, query: QueryPlan
) -> None:
    """A minute passed since the newest record that was folded; three more wait."""
    ends = {"foot_traffic": {"0": 10, "1": 7}}
    newest = {"foot_traffic": datetime.now(UTC) - timedelta(seconds=60)}
    records, seconds = measuring.lag(query, {"foot_traffic": {"0": 8, "1": 6}}, ends, newest)
    assert seconds is not None
    assert records == 3
    assert 60 <= seconds < 120
    assert samples(values, "lakeshelf_source_lag_records") == {
        ("foot-traffic-raw-sink", "foot_traffic"): 3
    }
    by_partition = samples(values, "lakeshelf_source_partition_lag_records")
    assert sorted(by_partition.values()) == [1, 2]
    (age,) = samples(values, "lakeshelf_source_lag_seconds").values()
    assert 60 <= age < 120
    ages = samples(values, "lakeshelf_freshness_seconds")
    assert {labels[1] for labels in ages} == set(query.tables)
    assert all(60 <= age < 120 for age in ages.values())
    assert measuring.lag(query, ends, ends, newest) == (0, 0)
    assert measuring.lag(query, {}, {}, newest) == (None, None)
    assert set(samples(values, "lakeshelf_freshness_seconds").values()) == {0}
    assert set(samples(values, "lakeshelf_source_lag_seconds").values()) == {0}


def test_a_topic_of_very_many_partitions_is_told_as_a_whole(
    values: Values, query: QueryPlan
) -> None:
    """Its lag is right, and its partitions take no room."""
    ends = {"foot_traffic": {str(number): 2 for number in range(100)}}
    assert measuring.lag(query, {}, ends, {}) == (200, None)
    assert list(samples(values, "lakeshelf_source_lag_records").values()) == [200]
    assert samples(values, "lakeshelf_source_partition_lag_records") == {}
    assert samples(values, "lakeshelf_freshness_seconds") == {}


def test_how_far_a_query_is_is_told_by_the_driver_that_runs_it(
    values: Values, query: QueryPlan
) -> None:
    """One that waits for the lease knows nothing of it, and would raise an alert by what it does not know."""
    waiting = RunningQuery(query, load_settings(), None, {})
    ends = {"foot_traffic": {"0": 5_000}}
    for state, missing, lag in (("waiting", 0, None), ("running", 5_000, 5_000)):
        waiting.progress.state = state
        waiting.measure(ends)
        assert (waiting.progress.lag, waiting.progress.lag_s) == (lag, None)
        assert list(samples(values, "lakeshelf_source_lag_records").values()) == [missing]


def test_what_counts_begins_with_nothing(values: Values) -> None:
    """Else Prometheus, which never saw it at 0, would not see the first one."""
    measuring.begun("wh")
    measuring.records("wh", {"wh_events": Counts(rows_in=1, valid=1)}, [])
    assert samples(values, "lakeshelf_query_restarts_total") == {("wh",): 0}
    assert samples(values, "lakeshelf_batches_total") == {("done", "wh"): 0, ("failed", "wh"): 0}
    by_fate = samples(values, "lakeshelf_records_total")
    assert by_fate["quarantined", "wh", "wh_events"] == 0
    assert by_fate["valid", "wh", "wh_events"] == 1


def test_what_is_refused_is_counted_by_its_reason(values: Values) -> None:
    """Beside the fate of its query."""
    now = datetime.now(UTC)
    refused = [Refused("wh_events", 0, 1, now, b"k", b"{}", "not_json", "")] * 2
    measuring.records("wh", {}, refused)
    assert samples(values, "lakeshelf_quarantined_total") == {("not_json", "wh_events"): 2}


def entry(number: int) -> pa.Table:
    """A row for the ledger."""
    now = datetime.now(UTC)
    return LedgerEntry("q", number, "wh", "batch", {}, {}, {}, 1, "driver", now).row()


def seconds_of(values: Values, metric: Metric) -> float:
    """What commits to the ledger took in all."""
    return sum(samples(values, f"{metric.exported}_sum").values())


def test_a_commit_is_measured_with_its_turn_and_without(values: Values, tmp_path: Path) -> None:
    """It stands behind what was given before, for as long as that takes; its own work does not."""
    tables.ensure(tmp_path, CATALOG.tables[LEDGER])
    committer, go_on = DriverCommitter(tmp_path, 0), threading.Event()
    sink = Sink(committer, committer)
    sink.then(lambda: go_on.wait() and None)
    commit = sink.append(LEDGER, entry(0), Txn("wh:test", 0))
    asked = time.perf_counter()
    samples(values, "nothing")
    stood = time.perf_counter() - asked
    go_on.set()
    commit.result()
    sink.settle()
    work = seconds_of(values, metrics.COMMIT_WORK)
    assert 0 < work < seconds_of(values, metrics.COMMIT_DURATION) - stood


def test_a_commit_that_is_made_at_once_is_measured_from_when_it_was_asked_for(
    values: Values, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of another committer are made when the call returns; counted from there, they would take no time."""
    tables.ensure(tmp_path, CATALOG.tables[LEDGER])
    committer, at_once = DriverCommitter(tmp_path, 0), DriverCommitter(tmp_path, 0)
    append, clock = at_once.append, [0.0]

    def appended(*what: Any) -> Future[Commit]:
        clock[0] += 8.0
        return append(*what)

    monkeypatch.setattr(at_once, "append", appended)
    monkeypatch.setattr(sinks, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    Sink(committer, committer, {LEDGER: at_once}).append(LEDGER, entry(0), Txn("wh:test", 0))
    for metric in (metrics.COMMIT_DURATION, metrics.COMMIT_WORK):
        assert seconds_of(values, metric) == 8.0


def table(root: Path) -> DeltaTable:
    """A table with a few versions."""
    lake = Lake(root)
    for number in range(3):
        lake.append("mine/counts", [{"shelf": "A1", "units": number}])
    return lake.snapshot("mine/counts").handle


def test_rounds_of_maintenance_are_counted_done_or_failed(values: Values, tmp_path: Path) -> None:
    """And what somebody asked for by what it was."""
    handle = table(tmp_path)
    Maintenance().maintain(handle)
    maintenance.perform(handle, "vacuum", {"dry_run": True})
    with pytest.raises(LakeError):
        maintenance.perform(handle, "optimize", {"columns": ["nothing"]})
    runs = samples(values, "lakeshelf_maintenance_runs_total")
    counted = {labels: count for labels, count in runs.items() if count}
    assert counted == {
        tuple(sorted(("mine/counts", "round", "done"))): 1,
        tuple(sorted(("mine/counts", "vacuum", "done"))): 1,
        tuple(sorted(("mine/counts", "optimize", "failed"))): 1,
    }
    assert samples(values, "lakeshelf_maintenance_duration_seconds_count") == {("mine/counts",): 2}


def test_versions_since_the_last_round_are_told(values: Values, tmp_path: Path) -> None:
    """They grow until a round is done, and a failed one leaves them."""
    handle, upkeep = table(tmp_path), Maintenance()
    name = "lakeshelf_table_unmaintained_versions"
    assert upkeep.take_due([handle]) == []
    assert list(samples(values, name).values()) == [0]
    lake = Lake(tmp_path)
    for number in range(EVERY):
        lake.append("mine/counts", [{"shelf": "A2", "units": number}])
    handle.update_incremental()
    assert upkeep.take_due([handle]) == [handle]
    assert list(samples(values, name).values()) == [EVERY]
    upkeep.maintain(handle)
    upkeep.take_due([handle])
    assert list(samples(values, name).values()) == [0]


def test_files_and_bytes_of_a_table_are_told_as_its_owner_sees_them(
    values: Values, tmp_path: Path
) -> None:
    """At its start, every so many versions, and after a round of maintenance; not with each commit."""
    handle, upkeep = table(tmp_path), Maintenance()
    files, size = "lakeshelf_table_files", "lakeshelf_table_bytes"
    upkeep.take_due([handle])
    assert samples(values, files) == {("mine/counts",): 3}
    on_disk = sum(file.stat().st_size for file in (tmp_path / "mine").rglob("*.parquet"))
    assert samples(values, size) == {("mine/counts",): on_disk}
    Lake(tmp_path).append("mine/counts", [{"shelf": "A1", "units": 9}])
    handle.update_incremental()
    upkeep.take_due([handle])
    assert samples(values, files) == {("mine/counts",): 3}
    upkeep.maintain(handle)
    assert samples(values, files) == {("mine/counts",): 4}
    handle.delete()
    upkeep.maintain(handle)
    assert samples(values, size) == {("mine/counts",): 0}
