"""A query on real Kafka, Spark and Delta, batch by batch, as slowly as a test wants it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import Consumer, Producer, TopicPartition
from pyspark.sql import DataFrame, SparkSession

from lakeshelf.contracts import CATALOG
from lakeshelf.kafka import topics
from lakeshelf.kafka.follower import PartitionFollower
from lakeshelf.lake.form.commits import Txn
from lakeshelf.lake.rows import tables
from lakeshelf.settings import Settings
from lakeshelf.streams.commit import ledger
from lakeshelf.streams.commit.committers.driver import DriverCommitter
from lakeshelf.streams.commit.committers.spark import SparkCommitter
from lakeshelf.streams.commit.publisher import Publisher
from lakeshelf.streams.commit.sink import Sink
from lakeshelf.streams.declare.plan import QueryPlan
from lakeshelf.streams.run.batch import BatchProcessor

from .harness import DISCREPANCIES, STATE, Rows, keyed, read
from .messages import Record

Client = Mapping[str, str]
Offsets = dict[str, dict[str, int]]
BOOKS = ("raw/quarantine", ledger.LEDGER)
CONSUME_S = 120.0
INTERPRETED = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}
"""What concerns ten rows is done before its code would be compiled."""


class ForgetfulDriver(DriverCommitter):
    """Does not know what is committed: for showing that this would be noticed."""

    _turn = itertools.count()

    def is_committed(self, name: str, txn: Txn) -> bool:
        return False

    def append(self, name: str, rows: Any, txn: Txn) -> Any:
        return super().append(name, rows, Txn(f"{txn.app_id}{next(self._turn)}", txn.version))

    def upsert(self, name: str, rows: Any, txn: Txn) -> Any:
        return super().upsert(name, rows, Txn(f"{txn.app_id}{next(self._turn)}", txn.version))


class ForgetfulSpark(SparkCommitter):
    """Does not know what is committed, nor tells Delta."""

    _turn = itertools.count()

    def is_committed(self, name: str, txn: Txn) -> bool:
        return False

    def append(self, name: str, rows: Any, txn: Txn) -> Any:
        return super().append(name, rows, Txn(f"{txn.app_id}{next(self._turn)}", txn.version))

    def upsert(self, name: str, rows: Any, txn: Txn) -> Any:
        return super().upsert(name, rows, Txn(f"{txn.app_id}{next(self._turn)}", txn.version))


COMMITTERS: dict[str, Callable[[Path], Any]] = {
    "driver": lambda root: DriverCommitter(root, 1000),
    "spark": SparkCommitter,
    "forgetful driver": lambda root: ForgetfulDriver(root, 1000),
    "forgetful spark": ForgetfulSpark,
}


@dataclass
class Pipeline:
    """One query on a lake of its own, reading what is sent from now on.

    Attributes:
        settings: The lake.
        spark: The session.
        client: Reaches the broker.
        plan: What the query reads and keeps.
        app_id: Identity of its checkpoint.
    """

    settings: Settings
    spark: SparkSession
    client: Client
    plan: QueryPlan
    app_id: str = "a-query"
    begun: Offsets = field(default_factory=dict)
    reached: Offsets = field(default_factory=dict)
    frame: DataFrame | None = None
    batch_id: int = -1

    def __post_init__(self) -> None:
        for name in (*self.plan.tables, *BOOKS):
            tables.ensure(self.root, CATALOG.tables[name])
        self.begun = self.ends()
        self.reached = self.begun

    @property
    def root(self) -> Path:
        """Root of the lake."""
        return self.settings.lake_root

    def ends(self) -> Offsets:
        """End of every topic that the query reads or feeds."""
        published = {u.topic for u in self.plan.updates if u.topic is not None}
        emitted = {topic for job in self.plan.jobs for topic in job.emitted}
        names = {topic.name for topic in self.plan.topics} | published | emitted | {"quarantine"}
        return topics.end_offsets(self.client, sorted(names))

    def take(self, committer: str) -> None:
        """Process what was sent since the last batch."""
        ends = self.ends()
        self.frame = self._between(self.reached, ends)
        self._span = {t.name: (self.reached[t.name], ends[t.name]) for t in self.plan.topics}
        self.reached = ends
        self.batch_id += 1
        self.again(committer)

    def again(self, committer: str) -> None:
        """Process the last batch in a new process's stead: with nothing in memory."""
        assert self.frame is not None
        books = DriverCommitter(self.root, 0, shared=True)
        made = COMMITTERS[committer](self.root)
        if committer == "driver":
            made = DriverCommitter(
                self.root, 1000, follower=PartitionFollower(self.client, "tests")
            )
        sink: Sink[Any] = Sink(made, books)
        publisher = Publisher(self.client)
        processor = BatchProcessor(self.plan, sink, publisher, self.app_id, self._offsets)
        processor(sink.read(self.frame, self.plan.topics), self.batch_id)

    def _offsets(self, _: int) -> Any:
        return {
            topic: {p: (start[p], end[p]) for p in end}
            for topic, (start, end) in self._span.items()
        }

    def _between(self, start: Offsets, end: Offsets) -> DataFrame:
        return between(self.spark, self.client, [t.name for t in self.plan.topics], start, end)

    def state(self) -> dict[str, Rows]:
        """Compared columns of the state tables that the query keeps."""
        names = (*STATE, DISCREPANCIES)
        return {name: read(self.root, name) for name in names if name in self.plan.tables}

    def everything(self) -> dict[str, Rows]:
        """All rows of all tables but the times at which they were written."""
        written = ("ingested_at", "committed_at", "duration_ms", "updated_at", "table_versions")
        found = {name: keyed(self.root, name) for name in (*self.plan.tables, *BOOKS)}
        return {
            name: {k: {c: v for c, v in r.items() if c not in written} for k, r in rows.items()}
            for name, rows in found.items()
        }

    def counts(self, topic: str) -> dict[str, int]:
        """Sums of the ledger's counts of a topic."""
        total = dict.fromkeys(vars(ledger.Counts()), 0)
        for row in ledger.entries(self.root):
            for name, number in row["topics"].get(topic, {}).items():
                total[name] += number
        return total

    def published(self, topic: str) -> list[Record]:
        """Messages of a topic since the pipeline began."""
        return consume(self.client, topic, self.begun[topic])


