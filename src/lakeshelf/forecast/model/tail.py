"""Rates of shelves that hardly sell, by their kind of item and by how much of the item all stores sell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.forecast.frames import Floats, Forecast
from lakeshelf.forecast.model.baselines import last_month
from lakeshelf.forecast.model.calibration import Calibration, calibrated
from lakeshelf.forecast.model.rows import demand, horizons, numbers, texts, weights

LINES, FEWER = "lines_91d", 2
"""The tail: shelves with fewer receipt lines in 91 days."""
ITEM_UNITS, KIND = "item_units_91d", "subcategory"
DOUBT = 2_000.0
"""Shelf-days that a group must have for its own rate to count as much as that of all shelves of its class."""
Groups = npt.NDArray[np.str_]


@dataclass(frozen=True)
class TailRates:
    """Units a shelf and day of the tail, by subcategory and class of item; each class is twice the one before."""

    name: str = "item_category"

    def fit(self, rows: pa.Table) -> TailPredictor:
        """Count on all rows of the tail, and calibrate on those of the last month; without a tail nothing sells."""
        tail = rows.filter(pc.less(rows[LINES], FEWER))
        if not tail.num_rows:
            return TailPredictor({}, {}, Calibration(1.0, 0.0))
        rates = TailPredictor(*_rates(tail), Calibration(1.0, 0.0))
        month = last_month(tail)
        fitted = calibrated(rates.mean(month), demand(month), weights(month))
        return TailPredictor(rates.groups, rates.classes, fitted)


@dataclass(frozen=True)
class TailPredictor:
    """Rates as they were counted: by group, and by class for groups that were not seen."""

    groups: Mapping[str, float]
    classes: Mapping[str, float]
    calibration: Calibration

    def mean(self, rows: pa.Table) -> Floats:
        """Expected units of the window of each row."""
        classes, groups = _classes(rows), _groups(rows)
        pairs = zip(groups, classes, strict=True)
        rates = [self.groups.get(g, self.classes.get(c, 0.0)) for g, c in pairs]
        return np.array(rates) * horizons(rows)

    def __call__(self, rows: pa.Table) -> Forecast:
        """Forecast each row."""
        mean = self.mean(rows)
        return Forecast(mean, self.calibration.quantiles(mean))


def _classes(rows: pa.Table) -> Groups:
    units = np.maximum(np.nan_to_num(numbers(rows, ITEM_UNITS)), 0)
    return np.asarray(np.ceil(np.log2(1 + units)).astype(int).astype(str), np.str_)


def _groups(rows: pa.Table) -> Groups:
    kinds = texts(rows, KIND).astype(str)
    return np.asarray(np.char.add(np.char.add(_classes(rows), " "), kinds), np.str_)


def _rates(rows: pa.Table) -> tuple[dict[str, float], dict[str, float]]:
    """Rates by group, drawn towards that of the class, and by class."""
    units, shelf_days = weights(rows) * demand(rows), weights(rows) * horizons(rows)
    classes, at = np.unique(_classes(rows), return_inverse=True)
    by_class = np.bincount(at, units) / np.bincount(at, shelf_days)
    groups, first, place = np.unique(_groups(rows), return_index=True, return_inverse=True)
    sold, spent = np.bincount(place, units), np.bincount(place, shelf_days)
    rates = (sold + DOUBT * by_class[at[first]]) / (spent + DOUBT)
    return (
        dict(zip(groups.tolist(), rates.tolist(), strict=True)),
        dict(zip(classes.tolist(), by_class.tolist(), strict=True)),
    )
