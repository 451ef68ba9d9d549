"""Clients that are not ours, and a query of ours that reads what they send."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import kafka
import orjson
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource
from pyspark.sql import SparkSession

from lakeshelf.contracts import CATALOG
from lakeshelf.kafka import open_transactions, topics
from lakeshelf.lake.rows import tables
from lakeshelf.settings import Settings
from lakeshelf.stack.observing import lag
from lakeshelf.streams.commit import ledger
from lakeshelf.streams.commit.sink import BOOKS
from lakeshelf.streams.declare.plan import QueryPlan
from lakeshelf.streams.resume import checkpoint
from lakeshelf.streams.run.query import RunningQuery
from tests.support import eventually

from .harness import keyed

Client = Mapping[str, str]
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
WAYS = ("plain", "idempotent", "transactional")
SECONDS = 120.0


@dataclass(frozen=True)
class Sent:
    """A record as an outside client makes it: everything but the value may be missing."""

    topic: str
    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    time: int | None = None
    partition: int | None = None


class Outside(Protocol):
    """A producer of any make."""

    def send(self, records: Sequence[Sent]) -> None:
        """Send records and wait for the broker; inside a transaction if there is one."""

    def begin(self) -> None:
        """Begin a transaction."""

    def end(self, *, commit: bool) -> None:
        """Commit or abort it."""

    def close(self) -> None:
        """End the connection, whatever is open."""


class Confluent:
    """confluent-kafka.

    Args:
        client: Where the broker is.
        codec: One of `CODECS`.
        way: One of `WAYS`.
        name: Id of its transactions.
    """

    def __init__(self, client: Client, codec: str, way: str, name: str = "confluent") -> None:
        config: dict[str, Any] = {**client, "compression.type": codec, "linger.ms": 20}
        if way == "idempotent":
            config["enable.idempotence"] = True
        if way == "transactional":
            config["transactional.id"] = f"{name}-{codec}"
        self._producer = Producer(config)
        if way == "transactional":
            self._producer.init_transactions(SECONDS)

    def send(self, records: Sequence[Sent]) -> None:
        failed: list[str] = []
        for r in records:
            more: dict[str, Any] = {} if r.time is None else {"timestamp": r.time}
            if r.partition is not None:
                more["partition"] = r.partition
            self._producer.produce(
                r.topic,
                r.value,
                r.key,
                headers=list(r.headers),
                on_delivery=lambda error, _: failed.append(str(error)) if error else None,
                **more,
            )
        assert self._producer.flush(SECONDS) == 0
        assert not failed

    def begin(self) -> None:
        self._producer.begin_transaction()

    def end(self, *, commit: bool) -> None:
        if commit:
            self._producer.commit_transaction(SECONDS)
        else:
            self._producer.abort_transaction(SECONDS)

    def close(self) -> None:
        self._producer.purge()


class KafkaPython:
    """kafka-python; arguments as those of `Confluent`."""

    def __init__(self, client: Client, codec: str, way: str, name: str = "kafka-python") -> None:
        self._producer = kafka.KafkaProducer(
            bootstrap_servers=client["bootstrap.servers"],
            compression_type=None if codec == "none" else codec,
            enable_idempotence=way != "plain",
            transactional_id=f"{name}-{codec}" if way == "transactional" else None,
            linger_ms=20,
        )
        if way == "transactional":
            self._producer.init_transactions()

    def send(self, records: Sequence[Sent]) -> None:
        told = [
            self._producer.send(
                r.topic,
                value=r.value,
                key=r.key,
                headers=list(r.headers),
                partition=r.partition,
                timestamp_ms=r.time,
            )
            for r in records
        ]
        self._producer.flush(SECONDS)
        for future in told:
            future.get(SECONDS)

    def begin(self) -> None:
        self._producer.begin_transaction()

    def end(self, *, commit: bool) -> None:
        if commit:
            self._producer.commit_transaction()
        else:
            self._producer.abort_transaction()

    def close(self) -> None:
        self._producer.close(SECONDS)


MAKES: Mapping[str, Callable[..., Outside]] = {
    "confluent-kafka": Confluent,
    "kafka-python": KafkaPython,
}


@contextmanager
def producing(make: str, client: Client, codec: str, way: str, name: str = "") -> Iterator[Outside]:
    """A producer of some make, closed at the end."""
    made = MAKES[make](client, codec, way, name or make)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def keeping_times(client: Client, topic: str) -> Iterator[None]:
    """The topic keeps the times of producers for a while, as one does that somebody else made."""
    entry = ConfigEntry(
        "message.timestamp.type", "CreateTime", incremental_operation=AlterConfigOpType.SET
    )
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
    admin = AdminClient(dict(client))
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(SECONDS)
    eventually(lambda: _differing(client, topic), "the broker knows of the change")
    try:
        yield
    finally:
        topics.alter(client, _differing(client, topic))


def _differing(client: Client, topic: str) -> list[topics.Ensured]:
    return [e for e in topics.ensure_all(client) if e.topic == topic and e.differences]


@dataclass
class Running:
    """A query of the product at work on a broker.

    Attributes:
        plan: What it does.
        settings: Its lake.
        client: Its broker.
    """

    plan: QueryPlan
    settings: Settings
    client: Client
    _queries: list[RunningQuery] = field(default_factory=list)

    def start(self, session: SparkSession) -> None:
        """Start behind what the topics hold now."""
        for name in (*self.plan.tables, *BOOKS):
            tables.ensure(self.settings.lake_root, CATALOG.tables[name])
        ends = topics.end_offsets(self.client, [topic.name for topic in self.plan.topics])
        checkpoint.begin(self.settings.checkpoint_dir, self.plan.name, ends)
        query = RunningQuery(self.plan, self.settings, session, self.client)
        self._queries.append(query)
        query.tend()

    def stop(self) -> None:
        """End it at a batch boundary."""
        for query in self._queries:
            query.stop()

    def catch_up(self, *, opened: int = 0) -> None:
        """Wait until it has read to the end of its topics; markers come behind the end of a transaction.

        Args:
            opened: Transactions that stay open.
        """
        names = [topic.name for topic in self.plan.topics]
        eventually(
            lambda: (
                len(open_transactions.blocking(self.client, names)) == opened and self.behind() == 0
            ),
            "the query reads to the end",
        )

    def behind(self) -> int:
        """Records that are not folded yet.

        Raises:
            AssertionError: The query failed.
        """
        (query,) = self._queries
        query.tend()
        assert query.progress.state == "running", query.progress.error
        return lag.total(lag.behind(self.settings, self.client, [self.plan]))

    def balance(self, shelf: str) -> int | None:
        """Balance of a shelf."""
        row = keyed(self.settings.lake_root, "cleansed/shelf_state").get((shelf,))
        return None if row is None else row["balance"]

    def raw(self, topic: str) -> list[dict[str, Any]]:
        """Rows of a raw table."""
        return tables.rows(self.settings.lake_root, f"raw/{topic}").to_pylist()

    def refused(self) -> list[dict[str, Any]]:
        """Rows of the quarantine."""
        return tables.rows(self.settings.lake_root, "raw/quarantine").to_pylist()

    def reached(self, topic: str) -> dict[str, int]:
        """How far the ledger says the query is."""
        return ledger.reached(self.settings.lake_root, topic, self.plan.name)


def restock(event_id: str, shelf: str, quantity: int = 1, **more: Any) -> bytes:
    """A restock as an outside system writes it."""
    told = {
        "event_id": event_id,
        "event_type": "restock",
        "event_time": "2026-11-25T10:00:00Z",
        "store_id": "st1",
        "schema_version": 1,
        "shelf_id": shelf,
        "item_id": "it1",
        "quantity": quantity,
        "reason": "opening_balance",
    }
    return orjson.dumps({**told, **more})
