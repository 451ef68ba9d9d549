"""Kafka records to typed columns in the driver's process: what `parse` is for Spark.

The decoder of each topic reads the values; keys and headers are judged here. What is not certainly
valid is `suspect`, and the reference validator decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.contracts import Topic
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.contracts.model import KEY_SEPARATOR
from lakeshelf.streams.take.decoder import decoder

AT_ONCE = 8_192
"""Records that are decoded at once: their messages are still in the processor's cache when columns are made."""
POSITION = ("topic", "kafka_partition", "kafka_offset", "kafka_timestamp")
HEADERS = ("producer", "header_version")
TAKEN = pa.schema(
    [
        ("topic", pa.string()),
        ("kafka_partition", pa.int64()),
        ("kafka_offset", pa.int64()),
        ("kafka_timestamp", pa.timestamp("us", "UTC")),
        ("key", pa.binary()),
        ("key_text", pa.string()),
        ("value", pa.binary()),
        ("suspect", pa.bool_()),
        ("producer", pa.string()),
        ("header_version", pa.string()),
    ]
)
"""Columns of records of whatever topic."""


def decode(records: pa.Table, topics: Sequence[Topic]) -> pa.Table:
    """One row a record, in the columns of `lakeshelf.streams.take.parse.parse`, topic by topic.

    Args:
        records: `topic`, `kafka_partition`, `kafka_offset`, `kafka_timestamp`, `original_key`,
            `original_value`, `producer`, `header_version`.
        topics: Topics that may occur.
    """
    parts = [_taken(topic, part) for topic in topics for part in _of(records, topic)]
    return pa.concat_tables([_schema(topics).empty_table(), *parts], promote_options="default")


def _schema(topics: Sequence[Topic]) -> pa.Schema:
    values = [(t.name, pa.struct(list(arrow_contract.schema(t.fields)))) for t in topics]
    return pa.schema([*TAKEN, *values])


def _of(records: pa.Table, topic: Topic) -> list[pa.RecordBatch]:
    of_topic = records.filter(pc.equal(records["topic"], topic.name))
    parts: list[pa.RecordBatch] = of_topic.combine_chunks().to_batches(AT_ONCE)
    return parts


def _taken(topic: Topic, records: pa.RecordBatch) -> pa.Table:
    values, keys = decoder(topic)(records["original_value"]), _texts(records["original_key"])
    valid = values.is_valid()
    if topic.compacted:
        valid = pc.fill_null(_is_owned(topic, records, keys, values), False)
    suspect, none = pc.invert(valid), pa.nulls(len(records))
    columns = {
        **{name: records[name] for name in (*POSITION, *HEADERS)},
        "key": pc.if_else(suspect, records["original_key"], none),
        "key_text": keys if topic.compacted else none,
        "value": pc.if_else(suspect, records["original_value"], none),
        "suspect": suspect,
        topic.name: pc.if_else(valid, values, none),
    }
    return pa.table(columns)


def _texts(values: pa.Array) -> pa.Array:
    """Bytes as texts; null where they are no UTF-8."""
    try:
        return values.cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array([_text(value) for value in values.to_pylist()], pa.string())


def _text(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def _is_owned(
    topic: Topic, records: pa.RecordBatch, keys: pa.Array, values: pa.StructArray
) -> pa.Array:
    """Whether a record of a compacted topic is its owner's, and key and version are those of the value."""
    header_version, version = records["header_version"], pc.struct_field(values, "version")
    agreeing = pc.or_kleene(
        pc.is_null(header_version), pc.equal(header_version, version.cast(pa.string()))
    )
    owned = pc.and_(pc.equal(records["producer"], topic.owner), pc.not_equal(keys, ""))
    return reduce(pc.and_, [values.is_valid(), owned, agreeing, *_keyed(topic, keys, values)])


def _keyed(topic: Topic, keys: pa.Array, values: pa.StructArray) -> Iterator[pa.Array]:
    """Whether keys are those of the values, or may be where they alone hold a field."""
    for field in topic.key_only:
        yield pc.less_equal(pc.utf8_length(keys), field.longest)
    if topic.fixed_key:
        yield pc.equal(keys, topic.fixed_key)
    elif not topic.key_only:
        parts = (pc.struct_field(values, name).cast(pa.string()) for name in topic.key)
        yield pc.equal(keys, pc.binary_join_element_wise(*parts, KEY_SEPARATOR))
