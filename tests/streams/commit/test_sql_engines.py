"""The SQL of every declared update gives the same rows on DuckDB and on Spark."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.validate import parse
from lakeshelf.lake.form.commits import Txn
from lakeshelf.streams.commit.committers.driver import DriverCommitter
from lakeshelf.streams.commit.committers.spark import SparkCommitter
from lakeshelf.streams.commit.sink import Sink
from lakeshelf.streams.commit.updates import Updater
from lakeshelf.streams.declare.job import Update, View
from lakeshelf.streams.declare.plan import QueryPlan, plan
from tests.streams import harness
from tests.streams.messages import plain
from tests.streams.strategies import Record, records

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.slow

REFERENCE: QueryPlan = plan([harness.jobs()["reference-sink"]])[0]
PLANS = (harness.folding(), harness.watching(), REFERENCE)
UPDATES = [(found, update) for found in PLANS for update in found.updates]
SETS = 25
ENOUGH = 100
"""Records of which every update makes something."""


@dataclass(frozen=True)
class World:
    """A lake that some events made, and relations with further ones."""

    root: Path
    relations: dict[str, pa.Table]


def many() -> list[Record]:
    """Records of many small sets, with ids and versions of their own."""
    found: list[Record] = []

    @settings(max_examples=SETS, phases=[Phase.generate], database=None)
    @given(records())
    def collect(known: list[Record]) -> None:
        for topic, values in known:
            number = len(found)
            if topic == "batch_catalog":
                found.append((topic, {**values, "version": number}))
            else:
                found.append((topic, {**values, "event_id": f"{values['event_id']}-{number}"}))

    while len(found) <= ENOUGH:
        collect()
    return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = harness.make(tmp_path_factory.mktemp("engines") / "lake", *PLANS)
    known = many()
    runner = harness.Runner(root)
    runner.run(0, known[::2])
    runner.run(1, known[1::4])
    told = [*_profiles(), *_promotions()]
    reference = [(topic, harness.place({}, topic, record)) for topic, record in told]
    committer = DriverCommitter(root, 0)
    processor = harness.processor(REFERENCE, Sink(committer, committer), "reference")
    harness.process(processor, REFERENCE, 0, reference[::2])
    later: dict[str, list[dict[str, Any]]] = {}
    for topic, record in [*known[3::4], *told]:
        later.setdefault(topic, []).append(harness.place({}, topic, record))
    for topic in harness.watching().topics:
        later[topic.name] = runner.state_log[topic.name]
    names = {topic.name for found in PLANS for topic in found.topics}
    relations = {n: harness.relation(CATALOG.topics[n], later.get(n, [])) for n in sorted(names)}
    return World(root, relations)


def _profiles() -> list[Record]:
    topic = CATALOG.topics["shelf_profiles"]
    value = parse(topic, plain(topic).value or b"")
    shelves = (("S1-I1", 3, False), ("S1-I1", 2, False), ("S2-I1", 1, False), ("S2-I1", 2, True))
    return [
        (topic.name, {**value, "shelf_id": shelf, "version": version, "deleted": deleted})
        for shelf, version, deleted in shelves
    ]


def _promotions() -> list[Record]:
    topic = CATALOG.topics["promotions"]
    value = parse(topic, plain(topic).value or b"")
    weeks = ((2, 3, False), (2, 2, False), (9, 1, False), (9, 2, True))
    return [
        (topic.name, value | {"week": date(2017, 1, day), "version": version, "deleted": deleted})
        for day, version, deleted in weeks
    ]


def rows_of(sink: Sink[Any], found: QueryPlan, update: Update, relations: dict[str, Any]) -> Any:
    """Candidates of an update and those that changed, when all topics have something new."""
    active = frozenset(topic.name for topic in found.topics)
    updater = Updater(sink, relations, active, harness.NOW, lambda name: Txn(name, 99))
    for other in found.updates:
        if other == update:
            break
        if not isinstance(other, View):
            updater._touch(other)
    if not isinstance(update, View):
        assert updater._touch(update)
    candidates = updater._query(updater._candidates(update), update.table)
    return tuple(
        sorted(map(_comparable, sink.to_arrow(rows).to_pylist()), key=str)
        for rows in (candidates, updater._changed(update))
    )


def _comparable(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in sorted(row)}


@pytest.mark.parametrize(("found", "update"), UPDATES, ids=[u.table for _, u in UPDATES])
def test_both_engines_give_the_same_rows(
    spark: SparkSession, world: World, found: QueryPlan, update: Update
) -> None:
    driver = DriverCommitter(world.root, 1000)
    small = rows_of(Sink(driver, driver), found, update, world.relations)
    frames = {name: spark.createDataFrame(rows) for name, rows in world.relations.items()}
    large = rows_of(Sink(SparkCommitter(world.root), driver), found, update, frames)
    assert small == large
    assert small[0], "nothing was compared"
