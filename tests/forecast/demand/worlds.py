"""Small lakes for the tests of demand: what Hypothesis draws, as the tables that features read."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from lakeshelf.forecast.demand.daily import SCHEMA as DAILY
from lakeshelf.forecast.demand.rows import ForecastInputs

BEGIN = date(2026, 1, 1)
SHELVES = ("S1-I1", "S1-I2", "S2-I1", "S2-I3")
DAYS = 600
Row = dict[str, Any]

TABLES = {
    "demand": DAILY,
    "shelves": pa.schema(
        [(n, pa.string()) for n in ("shelf_id", "store_id", "item_id", "category", "subcategory")]
        + [("shelf_life_days", pa.int64())]
    ),
    "visits": pa.schema([("store_id", pa.string()), ("day", pa.date32()), ("visits", pa.int64())]),
    "promotions": pa.schema(
        [("shelf_id", pa.string()), ("week", pa.date32())]
        + [(n, pa.string()) for n in ("display", "mailer")]
        + [("known_at", pa.timestamp("us", "UTC"))]
    ),
    "discounts": pa.schema(
        [
            ("shelf_id", pa.string()),
            ("discount_date", pa.date32()),
            ("discount", pa.decimal128(5, 4)),
        ]
    ),
    "holidays": pa.schema([("day", pa.date32())]),
}


def day(n: int) -> date:
    """A day by its number."""
    return BEGIN + timedelta(days=n)


def sold(shelf: str, n: int, units: int = 1, **values: Any) -> Row:
    """A row of daily demand."""
    store, _, item = shelf.partition("-")
    row = {
        "shelf_id": shelf,
        "day": day(n),
        "store_id": store,
        "item_id": item,
        "units": units,
        "lines": 1 if units else 0,
        "lost_units": 0,
        "revenue": Decimal(units) * 2,
        "stockout_hours": None,
    }
    return row | values


def profile(shelf: str) -> Row:
    """Master data of a shelf."""
    store, _, item = shelf.partition("-")
    kind = None if item == "I3" else f"kind {item}"
    row = {"shelf_id": shelf, "store_id": store, "item_id": item, "category": "food"}
    return row | {"subcategory": kind, "shelf_life_days": 7}


def promotion(shelf: str, monday: date, known: date, display: str = "1", mailer: str = "A") -> Row:
    """A planned promotion of a week."""
    row = {"shelf_id": shelf, "week": monday, "display": display, "mailer": mailer}
    return row | {"known_at": datetime(known.year, known.month, known.day, tzinfo=UTC)}


def known(**rows: list[Row]) -> ForecastInputs:
    """What is known: rows by table, and master data of all shelves."""
    rows = {"shelves": [profile(shelf) for shelf in SHELVES]} | rows
    tables = {n: pa.Table.from_pylist(rows.get(n, []), s) for n, s in TABLES.items()}
    return ForecastInputs(**tables)


def chosen(*places: tuple[str, date, int]) -> pa.Table:
    """Rows of shelf, cutoff day and horizon."""
    schema = pa.schema(
        {
            "shelf_id": pa.string(),
            "feature_date": pa.date32(),
            "horizon_days": pa.int64(),
            "weight": pa.float64(),
        }
    )
    names = schema.names
    return pa.Table.from_pylist(
        [dict(zip(names, (*place, 1.0), strict=True)) for place in places], schema
    )


shelves = st.sampled_from(SHELVES)
units = st.one_of(st.integers(0, 5), st.sampled_from([0, 89_638, 10_000_000]))
hours = st.one_of(st.none(), st.sampled_from([0.0, 2.5, 24.0]))
lost = st.one_of(st.none(), st.integers(0, 3))


def near(first: int, last: int) -> st.SearchStrategy[int]:
    """Numbers in [first, last], more of them at its ends."""
    return st.one_of(
        st.integers(first, last),
        st.integers(first, min(first + 2, last)),
        st.integers(max(last - 2, first), last),
    )


@st.composite
def sales(draw: st.DrawFn, first: int = 0, last: int = DAYS) -> list[Row]:
    """Daily demand, at most one row a shelf and day."""
    places = draw(st.sets(st.tuples(shelves, near(first, last)), min_size=12, max_size=40))
    return [
        sold(shelf, n, draw(units), lost_units=draw(lost), stockout_hours=draw(hours))
        for shelf, n in sorted(places)
    ]


@st.composite
def lakes(draw: st.DrawFn, first: int = 0, last: int = DAYS) -> dict[str, list[Row]]:
    """Rows of all tables that have a time, each at most once a key, with times in [first, last]."""
    numbers = near(first, last)
    visits = draw(
        st.sets(st.tuples(st.sampled_from(["S1", "S2"]), numbers), min_size=3, max_size=10)
    )
    plans = draw(
        st.dictionaries(st.tuples(shelves, st.integers(0, DAYS // 7)), numbers, max_size=8)
    )
    monday = BEGIN - timedelta(days=BEGIN.weekday())
    return {
        "demand": draw(sales(first, last)),
        "visits": [{"store_id": s, "day": day(n), "visits": n + 1} for s, n in sorted(visits)],
        "promotions": [
            promotion(shelf, monday + timedelta(weeks=week), day(n), draw(st.sampled_from("012")))
            for (shelf, week), n in sorted(plans.items())
        ],
    }
