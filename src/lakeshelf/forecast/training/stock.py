"""Stock that forecasts need for a fill: the newest fold under levels of quantiles, of goods that outlive it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.forecast.demand.segments import segment
from lakeshelf.forecast.frames import KEY, LEVELS, Forecast
from lakeshelf.forecast.model.folds import EvaluationFold
from lakeshelf.forecast.model.rows import days, kept, numbers, texts
from lakeshelf.forecast.model.scores import METRICS, PINBALL, JudgedForecasts
from lakeshelf.forecast.orders.distribution import Ints
from lakeshelf.forecast.orders.economics import Outlook
from lakeshelf.forecast.whatif.errors import NoReceipts
from lakeshelf.forecast.whatif.frontier import FrontierPoint, frontier, stock_at
from lakeshelf.forecast.whatif.history import DemandHistory, Goods
from lakeshelf.forecast.whatif.policies import StockPolicy, outlook
from lakeshelf.forecast.whatif.steps import Cutoff, ReplaySteps

FILLS = 5
"""At so many shares of demand that are sold, between the least and the most that both reach, stocks are compared."""
SERVICES = (0.50, 0.70, 0.80, 0.90, 0.95, 0.97, 0.98, 0.99, 0.995)
"""Service levels between which a fill is looked for."""
RIVALS = 3
"""So many rivals with the least pinball loss are replayed."""
ML = StockPolicy().changed({"plan_source": "ml"})


@dataclass(frozen=True)
class Scene:
    """What is replayed.

    Args:
        history: Demand of the fold, of goods that outlive it and were active when it began.
        cutoff: Number of the cutoff of each row of the fold's test.
        shelf: Number of its shelf; -1: it is not replayed.
    """

    history: DemandHistory
    cutoff: Ints
    shelf: Ints

    def points(self, judged: JudgedForecasts) -> list[FrontierPoint]:
        """Fill against stock under forecasts; of a shelf without a row nothing is expected."""
        cutoffs = enumerate(self.history.steps.cutoffs)
        outlooks = [self._outlook(number, cutoff, judged) for number, cutoff in cutoffs]
        policies = {str(level): ML.changed({"service_level": level}) for level in SERVICES}
        return frontier(self.history, policies, outlooks)

    def _outlook(self, number: int, cutoff: Cutoff, judged: JudgedForecasts) -> Outlook:
        goods = self.history.goods
        rows = np.flatnonzero((self.cutoff == number) & (self.shelf >= 0))
        mean, quantiles = np.zeros(len(goods.price)), np.zeros((len(goods.price), len(LEVELS)))
        mean[self.shelf[rows]] = judged.mean[rows]
        quantiles[self.shelf[rows]] = judged.quantiles[rows]
        return outlook(goods, cutoff, Forecast(mean, quantiles))


def ratio(
    test: pa.Table,
    fold: EvaluationFold,
    demand: pa.Table,
    model: JudgedForecasts,
    rivals: Mapping[str, JudgedForecasts],
) -> float | None:
    """Stock that a model needs over what a rival needs, at fills that both reach; of the rival that comes closest.

    Args:
        test: Rows of the fold's test.
        fold: The fold.
        demand: Rows of daily demand.
        model: Forecasts of the model.
        rivals: Forecasts of the others.

    Returns:
        None: there is nothing to replay, or no fill that both reach.
    """
    try:
        stage = scene(test, fold, demand)
    except NoReceipts:
        return None
    loss = METRICS[PINBALL]
    best = sorted(rivals.values(), key=loss)[:RIVALS]
    own = stage.points(model)
    ratios = [_ratio(own, stage.points(rival)) for rival in best]
    return max((one for one in ratios if one is not None), default=None)


def _ratio(own: list[FrontierPoint], rival: list[FrontierPoint]) -> float | None:
    """Stock of one side over that of the other, at fills that both reach."""
    fills = [[point.measures["fill"] for point in points] for points in (own, rival)]
    low, high = max(map(min, fills)), min(map(max, fills))
    pairs = ((stock_at(own, f), stock_at(rival, f)) for f in np.linspace(low, high, FILLS).tolist())
    both = [(mine, theirs) for mine, theirs in pairs if mine is not None and theirs is not None]
    mine, theirs = (sum(side) for side in zip(*both, strict=True)) if both else (0.0, 0.0)
    return mine / theirs if theirs > 0 else None


def scene(test: pa.Table, fold: EvaluationFold, demand: pa.Table) -> Scene:
    """What is replayed of a fold.

    Raises:
        NoReceipts: Nothing was sold of it.
    """
    first = kept(test, (days(test) == days(test).min()) & segment(test, "active"))
    length = (fold.end - fold.first).days
    goods = _goods(
        first.filter(pc.fill_null(pc.greater_equal(first["shelf_life_days"], length), True))
    )
    steps = ReplaySteps.of_days(fold.first, length)
    units = pc.add(demand["units"], pc.fill_null(demand["lost_units"], 0))
    sales = demand.select([KEY[0], "day"]).append_column("units", units)
    history = DemandHistory.of_days(goods, sales, steps)
    place = pc.index_in(test[KEY[0]], value_set=pa.array(goods.shelf_id, pa.string()))
    day = (days(test) - np.datetime64(fold.first)).astype(np.int64)
    number = {cutoff.day: n for n, cutoff in enumerate(steps.cutoffs)}
    cutoffs = np.array([number[n] for n in day.tolist()], np.int64)
    return Scene(history, cutoffs, place.fill_null(-1).to_numpy().astype(np.int64))


def _goods(rows: pa.Table) -> Goods:
    """Goods of rows, in batches of one, at the price of their latest sale; customers reach the back room."""
    price = np.nan_to_num(numbers(rows, "last_price"))
    return Goods(
        texts(rows, KEY[0]),
        texts(rows, "store_id"),
        texts(rows, "category"),
        price,
        np.full(rows.num_rows, np.nan),
        np.ones(rows.num_rows, np.int64),
        None,
    )
