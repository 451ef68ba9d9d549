"""Forecasts of the past: a model in plain loops, and days that must not be seen."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.forecast.model.baselines import BASELINES
from lakeshelf.forecast.model.naive import with_naive
from tests.forecast.model import made

SALES = st.lists(st.integers(-1, 4), min_size=20, max_size=60)


def daily(units: list[int]) -> pa.Table:
    days = [made.FIRST + timedelta(n) for n in range(len(units))]
    return pa.table(
        {"shelf_id": ["A"] * len(units), "day": pa.array(days, pa.date32()), "units": units}
    )


def row(day: int, shelf: str = "A") -> pa.Table:
    dates = pa.array([made.FIRST + timedelta(day)], pa.date32())
    return pa.table({"shelf_id": [shelf], "feature_date": dates, "horizon_days": [3]})


@given(SALES, st.integers(8, 19))
@settings(max_examples=60, deadline=None)
def test_naive_forecasts_are_those_of_plain_loops(units: list[int], day: int) -> None:
    (got,) = with_naive(row(day), daily(units)).to_pylist()
    sold = [max(x, 0) for x in units]
    assert got["last_window"] == sum(sold[day - 3 : day])
    assert got["seasonal_naive"] == sum(sold[day - 7 : day - 4])


@given(SALES, st.integers(8, 19), st.integers(0, 4))
@settings(max_examples=40, deadline=None)
def test_what_is_sold_from_the_day_on_changes_nothing(
    units: list[int], day: int, other: int
) -> None:
    changed = units[:day] + [other] * (len(units) - day)
    first, second = (with_naive(row(day), daily(sales)) for sales in (units, changed))
    assert str(first.to_pylist()) == str(second.to_pylist())


def test_a_shelf_without_units_has_sold_none() -> None:
    (got,) = with_naive(row(10, "B"), daily([1] * 20)).to_pylist()
    assert (got["last_window"], got["seasonal_naive"]) == (0, 0)


def test_columns_that_are_there_stay() -> None:
    table = row(10).append_column("last_window", pa.array([7.0]))
    assert with_naive(table, daily([1] * 20))["last_window"].to_pylist() == [7.0]


def test_a_rate_is_units_over_days_in_each_day_of_the_window() -> None:
    """Croston's is a size over an interval; what is unknown forecasts nothing."""
    croston = next(baseline for baseline in BASELINES if baseline.name == "croston")
    table = pa.table(
        {"sale_size": [2.0, None], "sale_interval": [8.0, None], "horizon_days": [4, 4]}
    )
    assert croston.mean(table).tolist() == [1, 0]


def test_every_baseline_forecasts_a_distribution() -> None:
    rows = made.rows(weeks=12, shelves=10)
    for baseline in BASELINES:
        forecast = baseline.fit(rows)(rows)
        assert (forecast.mean >= 0).all()
        assert (np.diff(forecast.quantiles, axis=1) >= 0).all()
    assert len({baseline.name for baseline in BASELINES}) == len(BASELINES)
