"""Every text of every job gives the same rows on DuckDB and on Spark, in a shop in which all of them find something."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa
import pytest

from lakeshelf.contracts.validate import parse
from lakeshelf.streams.commit.committers.driver import DriverCommitter
from lakeshelf.streams.commit.committers.spark import SparkCommitter
from lakeshelf.streams.declare import sql
from lakeshelf.streams.declare.binding import Binder, Bound, Text
from lakeshelf.streams.declare.job import CLOCK, TOUCHED, Job, relation
from lakeshelf.streams.declare.plan import QueryPlan, plan
from tests.streams import harness
from tests.streams.bench import SHELF, START, Bench, arrive, lake, level, stocked
from tests.streams.messages import plain
from tests.streams.moving import millis
from tests.streams.refusing import ALERT, PLAN, ROOM, ask, ghosts, moved
from tests.streams.strategies import catalog_message

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.slow
Asked = tuple[Mapping[str, pa.Table | datetime], pa.Table]
JOBS = harness.jobs()


class Recorder(DriverCommitter):
    """Keeps each text that is asked, with what it was asked of when it gave most."""

    asked: ClassVar[dict[str, Asked]] = {}

    def query(self, text: str, **inputs: pa.Table | datetime) -> pa.Table:
        """Rows of a query, which are kept."""
        rows = super().query(text, **inputs)
        if text not in self.asked or rows.num_rows >= self.asked[text][1].num_rows:
            self.asked[text] = inputs, rows
        return rows


class Listing(Binder):
    """Lists the texts of a job as they are declared."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.texts: list[Text] = []

    def bind_text(self, text: Text) -> Bound:
        self.texts.append(text)
        return super().bind_text(text)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Asked]:
    """Texts that the jobs asked on a day in which everything happens, with what each was asked of."""
    with lake() as root:
        a_day(Bench(root, ledger=True, committer=Recorder))
    decided = {job.name for job in harness.deciding().jobs}
    for other in plan(job for job in JOBS.values() if job.updates and job.name not in decided):
        told(tmp_path_factory.mktemp("other") / "lake", other)
    return Recorder.asked


def a_day(bench: Bench) -> None:
    """Orders, policies, requests that are refused, goods on their way to the shelf and on it."""
    stocked(bench, 2, back_room=3, unit_weight=0.5)
    bench.tell("wh_policies", SHELF, **ROOM, plan_source="ml")
    level(bench, 9, days=2)
    arrive(bench, "L8", 1, expiry_date=START.date() + timedelta(days=1))
    ghosts(bench)
    ghosts(bench, SHELF)
    asks = (("ack", ALERT), ("dismiss", ALERT), ("ack", ALERT), ("cancel", PLAN), ("open", PLAN))
    ask(bench, *asks, ("cancel", "restock:no"), ("ack", "supply:no"), ("cancel", "supply:no"))
    bench.process()
    ask(bench, *asks, ("dismiss", f"supplier_request:warehouse:{SHELF}:{millis(START)}"))
    ask(bench, ("cancel", f"supply:{SHELF}:{millis(START)}:0"))
    moved(bench, -1)
    bench.process()
    order = {"supplier_plan_id": "P1", "shelf_id": SHELF, "store_id": "S1", "total_qty": 6}
    dates = {"delivery_date": START.date(), "cutoff_ts": START, "created_at": START}
    bench.tell("wh_supplier_orders", "O1", status="issued", **order, **dates)
    bench.coming.append(("batch_catalog", catalog_message("L2", 1)))
    planned = {"shelf_id": SHELF, "week": START.date(), "display": "1", "mailer": None}
    stamps = {"known_at": START, "version": 1, "updated_at": START, "deleted": False}
    bench.coming.append(("promotions", {**planned, **stamps}))
    arrive(bench, "L2", 20)
    moved(bench, 4)
    bench.tick(timedelta(minutes=1))
    bench.process()
    moved(bench, -4)
    for minutes in (1, 1, 1, 3, 1, 3, 1):
        bench.tick(timedelta(minutes=minutes))
        bench.process()


def told(root: Path, other: QueryPlan) -> None:
    """Run a query on an example of each of its topics."""
    topics = [topic for topic in other.topics if topic.name != CLOCK]
    examples = [(topic.name, parse(topic, plain(topic).value or b"")) for topic in topics]
    harness.Runner(harness.make(root, other), other, committer=Recorder).run(0, examples)


def declared(job: Job) -> dict[str, str]:
    """Part of a job → its text, as it is run."""
    listing = Listing(job)
    list(listing.bound())
    return {f"{text.of}, {n}": _as_run(text) for n, text in enumerate(listing.texts)}


def _as_run(text: Text) -> str:
    if text.current is None:
        return text.sql
    return sql.substitute(text.sql, touched=TOUCHED + relation(text.current.name))


@pytest.mark.parametrize("name", JOBS)
def test_every_declared_text_has_found_something(asked: Mapping[str, Asked], name: str) -> None:
    """Else the test below would compare nothing with nothing."""
    for of, text in declared(JOBS[name]).items():
        gave = [rows.num_rows for ran, (_, rows) in asked.items() if text in ran]
        assert any(gave), of


def test_both_engines_give_the_same_rows(spark: SparkSession, asked: Mapping[str, Asked]) -> None:
    committer = SparkCommitter(Path())
    for text, (inputs, rows) in asked.items():
        given = {
            name: value if isinstance(value, datetime) else spark.createDataFrame(value)
            for name, value in inputs.items()
        }
        large = committer.to_arrow(committer.query(text, **given))
        assert comparable(large) == comparable(rows), text


def comparable(rows: pa.Table) -> list[list[tuple[str, Any]]]:
    """Rows in an order, columns too."""
    return sorted((sorted(row.items()) for row in rows.to_pylist()), key=str)
