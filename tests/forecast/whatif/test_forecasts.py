"""What-if orders by a model as the engine does by the levels that inference sends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lakeshelf.contracts.layers import Ops
from lakeshelf.forecast.orders import lots
from lakeshelf.forecast.orders.level import levels
from lakeshelf.forecast.whatif import lakes
from lakeshelf.forecast.whatif.history import DemandHistory, Goods
from lakeshelf.forecast.whatif.lakes import ReplayedShop
from lakeshelf.forecast.whatif.policies import ForecastPlanner, StockHeld, StockPolicy
from lakeshelf.forecast.whatif.steps import ReplaySteps
from lakeshelf.lake.rows import tables
from lakeshelf.shop.books import DecisionBooks
from lakeshelf.shop.naming import PROFILES
from tests.forecast.inference import ordered, shop
from tests.forecast.orders.forecasts import by_level
from tests.forecast.whatif import shops

ROOM = [n % 7 for n in range(len(shop.SHELVES))]
STATE = {"version": 1, "updated_at": ordered.BEGIN, "last_event_time": ordered.BEGIN}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake whose shelves are empty, with a few units in back rooms, on the cutoff day; it is only read."""
    root = tmp_path_factory.mktemp("ordered") / "lake"
    ordered.make(root)
    rooms = [
        {
            **STATE,
            "shelf_id": s,
            "store_id": "S0",
            "item_id": "I",
            "balance": n,
            "wh_current_stock": n,
        }
        for s, n in zip(shop.SHELVES, ROOM, strict=True)
    ]
    ordered.again(root, "cleansed/wh_state", *rooms)
    return root


def known(root: Path) -> ReplayedShop:
    """The shop on the cutoff day and six days after it, of which no features are stored."""
    profiles = tables.whole_rows(root, PROFILES).sort_by("shelf_id")
    goods, steps = Goods.of(profiles), ReplaySteps.of_days(shop.LAST, 7)
    units = np.ones((7, len(goods.shelf_id)), np.int64)
    past = DemandHistory(goods, steps, units, np.zeros(len(goods.shelf_id), np.int64))
    policy = StockPolicy(**lakes.policies(root, list(goods.shelf_id)))
    made = ReplayedShop(tuple(profiles["name"].to_pylist()), past, policy, None, 0)
    return lakes.foretold(root, made, policy, lambda *_: None)


def held(room: list[int]) -> StockHeld:
    nothing = np.zeros(len(room), np.int64)
    return StockHeld(np.array(room), nothing, nothing, nothing)


@pytest.mark.ml
@pytest.mark.slow
def test_orders_are_those_that_the_engine_makes_of_the_levels_that_were_sent(kept: Path) -> None:
    judged = (
        DecisionBooks.of(kept, ordered.engine(), lots=True).judged(shop.LAST).sort_by("shelf_id")
    )
    assert set(judged["source"].to_pylist()) == {"rule", "ml"}
    made = known(kept)
    orders = made.planner(made.policy).order(0, held(ROOM))
    assert orders.tolist() == judged["wanted"].to_pylist()
    by_rule = made.planner(replace(made.policy, plan_source="rule")).order(0, held(ROOM))
    assert by_rule.tolist() == judged["rule_qty"].to_pylist() != orders.tolist()


@pytest.mark.ml
@pytest.mark.slow
def test_a_cutoff_day_without_features_is_the_rule_s(kept: Path) -> None:
    made = known(kept)
    assert made.forecasts is not None
    assert [day is not None for day in made.forecasts.days] == [True, False, False]
    after = made.planner(made.policy).order(1, held(ROOM))
    assert (
        after.tolist()
        == made.planner(replace(made.policy, plan_source="rule")).order(1, held(ROOM)).tolist()
    )


@pytest.mark.ml
@pytest.mark.slow
def test_a_version_that_has_learned_from_what_came_after_is_told(kept: Path) -> None:
    said = known(kept).forecasts
    (row,) = tables.rows(kept, Ops.MODELS).to_pylist()
    assert said is not None
    assert said.versions == (row["model_version"],)
    assert said.learned == int(row["trained_until"] >= shop.LAST)


@pytest.mark.parametrize("allow_zero", [False, True])
def test_levels_from_a_forecast_are_rounded_as_the_engine_rounds_them(allow_zero: bool) -> None:
    past = shops.history()
    said, batch = shops.outlooks(past)[0], past.goods.batch
    policy = StockPolicy(plan_source="ml", min_qty=2, batch_multiplier=9, allow_zero=allow_zero)
    room = [n % 5 for n in range(len(batch))]
    level = levels(said, None, 2, allow_zero)
    pays, floor = lots.lot_level(level, batch * 9, said), 0 if allow_zero else 2
    engine = by_level(np.array(room), level, batch * 9, floor, pays)
    assert ForecastPlanner(policy, batch, [said]).order(0, held(room)).tolist() == engine.tolist()
    assert (engine[(level > 0) & (np.array(room) == 0)] == 0).any() == allow_zero
