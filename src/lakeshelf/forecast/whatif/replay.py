"""A history replayed under a policy, step by step, all shelves at once (docs/design/forecasting.md#what-if)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lakeshelf.errors import ConfigurationError
from lakeshelf.forecast.frames import Floats
from lakeshelf.forecast.orders import rule
from lakeshelf.forecast.orders.distribution import Ints
from lakeshelf.forecast.orders.economics import DEFAULTS, YEAR, Economics, Outlook
from lakeshelf.forecast.whatif.history import DemandHistory, Goods
from lakeshelf.forecast.whatif.policies import (
    ForecastPlanner,
    Planner,
    RulePlanner,
    StockHeld,
    StockPolicy,
)
from lakeshelf.forecast.whatif.steps import Cutoff
from lakeshelf.forecast.whatif.stock import Allotted, Stock

WEEK = 7
SUMS = ("demand", "sold", "wasted", "ordered", "orders", "stock_days", "days")
"""Counted a week and shelf: units wanted, sold, expired, ordered; orders; units at the ends of days; days."""
Opening = tuple[Ints, Ints]
"""Units in the back room and on the shelf, one a shelf, as if received on the first day."""


@dataclass(frozen=True)
class ReplayOutcome:
    """What a policy came to.

    Args:
        goods: The goods.
        sums: Each of `SUMS` → a row a week, a column a shelf, from the step at which the shelf counts.
        placed: Units ordered, a row a cutoff, a column a shelf.
        received: Units that came, opening stock included, one a shelf.
        left: Units at the end, one a shelf.
    """

    goods: Goods
    sums: dict[str, Ints]
    placed: Ints
    received: Ints
    left: Ints

    def money(self, economics: Economics = DEFAULTS) -> dict[str, Floats]:
        """What it cost, a row a week, a column a shelf: `lost_margin`, `waste_cost`, `holding`, in the currency."""
        price = self.goods.price
        kept = price * economics.cost * economics.holding / YEAR
        return {
            "lost_margin": (self.sums["demand"] - self.sums["sold"]) * price * economics.margin,
            "waste_cost": self.sums["wasted"] * price * economics.cost,
            "holding": self.sums["stock_days"] * kept,
        }

    def take(self, rows: Ints) -> ReplayOutcome:
        """The same of some shelves, by number."""
        sums = {name: units.take(rows, axis=1) for name, units in self.sums.items()}
        goods, placed = self.goods.take(rows), self.placed.take(rows, axis=1)
        return ReplayOutcome(goods, sums, placed, self.received[rows], self.left[rows])


def planner(policy: StockPolicy, batch: Ints, outlooks: Sequence[Outlook] | None = None) -> Planner:
    """Who orders under a policy.

    Args:
        policy: The policy.
        batch: Units of a batch, one a shelf.
        outlooks: What forecasts promise, one a cutoff; needed for the source `ml`.

    Raises:
        ConfigurationError: Orders of the source `ml` without forecasts.
    """
    if not policy.by_model.any():
        return RulePlanner(policy, batch)
    if outlooks is None:
        raise ConfigurationError(
            "plan_source is ml, and there are no forecasts", hint="train a model first"
        )
    return ForecastPlanner(policy, batch, outlooks)


def replay(
    history: DemandHistory,
    policy: StockPolicy,
    orders: Planner | None = None,
    opening: Opening | Allotted | None = None,
) -> ReplayOutcome:
    """Replay a history.

    Args:
        history: What was wanted, and when.
        policy: How shelves are refilled, and back rooms if `orders` does not say.
        orders: Who orders; unset: the policy's rule.
        opening: Stock at first, as if received on the first day, or lots, which are moved; unset: in the back room,
            what would be ordered for an empty shop.
    """
    run = _Run(history, policy, orders or planner(policy, history.goods.batch))
    run.open(opening)
    for number in range(len(history.steps.steps)):
        run.step(number)
    return run.outcome()


class _Run:
    """State of a replay."""

    def __init__(self, history: DemandHistory, policy: StockPolicy, orders: Planner) -> None:
        self._history, self._policy, self._orders = history, policy, orders
        self._goods, self._steps = history.goods, history.steps
        shelves = len(self._goods.shelf_id)
        self._nothing = np.zeros(shelves, np.int64)
        self._coming: dict[int, Ints] = {}
        self._placed: list[Ints] = []
        weeks = -(-self._steps.days // WEEK)
        self._sums = {name: np.zeros((weeks, shelves), np.int64) for name in SUMS}

    def open(self, opening: Opening | Allotted | None) -> None:
        """Take up the stock at first."""
        self._stock = opening if isinstance(opening, Allotted) else self._opened(opening)
        self._received = self._stock.units
        self._planned = self._wants() > 0

    def _opened(self, opening: Opening | None) -> Stock:
        if opening is None:
            empty = StockHeld(*[self._nothing] * 4)
            opening = self._orders.order(0, empty), self._nothing
        if self._goods.max_stock is None:
            opening = opening[0] + opening[1], self._nothing
        return Stock(self._goods.life, self._steps.days, *opening)

    def step(self, number: int) -> None:
        """One step, in the order of a stepped clock's phases."""
        step = self._steps.steps[number]
        counts = self._history.begins <= number
        self._stock.turn(step.day)
        came = self._deliver(step.day) if step.delivers else self._nothing
        if step.cutoff:
            self._count(step.day, counts, **self._order(step.cutoff))
        if step.begins:
            self._count(step.day, counts, wasted=self._stock.expire())
        planned = np.where(self._planned, self._wants(), 0)
        at_once = np.minimum(planned, self._stock.room - came) if step.late else planned
        self._stock.pick(at_once)
        demand, most = self._history.units[number], self._history.most[number]
        self._count(step.day, counts, demand=demand, sold=self._sell(demand, most))
        self._stock.pick(planned - at_once)  # on its way while customers bought
        self._planned = self._wants() > 0
        if step.ends:
            self._count(step.day, counts, stock_days=self._stock.units, days=self._nothing + 1)

    def outcome(self) -> ReplayOutcome:
        """What it came to."""
        placed = np.array(self._placed).reshape(-1, len(self._nothing))
        return ReplayOutcome(self._goods, self._sums, placed, self._received, self._stock.units)

    def _deliver(self, day: int) -> Ints:
        """What is due comes to the back room; its units."""
        came = sum(
            (self._coming.pop(due) for due in list(self._coming) if due <= day), self._nothing
        )
        self._stock.receive(came)
        self._received = self._received + came
        return came

    def _order(self, cutoff: Cutoff) -> dict[str, Ints]:
        ordered = sum(self._coming.values(), self._nothing)
        stock = self._stock
        held = StockHeld(stock.room, stock.shelf, ordered, stock.expiring(cutoff.until))
        units = self._orders.order(len(self._placed), held)
        self._placed.append(units)
        self._coming[cutoff.delivery] = self._coming.get(cutoff.delivery, self._nothing) + units
        return {"ordered": units, "orders": (units > 0).astype(np.int64)}

    def _wants(self) -> Ints:
        """Units that each shelf should get from the back room."""
        if self._goods.max_stock is None:
            return self._nothing
        p = self._policy
        full = self._goods.max_stock
        shelf = self._stock.shelf
        return rule.refill(shelf, self._nothing, full, p.threshold_pct, p.min_qty, p.target_pct)

    def _sell(self, demand: Ints, most: Ints) -> Ints:
        """Units that are sold; what is wanted of an empty shelf is lost, whatever is put back later."""
        if self._goods.max_stock is None:
            self._stock.pick(demand)
        elif self._steps.refilled:
            self._stock.pick(self._refills(self._goods.max_stock, demand))
        return self._stock.sell(demand - np.maximum(most - self._stock.shelf, 0))

    def _refills(self, full: Ints, demand: Ints) -> Ints:
        """Units that come from the back room while so many are bought, one after the other."""
        p, shelf = self._policy, self._stock.shelf
        low = rule.low_point(full, p.threshold_pct, p.min_qty, p.target_pct)
        target = np.ceil(full * p.target_pct / 100).astype(np.int64)
        first = np.where(shelf <= low, target, shelf)
        beyond = demand - (first - low)
        cycle = np.maximum(target - low, 1)
        last = np.where(beyond < 0, first - demand, target - beyond % cycle)
        return np.where(low < 0, 0, np.maximum(last + demand - shelf, 0))

    def _count(self, day: int, counts: np.ndarray, **units: Ints) -> None:
        for name, values in units.items():
            self._sums[name][day // WEEK] += np.where(counts, values, 0)
