"""Features of each shelf for a business day, from what was known when it began (docs/design/retail.md#features).

They come from the events before that day, also when the day is done late; so no feature knows what it
shall help to predict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

import duckdb
import pyarrow as pa

from lakeshelf.components.component import Component, Decision, Tick, Upsert, days, midnight
from lakeshelf.contracts import CATALOG, arrow
from lakeshelf.contracts.layers import Analytics, Curated, Raw, Staging
from lakeshelf.forecast.demand.lakes import outstanding
from lakeshelf.lake.rows.conditions import Where
from lakeshelf.lake.rows.port import ReadTables
from lakeshelf.lake.rows.quiet import quiet
from lakeshelf.shop.decisions import GLOBAL

FEATURES = Curated.FEATURES_STORE
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
    Raw.POS_TRANSACTIONS: ("event_time", "items"),
    Raw.LOST_SALES: ("event_time", "shelf_id", "quantity"),
    Raw.FOOT_TRAFFIC: ("event_type", "event_time", "store_id"),
}
REORDER_POINT = next(
    f.default for f in CATALOG.topics["wh_policies"].fields if f.name == "reorder_point_qty"
)

SQL = """
WITH moved AS (
    SELECT shelf_id,
        coalesce(sum(CASE event_type WHEN 'putback' THEN quantity WHEN 'restock' THEN quantity
            WHEN 'pickup' THEN -quantity WHEN 'removal' THEN -quantity WHEN 'adjustment' THEN quantity END), 0)
            AS shelf,
        coalesce(sum(quantity) FILTER (event_type = 'restock' AND coalesce(reason, '') <> 'opening_balance'), 0)
            AS arrived
    FROM shelf_events GROUP BY shelf_id),
stored AS (
    SELECT shelf_id, coalesce(sum(quantity) FILTER (event_type = 'wh_out'), 0) AS sent,
        coalesce(sum(CASE event_type WHEN 'wh_in' THEN quantity WHEN 'wh_adjustment' THEN quantity
            WHEN 'wh_out' THEN -quantity WHEN 'wh_removal' THEN -quantity END), 0) AS warehouse
    FROM wh_events GROUP BY shelf_id),
line AS (
    SELECT event_time, item.shelf_id AS shelf_id, item.quantity AS quantity,
        nullif(item.batch_code, '') AS batch_code
    FROM (SELECT event_time, unnest(items) AS item FROM pos_transactions)),
sold AS (
    SELECT shelf_id,
        sum(quantity) FILTER (event_time >= $begins - INTERVAL 1 DAY) AS d1,
        sum(quantity) FILTER (event_time >= $begins - INTERVAL 7 DAY) AS d7,
        sum(quantity) FILTER (event_time >= $begins - INTERVAL 28 DAY) AS d28
    FROM line GROUP BY shelf_id),
lost AS (
    SELECT shelf_id, sum(quantity) FILTER (event_time >= $begins - INTERVAL 7 DAY) AS lost_7d
    FROM lost_sales GROUP BY shelf_id),
visits AS (
    SELECT store_id, count(*) FILTER (event_time >= $begins - INTERVAL 1 DAY) AS visits
    FROM foot_traffic WHERE event_type = 'entry' GROUP BY store_id),
named AS (
    SELECT shelf_id, batch_code, sum(units) AS units FROM (
        SELECT shelf_id, batch_code, quantity AS units FROM wh_events WHERE event_type = 'wh_out'
        UNION ALL
        SELECT shelf_id, batch_code, CASE event_type WHEN 'removal' THEN -quantity ELSE quantity END
        FROM shelf_events WHERE coalesce(batch_code, '') <> '' AND (event_type IN ('removal', 'adjustment')
            OR (event_type = 'restock' AND reason = 'opening_balance'))
        UNION ALL SELECT shelf_id, batch_code, -quantity FROM line WHERE batch_code IS NOT NULL)
    GROUP BY shelf_id, batch_code),
