"""The yardstick of the catch-up: Kafka → JSON → `raw` and nothing else, as short as it can be written.

confluent-kafka hands out messages, pyarrow parses them, delta-rs appends. It does not validate, does
not recognise duplicates, keeps no state, publishes nothing and loses its place when it is killed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json
from confluent_kafka import Consumer, Message, TopicPartition
from deltalake import write_deltalake

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.lake.rows import tables

TAKE = 50_000
POSITION = ("kafka_partition", "kafka_offset", "kafka_timestamp", "ingested_at")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("lake", type=Path)
    parser.add_argument("servers")
    parser.add_argument("ends", type=json.loads, help="JSON: partition → end offset")
    parser.add_argument("batch_rows", type=int)
    options = parser.parse_args()
    schema = arrow_contract.schema(CATALOG.tables["raw/shelf_events"].columns)
    handle = tables.open_table(options.lake, "raw/shelf_events")
    batches, began = [], time.time()
    for messages in taken(options.servers, options.ends, options.batch_rows):
        write_deltalake(handle, parsed(messages, schema), mode="append")
        ended = time.time()
        batches.append({"rows": len(messages), "began": began, "ended": ended})
        began = ended
    print(json.dumps(batches))
    return 0


def taken(servers: str, ends: Mapping[str, int], rows: int) -> Iterator[list[Message]]:
    """Messages up to the ends, so many at a time."""
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": "plain-loop",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 50,
        }
    )
    consumer.assign([TopicPartition("shelf_events", int(p), 0) for p in ends])
    left = sum(ends.values())
    held: list[Message] = []
    while left:
        messages = consumer.consume(min(TAKE, rows - len(held), left), timeout=1.0)
        left -= len(messages)
        held += messages
        if held and (len(held) >= rows or not left):
            yield held
            held = []
    consumer.close()


def parsed(messages: list[Message], schema: pa.Schema) -> pa.Table:
    """Rows of raw."""
    options = pyarrow.json.ParseOptions(
        explicit_schema=pa.schema([f for f in schema if f.name not in (*POSITION, "event_date")]),
        unexpected_field_behavior="ignore",
    )
    text = pa.BufferReader(b"\n".join(m.value() or b"" for m in messages))
    rows = pyarrow.json.read_json(text, parse_options=options)
    times = pa.array([m.timestamp()[1] for m in messages], pa.int64())
    now = datetime.now(UTC)
    rows = rows.append_column("kafka_partition", pa.array([m.partition() for m in messages]))
    rows = rows.append_column("kafka_offset", pa.array([m.offset() for m in messages]))
    rows = rows.append_column("kafka_timestamp", times.cast(pa.timestamp("ms", "UTC")))
    rows = rows.append_column(
        "ingested_at", pa.array([now] * len(messages), pa.timestamp("us", "UTC"))
    )
    rows = rows.append_column("event_date", pc.cast(rows["event_time"], pa.date32()))
    return rows.select(schema.names).cast(schema)


if __name__ == "__main__":
    sys.exit(main())
