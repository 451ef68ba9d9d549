"""Two policies side by side: what each came to, the difference, and how sure it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from lakeshelf.forecast.frames import Floats
from lakeshelf.forecast.orders.economics import DEFAULTS, Economics
from lakeshelf.forecast.whatif.replay import ReplayOutcome

MEASURES: Mapping[str, tuple[str, str | None]] = MappingProxyType(
    {
        "fill": ("sold", "demand"),
        "lost_units": ("lost", None),
        "lost_margin": ("lost_margin", None),
        "stock": ("stock_days", "days"),
        "stock_days": ("stock_days", None),
        "orders": ("orders", None),
        "ordered": ("ordered", None),
        "wasted": ("wasted", None),
        "waste_cost": ("waste_cost", None),
        "holding": ("holding", None),
        "cost": ("cost", None),
    }
)
"""Measure → the total that it is, and the total that it is a share of: `fill` of what was wanted, `stock` a shelf."""
REPLICATES = 1_000
SHARE = 0.95
Sides = list[dict[str, Floats]]
FEW_STORES = 5
"""With fewer stores, shelves are drawn instead."""


@dataclass(frozen=True)
class PolicyDifference:
    """A measure under two policies.

    Args:
        measure: One of `MEASURES`.
        before: Under the first policy.
        after: Under the second.
        low: Lower end of the 95 % interval of the difference, `after - before`.
        high: Its upper end.
    """

    measure: str
    before: float
    after: float
    low: float
    high: float

    @property
    def difference(self) -> float:
        """How much it changes."""
        return self.after - self.before


def totals(outcome: ReplayOutcome, economics: Economics = DEFAULTS) -> dict[str, Floats]:
    """Everything that is added up, a row a week, a column a shelf."""
    money = outcome.money(economics)
    counted = {name: np.asarray(units, np.float64) for name, units in outcome.sums.items()}
    lost, cost = counted["demand"] - counted["sold"], sum(money.values(), np.zeros(()))
    return {**counted, **money, "lost": lost, "cost": cost}


def measured(sums: Mapping[str, Any]) -> dict[str, Any]:
    """Measures of totals, numbers or arrays; a share of nothing is NaN."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            name: np.true_divide(sums[part], sums[whole]) if whole else sums[part]
            for name, (part, whole) in MEASURES.items()
        }


def compared(
    before: ReplayOutcome,
    after: ReplayOutcome,
    *,
    seed: int = 0,
    rows: Any = slice(None),
    economics: Economics = DEFAULTS,
) -> tuple[PolicyDifference, ...]:
    """Each measure under two policies, with an interval of the difference.

    Weeks and stores (or shelves, of few stores) are drawn anew, the same ones for both policies: a paired bootstrap.

    Args:
        before: What one policy came to.
        after: What the other came to, in the same history.
        seed: The same seed draws the same.
        rows: Shelves that count.
        economics: What goods earn and cost.
    """
    return _compared(_sides(before, after, economics), _groups(before, rows), rows, seed)


def _sides(before: ReplayOutcome, after: ReplayOutcome, economics: Economics) -> Sides:
    return [totals(outcome, economics) for outcome in (before, after)]


def _compared(sides: Sides, groups: Any, rows: Any, seed: int) -> tuple[PolicyDifference, ...]:
    parts = {name: np.stack([side[name][:, rows] for side in sides]) for name in sides[0]}
    drawn = _drawn(parts, groups, seed)
    points = measured({name: part.sum(axis=(1, 2)) for name, part in parts.items()})
    differences = {name: side[1] - side[0] for name, side in measured(drawn).items()}
    return tuple(
        PolicyDifference(
            name, float(points[name][0]), float(points[name][1]), *_interval(differences[name])
        )
        for name in MEASURES
    )


def compared_by(
    before: ReplayOutcome,
    after: ReplayOutcome,
    column: str,
    *,
    seed: int = 0,
    economics: Economics = DEFAULTS,
) -> dict[str, tuple[PolicyDifference, ...]]:
    """The same for each store (`store_id`) or category (`category`)."""
    values, sides = getattr(before.goods, column), _sides(before, after, economics)
    of = {str(value): np.flatnonzero(values == value) for value in np.unique(values)}
    return {
        value: _compared(sides, _groups(before, rows), rows, seed) for value, rows in of.items()
    }


def _interval(values: Floats) -> tuple[float, float]:
    """The middle `SHARE` of values that are numbers; NaN where none is."""
    known = values[np.isfinite(values)]
    if not known.size:
        return np.nan, np.nan
    low, high = np.quantile(known, [(1 - SHARE) / 2, (1 + SHARE) / 2])
    return float(low), float(high)


def _groups(outcome: ReplayOutcome, rows: Any) -> Any:
    """Number of the group of each shelf."""
    _, store = np.unique(outcome.goods.store_id[rows], return_inverse=True)
    return store if len(store) and store.max() + 1 >= FEW_STORES else np.arange(len(store))


def _drawn(parts: Mapping[str, Floats], groups: Any, seed: int) -> dict[str, Floats]:
    """Totals of each replicate: a row a policy, a column a replicate."""
    rng = np.random.default_rng(seed)
    weeks, number = next(iter(parts.values())).shape[1], int(groups.max()) + 1
    by_week = _draws(rng, weeks)
    by_group = _draws(rng, number)
    made = {}
    for name, part in parts.items():
        every = part.reshape(2 * weeks, -1)
        summed = np.stack([np.bincount(groups, week, number) for week in every])
        mixed = (summed @ by_group.T).reshape(2, weeks, REPLICATES)
        made[name] = np.einsum("swr,rw->sr", mixed, by_week)
    return made


def _draws(rng: np.random.Generator, number: int) -> Floats:
    """How often each of some things is drawn, a row a replicate."""
    return rng.multinomial(number, np.full(number, 1 / number), REPLICATES).astype(np.float64)
