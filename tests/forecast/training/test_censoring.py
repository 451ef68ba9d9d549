"""Where shelves were empty, receipts are fewer than what customers wanted: a model is held to what they wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from lakeshelf.forecast.demand import labels
from lakeshelf.forecast.demand.chosen import sampled
from lakeshelf.forecast.demand.daily import SCHEMA
from lakeshelf.forecast.demand.rows import ForecastInputs, features
from lakeshelf.forecast.demand.segments import segment
from lakeshelf.forecast.frames import DEMAND, WEIGHT
from lakeshelf.forecast.model.boosted import BoostingSettings
from lakeshelf.forecast.model.folds import PLAN, EvaluationFold, usable
from lakeshelf.forecast.training import trials
from lakeshelf.forecast.training.lessons import after_warm_up
from tests.forecast.demand.worlds import BEGIN, Row, day, sold
from tests.forecast.training import simulated

pytestmark = [
    pytest.mark.slow,
    pytest.mark.ml,
]  # plays three months of stores, and trains two models
DAYS, EMPTY, OFF = 90, 0.1, 0.03
"""Days; share of the shelf-days on which a shelf is empty; how far the forecasts may be off in all."""
HIDDEN = {"units": 0, "lines": 0, "lost_units": None, "stockout_hours": 14.0}


def stocked_out(world: ForecastInputs) -> ForecastInputs:
    """The same shop, whose shelves were empty on some days; nobody observed who went away."""
    random = np.random.default_rng(1)
    rows: dict[tuple[str, int], Row] = {
        (row["shelf_id"], (row["day"] - BEGIN).days): row
        | {"lost_units": None, "stockout_hours": 0.0}
        for row in world.demand.to_pylist()
    }
    for shelf in world.shelves.to_pylist():
        own = {name: shelf[name] for name in ("store_id", "item_id")}
        for n in np.flatnonzero(random.random(DAYS) < EMPTY).tolist():
            rows[shelf["shelf_id"], n] = sold(shelf["shelf_id"], n, **own, **HIDDEN)
    ordered = [rows[key] for key in sorted(rows)]
    return replace(world, demand=pa.Table.from_pylist(ordered, SCHEMA))


@pytest.fixture(scope="module")
def world() -> ForecastInputs:
    return simulated.lived(seed=2, number=3, shelves=120, days=DAYS)


@pytest.fixture(scope="module")
def biased(world: ForecastInputs) -> Callable[..., float]:
    """Bias of a model that has learned from a shop, against what its customers wanted in the last weeks."""
    cutoffs = after_warm_up(BEGIN, day(DAYS))

    def bias(shop: ForecastInputs, *, blind: bool = False) -> float:
        picked = sampled(shop.demand, cutoffs)
        rows = pa.concat_tables(features(picked, shop))
        its, wants = (labels.labels(picked, one.demand, day(DAYS)) for one in (shop, world))
        weight = wants[WEIGHT] if blind else its[WEIGHT]
        rows = rows.append_column(DEMAND, its[DEMAND]).append_column(WEIGHT, weight)
        fold: EvaluationFold = trials.newest(usable(rows), PLAN)
        model = trials.boosted(usable(rows), BoostingSettings(), DAYS)
        test = fold.test(rows.append_column("wants", wants[DEMAND]))
        mean = model.fit(fold.train(usable(rows)))(test).mean
        active = segment(test, "active")
        return float(mean[active].sum() / test["wants"].to_numpy()[active].sum() - 1)

    return bias


def test_where_lost_sales_are_not_observed_a_model_forecasts_what_was_wanted(
    world: ForecastInputs, biased: Callable[..., float]
) -> None:
    """One that takes receipts for wants forecasts less."""
    shop = stocked_out(world)
    assert abs(biased(shop)) <= OFF
    assert biased(shop, blind=True) < -OFF
