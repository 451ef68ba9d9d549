"""Stock at equal fill: a better forecast needs less, the same one as much."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.forecast.demand.windows import cutoffs
from lakeshelf.forecast.frames import Forecast
from lakeshelf.forecast.model.calibration import Calibration
from lakeshelf.forecast.model.folds import EvaluationFold
from lakeshelf.forecast.model.scores import JudgedForecasts, judged
from lakeshelf.forecast.training import stock

FIRST = date(2026, 3, 1)
FOLD = EvaluationFold(FIRST, FIRST + timedelta(days=28), 7)
DAYS = cutoffs(FOLD.first, FOLD.end).to_pylist()
SHELVES = 30


def demand(seed: int) -> tuple[pa.Table, np.ndarray]:
    """Daily demand of the fold, and the rate of each shelf."""
    random = np.random.default_rng(seed)
    rates = random.gamma(1.0, 1.0, SHELVES)
    units = random.poisson(rates, (29, SHELVES))
    day, shelf = np.nonzero(units)
    return pa.table(
        {
            "shelf_id": [f"H{n:03}" for n in shelf],
            "day": pa.array([FIRST + timedelta(days=int(n) - 1) for n in day], pa.date32()),
            "units": units[day, shelf],
            "lost_units": pa.nulls(len(day), pa.int64()),
        }
    ), rates


def rows(lines: int = 20, life: int | None = None) -> pa.Table:
    """Rows of the fold's test, of every shelf on every cutoff day."""
    places = [(day, n) for day in DAYS for n in range(SHELVES)]
    return pa.table(
        {
            "shelf_id": [f"H{n:03}" for _, n in places],
            "feature_date": pa.array([day["feature_date"] for day, _ in places], pa.date32()),
            "horizon_days": [day["horizon_days"] for day, _ in places],
            "store_id": ["S1"] * len(places),
            "category": ["food"] * len(places),
            "last_price": [2.0] * len(places),
            "shelf_life_days": pa.array([life] * len(places), pa.int64()),
            "lines_91d": [lines] * len(places),
            "demand": [0.0] * len(places),
            "weight": [1.0] * len(places),
        }
    )


def forecast(test: pa.Table, rates: np.ndarray) -> JudgedForecasts:
    """What rates say, as a distribution of Poisson."""
    mean = np.tile(rates, len(DAYS)) * test["horizon_days"].to_numpy()
    return judged(test, Forecast(mean, Calibration(1.0, 0.0).quantiles(mean)))


def compared(seed: int) -> tuple[float | None, ...]:
    """Rates against one rate for all, the reverse, and rates against themselves."""
    known, rates = demand(seed)
    test = rows()
    right, alike = forecast(test, rates), forecast(test, np.full(SHELVES, rates.mean()))
    sides = (right, alike), (alike, right), (right, right)
    return tuple(stock.ratio(test, FOLD, known, one, {"other": other}) for one, other in sides)


@pytest.mark.slow
@given(seed=st.integers(0, 1_000))
@settings(max_examples=4)
def test_what_one_side_needs_more_the_other_needs_less(seed: int) -> None:
    better, worse, same = compared(seed)
    assert better is not None
    assert worse is not None
    assert better * worse == pytest.approx(1)
    assert same == pytest.approx(1)


@pytest.mark.slow
def test_whoever_knows_the_rates_needs_less() -> None:
    ratios = [compared(seed)[0] or np.inf for seed in (0, 2)]
    assert np.mean(ratios) < 1


@pytest.mark.parametrize("test", [rows(lines=1), rows(life=3)])
def test_without_goods_that_are_active_and_outlive_the_fold_nothing_is_known(
    test: pa.Table,
) -> None:
    known, rates = demand(1)
    own = forecast(test, rates)
    assert stock.ratio(test, FOLD, known, own, {"same": own}) is None


def test_without_rivals_nothing_is_known() -> None:
    known, rates = demand(1)
    test = rows()
    assert stock.ratio(test, FOLD, known, forecast(test, rates), {}) is None


def test_goods_that_hardly_sell_are_compared_at_fills_that_are_reached() -> None:
    """Of shelves that sell once in weeks, one unit each fills nearly all."""
    known, rates = demand(1)
    seldom = known.filter(pa.array(np.arange(known.num_rows) % 12 == 0))
    test = rows()
    right, alike = forecast(test, rates / 12), forecast(test, np.full(SHELVES, rates.mean() / 12))
    assert stock.ratio(test, FOLD, seldom, right, {"alike": alike}) is not None


def test_a_row_that_lacks_expects_nothing_of_its_shelf() -> None:
    known, rates = demand(1)
    test = rows()
    own = forecast(test, rates)
    later = np.arange(test.num_rows) < test.num_rows - SHELVES
    fewer = test.filter(pa.array(later))
    scene = stock.scene(fewer, FOLD, known)
    assert len(scene.points(own.of(later))) == len(stock.SERVICES)
