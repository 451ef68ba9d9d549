"""Rates of the past: a model in plain loops, and days that must not be seen."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.forecast.model.baselines import BASELINES
from lakeshelf.forecast.model.rates import SMOOTHING, with_rates
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


def croston(units: list[int]) -> tuple[float, float]:
    """Size and interval, as Croston's article has them."""
    size = interval = float("nan")
    waited = 0
    for sold in units:
        waited += 1
        if sold > 0:
            first = np.isnan(size)
            size = sold if first else size + SMOOTHING * (sold - size)
            interval = waited if first else interval + SMOOTHING * (waited - interval)
            waited = 0
    return size, interval


@given(SALES, st.integers(8, 19))
@settings(max_examples=60, deadline=None)
def test_rates_are_those_of_plain_loops(units: list[int], day: int) -> None:
    (got,) = with_rates(row(day), daily(units)).to_pylist()
    sold = [max(x, 0) for x in units]
    size, interval = croston(sold[:day])
    assert got["last_window"] == sum(sold[day - 3 : day])
    assert got["seasonal_naive"] == sum(sold[day - 7 : day - 4])
    assert got["croston"] == pytest.approx(size / interval, nan_ok=True)
    assert got["sba"] == pytest.approx(0.95 * size / interval, nan_ok=True)


@given(SALES, st.integers(8, 19), st.integers(0, 4))
@settings(max_examples=40, deadline=None)
def test_what_is_sold_from_the_day_on_changes_nothing(
    units: list[int], day: int, other: int
) -> None:
    changed = units[:day] + [other] * (len(units) - day)
    first, second = (with_rates(row(day), daily(sales)) for sales in (units, changed))
    assert str(first.to_pylist()) == str(second.to_pylist())


def test_tsb_falls_while_nothing_is_sold() -> None:
    table = pa.concat_tables([row(day) for day in (6, 12, 19)])
    rates = with_rates(table, daily([0, 0, 0, 0, 2] + [0] * 15))["tsb"].to_pylist()
    assert rates[0] > rates[1] > rates[2] > 0


def test_a_shelf_without_units_has_no_rate() -> None:
    (got,) = with_rates(row(10, "B"), daily([1] * 20)).to_pylist()
    assert got["last_window"] == 0
    assert np.isnan(got["croston"])


def test_columns_that_are_there_stay() -> None:
    table = row(10).append_column("sba", pa.array([7.0]))
    assert with_rates(table, daily([1] * 20))["sba"].to_pylist() == [7.0]


def test_every_baseline_forecasts_a_distribution() -> None:
    rows = made.rows(weeks=12, shelves=10)
    for baseline in BASELINES:
        forecast = baseline.fit(rows)(rows)
        assert (forecast.mean >= 0).all()
        assert (np.diff(forecast.quantiles, axis=1) >= 0).all()
    assert len({baseline.name for baseline in BASELINES}) == len(BASELINES)
