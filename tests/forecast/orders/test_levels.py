"""Levels and lots are what counting unit by unit gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.errors import ConfigurationError
from lakeshelf.forecast.frames import Forecast
from lakeshelf.forecast.orders import lots
from lakeshelf.forecast.orders.distribution import CountDistribution, Window
from lakeshelf.forecast.orders.economics import DEFAULTS, Economics, Outlook
from lakeshelf.forecast.orders.level import levels, position
from tests.forecast.orders.forecasts import ROWS, Shelves, by_level, column, shelves

UNITS = st.integers(0, 30)


def gain(goods: Shelves, row: int, unit: int) -> float:
    """What unit k earns, written as the rule is."""
    some = slice(row, row + 1)
    window = Window.of(Forecast(goods.forecast.mean[some], goods.forecast.quantiles[some]))
    price, horizon, life = (float(v[row]) for v in (goods.price, goods.horizon, goods.life))
    k = np.array([unit])
    sold, kept = float(window.at_least(k)[0]), 1.0
    if not np.isnan(life):
        kept = float(CountDistribution.over(window, np.array([life / horizon])).at_least(k)[0])
        sold = kept if life < horizon else sold
    holding = 0.25 * 0.7 * price * horizon / 365
    return 0.3 * price * sold - 0.7 * price * (1 - kept) - holding


@pytest.mark.slow
@settings(max_examples=40)
@given(shelves(), st.integers(0, 5), st.booleans())
def test_a_level_ends_with_the_last_unit_that_earns(
    goods: Shelves, floor: int, allow_zero: bool
) -> None:
    outlook = goods.outlook
    made = levels(outlook, min_qty=floor, allow_zero=allow_zero)
    for row in range(ROWS):
        worth = 0
        while worth < outlook.most[row] and gain(goods, row, worth + 1) > 0:
            worth += 1
        least = 0 if allow_zero and worth == 0 else max(floor, 1)
        assert made[row] == max(worth, least)


@given(shelves(), st.floats(0.5, 0.995))
def test_a_service_level_is_the_quantile_within_the_life(goods: Shelves, service: float) -> None:
    asked = np.array([service, np.nan, service, service])
    outlook = goods.outlook
    made = levels(outlook, asked, allow_zero=True)
    for row in range(ROWS):
        if row == 1:
            assert made[row] == levels(outlook, allow_zero=True)[row]
        elif goods.life[row] < goods.horizon[row]:
            some = np.full(ROWS, made[row])
            assert outlook.sold(some + 1)[row] <= 1 - service or made[row] == outlook.most[row]
        else:
            quantile = Window.of(goods.forecast).quantile(service)
            assert abs(made[row] - quantile[row]) <= (0 if service < 0.99 else 1)


@pytest.mark.parametrize("service", [0.0, 0.4999, 0.996, 1.0, -1.0])
def test_a_service_level_out_of_bounds_is_refused(service: float) -> None:
    goods = steady(mean=3.0, life=np.nan)
    with pytest.raises(ConfigurationError, match=f"service_level is {service:g}; give a share"):
        levels(goods.outlook, np.full(ROWS, service))


@pytest.mark.slow
@settings(max_examples=40)
@given(shelves(), column(UNITS), column(UNITS), column(st.integers(1, 80)), st.integers(0, 4))
def test_lots_are_rounded_as_counting_unit_by_unit_says(
    goods: Shelves, stock: np.ndarray, level: np.ndarray, lot: np.ndarray, floor: int
) -> None:
    lot = np.minimum(lot, lots.POINTS)
    made = lots.order(stock, level, lot, floor, goods.outlook)
    for row in range(ROWS):
        missing, size = max(level[row] - stock[row], 0), lot[row]
        down = missing // size * size
        after = stock[row] + down
        more = sum(gain(goods, row, k) for k in range(after + 1, after + size + 1))
        must = after < min(floor, level[row])
        if missing % size == 0:
            assert made[row] == missing
        elif must or abs(more) > 1e-9:  # a tie may fall either way by the last digit
            assert made[row] == (down + size if must or more > 0 else down)


@pytest.mark.slow
@settings(max_examples=40)
@given(shelves(), column(UNITS), column(UNITS), column(st.integers(1, 10**6)))
def test_an_order_is_whole_lots_and_next_to_what_is_missing(
    goods: Shelves, stock: np.ndarray, level: np.ndarray, lot: np.ndarray
) -> None:
    made = lots.order(stock, level, lot, 1, goods.outlook)
    missing = np.maximum(level - stock, 0)
    assert (made % lot == 0).all()
    assert (np.abs(made - missing) < lot).all()
    assert (made[missing == 0] == 0).all()
    assert ((stock + made >= 1) | (level < 1)).all()


@pytest.mark.slow
@settings(max_examples=40)
@given(
    shelves(), column(UNITS), column(UNITS), column(st.integers(1, 200)), column(st.integers(0, 9))
)
def test_with_the_position_below_which_a_lot_pays_nobody_needs_the_forecast(
    goods: Shelves, stock: np.ndarray, level: np.ndarray, lot: np.ndarray, floor: np.ndarray
) -> None:
    level = np.maximum(level, floor)
    pays = lots.lot_level(level, lot, goods.outlook)
    made = by_level(stock, level, lot, floor, pays)
    assert (made == lots.order(stock, level, lot, floor, goods.outlook)).all()


def test_without_it_the_nearer_rounding_is_taken_and_of_two_the_larger() -> None:
    level, lot = np.arange(ROWS) + 1, np.full(ROWS, 4)
    unknown = np.full(ROWS, np.nan)
    assert by_level(lot * 0, level, lot, 0, unknown).tolist() == [0, 4, 4, 4]
    assert by_level(lot * 0, level, lot, 1, unknown).tolist() == [4, 4, 4, 4]


def test_a_lot_of_thousands_is_weighed_by_some_of_its_units() -> None:
    goods = steady(mean=40_000.0, life=6.0)
    lot, stocked = np.full(ROWS, 30_000), np.full(ROWS, 60_000)
    each = sum(goods.outlook.gain(stocked + k)[0] for k in range(1, 30_001, 10)) * 10
    assert lots.worth(goods.outlook, stocked, lot)[0] == pytest.approx(each, rel=0.01)


def test_free_goods_stand_at_the_floor_or_at_their_service_level() -> None:
    goods = steady(mean=3.0, life=np.nan, price=0.0)
    assert (levels(goods.outlook, min_qty=2) == 2).all()
    assert (levels(goods.outlook, np.full(ROWS, 0.9), min_qty=2) == 6).all()
    free = lots.order(np.full(ROWS, 0), np.full(ROWS, 6), np.full(ROWS, 4), 2, goods.outlook)
    assert (free == 8).all()


def test_what_a_profile_says_of_its_costs_counts() -> None:
    goods = steady(mean=3.0, life=4.0)
    of = goods.forecast, goods.horizon, goods.life, goods.price
    dear = Economics(margin=np.array([0.3, 0.1, 0.6, 0.3]), cost=np.array([0.7, 0.9, 0.4, 0.7]))
    usual, own = levels(Outlook.of(*of)), levels(Outlook.of(*of, dear))
    assert (Outlook.of(*of).margin == DEFAULTS.margin * 2.0).all()
    assert own[1] < usual[1] < own[2]
    assert (own[[0, 3]] == usual[[0, 3]]).all()


@given(st.lists(column(UNITS), min_size=5, max_size=5))
def test_a_position_counts_what_can_serve(parts: list[np.ndarray]) -> None:
    assert (position(*parts) == np.maximum(sum(parts[:4]) - parts[4], 0)).all()


def steady(mean: float, life: float, price: float = 2.0) -> Shelves:
    """Shelves that are alike, with quantiles at 1, 1.5, 2 … times the mean."""
    quantiles = np.tile(np.array([1, 1.5, 2, 2.5, 3, 3.5]) * mean, (ROWS, 1)).round()
    horizon, lives, prices = (np.full(ROWS, v) for v in (3.0, life, price))
    return Shelves(Forecast(np.full(ROWS, mean), quantiles), horizon, lives, prices)
