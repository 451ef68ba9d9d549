"""The analyst's questions answered once more, row by row in Python, from the tables alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

from lakeshelf import query
from lakeshelf.lake import Lake
from lakeshelf.lake.rows import tables
from tests.docs.questions import QUESTIONS

Row = dict[str, Any]
Answer = list[tuple[Any, ...]]


class Shop:
    """Rows of a lake.

    Args:
        root: The lake.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.profiles = {row["shelf_id"]: row for row in self.rows("curated/shelf_profiles")}
        receipts = self.rows("raw/pos_transactions")
        self.lines = [{**receipt, **line} for receipt in receipts for line in receipt["items"]]

    def rows(self, name: str) -> list[Row]:
        return tables.rows(self.root, name).to_pylist()

    def moved(self, kind: str) -> list[Row]:
        found = [*self.rows("raw/shelf_events"), *self.rows("raw/wh_events")]
        return [row for row in found if row["event_type"] in (kind, f"wh_{kind}")]

    def of(self, row: Row, name: str) -> Any:
        return self.profiles.get(row["shelf_id"], {}).get(name)


def summed(rows: Iterable[Row], key: Callable[[Row], Any], *values: Callable[[Row], Any]) -> Any:
    """Key → sum of each value."""
    sums: defaultdict[Any, list[Any]] = defaultdict(lambda: [0] * len(values))
    for row in rows:
        told = sums[key(row)]
        for place, value in enumerate(values):
            told[place] += value(row)
    return sums


def quantity(row: Row) -> int:
    return row["quantity"]


def paid(row: Row) -> Decimal:
    return row["total_price"]


def top_products(shop: Shop) -> Answer:
    sums = summed(
        shop.lines, lambda line: (shop.of(line, "category"), shop.of(line, "name")), quantity, paid
    )
    ranked = sorted((c is None, c, -s, n or "", u) for (c, n), (u, s) in sums.items())
    best = (list(group)[:3] for _, group in groupby(ranked, key=lambda row: row[1]))
    return [(c, name, units, -sales) for rows in best for _, c, sales, name, units in rows]


def sales_by_week(shop: Shop) -> Answer:
    def week(line: Row) -> date:
        return line["event_date"] - timedelta(days=line["event_date"].weekday())

    sums = summed(shop.lines, lambda line: (week(line), line["store_id"]), quantity, paid)
    receipts = defaultdict(set)
    for line in shop.lines:
        receipts[week(line), line["store_id"]].add(line["transaction_id"])
    return [(*key, len(receipts[key]), *sums[key]) for key in sorted(sums)]


def stock_outs(shop: Shop) -> Answer:
    rows = shop.rows("raw/lost_sales")
    sums = summed(rows, lambda r: (r["store_id"], shop.of(r, "name")), lambda _: 1, quantity)
    last = {
        key: max(r["event_time"] for r in rows if (r["store_id"], shop.of(r, "name")) == key)
        for key in sums
    }
    found = [(*key, *told, last[key]) for key, told in sums.items()]
    return sorted(found, key=lambda row: (-row[3], row[0], row[1]))


def slow_movers(shop: Shop) -> Answer:
    since = max(line["event_date"] for line in shop.lines) - timedelta(days=28)
    recent = [line for line in shop.lines if line["event_date"] > since]
    sold = summed(recent, lambda line: (line["store_id"], line["item_id"]), quantity)
    names = {(p["store_id"], p["item_id"]): p["name"] for p in shop.profiles.values()}
    found = []
    for row in shop.rows("curated/product_total_state"):
        key = (row["store_id"], row["item_id"])
        if row["total_stock"] > 0 and key in names:
            (units,) = sold.get(key, (0,))
            found.append(
                (units / row["total_stock"], -row["total_stock"], key[0], names[key], units)
            )
    return [(store, name, -stock, units) for _, stock, store, name, units in sorted(found)[:20]]


def shrinkage(shop: Shop) -> Answer:
    missing = [
        {"shelf_id": row["shelf_id"], "source": "counted", "quantity": -row["quantity"]}
        for row in shop.moved("adjustment")
        if row["quantity"] < 0
    ]
    missing += [
        {"shelf_id": row["shelf_id"], "source": "never brought", "quantity": row["missing_qty"]}
        for row in shop.rows("ops/stock_discrepancies")
        if row["batch_code"] == "" and row["missing_qty"] > 0
    ]
    return _at_list_price(shop, missing, lambda row: (shop.of(row, "name"), row["source"]))


