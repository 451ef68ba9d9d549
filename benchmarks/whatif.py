"""What if: other policies on a quarter of real receipts, and what stock buys under the rule and under levels."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from benchmarks import receipts, whatif_known, whatif_model
from benchmarks.harness import Benchmark, Figure, Parameters, Run, main, rounded
from benchmarks.whatif_model import ML, RULE, SERVICES, Taught
from lakeshelf.forecast.demand.rows import ForecastInputs
from lakeshelf.forecast.frames import Floats, Forecast
from lakeshelf.forecast.model.boosted import BoostingSettings
from lakeshelf.forecast.model.calibration import Calibration, calibrated
from lakeshelf.forecast.orders.distribution import Ints
from lakeshelf.forecast.orders.economics import Outlook
from lakeshelf.forecast.training.trials import NAME
from lakeshelf.forecast.whatif.comparison import compared, compared_by
from lakeshelf.forecast.whatif.frontier import FrontierPoint, frontier, stock_at
from lakeshelf.forecast.whatif.history import DemandHistory, Goods
from lakeshelf.forecast.whatif.policies import StockPolicy, outlook
from lakeshelf.forecast.whatif.replay import replay
from lakeshelf.forecast.whatif.steps import Cutoff, ReplaySteps

ACTIVE, SINCE, END = date(2017, 10, 1), date(2017, 10, 15), date(2017, 12, 31)
"""First day of the comparison, first day of the frontiers, and the day after the last."""
PAST, MONTH = 91, timedelta(days=28)
"""Days of a moving average, and of what it is calibrated on before the first cutoff."""
BEFORE = SINCE - MONTH - timedelta(days=PAST)
FRESH = 7
"""Days of life up to which goods are fresh."""
FILLS = (0.80, 0.85, 0.89, 0.92)
POINTS = (1, 2, 3, 4, 5, 6, 8, 10)
SHELVES = """
SELECT s.*, 1 AS standard_batch_size, 4 + peak AS max_stock, revenue / units AS unit_price
FROM shelves AS s JOIN (
    SELECT shelf_id, max(units) AS peak, sum(revenue)::DOUBLE AS revenue, sum(units) AS units
    FROM demand WHERE day < $day AND day >= $day - 91 GROUP BY shelf_id HAVING sum(lines) >= 2) USING (shelf_id)
