"""Queries of a lake with a broker of its own, in this process and one Spark: what `up` runs, without its supervisor."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]
from pyspark.sql import SparkSession

from lakeshelf.contracts import CATALOG
from lakeshelf.errors import BrokerError
from lakeshelf.kafka import topics
from lakeshelf.lake.rows import tables
from lakeshelf.settings import Settings, load_settings
from lakeshelf.stack.embedded.broker import Broker
from lakeshelf.stack.observing import lag
from lakeshelf.streams.commit import ledger
from lakeshelf.streams.declare.job import Job
from lakeshelf.streams.declare.plan import plan
from lakeshelf.streams.recover import continuing, recovery
from lakeshelf.streams.resume import continuity
from lakeshelf.streams.run.query import RunningQuery
from tests.support import eventually, make_topics

from . import harness
from .pipeline import CONSUME_S, INTERPRETED

TOPIC, RAW = "shelf_events", "raw/shelf_events"
STATE = "cleansed/shelf_state"
PATIENCE_S = 300.0


class Living:
    """A lake, its broker while it is open, and its queries while they run.

    Args:
        root: The lake.
        spark: The session that queries run in.
        committer: `driver` or `spark`.
    """

    def __init__(self, root: Path, spark: SparkSession, committer: str = "driver") -> None:
        self.settings: Settings = load_settings(
            lake_root=root, committer=committer, restart_backoff_s=0.2
        )
        self.jobs: list[Job] = [harness.jobs()[name] for name in harness.FOLDING]
        self.plans = plan(self.jobs)
        self._spark = spark
        self._broker = Broker(self.settings)

    @property
    def root(self) -> Path:
        """The lake."""
        return Path(self.settings.lake_root)

    @property
    def client(self) -> dict[str, str]:
        """Reaches the broker."""
        return {"bootstrap.servers": self._broker.bootstrap_servers, "log_level": "0"}

    @contextmanager
    def open(self) -> Iterator[None]:
        """Run the broker."""
        self._broker.start(die_with_parent=True)
        try:
            self._broker.wait_healthy()
            yield
        finally:
            self._broker.stop()

    def send(
        self, topic: str, values: Iterable[dict[str, Any] | bytes], partition: int = 0
    ) -> None:
        """Produce events, and wait for the broker."""
        producer = Producer({**self.client, "acks": "all"})
        errors: list[Any] = []
        for value in values:
            text = value if isinstance(value, bytes) else orjson.dumps(value)
            producer.produce(
                topic, text, b"a key", partition, on_delivery=lambda e, _: errors.append(e)
            )
        assert producer.flush(CONSUME_S) == 0
        assert not any(errors), errors

    def delete_topic(self) -> None:
        """Delete the topic that is mirrored, and wait until the broker has no more of it."""
        admin = AdminClient(self.client)
        admin.delete_topics([TOPIC])[TOPIC].result()
        # The controller answers first; until the broker follows, it takes records for a topic that is gone.
        eventually(lambda: not topics.ids(self.client, [TOPIC]), "the topic is gone")

    def remake_topic(self) -> None:
        """Make it again, and wait until the broker knows it."""
        admin = AdminClient(self.client)
        made = NewTopic(TOPIC, 2, config={"message.timestamp.type": "LogAppendTime"})
        admin.create_topics([made])[TOPIC].result()
        eventually(lambda: bool(topics.ids(self.client, [TOPIC])), "the topic is there")

    def up(self) -> None:
        """Fold everything there is, and stop at a batch boundary; refuses what `up` refuses."""
        for table in CATALOG.tables.values():
            if table.name in (*self.tables, "raw/quarantine", ledger.LEDGER):
                tables.ensure(self.root, table)
        make_topics(self.client)
        for found in self.plans:
            standing = continuity.examine(found, self.settings, self.client)
            continuity.require(found.name, standing)
        queries = [
            RunningQuery(p, self.settings, self._spark.newSession(), self.client)
            for p in self.plans
        ]
        try:
            eventually(lambda: self._folded(queries), f"folded; {self.errors(queries)}", PATIENCE_S)
        finally:
            for query in queries:
                query.stop()

    def fail(self) -> str:
        """Run until a query fails; why."""
        queries = [
            RunningQuery(p, self.settings, self._spark.newSession(), self.client)
            for p in self.plans
        ]
        try:
            eventually(lambda: self._failed(queries), "a query fails", PATIENCE_S)
            return next(query.progress.error for query in queries if query.progress.error)
        finally:
            for query in queries:
                query.stop()

    def mend(self, way: str) -> None:
        """Do what a refusal names."""
        if way == "continue":
            continuing.go_on(self.settings, self.jobs, self.client)
        else:
            recovery.rebuild(self.settings, self.jobs, client=self.client)

    @property
    def tables(self) -> tuple[str, ...]:
        """Tables of the queries."""
        return tuple(name for found in self.plans for name in found.tables)

    def balances(self) -> dict[str, int]:
        """Shelf → balance."""
        rows = tables.rows(self.root, STATE, ["shelf_id", "balance"]).to_pylist()
        return {row["shelf_id"]: row["balance"] for row in rows}

    def ids(self) -> list[str]:
        """Event ids of raw, ordered."""
        return sorted(tables.rows(self.root, RAW, ["event_id"])["event_id"].to_pylist())

    def _queries(self) -> list[RunningQuery]:
        session = self._spark.newSession()
        for name, value in INTERPRETED.items():
            session.conf.set(name, value)
        return [RunningQuery(found, self.settings, session, self.client) for found in self.plans]

    @staticmethod
    def errors(queries: list[RunningQuery]) -> list[str]:
        """What queries say of themselves."""
        return [query.progress.error for query in queries]

    def _failed(self, queries: list[RunningQuery]) -> bool:
        for query in queries:
            query.tend()
        return any(query.progress.state == "failed" for query in queries)

    def _folded(self, queries: list[RunningQuery]) -> bool:
        for query in queries:
            query.tend()
        assert not any(self.errors(queries)), self.errors(queries)
        try:
            return lag.total(lag.behind(self.settings, self.client, self.plans)) == 0
        except BrokerError:
            return False


def moved(number: int, shelf: str = "A", quantity: int = 1) -> dict[str, Any]:
    """An opening movement of a shelf."""
    return {
        "event_id": f"1480000000000-{number:04d}",
        "event_type": "restock",
        "event_time": "2017-01-01T10:00:00Z",
        "store_id": "S1",
        "schema_version": 1,
        "shelf_id": shelf,
        "item_id": "I1",
        "quantity": quantity,
        "reason": "opening_balance",
    }


def copied(root: Path, place: Path) -> Path:
    """A copy of a lake whose broker is down."""
    shutil.copytree(root, place, symlinks=True)
    (place / "_stack" / "broker" / "ports.json").unlink(missing_ok=True)
    return place


def ends(living: Living) -> Mapping[str, int]:
    """Partition → end of the topic that is mirrored."""
    return topics.end_offsets(living.client, ["shelf_events"])["shelf_events"]
