"""Seeded shelf events: openings, pickups, putbacks and restocks, as records, raw rows and state rows.

Event number n follows from n and the seed alone. The first `shelves` events open one shelf each. All
ids begin with the event time, and `event_time` grows with n, as with a live producer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import pyarrow as pa

START_MS = 1_483_228_800_000
"""2017-01-01T00:00Z."""
DAY_MS = 86_400_000
STORES = 10
TOPIC = "shelf_events"
BATCH_ROWS = 8_192

_MACROS = """
CREATE OR REPLACE MACRO mix(n) AS ((n % 2147483647) * 48271 + 12345) % 2147483647;
CREATE OR REPLACE MACRO scatter(n) AS mix(mix(mix(n)));
CREATE OR REPLACE MACRO iso_time(ms) AS strftime(make_timestamp(ms * 1000), '%Y-%m-%dT%H:%M:%S.%gZ');
"""


@dataclass(frozen=True)
class Shape:
    """Which events there are.

    Attributes:
        shelves: Number of shelves; as many events open them.
        per_day: Events a day of event time.
        seed: Chooses shelves, kinds and quantities.
        repeat_every: Each so many records one is an exact repeat of an earlier event; 0: none.
        repeat_back: How many records back a repeat may reach.
    """

    shelves: int
    per_day: int
    seed: int
    repeat_every: int = 0
    repeat_back: int = 50_000

    def events(self, first: int, last: int) -> str:
        """Query: the events that the records [first, last) carry, with their raw columns."""
        return f"""
            SELECT n, e, printf('%013d', ms) || '-' || upper(event_type[1]) || e AS event_id,
                event_type, ms, 'S' || (300 + shelf % {STORES}) AS store_id,
                'S' || (300 + shelf % {STORES}) || '-I' || (1000000 + shelf // {STORES}) AS shelf_id,
                'I' || (1000000 + shelf // {STORES}) AS item_id,
                CASE WHEN e < {self.shelves} THEN 50 + r % 40 WHEN kind < 75 THEN 1 + r % 3 ELSE 3 END
                    AS quantity,
                CASE WHEN event_type <> 'restock' THEN 'C' || (1 + r % 2500) END AS customer_id,
                CASE WHEN e < {self.shelves} THEN 'opening_balance' END AS reason
            FROM (SELECT *, CASE WHEN e < {self.shelves} OR kind >= 75 THEN 'restock'
                    WHEN kind < 70 THEN 'pickup' ELSE 'putback' END AS event_type
                FROM (SELECT n, e, {START_MS} + e * {DAY_MS} // {self.per_day} AS ms,
                        scatter(e + {self.seed}) % 100 AS kind,
                        scatter(e * 13 + {self.seed}) AS r,
                        CASE WHEN e < {self.shelves} THEN e
                            ELSE scatter(e * 7 + {self.seed}) % {self.shelves} END AS shelf
                    FROM (SELECT n, {self._event()} AS e FROM range({first}, {last}) AS t(n))))"""

    def _event(self) -> str:
        """SQL: the event that record n carries; a repeat never means a place that holds a repeat."""
        if self.repeat_every == 0:
            return "n"
        every = self.repeat_every
        far = f"n - 1 - scatter(n * 3 + {self.seed}) % least(n, {self.repeat_back})"
        repeated = f"({far}) - CASE WHEN ({far}) % {every} = {every - 1} THEN 1 ELSE 0 END"
        return f"CASE WHEN n % {every} = {every - 1} THEN {repeated} ELSE n END"


def connect() -> duckdb.DuckDBPyConnection:
    """A database that knows what the queries need."""
    db = duckdb.connect()
    db.execute("SET threads = 2; SET TimeZone = 'UTC'; SET preserve_insertion_order = true")
    db.execute(_MACROS)
    return db


def records(shape: Shape, first: int, last: int) -> Iterator[pa.RecordBatch]:
    """Kafka records [first, last) in order, with the columns topic, key and value."""
    value = """concat('{"event_id":"', event_id, '","event_type":"', event_type, '","event_time":"',
        iso_time(ms), '","store_id":"', store_id, '","schema_version":1,"shelf_id":"', shelf_id,
        '","item_id":"', item_id, '","quantity":', quantity,
        ',"customer_id":"' || customer_id || '"', ',"reason":"' || reason || '"', '}')"""
    query = f"""SELECT '{TOPIC}' AS topic, encode(shelf_id) AS key, encode({value}) AS value
        FROM ({shape.events(first, last)}) ORDER BY n"""
    with connect() as db:
        yield from db.execute(query).to_arrow_reader(BATCH_ROWS)


def repeats(shape: Shape, first: int, last: int) -> int:
    """How many of the records [first, last) are repeats."""
    every = shape.repeat_every
    return 0 if every == 0 else last // every - first // every


def raw_rows(shape: Shape, first: int, last: int) -> pa.Table:
    """Rows of `raw/shelf_events` of the events [first, last), without the columns that are null."""
    query = f"""
        SELECT event_id, event_type, make_timestamptz(ms * 1000) AS event_time, store_id,
            1::BIGINT AS schema_version, shelf_id, item_id, quantity::BIGINT AS quantity, customer_id,
            reason, (n % 2)::BIGINT AS kafka_partition, (n // 2)::BIGINT AS kafka_offset,
            make_timestamptz(ms * 1000) AS kafka_timestamp, make_timestamptz(ms * 1000) AS ingested_at,
            make_timestamp(ms * 1000)::DATE AS event_date
        FROM ({shape.events(first, last)}) ORDER BY n"""
    with connect() as db:
        return db.execute(query).to_arrow_table()


def state_rows(shape: Shape, events: int) -> pa.Table:
    """Rows of `cleansed/shelf_state` after the first so many events."""
    balance = "sum(CASE WHEN event_type = 'pickup' THEN -quantity ELSE quantity END)::BIGINT"
    query = f"""
        SELECT shelf_id, any_value(store_id) AS store_id, any_value(item_id) AS item_id,
            {balance} AS balance, greatest({balance}, 0) AS current_stock,
            make_timestamptz(max(ms) * 1000) AS last_event_time, count(*) AS version,
            make_timestamptz(max(ms) * 1000) AS updated_at,
            make_timestamptz(min(ms) * 1000) AS first_event_time, min(event_id) AS first_event_id
        FROM ({shape.events(0, events)}) GROUP BY shelf_id"""
    with connect() as db:
        return db.execute(query).to_arrow_table()
