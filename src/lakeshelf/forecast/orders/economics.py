"""What a unit more earns and costs (docs/design/forecasting.md#orders)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lakeshelf.contracts.retail.topics_reference import MOST_SERVICE
from lakeshelf.forecast.frames import Floats, Forecast
from lakeshelf.forecast.orders.distribution import CountDistribution, Ints, Window

YEAR = 365


@dataclass(frozen=True)
class Economics:
    """What goods earn and cost, as shares of their price; a number for all shelves, or one a shelf.

    Args:
        margin: Earned by a unit that is sold.
        cost: Lost with a unit that expires.
        holding: Cost of keeping goods for a year, as a share of `cost`.
    """

    margin: float | Floats = 0.30
    cost: float | Floats = 0.70
    holding: float | Floats = 0.25


DEFAULTS = Economics()


@dataclass(frozen=True)
class Outlook:
    """What becomes of the units that stand ready for a window, one row a shelf (and cutoff).

    Unit k is sold when at least k are wanted; the units before it are sold first.

    Args:
        sales: Demand in the window.
        life: Demand before a unit expires.
        short: Whether that is sooner than the window ends.
        lasts: Whether it never expires.
        most: Units beyond which nothing is stocked: the window's quantile of `MOST_SERVICE`.
        margin: Money that a unit sold earns.
        cost: Money that is lost with a unit that expires.
        holding: Money that it costs to keep a unit for the window.
    """

    sales: Window
    life: CountDistribution
    short: Any
    lasts: Any
    most: Ints
    margin: Floats
    cost: Floats
    holding: Floats

    @classmethod
    def of(
        cls,
        forecast: Forecast,
        horizon: Floats,
        life: Floats,
        price: Floats,
        economics: Economics = DEFAULTS,
    ) -> Outlook:
        """The outlook of a forecast.

        - A life that is longer than the window: demand of its days is that of the window, made longer.
        - A life that is shorter: units serve only the demand in it.
        - No life (NaN): the goods never expire.
        - A price of 0: no unit earns or costs anything.

        Args:
            forecast: Demand of the window.
            horizon: Days of the window, above 0.
            life: Days from the beginning of the window until a unit expires, those on which it can be sold.
            price: Price of a unit, in units of the currency.
            economics: What goods earn and cost.
        """
        window, lasts = Window.of(forecast), np.isnan(life)
        cost = price * economics.cost
        return cls(
            window,
            CountDistribution.over(window, np.where(lasts, 0.0, life) / horizon),
            life < horizon,
            lasts,
            window.quantile(MOST_SERVICE),
            price * economics.margin,
            cost,
            cost * economics.holding * horizon / YEAR,
        )

    def sold(self, units: Ints) -> Floats:
        """Probability that unit k is sold before the next delivery, one a row."""
        likely = self.sales.at_least(units)
        return _where(self.short, likely, units, self.life)

    def spoiled(self, units: Ints) -> Floats:
        """Probability that unit k expires, one a row."""
        return 1 - _where(~self.lasts, np.ones(len(units)), units, self.life)

    def gain(self, units: Ints) -> Floats:
        """Money that stocking unit k is expected to earn, one a row; it falls with k."""
        return self.margin * self.sold(units) - self.cost * self.spoiled(units) - self.holding

    def take(self, rows: Ints) -> Outlook:
        """The same of some rows, by number."""
        return Outlook(*(value.take(rows) for value in vars(self).values()))


def _where(rows: Any, otherwise: Floats, units: Ints, life: CountDistribution) -> Floats:
    """The probabilities of a life in some rows, which alone are computed."""
    if rows.any():
        otherwise = otherwise.copy()
        otherwise[rows] = life.take(rows).at_least(units[rows])
    return otherwise