def between(
    spark: SparkSession, client: Client, names: Sequence[str], start: Offsets, end: Offsets
) -> DataFrame:
    """Committed records of topics, as Spark's source gives them."""
    session = spark.newSession()
    for name, value in INTERPRETED.items():
        session.conf.set(name, value)
    reader = session.read.format("kafka").option("includeHeaders", "true")
    reader = reader.option("kafka.bootstrap.servers", client["bootstrap.servers"])
    reader = reader.option("kafka.isolation.level", "read_committed")
    reader = reader.option("subscribe", ",".join(names))
    for option, offsets in (("startingOffsets", start), ("endingOffsets", end)):
        reader = reader.option(option, json.dumps({name: offsets[name] for name in names}))
    return reader.load()


def send(client: Client, found: Iterable[Record]) -> None:
    """Produce records and wait for the broker."""
    producer = Producer({**client, "acks": "all", "queue.buffering.max.messages": 0})
    for record in found:
        headers = list(record.headers)
        producer.produce(record.topic, record.value, record.key, headers=headers)
    assert producer.flush(CONSUME_S) == 0


def consume(client: Client, topic: str, start: Mapping[str, int]) -> list[Record]:
    """Records of a topic from given offsets to its end, partition by partition."""
    ends = topics.end_offsets(client, [topic])[topic]
    wanted = sum(end - start.get(p, 0) for p, end in ends.items())
    consumer = Consumer({**client, "group.id": "tests", "enable.auto.commit": False})
    try:
        consumer.assign([TopicPartition(topic, int(p), start.get(p, 0)) for p in ends])
        messages = []
        while len(messages) < wanted:
            got = consumer.consume(wanted - len(messages), CONSUME_S)
            assert got, f"{topic}: {len(messages)} of {wanted} messages"
            messages += [message for message in got if message.error() is None]
    finally:
        consumer.close()
    messages.sort(key=lambda m: (m.partition(), m.offset()))
    return [Record(topic, m.value(), m.key(), tuple(m.headers() or ())) for m in messages]


def record(topic: str, values: Mapping[str, Any]) -> Record:
    """A typed event or message as it goes over the wire."""
    contract = CATALOG.topics[topic]
    key = contract.key_of(values).encode()
    headers: tuple[tuple[str, bytes], ...] = ()
    if contract.compacted:
        version = str(values["version"]).encode()
        headers = (("version", version), ("producer", contract.owner.encode()))
    if values.get("deleted"):
        return Record(topic, None, key, headers)
    fields = [f.name for f in contract.fields]
    body = {name: values[name] for name in fields if values[name] is not None}
    return Record(
        topic, orjson.dumps(body, default=_encoded, option=orjson.OPT_UTC_Z), key, headers
    )


def _encoded(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(type(value))
