"""From a mean to a distribution: a factor and a spread, fitted alike for all contenders on the month before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lakeshelf.forecast.frames import LEVELS, Floats

SPREADS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
"""Tried values of a in the variance m + a m²; 0 is Poisson."""
FIGURES = 3
"""Figures of a mean that decide about its quantiles: so few of them are different."""
LEAST_MEAN = 1e-6
"""A mean below it is 0 for all quantiles, and counts as this much in a deviance."""
DECIDING = tuple(level for level in LEVELS if level >= 0.9 and level < 0.99)
"""Levels that decide between forecasts."""


@dataclass(frozen=True)
class Calibration:
    """A negative binomial of mean `factor` times m, and a variance m + a m².

    Args:
        factor: Demand of the month before in units of the forecast: shelves that are looked at because they sold
            much go on to sell less.
        spread: The a; 0 is Poisson.
    """

    factor: float
    spread: float

    def quantiles(self, mean: Floats) -> Floats:
        """Quantiles of rows, a column a level."""
        return quantiles(self.factor * mean, self.spread)


def calibrated(mean: Floats, demand: Floats, weight: Floats) -> Calibration:
    """The calibration of the least pinball loss at the levels that decide.

    Args:
        mean: Forecasts, one a row.
        demand: What came.
        weight: How much each row counts.
    """
    expected = float(weight @ mean)
    factor = float(weight @ demand) / expected if expected > 0 else 1.0
    losses = {s: _loss(quantiles(factor * mean, s), demand, weight) for s in SPREADS}
    return Calibration(factor, min(losses, key=losses.__getitem__))


def quantiles(mean: Floats, spread: float) -> Floats:
    """Quantiles of a negative binomial, or of Poisson where the spread is 0.

    Args:
        mean: Means, one a row.
        spread: The a of the variance m + a m².

    Returns:
        A row a row, a column for each of `LEVELS`, whole units.
    """
    from scipy import stats  # noqa: PLC0415 - of an extra

    few, places = np.unique(_rounded(mean), return_inverse=True)
    levels, means = np.asarray(LEVELS)[None, :], few[:, None]
    if spread:
        size = 1 / spread
        values = stats.nbinom.ppf(levels, size, size / (size + means))
    else:
        values = stats.poisson.ppf(levels, means)
    return np.asarray(np.where(means > 0, values, 0.0)[places], np.float64)


def pinball(quantile: Floats, demand: Floats, level: float) -> Floats:
    """Loss of a forecast quantile, one a row: the missing units at `level`, the spare ones at 1 - `level`."""
    missing = demand - quantile
    return np.asarray(np.maximum(level * missing, (level - 1) * missing))


def _loss(forecast: Floats, demand: Floats, weight: Floats) -> float:
    losses = (
        pinball(forecast[:, LEVELS.index(level)], demand, level) @ weight for level in DECIDING
    )
    return float(sum(losses))


def _rounded(mean: Floats) -> Floats:
    """Means to `FIGURES` figures; 0 below the least that has quantiles."""
    some = mean >= LEAST_MEAN
    safe = np.where(some, mean, 1.0)
    scale = 10.0 ** (FIGURES - 1 - np.floor(np.log10(safe)))
    return np.asarray(np.where(some, np.round(mean * scale) / scale, 0.0))
