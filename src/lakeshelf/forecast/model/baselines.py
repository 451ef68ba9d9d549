"""Forecasts that need no training: rates of the past, with quantiles calibrated on the month before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lakeshelf.forecast.frames import Floats, Forecast
from lakeshelf.forecast.model.calibration import Calibration, calibrated
from lakeshelf.forecast.model.contenders import Forecaster
from lakeshelf.forecast.model.rows import days, demand, horizons, kept, numbers, weights

MONTH = np.timedelta64(28, "D")


@dataclass(frozen=True)
class Baseline:
    """A mean that a column of a row says, and quantiles calibrated on the last month of the rows.

    Args:
        name: Name of the contender.
        column: Units; empty: the mean is 0. Unknown counts as 0.
        over: Days in which the units were sold, or the column that says them, for a rate that is the same on each
            day of the window; None: they are of a window as long.
    """

    name: str
    column: str
    over: int | str | None = None

    def mean(self, rows: pa.Table) -> Floats:
        """Expected units of the window of each row, 0 or more."""
        if not self.column:
            return np.zeros(rows.num_rows)
        units = numbers(rows, self.column)
        if self.over is not None:
            over = numbers(rows, self.over) if isinstance(self.over, str) else self.over
            units = units / over * horizons(rows)
        return np.maximum(np.nan_to_num(units), 0)

    def fit(self, rows: pa.Table) -> Forecaster:
        """Calibrate on the last month of the rows."""
        month = last_month(rows)
        return Calibrated(self, calibrated(self.mean(month), demand(month), weights(month)))


@dataclass(frozen=True)
class Calibrated:
    """A mean as its author defined it, with quantiles around the corrected one."""

    baseline: Baseline
    calibration: Calibration

    def __call__(self, rows: pa.Table) -> Forecast:
        """Forecast each row."""
        mean = self.baseline.mean(rows)
        return Forecast(mean, self.calibration.quantiles(mean))


def last_month(rows: pa.Table) -> pa.Table:
    """Rows of the last 28 days."""
    at = days(rows)
    return kept(rows, at > at.max() - MONTH)


LAST_WINDOW, SEASONAL_NAIVE = "last_window", "seasonal_naive"
BASELINES = (
    Baseline("zero", ""),
    Baseline("last_window", LAST_WINDOW),
    Baseline("seasonal_naive", SEASONAL_NAIVE),
    Baseline("moving_average_28", "units_sold_28d", 28),
    Baseline("moving_average_91", "units_sold_91d", 91),
    Baseline("croston", "sale_size", "sale_interval"),
    Baseline("sba", "sba", 1),
    Baseline("tsb", "tsb", 1),
)
"""What a model has to beat."""
