"""Fill against stock: what a range of policies can reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lakeshelf.forecast.orders.economics import DEFAULTS, Economics, Outlook
from lakeshelf.forecast.whatif.comparison import measured, totals
from lakeshelf.forecast.whatif.history import DemandHistory
from lakeshelf.forecast.whatif.policies import StockPolicy
from lakeshelf.forecast.whatif.replay import ReplayOutcome, planner, replay


@dataclass(frozen=True)
class FrontierPoint:
    """What one policy reaches.

    Args:
        policy: Its name.
        measures: Each of `comparison.MEASURES`, of all shelves together.
    """

    policy: str
    measures: Mapping[str, float]

    @classmethod
    def of(
        cls, policy: str, outcome: ReplayOutcome, economics: Economics = DEFAULTS
    ) -> FrontierPoint:
        """The point of an outcome."""
        sums = {name: part.sum() for name, part in totals(outcome, economics).items()}
        return cls(policy, {name: float(value) for name, value in measured(sums).items()})


def frontier(
    history: DemandHistory,
    policies: Mapping[str, StockPolicy],
    outlooks: Sequence[Outlook] | None = None,
    economics: Economics = DEFAULTS,
) -> list[FrontierPoint]:
    """What each of some policies reaches, in their order.

    Args:
        history: What was wanted.
        policies: Name → policy: reorder points, or service levels.
        outlooks: What forecasts promise, one a cutoff, for policies of source `ml`.
        economics: What goods earn and cost.
    """
    return [
        FrontierPoint.of(
            name,
            replay(history, policy, planner(policy, history.goods.batch, outlooks)),
            economics,
        )
        for name, policy in policies.items()
    ]


def stock_at(points: Sequence[FrontierPoint], fill: float) -> float | None:
    """Stock a shelf at which a fill is reached, on the line between the two points next to it.

    A point with less fill for as much stock as another is passed over. None: no two points are next to it.
    """
    best: list[tuple[float, float]] = []
    for stock, reached in sorted((p.measures["stock"], p.measures["fill"]) for p in points):
        if not best or reached > best[-1][1]:
            best.append((stock, reached))
    if not best or not best[0][1] <= fill <= best[-1][1]:
        return None
    stocks, fills = zip(*best, strict=True)
    return float(np.interp(fill, fills, stocks))