dated AS (
    SELECT shelf_id, batch_code,
        coalesce(min(expiry_date) FILTER (event_type = 'wh_in'), min(expiry_date) FILTER (event_type = 'wh_out'))
            AS expiry_date,
        coalesce(min(received_date) FILTER (event_type = 'wh_in'),
            min(received_date) FILTER (event_type = 'wh_out')) AS received_date
    FROM wh_events GROUP BY shelf_id, batch_code),
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
SELECT p.shelf_id, $day AS feature_date, p.store_id, p.item_id,
    greatest(coalesce(m.shelf, 0), 0)::BIGINT AS current_stock,
    greatest(coalesce(w.warehouse, 0), 0)::BIGINT AS wh_current_stock,
    (coalesce(w.sent, 0) - coalesce(m.arrived, 0))::BIGINT AS in_transit,
    coalesce(s.d1, 0)::BIGINT AS units_sold_1d, coalesce(s.d7, 0)::BIGINT AS units_sold_7d,
    coalesce(s.d28, 0)::BIGINT AS units_sold_28d, coalesce(l.lost_7d, 0)::BIGINT AS lost_sales_7d,
    coalesce(v.visits, 0)::BIGINT AS store_visits_1d, coalesce(d.discount, 0)::DECIMAL(5, 4) AS discount,
    p.unit_price, p.max_stock, p.standard_batch_size,
    coalesce(o.reorder_point_qty, g.reorder_point_qty, $reorder_point)::BIGINT AS reorder_point_qty,
    (x.expiry_date - $day)::BIGINT AS days_to_expiry, isodow($day)::BIGINT AS day_of_week,
    isodow($day) >= 6 AS is_weekend, $begins AS created_at
FROM profiles AS p
LEFT JOIN moved AS m USING (shelf_id) LEFT JOIN stored AS w USING (shelf_id)
LEFT JOIN sold AS s USING (shelf_id) LEFT JOIN lost AS l USING (shelf_id)
LEFT JOIN visits AS v ON v.store_id = p.store_id
LEFT JOIN discounts AS d ON d.shelf_id = p.shelf_id
LEFT JOIN policies AS o ON o.shelf_id = p.shelf_id
LEFT JOIN policies AS g ON g.shelf_id = $global
LEFT JOIN expiring AS x ON x.shelf_id = p.shelf_id
ORDER BY p.shelf_id
"""


def features(day: date, known: Mapping[str, pa.Table]) -> pa.Table:
    """Rows of `curated/features_store` for a day.

    Args:
        day: The business day D.
        known: Events before D by topic, `profiles`, `policies` in force of back rooms, the lot `catalog`,
            `discounts` of D.
    """
    parameters = {
        "day": day,
        "begins": midnight(day),
        "reorder_point": REORDER_POINT,
        "global": GLOBAL,
    }
    with quiet(duckdb.connect()) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, table in known.items():
            connection.register(name, table)
        rows = connection.execute(SQL, parameters).to_arrow_table()
    return rows.select(arrow.schema(CATALOG.tables[FEATURES].columns).names).cast(
        arrow.schema(CATALOG.tables[FEATURES].columns)
    )


def known_on(day: date, lake: ReadTables) -> dict[str, pa.Table]:
    """What was known when a day began."""
    before = [("event_time", "<", midnight(day))]
    events = {
        name.partition("/")[2]: _table(lake, name, columns, before)
        for name, columns in EVENTS.items()
    }
    names = ("shelf_id", "store_id", "item_id", "unit_price", "max_stock", "standard_batch_size")
    existing = ("deleted", "=", False)
    policy = [("active", "=", True), existing]
    return {
        **events,
        "profiles": _table(lake, Curated.SHELF_PROFILES, names),
        "policies": _table(lake, Staging.WH_POLICIES, ("shelf_id", "reorder_point_qty"), policy),
        "catalog": _table(
            lake, Staging.LOT_CATALOG_STORE, ("batch_code", "expiry_date"), [existing]
        ),
        "discounts": _table(
            lake,
            Analytics.DAILY_DISCOUNTS,
            ("shelf_id", "discount"),
            [("discount_date", "=", day)],
        ),
    }


def _table(lake: ReadTables, name: str, columns: Sequence[str], where: Where = ()) -> pa.Table:
    return lake.read(name, columns=columns, where=where).read_all()


class DailyFeatures(Component):
    """Writes the features of each business day once."""

    name = "shelf-daily-features"
    doc = "Features of each shelf and business day, for training and prediction."
    phase = "discounts"
    follows = ("daily-discount-manager",)
    journal = FEATURES

    def dues(self, after: datetime | None, tick: Tick) -> Sequence[datetime]:
        """The business days that are not done."""
        return days(after, tick)

    def decide(self, due: datetime, tick: Tick) -> Decision:
        """The features of the day that begins at `due`, and the demand of days before it that is new."""
        day, lake = due.date(), self.context.lake
        demand = outstanding(lake, day)
        upserts = {Curated.DAILY_DEMAND: Upsert(demand.rows, demand.txns)} if demand else {}
        return Decision(str(day), due, table=features(day, known_on(day, lake)), upserts=upserts)


COMPONENT = DailyFeatures
