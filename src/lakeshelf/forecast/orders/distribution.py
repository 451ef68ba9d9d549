"""How likely it is that so many units are wanted: in the window of a forecast, and in days that it does not cover."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lakeshelf.forecast.frames import LEVELS, Floats, Forecast

Ints = npt.NDArray[np.int64]
KNOTS: Floats = -np.log1p(-np.array([0.0, *LEVELS]))
"""Where a quantile stands on the scale of -ln(1 - p), on which an exponential tail is a straight line."""
TAIL = LEVELS.index(0.9) + 1
"""Knot from which the slope of the tail is taken to the last one."""
_LEAST = 1e-9
_DISPERSED = 1 + 1e-6
"""Least ratio of variance and mean: nearly that of Poisson, the limit of the negative binomial."""


@dataclass(frozen=True)
class Window:
    """Demand in the window of a forecast, in whole units: the forecast's quantiles, rounded.

    Between two quantiles, and above the last, it has an exponential tail: a line on the scale of `KNOTS`. Where the
    quantiles from 0.9 on are equal and so show no tail, the mean says how long it is.

    Args:
        mean: Expected demand, one a row.
        values: Quantiles, a row a row and a column for each of `KNOTS`; the first is 0.
        slope: How the last quantile goes on, in units on the scale of `KNOTS`.
    """

    mean: Floats
    values: Floats
    slope: Floats

    @classmethod
    def of(cls, forecast: Forecast) -> Window:
        """The distribution that a forecast means; its quantiles never fall."""
        first = np.zeros((len(forecast.mean), 1))
        values = np.hstack([first, forecast.quantiles])
        slope = (values[:, -1] - values[:, TAIL]) / (KNOTS[-1] - KNOTS[TAIL])
        rest = np.maximum(forecast.mean - _expected(values), 0) / np.exp(-KNOTS[-1])
        return cls(forecast.mean, values, np.where(slope > 0, slope, rest))

    def at_least(self, units: Ints) -> Floats:
        """P(demand ≥ units), one a row; 1 for 0 units."""
        edge = units - 0.5
        knot = (self.values < edge[:, None]).sum(axis=1)
        before = np.clip(knot - 1, 0, len(KNOTS) - 1)
        inner = np.minimum(before, len(KNOTS) - 2)
        rows = np.arange(len(units))
        rise = self.values[rows, inner + 1] - self.values[rows, inner]
        slope = np.where(knot == len(KNOTS), self.slope, rise / (KNOTS[inner + 1] - KNOTS[inner]))
        with np.errstate(divide="ignore", over="ignore"):
            beyond = (edge - self.values[rows, before]) / np.where(knot == 0, 1.0, slope)
        return np.where(knot == 0, 1.0, np.exp(-(KNOTS[before] + beyond)))

    def quantile(self, share: float) -> Ints:
        """Fewest units that suffice with a probability of `share`, one a row."""
        at = -np.log1p(-share)
        before = int(np.clip(np.searchsorted(KNOTS, at) - 1, 0, len(KNOTS) - 1))
        if before == len(KNOTS) - 1:
            slope = self.slope
        else:
            rise = self.values[:, before + 1] - self.values[:, before]
            slope = rise / (KNOTS[before + 1] - KNOTS[before])
        value = self.values[:, before] + slope * (at - KNOTS[before])
        units: Ints = np.ceil(value - 0.5 - _LEAST).astype(np.int64)
        return units

    def variance(self) -> Floats:
        """Mean square distance from the mean, of the quantiles before they are rounded."""
        return _squares(self.values - self.mean[:, None], self.slope)

    def take(self, rows: Any) -> Window:
        """The same of some rows."""
        return Window(self.mean[rows], self.values[rows], self.slope[rows])


@dataclass(frozen=True)
class CountDistribution:
    """Demand of any number of days: negative binomial, or Poisson where the variance is no larger than the mean.

    Args:
        mean: Expected demand, one a row.
        variance: Its variance.
    """

    mean: Floats
    variance: Floats

    @classmethod
    def over(cls, window: Window, share: Floats) -> CountDistribution:
        """Demand of days that are `share` times a window long; days are taken as independent and alike."""
        mean = window.mean * share
        return cls(mean, np.maximum(window.variance() * share, mean))

    def at_least(self, units: Ints) -> Floats:
        """P(demand ≥ units), one a row; 1 for 0 units."""
        from scipy.special import betainc  # noqa: PLC0415 - an extra

        mean = np.maximum(self.mean, _LEAST)
        variance = np.maximum(self.variance, mean * _DISPERSED)
        size = mean * mean / (variance - mean)
        likely: Floats = betainc(np.maximum(units, 1), size, 1 - mean / variance)
        return np.where(units < 1, 1.0, likely)

    def take(self, rows: Any) -> CountDistribution:
        """The same of some rows."""
        return CountDistribution(self.mean[rows], self.variance[rows])


def _expected(values: Floats) -> Floats:
    """Mean of quantiles that end with the last of them."""
    length = np.diff(KNOTS)
    falls = np.exp(-KNOTS)
    rise = np.diff(values) / length
    inner = values[:, :-1] * (falls[:-1] - falls[1:])
    grown = rise * falls[:-1] * (1 - (1 + length) * np.exp(-length))
    total: Floats = (inner + grown).sum(axis=1) + values[:, -1] * falls[-1]
    return total


def _squares(values: Floats, slope: Floats) -> Floats:
    """Mean square of lines on the scale of `KNOTS`: the integral of (a + b s)² exp(-s), line by line."""
    length = np.append(np.diff(KNOTS), np.inf)
    rise = np.column_stack([np.diff(values) / np.diff(KNOTS), slope])
    left = np.exp(-length)
    bounded = np.where(np.isinf(length), 0.0, length)
    zeroth, first = 1 - left, 1 - (1 + bounded) * left
    second = 2 - (2 + 2 * bounded + bounded**2) * left
    lines = values**2 * zeroth + 2 * values * rise * first + rise**2 * second
    return np.asarray((lines * np.exp(-KNOTS)).sum(axis=1))
