"""The replay of many shelves is the plain one of each, and keeps the books."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.forecast.orders import lots
from lakeshelf.forecast.orders.distribution import Ints
from lakeshelf.forecast.whatif.history import DemandHistory, Goods
from lakeshelf.forecast.whatif.policies import StockHeld, StockPolicy, position_of
from lakeshelf.forecast.whatif.replay import ReplayOutcome, replay
from lakeshelf.forecast.whatif.steps import ReplaySteps
from tests.forecast.whatif.plain import Shop

SHELVES, DAYS = 3, 17
FIRST = date(2017, 10, 15)
HOURS = (0, 8, 12, 20)
BY_DAY = ReplaySteps.of_days(FIRST, DAYS)
BY_HOUR = ReplaySteps.of_moments(
    [
        datetime(FIRST.year, FIRST.month, FIRST.day, hour, tzinfo=UTC) + timedelta(days=n)
        for n in range(DAYS)
        for hour in HOURS
    ]
)


@dataclass(frozen=True)
class LevelPlanner:
    """Orders up to levels that somebody else made, rounded up to whole lots.

    Args:
        levels: A row a cutoff, a column a shelf.
        lot: Units of a lot, one a shelf.
    """

    levels: Ints
    lot: Ints

    def order(self, cutoff: int, held: StockHeld) -> Ints:
        """See `Planner`."""
        missing = np.maximum(self.levels[cutoff] - position_of(held), 0)
        return lots.rounded_up(missing.astype(np.int64), self.lot)


def entries(values: st.SearchStrategy[Any]) -> st.SearchStrategy[np.ndarray]:
    return st.lists(values, min_size=SHELVES, max_size=SHELVES).map(np.array)


@st.composite
def goods(draw: st.DrawFn) -> Goods:
    names = np.array([f"S{n}" for n in range(SHELVES)], dtype=object)
    lives = st.one_of(st.just(np.nan), st.integers(0, 9).map(float))
    full = draw(st.one_of(st.none(), entries(st.integers(0, 12))))
    return Goods(
        names,
        names,
        names,
        draw(entries(st.floats(0, 9))),
        draw(entries(lives)),
        draw(entries(st.integers(1, 6))),
        full,
    )


@st.composite
def histories(draw: st.DrawFn, steps: ReplaySteps | None = None) -> DemandHistory:
    of = steps or draw(st.sampled_from([BY_DAY, BY_HOUR]))
    size = len(of.steps) * SHELVES
    units = draw(st.lists(st.integers(0, 7), min_size=size, max_size=size))
    demand = np.array([1, *units[1:]]).reshape(-1, SHELVES)
    return DemandHistory(draw(goods()), of, demand, np.zeros(SHELVES, np.int64))


policies = st.builds(
    StockPolicy,
    threshold_pct=entries(st.floats(0, 100).map(lambda v: round(v, 1))),
    min_qty=entries(st.integers(0, 5)),
    target_pct=entries(st.floats(0, 100).map(lambda v: round(v, 1))),
    reorder_point_qty=entries(st.integers(0, 25)),
    batch_multiplier=entries(st.integers(1, 3)),
)
openings = st.one_of(st.none(), st.tuples(entries(st.integers(0, 9)), entries(st.integers(0, 9))))


def plain(
    history: DemandHistory,
    policy: StockPolicy,
    order: Callable[[int], Callable[..., int]],
    opening: tuple[np.ndarray, np.ndarray] | None,
) -> list[Shop]:
    """Each shelf played by itself."""
    shops = []
    for n in range(SHELVES):
        life, full = history.goods.life[n], history.goods.max_stock
        shop = Shop(
            None if np.isnan(life) else int(life),
            None if full is None else int(full[n]),
            float(policy.threshold_pct[n]),
            int(policy.min_qty[n]),
            float(policy.target_pct[n]),
            order(n),
        )
        first = None if opening is None else (int(opening[0][n]), int(opening[1][n]))
        shop.play(history.steps, history.units[:, n].tolist(), first)
        shops.append(shop)
    return shops


def compare(outcome: ReplayOutcome, shops: list[Shop]) -> None:
    for n, shop in enumerate(shops):
        assert outcome.placed[:, n].tolist() == shop.placed
        for name in ("sold", "wasted", "stock_days"):
            assert outcome.sums[name][:, n].sum() == getattr(shop, name), name
        assert outcome.received[n] == shop.received
        assert outcome.left[n] == shop.room.units + shop.shelf.units


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(histories(), policies, openings)
def test_the_rule_is_replayed_as_lot_by_lot(
    history: DemandHistory, policy: StockPolicy, opening: tuple[np.ndarray, np.ndarray] | None
) -> None:
    def order(n: int) -> Callable[..., int]:
        lot = int(history.goods.batch[n] * policy.batch_multiplier[n])
        point = int(policy.reorder_point_qty[n])

        def by_rule(cutoff: int, room: int, shelf: int, ordered: int, expiring: int) -> int:
            return -(-max(point - room - ordered, 0) // lot) * lot if room < point else 0

        return by_rule

    compare(replay(history, policy, opening=opening), plain(history, policy, order, opening))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(histories(), policies, openings, st.integers(0, 99))
def test_levels_are_replayed_as_lot_by_lot(
    history: DemandHistory,
    policy: StockPolicy,
    opening: tuple[np.ndarray, np.ndarray] | None,
    seed: int,
) -> None:
    levels = np.random.default_rng(seed).integers(0, 20, (len(history.steps.cutoffs), SHELVES))

    def order(n: int) -> Callable[..., int]:
        lot = int(history.goods.batch[n])

        def to_level(cutoff: int, room: int, shelf: int, ordered: int, expiring: int) -> int:
            held = max(room + shelf + ordered - expiring, 0)
            return -(-max(int(levels[cutoff, n]) - held, 0) // lot) * lot

        return to_level

    planner = LevelPlanner(levels, history.goods.batch)
    compare(replay(history, policy, planner, opening), plain(history, policy, order, opening))


@settings(max_examples=25, deadline=None)
@given(histories(), policies, openings)
def test_no_unit_is_lost(
    history: DemandHistory, policy: StockPolicy, opening: tuple[np.ndarray, np.ndarray] | None
) -> None:
    outcome = replay(history, policy, opening=opening)
    gone = outcome.sums["sold"].sum(axis=0) + outcome.sums["wasted"].sum(axis=0)
    assert (outcome.received == gone + outcome.left).all()
    assert (outcome.sums["sold"] <= outcome.sums["demand"]).all()
    assert (outcome.sums["demand"].sum(axis=0) == history.units.sum(axis=0)).all()
    assert (outcome.left >= 0).all()


@settings(max_examples=25, deadline=None)
@given(histories(BY_DAY), st.integers(0, 15), st.integers(0, 10))
def test_more_lasting_stock_in_reach_never_sells_less(
    history: DemandHistory, level: int, more: int
) -> None:
    """Only so: goods that expire take fresher ones' places, and what is in the back room may be out of reach."""
    lasting = replace(history.goods, life=np.full(SHELVES, np.nan), max_stock=None)
    singles = replace(lasting, batch=np.ones(SHELVES, np.int64))
    cutoffs = len(history.steps.cutoffs)
    sold = [
        replay(
            replace(history, goods=singles),
            StockPolicy(),
            LevelPlanner(np.full((cutoffs, SHELVES), units), singles.batch),
        )
        .sums["sold"]
        .cumsum(axis=0)
        for units in (level, level + more)
    ]
    assert (sold[0] <= sold[1]).all()


def test_a_shelf_counts_from_its_first_sale() -> None:
    steps = ReplaySteps.of_days(FIRST, 14)
    names = np.array(["S0"], dtype=object)
    ones = np.ones(1, np.int64)
    things = Goods(names, names, names, ones * 1.0, np.array([2.0]), ones, ones * 8)
    units = np.zeros((14, 1), np.int64)
    units[10] = 3
    late = replay(DemandHistory(things, steps, units, np.array([10])), StockPolicy())
    assert late.sums["days"].sum(axis=1).tolist() == [0, 4]
    assert late.sums["wasted"][0].sum() == 0
    always = replay(DemandHistory(things, steps, units, np.array([0])), StockPolicy())
    assert always.sums["wasted"][0].sum() > 0
    assert (always.placed == late.placed).all()
