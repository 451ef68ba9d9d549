"""What the alert engines judge and decide is the same on DuckDB and on Spark."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from lakeshelf.lake.form.commits import Txn
from lakeshelf.streams.commit.committers.driver import DriverCommitter
from lakeshelf.streams.commit.committers.spark import SparkCommitter
from lakeshelf.streams.commit.sink import Sink
from lakeshelf.streams.commit.updates import Updater
from lakeshelf.streams.declare.job import DecisionView, View
from lakeshelf.streams.run.clock import BusinessTime
from tests.streams import harness
from tests.streams.bench import SHELF, START, Bench, lake, stocked
from tests.streams.moving import millis
from tests.streams.refusing import ALERT, PLAN, ask, ghosts, moved

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture
def bench() -> Iterator[Bench]:
    with lake() as root:
        yield Bench(root, ledger=True)


ENGINES = ("shelf-alert-engine", "wh-alert-engine")


@pytest.mark.nightly
def test_both_engines_judge_and_decide_alike(spark: SparkSession, bench: Bench) -> None:
    stocked(bench, 2, back_room=3)
    ghosts(bench)
    ghosts(bench, SHELF)
    asks = (("ack", ALERT), ("dismiss", ALERT), ("ack", ALERT), ("cancel", PLAN), ("open", PLAN))
    ask(bench, *asks, ("cancel", "restock:no"), ("ack", "supply:no"), ("cancel", "supply:no"))
    bench.process()
    records = [(topic, {**row}) for topic, row in bench.runner.batch]
    ask(bench, *asks, ("dismiss", f"supplier_request:warehouse:{SHELF}:{millis(START)}"))
    ask(bench, ("cancel", f"supply:{SHELF}:{millis(START)}:0"))
    moved(bench, -1)
    for offset, (topic, row) in enumerate(bench.coming, start=100):
        place = {"kafka_partition": 0, "kafka_offset": offset, "kafka_timestamp": START}
        records.append((topic, {**row, **place}))
    time = BusinessTime({"now": START, "today": START.date(), "phase": None}, {})
    relations = {
        topic.name: harness.relation(topic, [row for name, row in records if name == topic.name])
        for topic in harness.deciding().topics
    } | {"business_time": time.relation()}
    driver = DriverCommitter(bench.root, 1000)
    small = judged(Sink(driver, driver), relations)
    assert all(small.values()), "nothing was compared"
    frames = {name: spark.createDataFrame(found) for name, found in relations.items()}
    assert small == judged(Sink(SparkCommitter(bench.root), driver), frames)


def judged(sink: Sink[Any], relations: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Candidates of what the engines decide, and what they refuse."""
    active = frozenset(relations)
    updater = Updater(sink, relations, active, START, lambda name: Txn(name, 99), decides=True)
    found: dict[str, Any] = {}
    for name in ENGINES:
        job = harness.jobs()[name]
        for update in job.updates:
            if isinstance(update, DecisionView):
                updater._scope(update)
            if isinstance(update, View):
                found[update.table] = updater._query(updater._candidates(update), update.table)
        for number, objection in enumerate(job.objections):
            found[f"{name} {number}"] = updater.refused(objection)
    return {k: sorted(sink.to_arrow(rows).to_pylist(), key=_named) for k, rows in found.items()}


def _named(row: dict[str, Any]) -> str:
    return str([value for _, value in sorted(row.items()) if isinstance(value, str | int)])
