"""What a forecast can save at most: demand drawn at rates, beside a forecast that knows these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from benchmarks.harness import Figure
from benchmarks.whatif_model import BELOW_RULE, ML, SERVICES, below, stock
from lakeshelf.forecast.frames import Floats, Forecast
from lakeshelf.forecast.model.calibration import Calibration
from lakeshelf.forecast.orders.economics import Outlook
from lakeshelf.forecast.whatif.frontier import frontier
from lakeshelf.forecast.whatif.history import DemandHistory
from lakeshelf.forecast.whatif.policies import outlook

BY_CHANCE = Calibration(factor=1.0, spread=0.0)
"""Of demand that comes by chance alone, at known rates."""


def figures() -> Iterator[Figure]:
    """What the goals of the model leave to be gained."""
    known = "a forecast that knows the rates, if demand came by chance at those of the model"
    for fill in BELOW_RULE:
        of = f"lasting goods, {known}: stock at a fill of {fill:.2f}"
        yield Figure(f"known_{fill:.2f}", of, "units")
        yield Figure(f"known_rule_{fill:.2f}", f"{of}, below the rule", "%", higher=True)
        yield Figure(f"known_rivals_{fill:.2f}", f"{of}, below the best baseline", "%", higher=True)
    cost = f"fresh goods, {known}: cost below the moving average with the same economics"
    yield Figure("known_fresh", cost, "%", higher=True)


@dataclass(frozen=True)
class Known:
    """Demand that came by chance, and what a forecast promises that knows its rates.

    Args:
        history: Units that were drawn.
        outlooks: One a cutoff.
    """

    history: DemandHistory
    outlooks: list[Outlook]

    @classmethod
    def of(cls, history: DemandHistory, forecasts: Mapping[date, Forecast], seed: int) -> Known:
        """Draw the units of each day at the rate of the latest forecast.

        Args:
            history: Goods and days, a step a day.
            forecasts: Cutoff day → forecasts of the goods, in their order.
            seed: Of the draws.
        """
        daily = rates(history, forecasts)
        drawn = replace(history, units=np.random.default_rng(seed).poisson(daily))
        goods, cutoffs = history.goods, history.steps.cutoffs
        means = [daily[_days(len(daily), c.day, c.until)].sum(axis=0) for c in cutoffs]
        said = [Forecast(mean, BY_CHANCE.quantiles(mean)) for mean in means]
        return cls(drawn, [outlook(goods, c, one) for c, one in zip(cutoffs, said, strict=True)])


def rates(history: DemandHistory, forecasts: Mapping[date, Forecast]) -> Floats:
    """Units a day that the latest forecast says, a row a day, a column a shelf; before the first one, those of that."""
    steps = history.steps
    daily = np.stack(
        [
            forecasts[steps.first + timedelta(days=c.day)].mean / (c.until - c.day)
            for c in steps.cutoffs
        ]
    )
    begun = [c.day for c in steps.cutoffs]
    latest = np.searchsorted(begun, np.arange(steps.days), side="right") - 1
    return np.asarray(daily[np.maximum(latest, 0)])


def lasting(
    history: DemandHistory, known: Sequence[Outlook], measured: Mapping[str, float]
) -> dict[str, float]:
    """The least stock at some fills, and how far it is below that of others on what was sold, whose demand varies more.

    Args:
        history: Drawn units of lasting goods.
        known: What a forecast promises that knows the rates.
        measured: Stock of the rule and of the best baseline, as figures.
    """
    services = {
        f"{service} {allow_zero}": ML.changed({"service_level": service, "allow_zero": allow_zero})
        for service in SERVICES
        for allow_zero in (False, True)
    }
    points, bounds = frontier(history, services, known), dict[str, float]()
    for fill in BELOW_RULE:
        least = stock(points, fill)
        bounds[f"known_{fill:.2f}"] = least
        for side in ("rule", "rivals"):
            bounds[f"known_{side}_{fill:.2f}"] = below(least, measured[f"{side}_{fill:.2f}"])
    return bounds


def fresh(
    history: DemandHistory, known: Sequence[Outlook], average: Sequence[Outlook]
) -> dict[str, float]:
    """How far the cost of fresh goods is below that of a moving average at most.

    Args:
        history: Drawn units of fresh goods.
        known: What a forecast promises that knows the rates.
        average: What a moving average of what was drawn promises.
    """
    policy = {"": ML.changed({"allow_zero": True})}
    own, other = (
        frontier(history, policy, outlooks)[0].measures["cost"] for outlooks in (known, average)
    )
    return {"known_fresh": below(own, other)}


def _days(count: int, begin: int, end: int) -> Floats:
    """Places of days; beyond the last one its own, again."""
    return np.minimum(np.arange(begin, end), count - 1)
