"""Labels of rows: demand of the window, once nothing late is expected any more (docs/design/forecasting.md#labels)."""

from __future__ import annotations

from datetime import date

import pyarrow as pa

from lakeshelf.forecast.demand.engine import BOUNDS, EngineBounds, engine

SETTLED_DAYS = 7
"""Days after a window until late receipts are in its label."""

SQL = """
WITH row_of AS (
    SELECT shelf_id, feature_date, horizon_days, weight FROM chosen
    WHERE feature_date + horizon_days::INTEGER + $settled::INTEGER <= $today),
window_of AS (
    SELECT r.shelf_id, r.feature_date, sum(d.units + coalesce(d.lost_units, 0)) AS demand,
        bool_or(d.stockout_hours > 0 AND d.lost_units IS NULL) AS hidden
    FROM row_of AS r JOIN demand AS d ON d.shelf_id = r.shelf_id
        AND d.day >= r.feature_date AND d.day < r.feature_date + r.horizon_days::INTEGER
    GROUP BY r.shelf_id, r.feature_date)
SELECT r.shelf_id, r.feature_date, coalesce(w.demand, 0)::BIGINT AS demand,
    CASE WHEN coalesce(w.hidden, false) THEN 0 ELSE r.weight END::DOUBLE AS weight
FROM row_of AS r LEFT JOIN window_of AS w USING (shelf_id, feature_date)
ORDER BY r.feature_date, r.shelf_id
"""


def labels(
    chosen: pa.Table,
    demand: pa.Table,
    today: date,
    settled_days: int = SETTLED_DAYS,
    bounds: EngineBounds = BOUNDS,
) -> pa.Table:
    """Demand in the windows of rows whose late receipts have come.

    Args:
        chosen: `shelf_id`, `feature_date`, `horizon_days`, `weight`.
        demand: Rows of `curated/daily_demand`.
        today: The day that begins; only what lies before it is known.
        settled_days: Days that pass from the end of a window to its label.
        bounds: Memory and threads.

    Returns:
        `shelf_id`, `feature_date`, `demand` (units on receipts and lost sales in [D, D+h)), `weight` (0 where a
        stock-out hid what was wanted), by day and shelf, of the rows with D + h + `settled_days` ≤ `today`.
    """
    values = {"today": today, "settled": settled_days}
    with engine({"chosen": chosen, "demand": demand}, bounds) as connection:
        return connection.execute(SQL, values).to_arrow_table()