def expiry(shop: Shop) -> Answer:
    until = max(row["event_date"] for row in shop.rows("raw/foot_traffic")) + timedelta(days=3)
    found = [
        (
            row["expiry_date"],
            shop.of(row, "store_id"),
            shop.of(row, "name"),
            row["batch_code"],
            place,
            row[units],
        )
        for name, place, units in (
            ("cleansed/shelf_batch_state", "store", "batch_quantity_store"),
            ("cleansed/wh_batch_state", "warehouse", "batch_quantity_warehouse"),
        )
        for row in shop.rows(name)
        if row[units] > 0 and row["expiry_date"] and row["expiry_date"] <= until
    ]
    return [
        (store, name, lot, place, day, units)
        for day, store, name, lot, place, units in sorted(found)
    ]


def basket_size(shop: Shop) -> Answer:
    sums = summed(
        shop.lines,
        lambda line: (line["store_id"], line["transaction_id"]),
        lambda _: 1,
        quantity,
        paid,
    )
    found = []
    for store, group in groupby(sorted(sums.items()), key=lambda basket: basket[0][0]):
        baskets = [told for _, told in group]
        means = [sum(told[place] for told in baskets) / len(baskets) for place in range(3)]
        found.append((store, len(baskets), *means, median(told[2] for told in baskets)))
    return found


def repeat_customers(shop: Shop) -> Answer:
    receipts, sales = defaultdict(set), summed(shop.lines, lambda line: line["customer_id"], paid)
    for line in shop.lines:
        receipts[line["customer_id"]].add(line["transaction_id"])
    again = [customer for customer, told in receipts.items() if len(told) > 1]
    share = sum(sales[c][0] for c in again) / sum(told[0] for told in sales.values())
    return [(len(receipts), len(again), len(again) / len(receipts), share)]


def price_and_discount(shop: Shop) -> Answer:
    def given(line: Row) -> float:
        kept = 1 - float(line["discount"])
        return float(line["total_price"]) / kept - float(line["total_price"]) if kept else 0.0

    sums = summed(shop.lines, lambda line: int(line["discount"] * 10) * 10, quantity, paid, given)
    return [
        (
            band,
            units,
            sales,
            off if band < 100 else None,
            sales / units if units else None,
        )  # a free line has no list price
        for band, (units, sales, off) in sorted(sums.items())
    ]


def waste(shop: Shop) -> Answer:
    return _at_list_price(shop, shop.moved("removal"), lambda row: (shop.of(row, "category"),))


def _at_list_price(shop: Shop, rows: list[Row], key: Callable[[Row], tuple[Any, ...]]) -> Answer:
    known = [row for row in rows if row["shelf_id"] in shop.profiles]
    sums = summed(
        known,
        lambda row: (shop.of(row, "store_id"), *key(row)),
        quantity,
        lambda row: row["quantity"] * shop.of(row, "unit_price"),
    )
    found = [(*names, *told) for names, told in sums.items()]
    return sorted(found, key=lambda row: (-row[-1], *row[:-2]))


ANSWERS: dict[str, Callable[[Shop], Answer]] = {
    "Top products by category": top_products,
    "Sales by week and store": sales_by_week,
    "Stock-outs": stock_outs,
    "Slow movers": slow_movers,
    "Shrinkage": shrinkage,
    "Expiry": expiry,
    "Basket size": basket_size,
    "Repeat customers": repeat_customers,
    "Price and discount": price_and_discount,
    "Waste": waste,
}
"""Question → who answers it; a row has the values of the statement's row, in its order."""


def plain(rows: Iterable[Iterable[Any]]) -> list[list[Any]]:
    """Rows whose numbers can be compared, however they were computed."""
    return [
        [round(float(v), 6) if isinstance(v, Decimal | float | int) else v for v in row]
        for row in rows
    ]


def compared(shop: Shop, name: str) -> tuple[list[list[Any]], list[list[Any]]]:
    """What the statement of a question gives, and what is right."""
    with query.run(Lake(shop.root), QUESTIONS[name].statement) as result:
        found = [row.values() for row in result.read_all().to_pylist()]
    return plain(found), plain(ANSWERS[name](shop))
