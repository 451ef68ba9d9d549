"""Kafka records to typed columns in the driver's process: what `parse` is for Spark.

The decoder of each topic reads the values; keys and headers are judged here. What is not certainly
valid is `suspect`, and the reference validator decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.contracts import Topic
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.contracts.model import KEY_SEPARATOR
from lakeshelf.streams.declare import intake
from lakeshelf.streams.take.columns import TIMES
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
        ("kafka_timestamp", TIMES),
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
    schema = _schema(topics)
    parts = (_taken(topic, part, schema) for topic in topics for part in _of(records, topic))
    return pa.Table.from_batches(parts, schema)


def records_of(topic: Topic, taken: pa.Table) -> pa.Table:
    """Valid records of a topic, in the columns of its relation (`lakeshelf.streams.declare.intake`).

    Args:
        topic: The topic.
        taken: What `decode` gave.
    """
    schema = intake.schema(topic)
    parts = (_good(topic, part) for part in taken.to_batches())
    batches = [
        pa.RecordBatch.from_arrays(list(_flat(topic, part)), schema=schema)
        for part in parts
        if len(part)
    ]
    return pa.Table.from_batches(batches, schema)


def raw_rows(records: pa.Table, ingested_at: datetime) -> pa.Table:
    """Records with the columns that a raw table has besides."""
    ingested = pa.repeat(pa.scalar(ingested_at, TIMES), records.num_rows)
    dated = records.append_column("ingested_at", ingested)
    return dated.append_column("event_date", records["event_time"].cast(pa.date32()))


def _schema(topics: Sequence[Topic]) -> pa.Schema:
    values = [(t.name, pa.struct(list(arrow_contract.schema(t.fields)))) for t in topics]
    return pa.schema([*TAKEN, *values])


def _of(records: pa.Table, topic: Topic) -> list[pa.RecordBatch]:
    of_topic = records.filter(pc.equal(records["topic"], topic.name))
    parts: list[pa.RecordBatch] = of_topic.combine_chunks().to_batches(AT_ONCE)
    return parts


def _taken(topic: Topic, records: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    values, keys = decoder(topic)(records["original_value"]), _texts(records["original_key"])
    valid = values.is_valid()
    if topic.compacted:
        valid = pc.fill_null(_is_owned(topic, records, keys, values), False)
        values = pc.if_else(valid, values, None)
    suspect = pc.invert(valid)
    columns = {
        **{name: records[name] for name in (*POSITION, *HEADERS)},
        "key": pc.if_else(suspect, records["original_key"], None),
        "value": pc.if_else(suspect, records["original_value"], None),
        "suspect": suspect,
        topic.name: values,
        **({"key_text": keys} if topic.compacted else {}),
    }
    arrays = [columns.get(f.name, pa.nulls(len(records), f.type)) for f in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _good(topic: Topic, taken: pa.RecordBatch) -> pa.RecordBatch:
    """Those that are of the topic and no suspects; a part that holds no others stays as it is."""
    good = pc.and_not(pc.equal(taken["topic"], topic.name), taken["suspect"])
    return taken.filter(good) if good.false_count else taken


def _flat(topic: Topic, taken: pa.RecordBatch) -> Iterator[pa.Array]:
    names = [field.name for field in topic.fields]
    values = dict(zip(names, taken[topic.name].flatten(), strict=True))
    for field in intake.columns(topic):
        if field in intake.POSITION:
            yield taken[field.name]
        elif field == intake.DELETED:
            yield pa.repeat(False, len(taken))
        else:
            yield taken["key_text"] if field in topic.key_only else values[field.name]


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
