"""A forecast becomes probabilities that keep its quantiles; other spans of days follow from mean and variance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.forecast.frames import LEVELS, Forecast
from lakeshelf.forecast.orders.distribution import KNOTS, CountDistribution, Window
from tests.forecast.orders.forecasts import ROWS, forecasts

ALL = np.arange(0, 40)


def table(distribution: Window | CountDistribution) -> np.ndarray:
    """P(demand ≥ k): a row a shelf, a column for each k of `ALL`."""
    return np.column_stack([distribution.at_least(np.full(ROWS, k)) for k in ALL])


@settings(max_examples=30)
@given(forecasts())
def test_a_unit_more_is_never_likelier(forecast: Forecast) -> None:
    likely = table(Window.of(forecast))
    assert (likely[:, 0] == 1).all()
    assert ((likely >= 0) & (likely <= 1)).all()
    assert (np.diff(likely) <= 1e-12).all()


@given(forecasts())
def test_a_quantile_of_the_forecast_is_that_quantile(forecast: Forecast) -> None:
    window = Window.of(forecast)
    for column, level in enumerate(LEVELS):
        assert (window.quantile(level) == forecast.quantiles[:, column]).all()


@given(forecasts(), st.floats(0.5, 0.995))
def test_a_quantile_is_the_fewest_units_that_suffice(forecast: Forecast, share: float) -> None:
    window = Window.of(forecast)
    units = window.quantile(share)
    assert (window.at_least(units + 1) <= 1 - share + 1e-6).all()
    assert (window.at_least(units)[units > 0] > 1 - share - 1e-6).all()


@settings(max_examples=30)
@given(forecasts())
def test_mean_square_distance_is_that_of_the_integral(forecast: Forecast) -> None:
    window = Window.of(forecast)
    at = -np.log1p(-(np.arange(20_000) + 0.5) / 20_000)
    for row in range(ROWS):
        inner = np.interp(at, KNOTS, window.values[row])
        values = inner + window.slope[row] * np.maximum(at - KNOTS[-1], 0)
        exact = ((values - window.mean[row]) ** 2).mean()
        if window.slope[row] < 20:  # beyond that the grid misses the tail
            assert window.variance()[row] == pytest.approx(exact, rel=0.02, abs=0.02)


def test_the_mean_says_how_long_a_tail_is_that_no_quantile_shows() -> None:
    nothing = Forecast(np.array([0.0, 0.004, 0.02]), np.zeros((3, len(LEVELS))))
    likely = Window.of(nothing).at_least(np.ones(3, np.int64))
    assert likely[0] == 0
    assert 0 < likely[1] < likely[2] <= 0.01


@pytest.mark.parametrize(("mean", "variance"), [(0.3, 0.3), (2.0, 5.5), (40.0, 40.0), (9.0, 90.0)])
def test_other_days_are_counted_by_the_negative_binomial(mean: float, variance: float) -> None:
    likely = table(CountDistribution(np.full(ROWS, mean), np.full(ROWS, variance)))[0]
    variance = max(variance, mean * (1 + 1e-6))
    size, success = mean * mean / (variance - mean), mean / variance
    below = 0.0
    for k in ALL:
        assert likely[k] == pytest.approx(1 - below, abs=1e-5)
        ways = math.lgamma(k + size) - math.lgamma(size) - math.lgamma(k + 1)
        below += math.exp(ways + size * math.log(success) + k * math.log1p(-success))


@settings(max_examples=30)
@given(forecasts(), st.floats(0.1, 5), st.floats(0.1, 5))
def test_more_days_never_want_less(forecast: Forecast, few: float, more: float) -> None:
    window = Window.of(forecast)
    assert np.allclose(CountDistribution.over(window, np.array([few])).mean, window.mean * few)
    means = (
        CountDistribution(window.mean, window.mean),
        CountDistribution(window.mean + more, window.mean + more),
    )
    assert (table(means[0]) <= table(means[1]) + 1e-9).all()


def test_thousands_of_units_are_no_other_case() -> None:
    fuel = Forecast(np.full(ROWS, 40_000.0), np.tile(np.linspace(4, 9, 6) * 1e4, (ROWS, 1)))
    window = Window.of(fuel)
    assert (window.quantile(0.9) == 60_000).all()
    year = CountDistribution.over(window, np.array([100.0]))
    assert (year.at_least(np.full(ROWS, 3_000_000)) > 0.99).all()
    assert (year.at_least(np.full(ROWS, 5_000_000)) < 0.01).all()
