"""Messages that executors make are those that the driver would have sent."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from lakeshelf.contracts import BOOLEAN, CATALOG, DATE, DOUBLE, LONG, STRING, TIMESTAMP, Topic
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.kafka import consuming, topics
from lakeshelf.streams.commit import distributed
from lakeshelf.streams.commit.committers.spark import SparkCommitter
from lakeshelf.streams.commit.distributed import Spread
from lakeshelf.streams.commit.publisher import MessageTooLarge, Publisher
from lakeshelf.streams.run.failure import has_nothing_to_do_with_records
from tests.streams import harness

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.slow, pytest.mark.spark]
ROWS = 400
TEXTS = (
    *(f"a{chr(code)}b" for code in [*range(1, 33), *range(127, 161)]),
    *('"', "\\", '\\"', "/", "</script>", "'", "::", "a::b", "{}", "null", " ", "\ufeff", "%s"),
    *("ä", "\u2028\u2029", "漢字", "😀", "e\u0301", "\uffff", "\U0010ffff", "\0", "x" * 1000),
)
VALUES: Mapping[Any, tuple[Any, ...]] = {
    STRING: TEXTS,
    LONG: (0, 1, -1, 2**31, -(2**31), 2**53 + 1, 2**63 - 1, -(2**63)),
    BOOLEAN: (True, False),
    DATE: (date(1, 1, 1), date(999, 12, 31), date(1582, 10, 10), date(2024, 2, 29), date.max),
    DOUBLE: (
        *(0.0, -0.0, 0.1, 1 / 3, 1e7, 1e-3, 1e-4, 12345678.9, 1e16, 1e21, 1e22),
        *(5e-324, 2.0**-44, 2e23, sys.float_info.max, 9007199254740993.0),
    ),
    TIMESTAMP: (
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1582, 10, 10, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2024, 3, 31, 2, 30, 0, 1, tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
    ),
}
Message = tuple[int, bytes, bytes | None, tuple[tuple[str, bytes], ...]]


def published() -> list[Topic]:
    """Topics that jobs publish to."""
    names = {
        name
        for job in harness.jobs().values()
        for name in (*(update.topic for update in job.updates), *job.emitted)
        if name is not None
    }
    return [CATALOG.topics[name] for name in sorted(names)]


def rows(topic: Topic) -> pa.Table:
    """Adversarial rows: every kind of value in every field, and no two fields in step; some without what may lack."""
    fields = {f.name: f for f in (*topic.key_only, *topic.fields)}
    columns = {}
    for shift, (name, field) in enumerate(fields.items()):
        kinds = VALUES[field.type]
        values: list[Any] = list(islice(cycle(kinds), shift * 7, shift * 7 + ROWS))
        if name not in (*topic.key, "version"):
            values = [None if (i + shift) % 5 == 0 else v for i, v in enumerate(values)]
        columns[name] = values
    return pa.table(columns, arrow_contract.schema(fields.values()).remove_metadata())


@pytest.mark.parametrize("topic", published(), ids=lambda topic: topic.name)
def test_messages_are_the_same_both_ways(
    topic: Topic, spark: SparkSession, client: dict[str, str]
) -> None:
    held = rows(topic)
    frame = spark.createDataFrame(held)
    by_driver = sent(client, topic, lambda: by_publisher(client, topic, held))
    by_executors = sent(client, topic, lambda: by_spark(client, topic, frame))
    assert sum(by_driver.values()) == ROWS * (2 if topic.compacted else 1)
    assert by_executors == by_driver


def test_another_partitioner_would_be_noticed(
    spark: SparkSession, client: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Java's own would put a key elsewhere than librdkafka does."""
    from pyspark.sql import functions as F

    topic = CATALOG.topics["wh_events"]
    held = rows(topic)
    monkeypatch.setattr(
        distributed, "_partition", lambda *_: F.lit(None).cast("int").alias("partition")
    )
    by_driver = sent(client, topic, lambda: by_publisher(client, topic, held))
    frame = spark.createDataFrame(held)
    assert sent(client, topic, lambda: by_spark(client, topic, frame)) != by_driver


def test_a_message_that_is_too_large_is_told_as_the_drivers_is(
    spark: SparkSession, client: dict[str, str]
) -> None:
    topic = CATALOG.topics["wh_state"]
    values = {"shelf_id": "x" * 2_000_000, "version": 1}
    frame = spark.createDataFrame(
        pa.Table.from_pylist([values], arrow_contract.schema(topic.fields).remove_metadata())
    )
    with pytest.raises(MessageTooLarge, match="cannot publish to wh_state") as raised:
        distributed.send(Spread(topic, frame, 1), client)
    assert "\n" not in str(raised.value)
    assert not has_nothing_to_do_with_records(raised.value)


def test_rows_above_the_bound_stay_with_the_executors(spark: SparkSession, tmp_path: Any) -> None:
    committer, frame = SparkCommitter(tmp_path), spark.range(10)
    assert committer.spread(frame, 10) is None
    assert committer.spread(frame, 9) == (frame, 10)


def by_publisher(client: dict[str, str], topic: Topic, held: pa.Table) -> None:
    publisher = Publisher(client)
    if topic.compacted:
        publisher.send(publisher.rows(topic, held))
        publisher.send(publisher.tombstones(topic, held))
    else:
        publisher.send(publisher.events(topic, held))
    publisher.flush()


def by_spark(client: dict[str, str], topic: Topic, frame: Any) -> None:
    distributed.send(Spread(topic, frame, ROWS), client)
    if topic.compacted:
        distributed.send(Spread(topic, frame, ROWS, removed=True), client)


def sent(client: dict[str, str], topic: Topic, send: Any) -> Counter[Message]:
    """What a way of sending adds to a topic."""
    before = topics.end_offsets(client, [topic.name])[topic.name]
    send()
    after = topics.end_offsets(client, [topic.name])[topic.name]
    places = {(topic.name, int(p)): (before[p], end) for p, end in after.items()}
    reader = consuming.reader(client, "tests-of-publication")
    try:
        return Counter(map(told, messages(consuming.between(reader, places))))
    finally:
        reader.close()


def messages(read: Iterator[Any]) -> Iterator[Any]:
    return (message for message in read if message.error() is None)


def told(message: Any) -> Message:
    """A message as it is compared: bytes, but numbers with a point by what they are."""
    value = message.value()
    fields = CATALOG.topics[message.topic()].fields
    if value is not None and DOUBLE in {field.type for field in fields}:
        value = json.dumps(json.loads(value), ensure_ascii=False).encode()
    return message.partition(), message.key(), value, tuple(message.headers() or ())
