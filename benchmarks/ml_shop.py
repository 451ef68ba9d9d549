"""A lake of a year's real receipts, as its jobs would have left it, for commands that make forecasts of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa

from benchmarks import receipts
from benchmarks.machine import home
from lakeshelf.contracts import CATALOG, arrow
from lakeshelf.contracts.layers import Curated, Raw, Staging
from lakeshelf.forecast.demand.engine import BOUNDS, engine
from lakeshelf.forecast.versions import registered
from lakeshelf.forecast.versions.registry import Model, Registry
from lakeshelf.lake import Lake
from lakeshelf.lake.rows import tables
from lakeshelf.modules import load
from lakeshelf.shop.decisions import GLOBAL

OPENED = datetime(2017, 1, 1, tzinfo=UTC)
LINES = """
CREATE TEMP TABLE line AS
SELECT basket_id, concat('S', store_id) AS store_id, concat('I', product_id) AS item_id,
    shelf_id(store_id, product_id) AS shelf_id, product_id, quantity, round(sales_value, 2)::DECIMAL(12, 2) AS paid,
    max(transaction_timestamp) OVER (PARTITION BY basket_id)::TIMESTAMPTZ AS sold_at
FROM read_parquet($transactions) SEMI JOIN busiest USING (store_id)
WHERE quantity > 0 AND transaction_timestamp::DATE < $until
"""
ENVELOPE = """concat('{0}', basket_id) AS event_id, '{1}' AS event_type, sold_at AS event_time,
    sold_at::DATE AS event_date, store_id, 1 AS schema_version, 0 AS kafka_partition,
    row_number() OVER (ORDER BY sold_at, basket_id) AS kafka_offset, sold_at AS kafka_timestamp,
    sold_at AS ingested_at, 'C' AS customer_id"""
ITEM = """{line: 1, item_id: item_id, shelf_id: shelf_id, quantity: quantity,
        unit_price: (paid / quantity)::DECIMAL(12, 2), discount: 0::DECIMAL(5, 4), total_price: paid,
        batch_code: NULL::VARCHAR, expiry_date: NULL::DATE}"""
RECEIPTS = f"""
SELECT {ENVELOPE.format("T", "transaction_completed")}, concat('T', basket_id) AS transaction_id, items
FROM (SELECT basket_id, any_value(store_id) AS store_id, any_value(sold_at) AS sold_at, list({ITEM}) AS items
    FROM line GROUP BY basket_id) ORDER BY event_time, event_id
"""
VISITS = f"""
SELECT {ENVELOPE.format("V", "entry")}, concat('V', basket_id) AS visit_id
FROM (SELECT DISTINCT basket_id, store_id, sold_at FROM line) ORDER BY event_time, event_id
"""
PROFILES = """
SELECT s.*, coalesce(department, 'UNKNOWN') AS category, coalesce(product_category, 'UNKNOWN') AS subcategory,
    item_id AS name, 1 AS standard_batch_size, shelf_life(department) AS shelf_life_days, 1 AS version,
    $opened::TIMESTAMPTZ AS updated_at
FROM (SELECT shelf_id, store_id, item_id, any_value(product_id) AS product_id, 4 + max(quantity) AS max_stock,
        (sum(paid) / sum(quantity))::DECIMAL(12, 2) AS unit_price FROM line GROUP BY ALL) AS s
LEFT JOIN read_parquet($products) USING (product_id) ORDER BY shelf_id
"""
SOLD = f"SELECT *, 1 AS version, known_at AS updated_at FROM ({receipts.PROMOTIONS})"


def made(root: Path, stores: Sequence[int], until: date) -> int:
    """Write receipts, visits, profiles and promotions of stores, by their rank from 0; how many shelves there are.

    Args:
        root: Lake root; the other tables of the contract are empty.
        stores: Ranks.
        until: Day after the last one.
    """
    tables.ensure_all(root)
    replay = load(home() / "kafka-components" / "replay" / "replay_tables.py")
    file = {n: str(replay.data_file(n)) for n in ("transactions", "products", "promotions")}
    sold = {"transactions": file["transactions"]}
    with engine({}, BOUNDS) as db:
        db.execute(replay.MACROS)
        db.execute(receipts.YEAR, {**sold, "ranks": list(stores)})
        db.execute(LINES, {**sold, "until": until})
        profiles = db.execute(PROFILES, {"products": file["products"], "opened": OPENED})
        shelves = _put(root, Curated.SHELF_PROFILES, profiles.to_arrow_table())
        planned = db.execute(SOLD, {"promotions": file["promotions"]})
        _put(root, Curated.PROMOTIONS, planned.to_arrow_table())
        _put(root, Raw.POS_TRANSACTIONS, db.execute(RECEIPTS).to_arrow_table())
        _put(root, Raw.FOOT_TRAFFIC, db.execute(VISITS).to_arrow_table())
    return shelves


def let_decide(root: Path, version: str) -> None:
    """Make champion of a version, whatever its gates say, and have it order for all shelves."""
    row = {"shelf_id": GLOBAL, "plan_source": "ml", "active": True}
    stamps = {"version": 1, "deleted": False, "updated_at": OPENED}
    _put(root, Staging.WH_POLICIES, pa.Table.from_pylist([row | stamps]))

    def champion(known: Registry) -> tuple[Model, ...]:
        model = known.model(version)
        return (replace(model, status="champion", version=model.version + 1),)

    registered.change(registered.writer(root), champion)


def _put(root: Path, name: str, rows: pa.Table) -> int:
    """Append rows as the owner of a table does; columns that they lack are null."""
    contract = CATALOG.tables[name]
    schema = arrow.schema(contract.columns)
    columns = [
        rows[field.name].cast(field.type)
        if field.name in rows.column_names
        else pa.nulls(rows.num_rows, field.type)
        for field in schema
    ]
    Lake(root, writer=contract.owner).append(name, pa.table(columns, schema=schema))
    return int(rows.num_rows)
