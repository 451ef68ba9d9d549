"""Inputs of a trial of forecasts: the real receipts of the Complete Journey year, as rows with features and labels."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.machine import home
from lakeshelf.forecast.demand import chosen, features_sql, labels, rows, windows
from lakeshelf.forecast.demand.chosen import Sample
from lakeshelf.forecast.demand.engine import BOUNDS, EngineBounds, engine
from lakeshelf.forecast.demand.holidays import holidays
from lakeshelf.forecast.frames import DEMAND, HORIZON, KEY, WEIGHT
from lakeshelf.modules import load

BEGIN, END = date(2017, 1, 1), date(2018, 1, 1)
"""The days of the receipts; the first hours of 1 January 2018 are left out."""
SINCE = date(2017, 3, 1)
"""First cutoff day of a trial: two months of receipts lie before it."""

YEAR = """
CREATE TEMP TABLE busiest AS
SELECT store_id FROM (
    SELECT store_id, row_number() OVER (ORDER BY count(*) DESC, store_id) - 1 AS rank
    FROM read_parquet($transactions) GROUP BY store_id)
WHERE list_contains($ranks, rank);
"""
LINES = """
CREATE TEMP TABLE line AS
SELECT shelf_id(store_id, product_id) AS shelf_id, transaction_timestamp::DATE AS day,
    concat('S', store_id) AS store_id, concat('I', product_id) AS item_id, quantity, sales_value, basket_id,
    coalesce(department, 'UNKNOWN') AS category, coalesce(product_category, 'UNKNOWN') AS subcategory,
    shelf_life(department) AS shelf_life_days
FROM read_parquet($transactions) AS t SEMI JOIN busiest USING (store_id)
LEFT JOIN read_parquet($products) AS p USING (product_id)
WHERE quantity > 0 AND transaction_timestamp::DATE < $until
    AND coalesce(department, '') NOT IN ('FUEL', 'COUPON', 'MISCELLANEOUS')
"""
DEMAND_OF_LINES = """
SELECT shelf_id, day, any_value(store_id) AS store_id, any_value(item_id) AS item_id,
    sum(quantity)::BIGINT AS units, count(*)::BIGINT AS lines, NULL::BIGINT AS lost_units,
    sum(sales_value::DECIMAL(12, 2))::DECIMAL(12, 2) AS revenue, NULL::DOUBLE AS stockout_hours
FROM line GROUP BY shelf_id, day ORDER BY shelf_id, day
"""
SHELVES = """
SELECT DISTINCT shelf_id, store_id, item_id, category, subcategory, shelf_life_days::BIGINT AS shelf_life_days
FROM line ORDER BY shelf_id
"""
VISITS = """
SELECT store_id, day, count(DISTINCT basket_id)::BIGINT AS visits
FROM line GROUP BY store_id, day ORDER BY store_id, day
"""
# Week 1 is one day, a Sunday; displays and mailers are taken to be planned a week before they begin.
PROMOTIONS = """
SELECT shelf_id(store_id, product_id) AS shelf_id, DATE '2016-12-26' + 7 * (week - 1)::INTEGER AS week,
    any_value(display_location ORDER BY display_location DESC) AS display,
    any_value(mailer_location ORDER BY mailer_location DESC) AS mailer,
    (DATE '2016-12-26' + 7 * (week - 2)::INTEGER)::TIMESTAMPTZ AS known_at
FROM read_parquet($promotions) SEMI JOIN busiest USING (store_id)
WHERE shelf_id(store_id, product_id) IN (SELECT shelf_id FROM line)
GROUP BY ALL ORDER BY shelf_id, week
"""
DISCOUNTS = """
SELECT ''::VARCHAR AS shelf_id, $until::DATE AS discount_date, 0::DECIMAL(5, 4) AS discount WHERE false
"""


def year(stores: Sequence[int], bounds: EngineBounds = BOUNDS) -> rows.ForecastInputs:
    """The receipts of stores, by their rank from 0, without fuel, coupons and miscellany.

    Lost sales and stock-outs were not observed. A visit is a basket.
    """
    replay = load(home() / "kafka-components" / "replay" / "replay_tables.py")
    file = {n: str(replay.data_file(n)) for n in ("transactions", "products", "promotions")}
    transactions = {"transactions": file["transactions"]}
    with engine({}, bounds) as db:
        db.execute(replay.MACROS)
        db.execute(YEAR, {**transactions, "ranks": list(stores)})
        db.execute(LINES, {**transactions, "products": file["products"], "until": END})
        return rows.ForecastInputs(
            demand=db.execute(DEMAND_OF_LINES).to_arrow_table(),
            shelves=db.execute(SHELVES).to_arrow_table(),
            visits=db.execute(VISITS).to_arrow_table(),
            promotions=db.execute(PROMOTIONS, {"promotions": file["promotions"]}).to_arrow_table(),
            discounts=db.execute(DISCOUNTS, {"until": END}).to_arrow_table(),
            holidays=holidays(BEGIN, END + timedelta(days=32)),
        )


def trial(
    cache: Path,
    stores: Sequence[int] = range(10),
    since: date = SINCE,
    sample: Sample = chosen.SAMPLE,
    bounds: EngineBounds = BOUNDS,
) -> Path:
    """Parquet file of the rows of a trial: each cutoff day from `since` on whose window the receipts cover.

    Args:
        cache: Folder that keeps it; the same arguments and statements are answered from there.
        stores: Ranks of the stores by receipt lines, from 0.
        since: First cutoff day.
        sample: How much of the tail is in it.
        bounds: Memory and threads.

    Returns:
        Key, features, `demand` and `weight` (rows of the tail that it stands for), by day and shelf.
    """
    statements = (
        YEAR, LINES, DEMAND_OF_LINES, PROMOTIONS, chosen.SAMPLE_SQL, labels.SQL,
        features_sql.MACROS, *features_sql.LOOKED_BACK_ON.values(), features_sql.SQL
    )  # fmt: skip
    named = repr((list(stores), since, sample, statements))
    file = cache / f"trial-{sha256(named.encode()).hexdigest()[:12]}.parquet"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(".unfinished")
        _write(unfinished, year(stores, bounds), since, sample, bounds)
        unfinished.replace(file)
    return file


def _write(
    file: Path, known: rows.ForecastInputs, since: date, sample: Sample, bounds: EngineBounds
) -> None:
    cutoffs = windows.cutoffs(since, END)
    covered = [row[KEY[1]] + timedelta(days=row[HORIZON]) <= END for row in cutoffs.to_pylist()]
    picked = chosen.sampled(known.demand, cutoffs.filter(pa.array(covered)), sample, bounds)
    label = labels.labels(picked, known.demand, END, settled_days=0, bounds=bounds)
    done, writer = 0, None
    try:
        for part in rows.features(picked, known, bounds):
            its = label.slice(done, len(part))
            if not pc.all(pc.equal(its[KEY[0]], part[KEY[0]])).as_py():
                raise AssertionError(f"rows and labels differ from row {done} on")
            whole = part.append_column(DEMAND, its[DEMAND]).append_column(WEIGHT, its[WEIGHT])
            writer = writer or pq.ParquetWriter(file, whole.schema, compression="zstd")
            writer.write_table(whole)
            done += len(part)
    finally:
        if writer:
            writer.close()
