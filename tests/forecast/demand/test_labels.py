"""Labels: demand of windows that have settled, against plain Python."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.forecast.demand.labels import SETTLED_DAYS, labels

from .worlds import BEGIN, SHELVES, Row, chosen, day, known, sales, shelves, sold

Place = tuple[str, date, int]
places = st.sets(st.tuples(shelves, st.integers(0, 40), st.sampled_from([3, 4])), max_size=12).map(
    lambda rows: sorted({(shelf, day(n)): (shelf, day(n), h) for shelf, n, h in rows}.values())
)


def label(demand: list[Row], place: Place) -> tuple[int, float]:
    """Demand and weight of a window, from the words of the rule."""
    shelf, begin, horizon = place
    window = [
        row
        for row in demand
        if row["shelf_id"] == shelf and begin <= row["day"] < begin + timedelta(days=horizon)
    ]
    hidden = any((row["stockout_hours"] or 0) > 0 and row["lost_units"] is None for row in window)
    return sum(row["units"] + (row["lost_units"] or 0) for row in window), 0.0 if hidden else 1.0


def labelled(demand: list[Row], rows: list[Place], today: date, **options: Any) -> dict[Any, Any]:
    """What `labels` answers, by shelf and day."""
    table = labels(chosen(*rows), known(demand=demand).demand, today, **options)
    return {
        (row["shelf_id"], row["feature_date"]): (row["demand"], row["weight"])
        for row in table.to_pylist()
    }


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    demand=sales(last=50), rows=places, today=st.integers(0, 70), settled=st.sampled_from([0, 7])
)
def test_labels_are_those_of_the_rule(
    demand: list[Row], rows: list[Place], today: int, settled: int
) -> None:
    expected = {
        place[:2]: label(demand, place)
        for place in rows
        if place[1] + timedelta(days=place[2] + settled) <= day(today)
    }
    assert labelled(demand, rows, day(today), settled_days=settled) == expected


def test_a_row_has_a_label_once_the_window_has_settled() -> None:
    """D + h + 7 days."""
    place = (SHELVES[0], BEGIN, 3)
    due = BEGIN + timedelta(days=3 + SETTLED_DAYS)
    assert labelled([], [place], due - timedelta(days=1)) == {}
    assert labelled([], [place], due) == {place[:2]: (0, 1.0)}


@pytest.mark.parametrize(
    ("lost", "hours", "demand", "weight"),
    [(None, 2.0, 5, 0.0), (None, 0.0, 5, 1.0), (None, None, 5, 1.0), (3, 2.0, 8, 1.0)],
)
def test_a_stock_out_hides_demand_unless_lost_sales_are_observed(
    lost: int | None, hours: float | None, demand: int, weight: float
) -> None:
    row = sold(SHELVES[0], 1, 5, lost_units=lost, stockout_hours=hours)
    place = (SHELVES[0], BEGIN, 3)
    assert labelled([row], [place], day(30)) == {place[:2]: (demand, weight)}


def test_the_weight_of_a_row_of_the_tail_is_kept() -> None:
    rows = chosen((SHELVES[0], BEGIN, 3))
    rows = rows.set_column(3, "weight", [[20.0]])
    (row,) = labels(rows, known().demand, day(30)).to_pylist()
    assert row["weight"] == 20.0
