"""Demand of each shelf and day, from events (docs/design/forecasting.md#demand)."""

from __future__ import annotations

from datetime import date

import pyarrow as pa

from lakeshelf.contracts import CATALOG, arrow
from lakeshelf.contracts.layers import Curated
from lakeshelf.forecast.demand.engine import BOUNDS, EngineBounds, engine

SCHEMA = arrow.schema(CATALOG.tables[Curated.DAILY_DEMAND].columns)
"""A row of daily demand; `lost_units` and `stockout_hours` are null where nobody observes them."""

STOCKOUTS = pa.schema(
    [(n, pa.string()) for n in ("shelf_id", "store_id", "item_id")]
    + [(n, pa.timestamp("us", "UTC")) for n in ("since", "until")]
)
"""Times without stock of a shelf: [since, until), disjoint."""

SQL = """
WITH line AS (
    SELECT item.shelf_id AS shelf_id, event_time::DATE AS day, store_id, item.item_id AS item_id,
        item.quantity AS units, item.total_price AS price
    FROM (SELECT event_time, store_id, unnest(items) AS item FROM pos_transactions)),
empty AS (
    SELECT * REPLACE (unnest(generate_series(since::DATE::TIMESTAMP, until::TIMESTAMP, INTERVAL 1 DAY))::DATE AS day)
    FROM (SELECT *, NULL::DATE AS day FROM stockouts)),
part AS (
    SELECT shelf_id, day, store_id, item_id, units, 1 AS lines, 0 AS lost, price, 0 AS seconds FROM line
    WHERE units > 0
    UNION ALL SELECT shelf_id, event_time::DATE, store_id, item_id, 0, 0, quantity, 0, 0 FROM lost_sales
    UNION ALL SELECT shelf_id, day, store_id, item_id, 0, 0, 0, 0,
        epoch(least(until, (day + 1)::TIMESTAMPTZ)) - epoch(greatest(since, day::TIMESTAMPTZ)) FROM empty
    WHERE until > day::TIMESTAMPTZ)
SELECT shelf_id, day, min(store_id) AS store_id, min(item_id) AS item_id, sum(units)::BIGINT AS units,
    sum(lines)::BIGINT AS lines, CASE WHEN $lost_observed THEN sum(lost) END::BIGINT AS lost_units,
    sum(price)::DECIMAL(12, 2) AS revenue,
    CASE WHEN $stock_observed THEN sum(seconds)::BIGINT / 3600 END AS stockout_hours
FROM part WHERE day >= $since AND day < $until
GROUP BY shelf_id, day ORDER BY shelf_id, day
"""


def daily_demand(
    pos_transactions: pa.Table,
    lost_sales: pa.Table | None,
    stockouts: pa.Table | None,
    since: date,
    until: date,
    bounds: EngineBounds = BOUNDS,
) -> pa.Table:
    """Demand of the days in [since, until), by the day of `event_time` in UTC.

    Args:
        pos_transactions: `event_time`, `store_id`, `items` of `raw/pos_transactions`.
        lost_sales: `event_time`, `store_id`, `shelf_id`, `item_id`, `quantity` of `raw/lost_sales`; None: nobody
            observes what customers did not get.
        stockouts: Rows of `STOCKOUTS`; None: unknown.
        since: First day.
        until: Day after the last one.
        bounds: Memory and threads.

    Returns:
        Rows of `SCHEMA`, by shelf and day, for each shelf and day with a sale, a lost sale or a stock-out. A line of
        no units or fewer (a return) is no demand and takes nothing away from any.
    """
    tables = {
        "pos_transactions": pos_transactions,
        "lost_sales": _LOST.empty_table() if lost_sales is None else lost_sales,
        "stockouts": STOCKOUTS.empty_table() if stockouts is None else stockouts,
    }
    values = {"since": since, "until": until}
    observed = {"lost_observed": lost_sales is not None, "stock_observed": stockouts is not None}
    with engine(tables, bounds) as connection:
        return connection.execute(SQL, values | observed).to_arrow_table().cast(SCHEMA)


_LOST = pa.schema(
    [("event_time", pa.timestamp("us", "UTC"))]
    + [(n, pa.string()) for n in ("store_id", "shelf_id", "item_id")]
    + [("quantity", pa.int64())]
)
