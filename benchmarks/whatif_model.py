"""The model, and the baselines calibrated alike, as sources of plans in a replay of real receipts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks import receipts
from benchmarks.harness import Figure, Parameters
from lakeshelf.forecast.demand.chosen import every
from lakeshelf.forecast.demand.rows import ForecastInputs, features
from lakeshelf.forecast.demand.windows import cutoffs
from lakeshelf.forecast.frames import KEY, Forecast
from lakeshelf.forecast.model.boosted import BoostingSettings
from lakeshelf.forecast.model.contenders import Forecaster
from lakeshelf.forecast.model.folds import PLAN, EvaluationFold, usable
from lakeshelf.forecast.model.registry import contenders
from lakeshelf.forecast.orders.economics import Outlook
from lakeshelf.forecast.training.trials import NAME as MODEL
from lakeshelf.forecast.training.trials import boosted
from lakeshelf.forecast.whatif.comparison import compared, compared_by
from lakeshelf.forecast.whatif.frontier import FrontierPoint, frontier, stock_at
from lakeshelf.forecast.whatif.history import DemandHistory, Goods
from lakeshelf.forecast.whatif.policies import StockPolicy, outlook
from lakeshelf.forecast.whatif.replay import planner, replay
from lakeshelf.settings import load_settings

RIVALS = ("moving_average_91", "sba", "tsb")
"""Baselines that need the least stock."""
RULE = StockPolicy()
ML = RULE.changed({"plan_source": "ml"})
SERVICES = (0.50, 0.70, 0.80, 0.90, 0.95, 0.97, 0.98, 0.99, 0.995)
BELOW_RULE, BELOW_RIVALS = {0.85: 50.0, 0.89: 50.0}, {0.85: 8.0, 0.89: 12.0}
"""Fill → percent by which stock is to be below that of the rule, and of the best baseline."""


def figures(parameters: Parameters) -> Iterator[Figure]:
    """Time of a comparison with the model, and what it needs of stock and cost."""
    stores = f"{parameters['stores']} stores, a quarter, two policies, the model orders"
    yield Figure("model_s", f"{stores}: forecasts and differences", "s", 60)
    yield Figure("model_cpu_s", f"{stores}: processor time", "s")
    lasting, fresh = "lasting goods, the model", "fresh goods, the model, levels from costs"
    for fill, goal in BELOW_RULE.items():
        of = f"stock at a fill of {fill:.2f}"
        yield Figure(f"model_{fill:.2f}", f"{lasting}: {of}", "units")
        yield Figure(
            f"below_rule_{fill:.2f}", f"{lasting}: {of}, below the rule", "%", goal, higher=True
        )
        yield Figure(f"rivals_{fill:.2f}", f"lasting goods, best baseline: {of}", "units")
        best = f"{lasting}: {of}, below the best baseline, calibrated alike"
        yield Figure(f"below_rivals_{fill:.2f}", best, "%", BELOW_RIVALS[fill], higher=True)
    yield Figure("fresh_model", f"{fresh}: cost", "currency")
    yield Figure("fresh_model_fill", f"{fresh}: fill", "share")
    yield Figure(
        "fresh_below_rule", f"{fresh}: cost below the best reorder point", "%", 85, higher=True
    )
    below = f"{fresh}: cost below the best baseline with the same economics"
    yield Figure("fresh_below_rivals", below, "%", 3, higher=True)


@dataclass(frozen=True)
class Taught:
    """Who has learned from the receipts before a day, and the features of the cutoff days from it on.

    Args:
        forecasters: Name → who forecasts.
        rows: Cutoff day → features of the shelves, in their order.
    """

    forecasters: Mapping[str, Forecaster]
    rows: Mapping[date, pa.Table]

    @classmethod
    def of(
        cls,
        known: ForecastInputs,
        goods: Goods,
        span: tuple[date, date],
        parameters: Parameters,
        seed: int,
    ) -> Taught:
        """Train the model and calibrate baselines on rows whose labels were known when a span began.

        Args:
            known: The year of the stores.
            goods: The shelves that are replayed.
            span: First day, and the day after the last one.
            parameters: `stores`, `trees` and `sample`.
            seed: Of the training.
        """
        cache = load_settings().cache_dir / "receipts"
        every_row = usable(pq.read_table(receipts.trial(cache, range(parameters["stores"]))))
        train = EvaluationFold(*span, PLAN.settle_days).train(every_row)
        settings = replace(
            BoostingSettings(), seed=seed, trees=parameters["trees"], sample=parameters["sample"]
        )
        asked = {one.name: one for one in contenders(boosted(train, settings))}
        fitted = {name: asked[name].fit(train) for name in (*RIVALS, MODEL)}
        return cls(fitted, _by_day(known, goods, span))

    def forecasts(self, name: str) -> dict[date, Forecast]:
        """What one of them says of each cutoff day."""
        return {day: self.forecasters[name](rows) for day, rows in self.rows.items()}

    def outlooks(self, name: str, history: DemandHistory) -> list[Outlook]:
        """What one of them promises, a cutoff of a history."""
        said, steps = self.forecasts(name), history.steps
        return [
            outlook(history.goods, cutoff, said[steps.first + timedelta(days=cutoff.day)])
            for cutoff in steps.cutoffs
        ]


def _by_day(known: ForecastInputs, goods: Goods, span: tuple[date, date]) -> dict[date, pa.Table]:
    shelves = pa.table({KEY[0]: pa.array(goods.shelf_id, pa.string())})
    made = pa.concat_tables(features(every(shelves, cutoffs(*span)), known))
    days = made[KEY[1]].unique().to_pylist()
    by_day = {day: made.filter(pc.equal(made[KEY[1]], pa.scalar(day))) for day in days}
    if any(rows[KEY[0]].to_pylist() != goods.shelf_id.tolist() for rows in by_day.values()):
        raise AssertionError("features and goods are of different shelves")
    return by_day


def timed(taught: Taught, quarter: DemandHistory, seed: int) -> dict[str, float]:
    """Time of a comparison of the default policy with the model, whose features are stored."""
    began, cpu = time.perf_counter(), time.process_time()
    orders = planner(ML, quarter.goods.batch, taught.outlooks(MODEL, quarter))
    sides = replay(quarter, RULE), replay(quarter, ML, orders)
    compared(*sides, seed=seed)
    for column in ("store_id", "category"):
        compared_by(*sides, column, seed=seed)
    spent = time.process_time() - cpu
    return {"model_s": time.perf_counter() - began, "model_cpu_s": spent}


def lasting(
    history: DemandHistory, taken: Callable[[str], Sequence[Outlook]], rule: Sequence[FrontierPoint]
) -> dict[str, float]:
    """Stock at some fills, and how far it is below others'.

    Args:
        history: Of lasting goods.
        taken: Who forecasts → outlooks of these goods.
        rule: What reorder points reach.
    """
    services = {str(service): ML.changed({"service_level": service}) for service in SERVICES}
    reached = {name: frontier(history, services, taken(name)) for name in (*RIVALS, MODEL)}
    measured: dict[str, float] = {}
    for fill in BELOW_RULE:
        needed = {name: stock(points, fill) for name, points in reached.items()}
        own, rivals = needed.pop(MODEL), min(needed.values())
        measured |= {
            f"model_{fill:.2f}": own,
            f"rivals_{fill:.2f}": rivals,
            f"below_rule_{fill:.2f}": below(own, stock(rule, fill)),
            f"below_rivals_{fill:.2f}": below(own, rivals),
        }
    return measured


def fresh(
    history: DemandHistory, taken: Callable[[str], Sequence[Outlook]], best_rule: float
) -> dict[str, float]:
    """Cost of fresh goods whose levels follow from costs, and how far it is below others'.

    Args:
        history: Of fresh goods.
        taken: Who forecasts → outlooks of these goods.
        best_rule: Cost under the best reorder point.
    """
    policy = {"": ML.changed({"allow_zero": True})}
    reached = {
        name: frontier(history, policy, taken(name))[0].measures for name in (*RIVALS, MODEL)
    }
    own = reached.pop(MODEL)
    rivals = min(measures["cost"] for measures in reached.values())
    return {
        "fresh_model": own["cost"],
        "fresh_model_fill": own["fill"],
        "fresh_below_rule": below(own["cost"], best_rule),
        "fresh_below_rivals": below(own["cost"], rivals),
    }


def below(own: float, other: float) -> float:
    """Percent by which a number is below another one."""
    return 100 * (1 - own / other)


def stock(points: Sequence[FrontierPoint], fill: float) -> float:
    """Stock a shelf at which a fill is reached; NaN: no points are next to it."""
    reached = stock_at(points, fill)
    return math.nan if reached is None else reached
