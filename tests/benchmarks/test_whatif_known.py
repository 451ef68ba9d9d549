"""What a forecast can save at most is told by one that knows the rates at which demand is drawn."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from benchmarks import whatif_known
from lakeshelf.forecast.frames import LEVELS, Floats, Forecast
from lakeshelf.forecast.whatif.history import DemandHistory, Goods
from lakeshelf.forecast.whatif.steps import Cutoff, ReplaySteps

SHELVES, DAYS = 400, 28
FIRST = date(2026, 3, 2)
"""A Monday: the first cutoff is on the next day."""


def history() -> DemandHistory:
    names, some = np.array([f"S1-I{n}" for n in range(SHELVES)], object), np.ones(SHELVES)
    goods = Goods(names, names, names, some, np.nan * some, some.astype(np.int64), None)
    steps = ReplaySteps.of_days(FIRST, DAYS)
    sold = np.ones((DAYS, SHELVES), np.int64)
    return DemandHistory(goods, steps, sold, np.zeros(SHELVES, np.int64))


def said(past: DemandHistory, daily: Floats) -> dict[date, Forecast]:
    """Forecasts of windows in which so many units are wanted a day, a cutoff each."""
    nothing = np.zeros((SHELVES, len(LEVELS)))
    return {
        FIRST + timedelta(days=c.day): Forecast(np.full(SHELVES, rate * (c.until - c.day)), nothing)
        for c, rate in zip(past.steps.cutoffs, daily, strict=True)
    }


def test_units_are_drawn_at_the_rates_of_the_latest_forecast() -> None:
    past = history()
    cutoffs: list[Cutoff] = past.steps.cutoffs
    daily = np.arange(1.0, len(cutoffs) + 1)
    known = whatif_known.Known.of(past, said(past, daily), seed=1)
    begun = [0, *(c.day for c in cutoffs[1:]), DAYS]
    assert cutoffs[0].day == 1
    for rate, begin, end in zip(daily, begun, begun[1:], strict=False):
        assert abs(known.history.units[begin:end].mean() / rate - 1) < 0.1


def test_what_is_promised_knows_the_forecasts_that_come_within_the_window() -> None:
    past = history()
    daily = np.arange(1.0, len(past.steps.cutoffs) + 1)
    known = whatif_known.Known.of(past, said(past, daily), seed=1)
    units = known.history.units
    for cutoff, one in zip(past.steps.cutoffs, known.outlooks, strict=True):
        if cutoff.until <= DAYS:
            wanted = units[cutoff.day : cutoff.until].sum(axis=0)
            assert np.allclose(one.sales.mean, wanted.mean(), rtol=0.1)
