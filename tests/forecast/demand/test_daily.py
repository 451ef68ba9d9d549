"""Daily demand: what receipts, lost sales and stock-outs add up to."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.contracts import CATALOG, arrow
from lakeshelf.forecast.demand.daily import SCHEMA, STOCKOUTS, daily_demand

from .worlds import BEGIN, SHELVES, Row, day, shelves

POS = arrow.schema(CATALOG.tables["raw/pos_transactions"].columns)
LOST = arrow.schema(CATALOG.tables["raw/lost_sales"].columns)
START = datetime(BEGIN.year, BEGIN.month, BEGIN.day, tzinfo=UTC)


def at(day: float) -> datetime:
    """A time, in days from the beginning."""
    return START + timedelta(minutes=round(day * 24 * 60))


def line(shelf: str, quantity: int, price: float = 1.5) -> Row:
    """A line of a receipt."""
    return {
        "shelf_id": shelf,
        "item_id": shelf[3:],
        "quantity": quantity,
        "total_price": Decimal(str(price)),
    }


def receipt(day: float, *items: Row) -> Row:
    """A receipt of the first store."""
    return {"event_time": at(day), "store_id": "S1", "items": list(items)}


def lost(shelf: str, day: float, quantity: int) -> Row:
    """A lost sale."""
    row = {"event_time": at(day), "store_id": "S1", "shelf_id": shelf, "item_id": shelf[3:]}
    return row | {"quantity": quantity}


def empty(shelf: str, since: float, until: float) -> Row:
    """A time without stock."""
    row = {"shelf_id": shelf, "store_id": "S1", "item_id": shelf[3:]}
    return row | {"since": at(since), "until": at(until)}


def table(rows: list[Row] | None, schema: pa.Schema) -> pa.Table | None:
    """A table with nulls where rows say nothing."""
    if rows is None:
        return None
    return pa.Table.from_pylist([dict.fromkeys(schema.names) | row for row in rows], schema)


def daily(
    receipts: list[Row],
    missed: list[Row] | None = None,
    outs: list[Row] | None = None,
    days: int = 30,
) -> list[Row]:
    """Rows of daily demand."""
    tables = (table(receipts, POS), table(missed, LOST), table(outs, STOCKOUTS))
    demand = daily_demand(*tables, BEGIN, day(days))  # type: ignore[arg-type]
    assert demand.schema == SCHEMA
    return demand.to_pylist()


events = st.lists(st.tuples(shelves, st.floats(0, 6), st.integers(-3, 100_000)), max_size=15)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    sold=events,
    missed=events.map(lambda rows: [r for r in rows if r[2] > 0]),
    days=st.integers(1, 6),
)
def test_daily_demand_is_a_sum_over_events(
    sold: list[tuple[str, float, int]], missed: list[tuple[str, float, int]], days: int
) -> None:
    """In plain Python, returns and lines of no units left out."""
    expected: dict[Any, list[Any]] = defaultdict(lambda: [0, 0, 0, Decimal(0)])
    for shelf, n, quantity in sold:
        if quantity > 0 and at(n) < at(days):
            row = expected[shelf, at(n).date()]
            row[:] = [row[0] + quantity, row[1] + 1, row[2], row[3] + Decimal("1.50")]
    for shelf, n, quantity in missed:
        if at(n) < at(days):
            expected[shelf, at(n).date()][2] += quantity
    rows = daily(
        [receipt(n, line(shelf, quantity)) for shelf, n, quantity in sold],
        [lost(*event) for event in missed],
        days=days,
    )
    names = ("units", "lines", "lost_units", "revenue")
    assert {(r["shelf_id"], r["day"]): [r[n] for n in names] for r in rows} == expected


def test_what_nobody_observes_is_unknown() -> None:
    (row,) = daily([receipt(0.5, line(SHELVES[0], 2))])
    assert (row["units"], row["lost_units"], row["stockout_hours"]) == (2, None, None)
    (row,) = daily([receipt(0.5, line(SHELVES[0], 2))], [], [])
    assert (row["units"], row["lost_units"], row["stockout_hours"]) == (2, 0, 0.0)


def test_a_stock_out_lasts_into_each_day_that_it_touches() -> None:
    """Three days and a bit; one that ends at midnight touches no day after it."""
    rows = daily([], outs=[empty(SHELVES[0], 0.75, 3.25), empty(SHELVES[1], 0.5, 1)])
    hours = [(r["shelf_id"], (r["day"] - BEGIN).days, r["stockout_hours"]) for r in rows]
    assert hours == [
        *((SHELVES[0], n, h) for n, h in ((0, 6.0), (1, 24.0), (2, 24.0), (3, 6.0))),
        (SHELVES[1], 0, 12.0),
    ]


def test_a_return_is_no_demand_and_takes_nothing_away() -> None:
    rows = daily([receipt(0.1, line(SHELVES[0], 5)), receipt(0.2, line(SHELVES[0], -5)),
                  receipt(1.2, line(SHELVES[0], -2), line(SHELVES[1], 0))])  # fmt: skip
    assert [(r["day"], r["units"], r["lines"], r["revenue"]) for r in rows] == [
        (BEGIN, 5, 1, Decimal("1.50"))
    ]


def test_a_late_event_counts_on_its_own_day() -> None:
    """Whatever the order of the rows."""
    late, later = receipt(0.5, line(SHELVES[0], 1)), receipt(2.5, line(SHELVES[0], 2))
    assert daily([late, later]) == daily([later, late])
    assert [r["units"] for r in daily([later, late])] == [1, 2]
