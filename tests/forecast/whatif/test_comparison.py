"""Two policies are compared on the same days, and the same policy differs in nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from lakeshelf.errors import ConfigurationError
from lakeshelf.forecast.whatif.comparison import MEASURES, compared, compared_by
from lakeshelf.forecast.whatif.errors import NoReceipts, OutOfBounds, UnknownField
from lakeshelf.forecast.whatif.frontier import FrontierPoint, frontier, stock_at
from lakeshelf.forecast.whatif.history import DemandHistory, Goods
from lakeshelf.forecast.whatif.policies import StockPolicy
from lakeshelf.forecast.whatif.replay import planner, replay
from tests.forecast.whatif.shops import FIRST, history, outlooks, profiles

PAST = history()
RULE = StockPolicy()


def test_the_same_policy_differs_in_nothing() -> None:
    sides = replay(PAST, RULE), replay(PAST, replace(RULE))
    for stores in (sides, sides[::-1]):
        for difference in compared(*stores):
            assert (difference.difference, difference.low, difference.high) == (0, 0, 0)


def test_a_difference_stands_in_its_interval_and_is_drawn_again() -> None:
    sides = replay(PAST, RULE), replay(PAST, RULE.changed({"reorder_point_qty": 3}))
    first, again, other = (compared(*sides, seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    assert [d.measure for d in first] == list(MEASURES)
    by_name = {d.measure: d for d in first}
    assert all(d.low <= d.difference <= d.high for d in first)
    assert by_name["stock"].high < 0
    assert by_name["fill"].high <= 0
    assert by_name["cost"].before == pytest.approx(
        sum(by_name[name].before for name in ("lost_margin", "waste_cost", "holding"))
    )


@pytest.mark.parametrize("column", ["store_id", "category"])
def test_stores_and_categories_add_up_to_the_whole(column: str) -> None:
    sides = replay(PAST, RULE), replay(PAST, RULE.changed({"reorder_point_qty": 3}))
    whole = {d.measure: d for d in compared(*sides)}
    parts = compared_by(*sides, column)
    assert set(parts) == set(getattr(PAST.goods, column))
    for name in ("lost_units", "stock_days", "orders", "ordered", "wasted", "cost"):
        part = [next(d for d in found if d.measure == name) for found in parts.values()]
        assert sum(d.before for d in part) == pytest.approx(whole[name].before)
        assert sum(d.after for d in part) == pytest.approx(whole[name].after)


def test_shelves_that_sold_nothing_have_no_fill() -> None:
    idle = replace(PAST, units=np.where(np.arange(60) == 0, PAST.units, 0))
    found = compared(*[replay(idle, RULE)] * 2, rows=np.array([1, 2]))
    assert math.isnan(found[0].before)
    assert math.isnan(found[0].low)


def test_a_frontier_shows_what_more_stock_buys() -> None:
    one = replace(PAST, goods=replace(PAST.goods, life=np.full(60, np.nan)))
    ml = {"plan_source": "ml", "batch_multiplier": 1}
    levels = {
        str(share): RULE.changed({**ml, "service_level": share}) for share in (0.5, 0.8, 0.95, 0.99)
    }
    points = frontier(one, levels, outlooks(one))
    assert [p.policy for p in points] == list(levels)
    fills = [p.measures["fill"] for p in points]
    assert fills == sorted(fills)
    assert fills[0] < fills[-1]
    between = (fills[0] + fills[-1]) / 2
    stock = stock_at(points, between)
    assert stock is not None
    assert points[0].measures["stock"] < stock < points[-1].measures["stock"]


def test_stock_at_a_fill_lies_on_the_line_between_its_neighbours() -> None:
    shown = [(1.0, 0.5), (2.0, 0.7), (2.5, 0.6), (3.0, 0.9)]
    points = [FrontierPoint("", {"stock": stock, "fill": fill}) for stock, fill in shown]
    assert stock_at(points, 0.5) == 1.0
    assert stock_at(points, 0.6) == pytest.approx(1.5)
    assert stock_at(points, 0.8) == pytest.approx(2.5)
    assert stock_at(points, 0.95) is stock_at(points, 0.4) is stock_at([], 0.5) is None


def test_levels_from_costs_cost_less_than_the_default_rule() -> None:
    ml = RULE.changed({"plan_source": "ml"})
    by_model = replay(PAST, ml, planner(ml, PAST.goods.batch, outlooks(PAST)))
    cost = next(d for d in compared(replay(PAST, RULE), by_model) if d.measure == "cost")
    assert cost.high < 0


def test_receipts_become_a_history() -> None:
    day, shelf = np.nonzero(PAST.units)
    rows = {
        "shelf_id": [*PAST.goods.shelf_id[shelf], "S0", "S1", "S0", "elsewhere"],
        "day": [FIRST + timedelta(days=int(n)) for n in (*day, -5, 3, 90, 1)],
        "units": [*PAST.units[day, shelf].tolist(), 4, -2, 1, 9],
    }
    goods = Goods.of(profiles(PAST))
    made = DemandHistory.of_days(goods, pa.table(rows), PAST.steps)
    assert (made.units == PAST.units).all()
    assert made.begins[0] == 0
    first = (PAST.units > 0).argmax(axis=0)
    assert (made.begins[1:] == first[1:]).all()
    assert np.array_equal(goods.life, PAST.goods.life, equal_nan=True)
    assert (goods.batch == PAST.goods.batch).all()


def test_days_without_receipts_are_refused() -> None:
    nothing = pa.table({"shelf_id": ["S0"], "day": [FIRST - timedelta(days=1)], "units": [3]})
    with pytest.raises(NoReceipts, match="nothing was sold in 28 days from 2017-10-15; name other"):
        DemandHistory.of_days(PAST.goods, nothing, PAST.steps)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "treshold_pct",
            "no field that changes an order 'treshold_pct'; did you mean threshold_pct",
        ),
        ("near_expiry_days", "no field that changes an order"),
    ],
)
def test_an_unknown_field_is_refused(name: str, message: str) -> None:
    with pytest.raises(UnknownField, match=message):
        RULE.changed({name: 1})


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("threshold_pct", 101, "from 0 to 100"),
        ("min_qty", -1, "from 0 to"),
        ("batch_multiplier", 0, "from 1 to"),
        ("reorder_point_qty", np.array([1, -3]), "reorder_point_qty is -3; give a value from 0"),
        ("target_pct", np.nan, "target_pct is nan"),
        ("service_level", 0.999, "from 0.5 to 0.995"),
        ("plan_source", "oracle", "give rule or ml"),
    ],
)
def test_a_value_out_of_bounds_is_refused(name: str, value: object, hint: str) -> None:
    with pytest.raises(OutOfBounds, match=hint):
        RULE.changed({name: value})


def test_orders_of_a_model_need_forecasts() -> None:
    with pytest.raises(ConfigurationError, match="there are no forecasts"):
        planner(RULE.changed({"plan_source": "ml"}), PAST.goods.batch)
