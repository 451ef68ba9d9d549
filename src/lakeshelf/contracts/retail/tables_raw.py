"""Tables below `raw/`: the events of a topic, and where each came from."""

from __future__ import annotations

from lakeshelf.contracts.layers import Raw
from lakeshelf.contracts.model import Table, Topic
from lakeshelf.contracts.retail import shared as s
from lakeshelf.contracts.retail import topics_events as topics
from lakeshelf.contracts.types import BINARY, DATE, LONG, TIMESTAMP, Field

KAFKA_TIMESTAMP = Field("kafka_timestamp", TIMESTAMP, "When the broker appended the record.")
INGESTED_AT = Field("ingested_at", TIMESTAMP, "Time of the micro-batch that took it in.")
ORIGIN = (
    Field("kafka_partition", LONG, "Partition that the record was read from."),
    Field("kafka_offset", LONG, "Offset that the record was read from."),
    KAFKA_TIMESTAMP,
    INGESTED_AT,
    Field("event_date", DATE, "Day of `event_time`, UTC."),
)


def mirror(topic: Topic, owner: str) -> Table:
    """The table that keeps one row an event of the topic."""
    return Table(
        name=f"raw/{topic.name}",
        key=("event_id",),
        owner=owner,
        columns=(*topic.fields, *ORIGIN),
        doc=f"Events of `{topic.name}`, one row an event id. {topic.doc}",
        partition_by=("event_date",),
        profile="append_log",
        topic=topic.name,
        stats=("event_time", "kafka_partition", "kafka_offset"),
    )


QUARANTINE = Table(
    name=Raw.QUARANTINE,
    key=("topic", "partition", "offset"),
    owner=s.DRIVER,
    doc="Records that were refused, as they came, with the reason.",
    profile="append_log",
    topic=topics.QUARANTINE.name,
    columns=(
        *(topics.QUARANTINE.field(name) for name in ("topic", "partition", "offset")),
        KAFKA_TIMESTAMP,
        Field("key", BINARY, "Key of the record, as it came.", required=False),
        Field("value", BINARY, "Value of the record, as it came.", required=False),
        topics.QUARANTINE.field("reason"),
        topics.QUARANTINE.field("detail"),
        INGESTED_AT,
    ),
)

TABLES = (
    mirror(topics.SHELF_EVENTS, "shelf-aggregator"),
    mirror(topics.POS_TRANSACTIONS, "batch-state-updater"),
    mirror(topics.FOOT_TRAFFIC, "foot-traffic-raw-sink"),
    mirror(topics.WH_EVENTS, "wh-aggregator"),
    mirror(topics.LOST_SALES, "foot-traffic-raw-sink"),
    QUARANTINE,
)
