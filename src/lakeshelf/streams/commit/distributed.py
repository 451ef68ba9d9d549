"""Publication by the executors: rows become messages where they are, and go to Kafka from there.

A message is what `lakeshelf.streams.commit.publisher` would send: the same key, headers, partition and value, byte for
byte, but for numbers with a point, which Java may write otherwise (`1.0E7` for `10000000.0`) and which read the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakeshelf.contracts import TIMESTAMP, Field, Topic
from lakeshelf.contracts.model import KEY_SEPARATOR
from lakeshelf.errors import BrokerError
from lakeshelf.kafka import topics
from lakeshelf.kafka.authentication import java_client
from lakeshelf.streams.commit.publisher import MessageTooLarge
from lakeshelf.telemetry import metrics

PRODUCER = {
    "kafka.acks": "all",
    "kafka.enable.idempotence": "true",
    "kafka.linger.ms": "5",
    "kafka.compression.type": "lz4",
    "kafka.delivery.timeout.ms": "60000",
}
TIME_FORMAT = "yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'"
TOO_LARGE = "RecordTooLargeException"
CAUSE = re.compile(r"^(?:Caused by: |: )?((?:\w+\.)+\w+(?:Exception|Error): .*)", re.MULTILINE)


@dataclass(frozen=True)
class Spread:
    """Messages of one topic that the executors make of rows that they hold.

    Attributes:
        topic: Where they go.
        rows: Rows as Spark has them.
        count: How many there are.
        removed: Whether they tell of removals.
    """

    topic: Topic
    rows: DataFrame
    count: int
    removed: bool = False


def send(spread: Spread, client: Mapping[str, str]) -> int:
    """Publish, and wait until the broker has everything; how many messages there are.

    Args:
        spread: What goes out.
        client: librdkafka settings that reach the broker.

    Raises:
        BrokerError: Something was not acknowledged; the batch is not done and will be repeated.
    """
    name = spread.topic.name
    partitions = len(topics.end_offsets(client, [name])[name])
    options = {f"kafka.{key}": value for key, value in java_client(client).items()}
    writer = messages(spread, partitions).write.format("kafka").options(**options, **PRODUCER)
    try:
        writer.option("topic", name).save()
    except (PySparkException, Py4JJavaError) as error:
        metrics.PUBLISH_ERRORS.add(topic=name)
        raise _refusal(name, str(error)) from error
    metrics.PUBLISHED.add(spread.count, topic=name)
    return spread.count


def messages(spread: Spread, partitions: int) -> DataFrame:
    """Rows as Spark's sink takes them.

    Args:
        spread: What goes out.
        partitions: How many the topic has.
    """
    topic = spread.topic
    key = _key(topic)
    value = F.lit(None).cast("string") if spread.removed else _value(topic)
    columns = [key.alias("key"), value.alias("value"), _partition(key, partitions)]
    return spread.rows.select(*columns, *([_headers(topic)] if topic.compacted else []))


def _key(topic: Topic) -> Column:
    if topic.fixed_key:
        return F.lit(topic.fixed_key)
    return F.concat_ws(KEY_SEPARATOR, *(F.col(name).cast("string") for name in topic.key))


def _partition(key: Column, partitions: int) -> Column:
    """That which librdkafka gives a key: one key must not stand in two partitions."""
    chosen = F.when(key != "", F.crc32(key.cast("binary")) % partitions)
    return chosen.cast("int").alias("partition")


def _value(topic: Topic) -> Column:
    members = F.struct(*(_member(field) for field in topic.fields))
    return F.to_json(members, {"ignoreNullFields": "false"})


def _member(field: Field) -> Column:
    column = F.col(field.name)
    if field.type == TIMESTAMP:
        column = F.date_format(column, TIME_FORMAT)  # in the zone of the session, which is UTC
    return column.alias(field.name)


def _headers(topic: Topic) -> Column:
    named = {"version": F.col("version").cast("string"), "producer": F.lit(topic.owner)}
    pairs = [
        F.struct(F.lit(name).alias("key"), value.cast("binary").alias("value"))
        for name, value in named.items()
    ]
    return F.array(*pairs).alias("headers")


def _refusal(topic: str, error: str) -> BrokerError:
    what, hint = f"cannot publish to {topic} from executors", "see `lakeshelf status`"
    causes = CAUSE.findall(error) or ["unknown failure"]
    kind = MessageTooLarge if TOO_LARGE in error else BrokerError
    return kind(f"{what}: {causes[-1][:300]}", hint=hint)
