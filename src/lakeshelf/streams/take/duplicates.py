"""Duplicates: which records of a batch are new, which were seen before, which contradict what was seen.

A record is a duplicate only if `raw`, or an earlier record of the batch, holds its `event_id` at
*another* place; the same place is this batch's own row from before a crash and still counts
(docs/design/exactly-once.md#duplicates), but `raw` has it already. Fates are told of records of which it
is not clear beforehand that they are new: a batch is large, and hardly any of its ids are known.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.contracts import Table, Topic

POSITION = ("kafka_partition", "kafka_offset")
PLACE = (*POSITION, "kafka_timestamp")
"""Where a record stood; the time tells it from a record of a topic that was made anew."""
NEW, HELD, DUPLICATE = "new", "held", "duplicate"
CONFLICT, CONFLICTING_VERSION = "conflicting_duplicate", "conflicting_version"
FIRST = frozenset((NEW, HELD))
"""Fates of the first record of an id; raw has one that is held from before a crash."""
HARMLESS = FIRST | {DUPLICATE}

REPEATS = "SELECT count(*) > count(DISTINCT event_id) AS repeats FROM {records}"
"""Whether an id stands twice in `{records}`: one row."""

NOWHERE = range(-11, 0)
"""Offsets that no record has. More than ten values are a set to Spark, whose code is the same whatever it holds."""


def going_on(topic: Topic) -> frozenset[str]:
    """Fates of records that go on.

    Messages of compacted topics go on even if they say nothing new: the repeat of a batch cannot tell
    its own messages from earlier ones, and the highest version wins anyway.
    """
    return HARMLESS if topic.compacted else FIRST


def not_new(fates: str) -> str:
    """Places and fates that a query gives, but for those of new records."""
    return f"SELECT * FROM ({fates}) AS judged WHERE fate <> '{NEW}'"


def of_fates(fates: pa.Table, named: Iterable[str]) -> pa.Table:
    """Those of some places and fates that have one of the named fates."""
    known = pa.array(sorted(named), fates["fate"].type)
    return fates.filter(pc.is_in(fates["fate"], known))


def standing_at(places: pa.Table) -> str:
    """Condition that a record stands at one of some places, by partition and offset; at least one is given."""
    offsets: dict[int, list[int]] = {}
    for row in places.select(POSITION).to_pylist():
        offsets.setdefault(row["kafka_partition"], [*NOWHERE]).append(row["kafka_offset"])
    return " OR ".join(
        f"kafka_partition = {partition} AND kafka_offset IN ({', '.join(map(str, some))})"
        for partition, some in sorted(offsets.items())
    )


def event_fates(topic: Topic) -> str:
    """Places and fates of those of `{records}` whose id stands there twice or in `{seen}`, rows of raw."""
    content = [field.name for field in topic.fields]
    columns = ", ".join(("event_id", *PLACE))
    struct = f"struct({', '.join(content)}) AS content"
    return f"""
        WITH named AS (
            SELECT event_id FROM {{seen}}
            UNION SELECT event_id FROM {{records}} GROUP BY event_id HAVING count(*) > 1),
        doubtful AS (SELECT * FROM {{records}} LEFT SEMI JOIN named USING (event_id)),
        earlier AS (
            SELECT {columns}, {struct}, 0 AS place FROM {{seen}}
            UNION ALL SELECT {columns}, {struct}, 1 AS place FROM doubtful),
        ranked AS (
            SELECT *, row_number() OVER (PARTITION BY event_id ORDER BY place, {", ".join(POSITION)}) AS turn
            FROM earlier),
        original AS (SELECT {columns}, content, place FROM ranked WHERE turn = 1)
        SELECT {", ".join(f"r.{c}" for c in POSITION)}, CASE
            WHEN {" AND ".join(f"r.{c} = o.{c}" for c in PLACE)}
                THEN CASE o.place WHEN 0 THEN '{HELD}' ELSE '{NEW}' END
            WHEN struct({", ".join(f"r.{c}" for c in content)}) <=> o.content THEN '{DUPLICATE}'
            ELSE '{CONFLICT}' END AS fate
        FROM doubtful AS r JOIN original AS o ON r.event_id = o.event_id"""


def version_fates(topic: Topic, held: Table) -> str:
    """Places and fates of `{records}` of a compacted topic, given what the table `held` has, `{current}`.

    An older version, or an equal one with the same content, says nothing new; an equal version with
    other content contradicts. Content is what the table keeps of a message.
    """
    keys = ", ".join(held.key)
    own = {f.name for f in topic.fields}
    content = [
        "deleted",
        *(
            c.name
            for c in held.columns
            if c.name in own and c.name not in ("version", "updated_at")
        ),
    ]
    both = " AND ".join(f"r.{key} = e.{key}" for key in held.key)
    packed = f"struct({', '.join(content)}) AS content"
    return f"""
        WITH messages AS (SELECT *, {packed} FROM {{records}}),
        earlier AS (
            SELECT {keys}, version, {packed}, CAST(-1 AS BIGINT) AS kafka_partition, CAST(-1 AS BIGINT) AS kafka_offset
            FROM {{current}} LEFT SEMI JOIN {{records}} USING ({keys})
            UNION ALL SELECT {keys}, version, content, kafka_partition, kafka_offset FROM messages),
        before AS (
            SELECT r.kafka_partition, r.kafka_offset, max(e.version) AS version,
                max(CASE WHEN e.version = r.version AND NOT e.content <=> r.content THEN 1 ELSE 0 END) AS conflicts
            FROM messages AS r JOIN earlier AS e ON {both} AND (e.kafka_partition < 0
                OR (e.kafka_partition = r.kafka_partition AND e.kafka_offset < r.kafka_offset))
            GROUP BY r.kafka_partition, r.kafka_offset)
        SELECT r.kafka_partition, r.kafka_offset, CASE
            WHEN b.version IS NULL OR b.version < r.version THEN '{NEW}'
            WHEN b.conflicts = 1 THEN '{CONFLICTING_VERSION}'
            ELSE '{DUPLICATE}' END AS fate
        FROM messages AS r LEFT JOIN before AS b
            ON r.kafka_partition = b.kafka_partition AND r.kafka_offset = b.kafka_offset"""
