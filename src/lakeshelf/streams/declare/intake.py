"""Intake: the parsed batch as one relation a topic, good rows and rescued suspects alike."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from lakeshelf.contracts import BOOLEAN, LONG, TIMESTAMP, Field, Topic
from lakeshelf.contracts import arrow as arrow_contract

SUMMARY = """
    SELECT topic, count(*) AS rows_in, count(CASE WHEN suspect THEN 1 END) AS suspects,
        max(kafka_timestamp) AS latest
    FROM {batch} GROUP BY topic"""

SUMMARY_WITH_IDS = """
    SELECT topic, sum(rows_in) AS rows_in, sum(suspects) AS suspects, max(latest) AS latest, sum(bytes) AS bytes,
        min(id) AS low, max(id) AS high, coalesce(max(CASE WHEN id IS NOT NULL THEN rows_in END), 0) > 1 AS repeats
    FROM (
        SELECT topic, $id AS id, count(*) AS rows_in, count(CASE WHEN suspect THEN 1 END) AS suspects,
            max(kafka_timestamp) AS latest, sum(bytes) AS bytes
        FROM {batch} GROUP BY ALL)
    GROUP BY topic"""

IDS = """
    SELECT min(event_id) AS low, max(event_id) AS high, count(*) > count(DISTINCT event_id) AS repeats
    FROM {records}"""
"""What is to be known of the ids of records: one row."""

SUSPECTS = """
    SELECT topic, kafka_partition, kafka_offset, kafka_timestamp, key, value, producer, header_version
    FROM {batch} WHERE suspect"""

RESCUED = "rescued"
"""Relation of the suspects of one topic that turned out valid."""

POSITION = (
    Field("kafka_partition", LONG, "Partition."),
    Field("kafka_offset", LONG, "Offset."),
    Field("kafka_timestamp", TIMESTAMP, "Time of append."),
)
CLOCK_RELATION = pa.schema(
    [
        ("now", pa.timestamp("us", "UTC")),
        ("today", pa.date32()),
        ("phase", pa.string()),
        ("ticked", pa.bool_()),
        ("rolled", pa.bool_()),
        ("fresh", pa.bool_()),
    ]
)
"""Columns of the relation `business_time`."""
DELETED = Field("deleted", BOOLEAN, "Whether the message is a tombstone.")


def columns(topic: Topic) -> tuple[Field, ...]:
    """Columns of the relation of a topic: its fields and where the record stood.

    A compacted topic has its key columns and `deleted` as well, so that a tombstone is a row.
    """
    own = (*topic.key_only, *topic.fields) if topic.compacted else topic.fields
    return (*own, *((DELETED,) if topic.compacted else ()), *POSITION)


def summary(topics: Sequence[Topic]) -> str:
    """Query over `{batch}`: a row a topic, also with bytes, bounds of the ids of its events, and if one stands twice.

    What suspects hold is not among the ids.
    """
    named = (topic for topic in topics if "event_id" in {field.name for field in topic.fields})
    ids = ", ".join([*(f"{topic.name}.event_id" for topic in named), "CAST(NULL AS STRING)"])
    return SUMMARY_WITH_IDS.replace("$id", f"coalesce({ids})")


def relation(topic: Topic, *, rescued: bool) -> str:
    """Query over `{batch}` (and `{rescued}`) that gives the rows of a topic."""
    names = ", ".join(f.name for f in columns(topic))
    good = (
        f"SELECT {', '.join(f'{_value(topic, f)} AS {f.name}' for f in columns(topic))} "
        f"FROM {{batch}} WHERE topic = '{topic.name}' AND NOT suspect"
    )
    return f"{good} UNION ALL SELECT {names} FROM {{{RESCUED}}}" if rescued else good


def schema(topic: Topic) -> pa.Schema:
    """Arrow schema of the relation of a topic."""
    return arrow_contract.schema(columns(topic))


def _value(topic: Topic, field: Field) -> str:
    """SQL of a column, of messages that have a value: the reference validator reads the others."""
    if field in POSITION:
        return field.name
    if field == DELETED:
        return "false"
    return "key_text" if field in topic.key_only else f"{topic.name}.{field.name}"


def raw_rows(topic: Topic) -> str:
    """Query over `{records}`, taken at `{ingested_at}`, that gives rows of the raw table of a topic."""
    names = ", ".join(f.name for f in columns(topic))
    return (
        f"SELECT {names}, CAST({{ingested_at}} AS TIMESTAMP) AS ingested_at, "
        "CAST(event_time AS DATE) AS event_date FROM {records}"
    )