ORDER BY shelf_id
"""


def figures(parameters: Parameters) -> list[Figure]:
    """Time of a comparison, and stock and cost that policies come to."""
    stores = f"{parameters['stores']} stores, a quarter, two policies"
    return [
        Figure("whatif_s", f"{stores}: differences in all, by store and by category", "s", 60),
        Figure("whatif_cpu_s", f"{stores}: processor time", "s"),
        Figure("shelves", f"{stores}: shelves", "shelves"),
        Figure("default_fill", "lasting goods, default rule: fill", "share"),
        Figure("default_stock", "lasting goods, default rule: stock a shelf", "units"),
        Figure("default_waste", "lasting goods, default rule: share of what leaves that is waste", "share"),
        *(Figure(f"rule_{f:.2f}", f"lasting goods, rule: stock at a fill of {f:.2f}", "units") for f in FILLS),
        *(
            Figure(f"average_{f:.2f}", f"lasting goods, moving average: stock at a fill of {f:.2f}", "units")
            for f in FILLS
        ),
        Figure("fresh_rule", "fresh goods, best reorder point: cost", "currency"),
        Figure("fresh_average", "fresh goods, moving average, levels from costs: cost", "currency"),
        Figure("fresh_fill", "fresh goods, moving average, levels from costs: fill", "share"),
        *whatif_model.figures(parameters),
        *whatif_known.figures(),
    ]  # fmt: skip


def run(parameters: Parameters, seed: int, folder: Path, say: Callable[[str], None]) -> Run:
    """Comparisons of two policies, then frontiers of lasting goods and costs of fresh ones."""
    known = receipts.year(range(parameters["stores"]))
    goods = Goods.of(active(known))
    say(f"{len(goods.shelf_id):,} active shelves are there")
    quarter = DemandHistory.of_days(goods, known.demand, days(ACTIVE, END))
    measured = timed(quarter, seed) | {"shelves": len(goods.shelf_id)}
    say(f"two policies in {measured['whatif_s']:.1f} s")
    taught = Taught.of(known, goods, (ACTIVE, END), parameters, seed)
    measured |= whatif_model.timed(taught, quarter, seed)
    say(f"with the model in {measured['model_s']:.1f} s")
    later = DemandHistory.of_days(replace(goods, max_stock=None), known.demand, days(SINCE, END))
    past = DemandHistory.of_days(goods, known.demand, days(BEFORE, END)).units
    outlooks = averages(later, past)
    is_fresh = goods.life <= FRESH
    its, promised = taken(later, outlooks, ~is_fresh)
    by_rule = frontier(its, points())
    measured |= default(its) | lasting(its, promised, by_rule)
    measured |= whatif_model.lasting(its, _of(taught, later, ~is_fresh), by_rule)
    say("lasting goods are replayed")
    its, promised = taken(later, outlooks, is_fresh)
    measured |= costs(its, promised)
    measured |= whatif_model.fresh(its, _of(taught, later, is_fresh), measured["fresh_rule"])
    measured |= bounds(later, past, taught, measured, seed)
    return {"figures": rounded(measured)}


def bounds(
    history: DemandHistory, past: Ints, taught: Taught, measured: Mapping[str, float], seed: int
) -> dict[str, float]:
    """What a forecast can save at most, if demand came by chance at the rates of the model.

    Args:
        history: Goods and days from `SINCE` on.
        past: Units of each day from `BEFORE` on.
        taught: Who says the rates.
        measured: What others need.
        seed: Of the draws.
    """
    known = whatif_known.Known.of(history, taught.forecasts(NAME), seed)
    drawn = known.history
    is_fresh = history.goods.life <= FRESH
    least = whatif_known.lasting(*taken(drawn, known.outlooks, ~is_fresh), measured)
    average = averages(drawn, np.vstack([past[: (SINCE - BEFORE).days], drawn.units]))
    its, knows = taken(drawn, known.outlooks, is_fresh)
    return least | whatif_known.fresh(its, knows, taken(drawn, average, is_fresh)[1])


def _of(taught: Taught, history: DemandHistory, rows: Any) -> Callable[[str], Sequence[Outlook]]:
    """Who forecasts → outlooks of some shelves."""
    return lambda name: taken(history, taught.outlooks(name, history), rows)[1]


def days(first: date, end: date) -> ReplaySteps:
    """Steps of the days before `end`."""
    return ReplaySteps.of_days(first, (end - first).days)


def active(known: ForecastInputs) -> pa.Table:
    """Profiles of the shelves that are active when the quarter begins, which no later receipt has changed."""
    with duckdb.connect() as db:
        db.register("demand", known.demand).register("shelves", known.shelves)
        return db.execute(SHELVES, {"day": ACTIVE}).to_arrow_table()


def timed(quarter: DemandHistory, seed: int) -> dict[str, float]:
    """Time of a comparison of the default policy and one that fills shelves less often and back rooms less."""
    began, cpu = time.perf_counter(), time.process_time()
    other = RULE.changed({"threshold_pct": 20, "reorder_point_qty": 5})
    sides = replay(quarter, RULE), replay(quarter, other)
    compared(*sides, seed=seed)
    for column in ("store_id", "category"):
        compared_by(*sides, column, seed=seed)
    spent = time.process_time() - cpu
    return {"whatif_s": time.perf_counter() - began, "whatif_cpu_s": spent}


def default(history: DemandHistory) -> dict[str, float]:
    """What the default rule comes to."""
    outcome = replay(history, RULE)
    measures, sold = FrontierPoint.of("", outcome).measures, outcome.sums["sold"].sum()
    return {
        "default_fill": measures["fill"],
        "default_stock": measures["stock"],
        "default_waste": measures["wasted"] / (measures["wasted"] + sold),
    }


def averages(history: DemandHistory, units: Ints) -> list[Outlook]:
    """What a moving average promises, calibrated on the month before the first day.

    Args:
        history: Where the cutoffs are.
        units: Units of each day from `BEFORE` on.
    """
    sums = np.vstack([np.zeros((1, units.shape[1]), np.int64), units.cumsum(axis=0)])
    begin = (SINCE - BEFORE).days
    month = [c for c in days(SINCE - MONTH, SINCE).cutoffs if c.until <= MONTH.days]
    past = [_mean(sums, begin - MONTH.days + c.day, c) for c in month]
    demand = [_window(sums, begin - MONTH.days + c.day, c) for c in month]
    flat = np.concatenate(past), np.concatenate(demand).astype(np.float64)
    fitted = calibrated(*flat, np.ones(len(flat[0])))
    return [
        outlook(history.goods, c, _forecast(fitted, _mean(sums, begin + c.day, c)))
        for c in history.steps.cutoffs
    ]


def taken(
    history: DemandHistory, outlooks: Sequence[Outlook], rows: Any
) -> tuple[DemandHistory, list[Outlook]]:
    """The same of some shelves."""
    numbers = np.flatnonzero(rows)
    return history.take(numbers), [one.take(numbers) for one in outlooks]


def lasting(
    history: DemandHistory, outlooks: Sequence[Outlook], by_rule: Sequence[FrontierPoint]
) -> dict[str, float]:
    """Stock at some fills under reorder points and under levels by quantile."""
    sides = {
        "rule": by_rule,
        "average": frontier(history, {str(s): ML.changed({"service_level": s}) for s in SERVICES}, outlooks),
    }  # fmt: skip
    return {
        f"{name}_{fill:.2f}": math.nan if (stock := stock_at(side, fill)) is None else stock
        for name, side in sides.items()
        for fill in FILLS
    }


def costs(history: DemandHistory, outlooks: Sequence[Outlook]) -> dict[str, float]:
    """Cost under the best reorder point, and under levels from costs."""
    by_rule = min(point.measures["cost"] for point in frontier(history, points()))
    (levels,) = frontier(history, {"": ML.changed({"allow_zero": True})}, outlooks)
    return {
        "fresh_rule": by_rule,
        "fresh_average": levels.measures["cost"],
        "fresh_fill": levels.measures["fill"],
    }


def points() -> dict[str, StockPolicy]:
    """The rule with each reorder point."""
    return {str(units): RULE.changed({"reorder_point_qty": units}) for units in POINTS}


def _window(sums: Ints, day: int, cutoff: Cutoff) -> Ints:
    return np.asarray(sums[day + cutoff.until - cutoff.day] - sums[day])


def _mean(sums: Ints, day: int, cutoff: Cutoff) -> Floats:
    return np.asarray((sums[day] - sums[day - PAST]) * (cutoff.until - cutoff.day) / PAST)


def _forecast(fitted: Calibration, mean: Floats) -> Forecast:
    return Forecast(fitted.factor * mean, fitted.quantiles(mean))


BENCHMARK = Benchmark(
    name="whatif",
    title="What if: other policies on a quarter of real receipts",
    defaults={"stores": 10, "trees": BoostingSettings().trees, "sample": BoostingSettings().sample},
    quick={"stores": 1, "trees": 10, "sample": 5_000},
    figures=figures,
    run=run,
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
