"""What stands on shelves and in back rooms when a business day begins, beside the features of a forecast.

No forecast may read it: stock follows from decisions (docs/design/forecasting.md#what-a-forecast-may-never-read).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime

import duckdb
import pyarrow as pa

from lakeshelf.components.component import midnight
from lakeshelf.contracts import CATALOG, arrow
from lakeshelf.contracts.layers import Curated, Raw, Staging
from lakeshelf.forecast.demand.known import Pins
from lakeshelf.lake.rows.conditions import Where
from lakeshelf.lake.rows.quiet import quiet
from lakeshelf.shop.decisions import GLOBAL

SCHEMA = arrow.schema(CATALOG.tables[Curated.FEATURES_STORE].columns)
EVENTS = {
    Raw.SHELF_EVENTS: ("event_type", "event_time", "shelf_id", "batch_code", "quantity", "reason"),
    Raw.WH_EVENTS: (
        "event_type",
        "event_time",
        "shelf_id",
        "batch_code",
        "quantity",
        "expiry_date",
        "received_date",
    ),
}
RECEIPTS = ("event_time", "items")
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""Before all events."""
PROFILE = ("shelf_id", "item_id", "unit_price", "max_stock", "standard_batch_size")
REORDER_POINT = next(
    f.default for f in CATALOG.topics["wh_policies"].fields if f.name == "reorder_point_qty"
)

SOLD = """
CREATE TEMP TABLE sold AS
SELECT item.shelf_id AS shelf_id, day, nullif(item.batch_code, '') AS batch_code, sum(item.quantity) AS quantity
FROM (SELECT event_time::DATE AS day, unnest(items) AS item FROM pos_transactions)
WHERE item.shelf_id IN (SELECT shelf_id FROM shelf_events UNION ALL SELECT shelf_id FROM wh_events)
GROUP BY ALL
"""
"""What was sold of shelves that have lots, which all other events tell of."""
SQL = """
WITH shelf_event AS (SELECT * FROM shelf_events WHERE event_time < $begins),
wh_event AS (SELECT * FROM wh_events WHERE event_time < $begins),
moved AS (
    SELECT shelf_id,
        coalesce(sum(CASE event_type WHEN 'putback' THEN quantity WHEN 'restock' THEN quantity
            WHEN 'pickup' THEN -quantity WHEN 'removal' THEN -quantity WHEN 'adjustment' THEN quantity END), 0)
            AS shelf,
        coalesce(sum(quantity) FILTER (event_type = 'restock' AND coalesce(reason, '') <> 'opening_balance'), 0)
            AS arrived
    FROM shelf_event GROUP BY shelf_id),
stored AS (
    SELECT shelf_id, coalesce(sum(quantity) FILTER (event_type = 'wh_out'), 0) AS sent,
        coalesce(sum(CASE event_type WHEN 'wh_in' THEN quantity WHEN 'wh_adjustment' THEN quantity
            WHEN 'wh_out' THEN -quantity WHEN 'wh_removal' THEN -quantity END), 0) AS warehouse
    FROM wh_event GROUP BY shelf_id),
line AS (SELECT * FROM sold WHERE day < $day),
named AS (
    SELECT shelf_id, batch_code, sum(units) AS units FROM (
        SELECT shelf_id, batch_code, quantity AS units FROM wh_event WHERE event_type = 'wh_out'
        UNION ALL
        SELECT shelf_id, batch_code, CASE event_type WHEN 'removal' THEN -quantity ELSE quantity END
        FROM shelf_event WHERE coalesce(batch_code, '') <> '' AND (event_type IN ('removal', 'adjustment')
            OR (event_type = 'restock' AND reason = 'opening_balance'))
        UNION ALL SELECT shelf_id, batch_code, -quantity FROM line WHERE batch_code IS NOT NULL)
    GROUP BY shelf_id, batch_code),
dated AS (
    SELECT shelf_id, batch_code,
        coalesce(min(expiry_date) FILTER (event_type = 'wh_in'), min(expiry_date) FILTER (event_type = 'wh_out'))
            AS expiry_date,
        coalesce(min(received_date) FILTER (event_type = 'wh_in'),
            min(received_date) FILTER (event_type = 'wh_out')) AS received_date
    FROM wh_event GROUP BY shelf_id, batch_code),
unnamed AS (SELECT shelf_id, sum(quantity) AS units FROM line WHERE batch_code IS NULL GROUP BY shelf_id),
lot AS (
    SELECT n.shelf_id, n.batch_code, n.units, d.received_date,
        coalesce(d.expiry_date, c.expiry_date) AS expiry_date
    FROM named AS n LEFT JOIN dated AS d USING (shelf_id, batch_code)
    LEFT JOIN catalog AS c ON c.batch_code = n.batch_code WHERE n.units > 0),
queued AS (
    SELECT shelf_id, expiry_date, sum(units) OVER (
        PARTITION BY shelf_id ORDER BY expiry_date NULLS LAST, received_date NULLS LAST, batch_code) AS until
    FROM lot),
expiring AS (
    SELECT q.shelf_id, min(q.expiry_date) AS expiry_date
    FROM queued AS q LEFT JOIN unnamed AS u USING (shelf_id)
    WHERE q.until > coalesce(u.units, 0) GROUP BY q.shelf_id)
SELECT f.discount::DECIMAL(5, 4) AS discount, p.item_id,
    greatest(coalesce(m.shelf, 0), 0)::BIGINT AS current_stock,
    greatest(coalesce(w.warehouse, 0), 0)::BIGINT AS wh_current_stock,
    (coalesce(w.sent, 0) - coalesce(m.arrived, 0))::BIGINT AS in_transit,
    p.unit_price, p.max_stock, p.standard_batch_size,
    coalesce(o.reorder_point_qty, g.reorder_point_qty, $reorder_point)::BIGINT AS reorder_point_qty,
    (x.expiry_date - $day)::BIGINT AS days_to_expiry, isodow($day) >= 6 AS is_weekend, $begins AS created_at
FROM features AS f JOIN profiles AS p USING (shelf_id)
LEFT JOIN moved AS m USING (shelf_id) LEFT JOIN stored AS w USING (shelf_id)
LEFT JOIN policies AS o ON o.shelf_id = f.shelf_id
LEFT JOIN policies AS g ON g.shelf_id = $global
LEFT JOIN expiring AS x ON x.shelf_id = f.shelf_id
ORDER BY f.shelf_id
"""


