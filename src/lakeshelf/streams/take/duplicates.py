"""Duplicates: which records of a batch are new, which were seen before, which contradict what was seen.

A record is a duplicate only if `raw`, or an earlier record of the batch, holds its `event_id` at
*another* place; the same place is this batch's own row from before a crash and still counts
(docs/design/exactly-once.md#duplicates), but `raw` has it already.
"""

from __future__ import annotations

from lakeshelf.contracts import Table, Topic
from lakeshelf.streams.declare import intake

POSITION = ("kafka_partition", "kafka_offset")
PLACE = (*POSITION, "kafka_timestamp")
"""Where a record stood; the time tells it from a record of a topic that was made anew."""
NEW, DUPLICATE = "new", "duplicate"
CONFLICT, CONFLICTING_VERSION = "conflicting_duplicate", "conflicting_version"

CONFLICTS = f"""
    SELECT kafka_partition, kafka_offset, fate FROM {{records}} WHERE fate NOT IN ('{NEW}', '{DUPLICATE}')"""
REPEATS = f"SELECT kafka_partition, kafka_offset FROM {{records}} WHERE fate = '{DUPLICATE}'"
TALLY = "SELECT fate, count(*) AS records FROM {records} GROUP BY fate"


def fresh(topic: Topic) -> str:
    """Those of `{records}` that go on, without their fate.

    Messages of compacted topics go on even if they say nothing new: the repeat of a batch cannot tell
    its own messages from earlier ones, and the highest version wins anyway.
    """
    names = ", ".join(f.name for f in intake.columns(topic))
    kept = f"('{NEW}', '{DUPLICATE}')" if topic.compacted else f"('{NEW}')"
    return f"SELECT {names} FROM {{records}} WHERE fate IN {kept}"


def repeated(key: str) -> str:
    """Whether any value of `key` stands twice in `{records}`: one row, one column `repeats`."""
    return f"SELECT count(*) - count(DISTINCT {key}) AS repeats FROM {{records}}"


def event_fates(topic: Topic) -> str:
    """`{records}` with a column `fate`, given the rows of raw that share an id with them, `{seen}`."""
    content = [field.name for field in topic.fields]
    columns = ", ".join(("event_id", *PLACE))
    struct = f"struct({', '.join(content)}) AS content"
    return f"""
        WITH earlier AS (
            SELECT {columns}, {struct}, 0 AS place FROM {{seen}}
            UNION ALL SELECT {columns}, {struct}, 1 AS place FROM {{records}}),
        ranked AS (
            SELECT *, row_number() OVER (PARTITION BY event_id ORDER BY place, {", ".join(POSITION)}) AS turn
            FROM earlier),
        original AS (SELECT {columns}, content FROM ranked WHERE turn = 1)
        SELECT r.*, CASE
            WHEN {" AND ".join(f"r.{c} = o.{c}" for c in PLACE)} THEN '{NEW}'
            WHEN struct({", ".join(f"r.{c}" for c in content)}) <=> o.content THEN '{DUPLICATE}'
            ELSE '{CONFLICT}' END AS fate
        FROM {{records}} AS r JOIN original AS o ON r.event_id = o.event_id"""


def version_fates(topic: Topic, held: Table) -> str:
    """`{records}` of a compacted topic with a column `fate`, given what the table `held` has, `{current}`.

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
        SELECT r.*, CASE
            WHEN b.version IS NULL OR b.version < r.version THEN '{NEW}'
            WHEN b.conflicts = 1 THEN '{CONFLICTING_VERSION}'
            ELSE '{DUPLICATE}' END AS fate
        FROM messages AS r LEFT JOIN before AS b
            ON r.kafka_partition = b.kafka_partition AND r.kafka_offset = b.kafka_offset"""
