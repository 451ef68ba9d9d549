"""Distributions around a mean, and the losses that choose them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.forecast.frames import LEVELS
from lakeshelf.forecast.model.calibration import SPREADS, calibrated, pinball, quantiles


@given(st.lists(st.floats(0, 1e5), min_size=1, max_size=20), st.sampled_from(SPREADS))
@settings(deadline=None)
def test_quantiles_are_whole_and_never_fall(means: list[float], spread: float) -> None:
    values = quantiles(np.array(means), spread)
    assert values.shape == (len(means), len(LEVELS))
    assert (values >= 0).all()
    assert (values == np.round(values)).all()
    assert (np.diff(values, axis=1) >= 0).all()


def test_a_mean_of_nothing_has_quantiles_of_nothing() -> None:
    assert not quantiles(np.zeros(3), 1.0).any()


@given(st.floats(0.05, 60), st.sampled_from((0.0, 0.5, 2.0)))
@settings(max_examples=20, deadline=None)
def test_quantiles_cover_what_their_distribution_draws(mean: float, spread: float) -> None:
    random = np.random.default_rng(1)
    rate = mean * (random.gamma(1 / spread, spread, 20_000) if spread else np.ones(20_000))
    drawn = random.poisson(rate)
    values = quantiles(np.array([mean]), spread)[0]
    for level, value in zip(LEVELS, values, strict=True):
        assert np.mean(drawn <= value) >= level - 0.015
        assert np.mean(drawn < value) <= level + 0.015


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_calibration_sees_factor_and_spread(spread: float) -> None:
    random = np.random.default_rng(2)
    mean = random.uniform(0.5, 8, 20_000)
    rate = mean * (random.gamma(1 / spread, spread, 20_000) if spread else 1.0)
    fitted = calibrated(mean * 2, random.poisson(rate).astype(float), np.ones(20_000))
    assert fitted.factor == pytest.approx(0.5, abs=0.02)
    assert fitted.spread == pytest.approx(spread, abs=0.3)


def test_a_forecast_of_nothing_is_not_divided_by() -> None:
    assert calibrated(np.zeros(4), np.ones(4), np.ones(4)).factor == 1.0


@given(st.lists(st.integers(0, 30), min_size=1, max_size=30), st.sampled_from(LEVELS))
def test_no_forecast_loses_less_than_the_quantile(units: list[int], level: float) -> None:
    """The pinball loss is least at the quantile, which is what makes it a score of quantiles."""
    demand = np.array(units, float)
    best = np.quantile(demand, level, method="inverted_cdf")
    loss = pinball(np.full(len(units), best), demand, level).sum()
    others = [pinball(np.full(len(units), x), demand, level).sum() for x in range(32)]
    assert loss <= min(others) + 1e-9