def known(last: date, lake: Pins) -> dict[str, pa.Table]:
    """What is known of stock when days begin: events before the last; profiles, policies and lots of the moment.

    Receipts say what is left of lots, so without any they are not read.

    Args:
        last: The last business day.
        lake: The lake.
    """
    begins = midnight(last)
    events = {name: lake.read(name, some, _before(begins)) for name, some in EVENTS.items()}
    sold = begins if any(rows.num_rows for rows in events.values()) else NEVER
    events[Raw.POS_TRANSACTIONS] = lake.read(Raw.POS_TRANSACTIONS, RECEIPTS, _before(sold))
    existing = ("deleted", "=", False)
    policies = ("shelf_id", "reorder_point_qty")
    lots = ("batch_code", "expiry_date")
    return {
        **{name.partition("/")[2]: rows for name, rows in events.items()},
        "profiles": lake.read(Curated.SHELF_PROFILES, PROFILE),
        "policies": lake.read(Staging.WH_POLICIES, policies, [("active", "=", True), existing]),
        "catalog": lake.read(Staging.LOT_CATALOG_STORE, lots, [existing]),
    }


@dataclass(frozen=True)
class KnownStock:
    """What is known of stock when days begin, for one day after another.

    Args:
        connection: A database of what `known` gives.
    """

    connection: duckdb.DuckDBPyConnection

    def beside(self, day: date, features: pa.Table) -> pa.Table:
        """Rows of `curated/features_store` for a day.

        Args:
            day: The business day D; of events those before it count.
            features: What a forecast may read, a row a shelf, by shelf.
        """
        parameters = {
            "day": day,
            "begins": midnight(day),
            "reorder_point": REORDER_POINT,
            "global": GLOBAL,
        }
        self.connection.register("features", features.select(["shelf_id", "discount"]))
        stock = self.connection.execute(SQL, parameters).to_arrow_table()
        return pa.Table.from_pydict(_columns(features) | _columns(stock), SCHEMA)


@contextmanager
def stock(last: date, lake: Pins) -> Iterator[KnownStock]:
    """What is known of stock, until the last business day begins."""
    with quiet(duckdb.connect()) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, table in known(last, lake).items():
            connection.register(name, table)
        connection.execute(SOLD)
        yield KnownStock(connection)


def _before(moment: datetime) -> Where:
    return [("event_time", "<", moment)]


def _columns(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    return dict(zip(table.column_names, table.columns, strict=True))
