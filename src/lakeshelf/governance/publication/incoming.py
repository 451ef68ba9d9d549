"""Messages of a bound topic as rows of its dataset: judged as the jobs judge them, so that what they refuse is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from confluent_kafka import Message

from lakeshelf.contracts import Topic
from lakeshelf.governance.domain.definition import Definition
from lakeshelf.kafka.consuming import records
from lakeshelf.streams.commit.publisher import ORIGIN
from lakeshelf.streams.take import refusal
from lakeshelf.streams.take.decode import decode

AT_ONCE = 50_000
"""Messages that are looked at together, and so the most rows of a commit that adopts them."""
_RECORDS = pa.schema(
    [
        ("topic", pa.string()),
        ("kafka_partition", pa.int64()),
        ("kafka_offset", pa.int64()),
        ("kafka_timestamp", pa.timestamp("us", "UTC")),
        ("original_key", pa.binary()),
        ("original_value", pa.binary()),
        ("producer", pa.string()),
        ("header_version", pa.string()),
    ]
)
_FACTS = {
    "version": pa.int64(),
    "deleted": pa.bool_(),
    "kafka_partition": pa.int64(),
    "kafka_offset": pa.int64(),
}


@dataclass(frozen=True)
class IncomingMessages:
    """Valid messages, one a position.

    Attributes:
        rows: The row that each holds, in the columns of `columns`; of a tombstone the key alone.
        facts: `version`, `deleted`, `kafka_partition`, `kafka_offset`.
    """

    rows: pa.Table
    facts: pa.Table


def columns(topic: Topic, definition: Definition) -> list[str]:
    """Columns of a dataset that messages of its topic have; a definition may have gained others."""
    field_names = {field.name for field in (*topic.key_only, *topic.fields)}
    return [column.name for column in definition.columns if column.name in field_names]


def read(messages: Iterable[Message], topic: Topic, definition: Definition) -> IncomingMessages:
    """The messages that the topic's contract lets in."""
    taken = decode(_table(messages), [topic])
    schema = pa.schema([definition.schema.field(name) for name in columns(topic, definition)])
    suspects = taken.filter(taken["suspect"])
    rescued = refusal.judge(suspects).rows(topic)
    parts = (_plain(taken.filter(pc.invert(taken["suspect"])), topic), rescued)
    nullable = pa.schema([field.with_nullable(True) for field in schema])
    return IncomingMessages(
        pa.concat_tables(_cast(part, nullable) for part in parts).combine_chunks(),
        pa.concat_tables(_cast(part, pa.schema(_FACTS)) for part in parts).combine_chunks(),
    )


def origin(message: Message) -> str | None:
    """By what its sender knows a message as its own; None: it does not say."""
    return refusal.header(message, ORIGIN)


def highest_version(client: Mapping[str, str], topic: Topic, definition: Definition) -> int:
    """The highest version of a message that a topic holds now; 0: it holds none.

    Raises:
        BrokerError: The broker does not answer.
    """
    highest, field_names = 0, iter(records(client, topic.name))
    while messages := list(islice(field_names, AT_ONCE)):
        versions = read(messages, topic, definition).facts["version"]
        highest = max(highest, pc.max(versions).as_py() or 0)
    return highest


def _table(messages: Iterable[Message]) -> pa.Table:
    return pa.Table.from_pylist([_record(message) for message in messages], _RECORDS)


def _record(message: Message) -> dict[str, Any]:
    return {
        "topic": message.topic(),
        "kafka_partition": message.partition(),
        "kafka_offset": message.offset(),
        "kafka_timestamp": datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC),
        "original_key": message.key(),
        "original_value": message.value(),
        "producer": refusal.header(message, "producer"),
        "header_version": refusal.header(message, "version"),
    }


def _plain(taken: pa.Table, topic: Topic) -> pa.Table:
    """The columns of messages that were decoded."""
    values = taken[topic.name].combine_chunks()
    named = {field.name: pc.struct_field(values, field.name) for field in topic.fields}
    return pa.table(
        {
            **{field.name: taken["key_text"] for field in topic.key_only},
            **named,
            "deleted": pa.repeat(False, taken.num_rows),
            **{name: taken[name] for name in ("kafka_partition", "kafka_offset")},
        }
    )


def _cast(part: pa.Table, schema: pa.Schema) -> pa.Table:
    return part.select(schema.names).cast(schema)
