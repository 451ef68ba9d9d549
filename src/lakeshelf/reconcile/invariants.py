# ruff: noqa: S608 - the SQL is put together from constants of this module
"""The invariants I0 to I5 of any stream, over `balance`, shelf by shelf; I6 is in `refold`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.layers import Ops, Raw
from lakeshelf.errors import LakeError
from lakeshelf.reconcile.books import STOCK, Books, opened

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lakeshelf.reconcile.checks import Check

IDS = "SELECT md5_number_lower(event_id) AS id FROM source"
"""DuckDB's own `hash` is too weak: ids that begin with a time collide once in a thousand."""


BY_SHELF = (
    (
        "shelf",
        "stock of each shelf is the sum of its movements",
        "opening + restocked + put_back - picked - removed + adjusted",
        "shelf",
    ),
    (
        "warehouse",
        "stock of each back room is the sum of its movements",
        "wh_in - wh_out - wh_removed + wh_adjusted",
        "warehouse",
    ),
    (
        "I0",
        "received, opened, adjusted, less removed and sold = shelf + transit + warehouse + carts",
        "wh_in + opening + adjusted + wh_adjusted - removed - wh_removed - sold",
        "shelf + in_transit + warehouse + in_carts",
    ),
    (
        "I1",
        "lots of the shelf = shelf + in carts + in transit",
        "shelf + in_carts + in_transit",
        "shelf_lots",
    ),
    ("I2", "lots of the warehouse = warehouse", "warehouse", "wh_lots"),
)
"""Name, statement, what is expected and what is found of each shelf, in columns of `book`."""

STOCKS = " UNION ALL ".join(
    f"SELECT '{location}' AS location, shelf_id, batch_code, balance, stock FROM {view}"
    for view, (_, _, _, location) in STOCK.items()
)

NEGATIVE = f"""
SELECT concat_ws('/', location, shelf_id, batch_code), greatest(balance, 0), stock FROM ({STOCKS})
"""

MISSING = f"""
SELECT concat_ws('/', location, shelf_id, batch_code), coalesce(sum(short), 0),
    coalesce(sum(missing_qty), 0)
FROM (
    SELECT location, shelf_id, batch_code, -balance AS short FROM ({STOCKS}) WHERE balance < 0
    UNION ALL BY NAME
    SELECT location, shelf_id, coalesce(batch_code, '') AS batch_code, missing_qty FROM discrepancy
        WHERE missing_qty > 0
)
GROUP BY location, shelf_id, batch_code
"""

DELIVERED = """
SELECT concat_ws('/', order_id, shelf_id), sum(delivered), coalesce(sum(found), 0) FROM (
    SELECT order_id, shelf_id, CASE status WHEN 'delivered' THEN total_qty ELSE 0 END AS delivered
    FROM supplier_order
    UNION ALL BY NAME SELECT order_id, shelf_id, quantity AS found FROM {arrived}
) GROUP BY order_id, shelf_id
"""
"""Units of each order; nothing is expected of one that there is not."""


def invariants(lake_root: str | Path, records: Mapping[str, int]) -> tuple[Check, ...]:
    """Whether the books of a quiet lake balance, whatever was streamed into it.

    Args:
        lake_root: Folder or URL of the lake.
        records: Records in each raw topic, from Kafka's offsets or a replay's report; else 0.

    Raises:
        LakeError: A table is missing or cannot be read.
    """
    with opened(lake_root) as books:
        return invariants_of(books, records)


def invariants_of(books: Books, records: Mapping[str, int]) -> tuple[Check, ...]:
    """The invariants of books that are open."""
    by_shelf = [
        books.compare(name, title, f"SELECT shelf_id, {expected}, {actual} FROM book")
        for name, title, expected, actual in BY_SHELF
    ]
    return (
        *by_shelf,
        *_no_stock_negative(books),
        *_orders_delivered(books),
        *_every_record_accounted_for(books, records),
    )


def _no_stock_negative(books: Books) -> tuple[Check, ...]:
    columns = ("location", "shelf_id", "batch_code", "missing_qty")
    books.load("discrepancy", Ops.STOCK_DISCREPANCIES, columns)
    books.count("discrepancy", Ops.STOCK_DISCREPANCIES)
    return (
        books.compare("I3 stock", "stock = balance, and 0 where that is negative", NEGATIVE),
        books.compare(
            "I3 missing", "what is missing is a discrepancy, and nothing else is", MISSING
        ),
    )


