"""The inputs of a trial of forecasts, from small files of receipts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import receipts

LINE = ("store_id", "product_id", "basket_id", "transaction_timestamp", "quantity", "sales_value")


def line(store: int, product: int, basket: int, at: datetime, units: int = 1) -> dict[str, Any]:
    return dict(zip(LINE, (store, product, basket, at, units, 1.5 * units), strict=True))


def steady(store: int, since: datetime, days: int, lines: int) -> Iterator[dict[str, Any]]:
    """So many lines a day in one basket."""
    for n in range(days):
        for _ in range(lines):
            yield line(store, 1, 100 * n + store, since + timedelta(days=n))


def sell(folder: Path, lines: list[dict[str, Any]]) -> None:
    pq.write_table(pa.Table.from_pylist(lines), folder / "transactions.parquet")


def test_the_year_has_what_stores_of_these_ranks_sold(files: Path) -> None:
    """Fuel, returns and what was sold after the year are left out; two lines in a basket are one visit."""
    day = datetime(2017, 3, 1, 9, tzinfo=UTC)
    sell(
        files,
        [
            *(line(8, 1, n, day) for n in range(9)),
            *(line(7, 1, 50, day, 2) for _ in range(2)),
            line(7, 2, 51, day),
            line(7, 3, 52, day),
            line(7, 1, 53, day, 0),
            line(7, 1, 54, datetime(2018, 1, 1, tzinfo=UTC)),
            line(9, 1, 60, day),
        ],
    )
    year = receipts.year([1])
    assert [
        (row["shelf_id"], row["units"], row["lines"], float(row["revenue"]))
        for row in year.demand.to_pylist()
    ] == [("S7-I1", 4, 2, 6.0), ("S7-I2", 1, 1, 1.5)]
    assert year.visits.to_pylist() == [{"store_id": "S7", "day": day.date(), "visits": 2}]
    shelves = {row["shelf_id"]: row for row in year.shelves.to_pylist()}
    assert (shelves["S7-I1"]["subcategory"], shelves["S7-I1"]["shelf_life_days"]) == ("APPLES", 7)
    assert (shelves["S7-I2"]["category"], shelves["S7-I2"]["shelf_life_days"]) == ("UNKNOWN", None)
    assert {row["store_id"] for row in receipts.year([0, 2]).demand.to_pylist()} == {"S8", "S9"}


def test_a_promotion_is_of_a_week_from_monday_and_known_a_week_before(files: Path) -> None:
    sell(files, [line(7, 1, 1, datetime(2017, 3, 1, tzinfo=UTC))])
    planned = receipts.year([0]).promotions.to_pylist()
    assert [(row["shelf_id"], row["week"]) for row in planned] == [
        ("S7-I1", date(2016, 12, 26)),
        ("S7-I1", date(2017, 1, 2)),
    ]
    assert planned[1]["known_at"] == datetime(2016, 12, 26, tzinfo=UTC)


def test_a_trial_has_each_cutoff_day_whose_window_the_receipts_cover_and_is_made_once(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels are those of the windows, up to the last day of the year."""
    sell(files, list(steady(7, datetime(2017, 10, 1, tzinfo=UTC), 92, lines=3)))
    since = date(2017, 12, 14)
    file = receipts.trial(tmp_path / "cache", [0], since)
    rows = pq.read_table(file).to_pylist()
    days = [row["feature_date"] for row in rows]
    assert (days[0], days[-1], len(days)) == (since, date(2017, 12, 28), 7)
    assert all(row["demand"] == 3 * row["horizon_days"] for row in rows)
    monkeypatch.setattr(receipts, "year", None)
    assert receipts.trial(tmp_path / "cache", [0], since) == file
    assert sorted(tmp_path.glob("cache/*")) == [file]