def _orders_delivered(books: Books) -> tuple[Check, ...]:
    orders = ("order_id", "shelf_id", "total_qty", "status")
    books.load("supplier_order", Ops.WH_SUPPLIER_ORDERS, orders)
    books.load(
        "receipt_of_goods",
        Ops.WH_SUPPLIER_RECEIPTS,
        ("order_id", "shelf_id", "received_qty"),
        "SELECT order_id, shelf_id, received_qty AS quantity FROM source",
    )
    books.load(
        "ordered_in",
        Raw.WH_EVENTS,
        ("order_id", "shelf_id", "event_type", "quantity"),
        "FROM source WHERE event_type = 'wh_in' AND order_id <> ''",
    )
    books.count("supplier_order", Ops.WH_SUPPLIER_ORDERS)
    books.count("receipt_of_goods", Ops.WH_SUPPLIER_RECEIPTS)
    return (
        books.compare(
            "I4 received",
            "units of each order that is delivered = units received for it",
            DELIVERED.format(arrived="receipt_of_goods"),
        ),
        books.compare(
            "I4 wh_in",
            "units of each order that is delivered = units of its wh_in",
            DELIVERED.format(arrived="ordered_in"),
        ),
    )


def _every_record_accounted_for(books: Books, records: Mapping[str, int]) -> tuple[Check, ...]:
    quarantined, duplicates = _quarantined(books), _duplicates(books)
    books.db.execute(
        "CREATE OR REPLACE TEMP TABLE account (topic VARCHAR, records BIGINT, accounted BIGINT)"
    )
    books.db.execute("CREATE OR REPLACE TEMP TABLE ids (topic VARCHAR, events BIGINT, ids BIGINT)")
    for topic in CATALOG.raw_topics:
        books.load("event_ids", f"raw/{topic}", ("event_id",), IDS)
        rows, distinct = books.figures("SELECT count(*), count(DISTINCT id) FROM event_ids")
        accounted = rows + quarantined.get(topic, 0) + duplicates.get(topic, 0)
        books.rows[f"raw/{topic}"] = rows
        books.db.execute(
            "INSERT INTO account VALUES (?, ?, ?)", [topic, records.get(topic, 0), accounted]
        )
        books.db.execute("INSERT INTO ids VALUES (?, ?, ?)", [topic, distinct, rows])
    books.db.execute("DROP TABLE event_ids")
    return (
        books.compare(
            "I5",
            "records of a topic = raw rows + quarantined + duplicates",
            "SELECT * FROM account",
        ),
        books.compare("I5 ids", "one raw row an event id", "SELECT * FROM ids"),
    )


def _quarantined(books: Books) -> dict[str, int]:
    books.load(
        "refused",
        Raw.QUARANTINE,
        ("topic",),
        "SELECT topic, count(*) AS n FROM source GROUP BY topic",
    )
    (books.rows[Raw.QUARANTINE],) = books.figures("SELECT sum(n) FROM refused")
    return dict(books.db.execute("SELECT topic, n FROM refused").fetchall())


def _duplicates(books: Books) -> dict[str, int]:
    """Duplicates a topic, from the ledger's JSON column `topics`: topic -> {duplicate: n, …}."""
    ledger = books.table(Ops.BATCH_LEDGER)
    if "topics" not in {field.name for field in ledger.schema().fields}:
        raise LakeError(
            "ops/batch_ledger has no column topics",
            hint="run `lakeshelf bootstrap`, then `lakeshelf rebuild`",
        )
    books.load(
        "ledger",
        Ops.BATCH_LEDGER,
        ("kind", "topics"),
        "FROM source WHERE kind = 'batch' AND topics IS NOT NULL",
    )
    rows = books.db.execute(
        "SELECT topic, sum((topics -> topic ->> 'duplicate')::BIGINT)::BIGINT"
        " FROM (SELECT topics::JSON AS topics, unnest(json_keys(topics)) AS topic FROM ledger)"
        " GROUP BY topic"
    ).fetchall()
    return {topic: duplicates or 0 for topic, duplicates in rows}
