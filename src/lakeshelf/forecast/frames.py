"""What the rooms of a forecast hand to each other: rows, forecasts, and the texts of a trained model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
LEVELS = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99)
"""Quantiles of a forecast."""
KEY = ("shelf_id", "feature_date")
"""A row: what was known of a shelf when its cutoff day D began."""
HORIZON = "horizon_days"
"""Days h from D until the delivery of the next cutoff; a forecast is of [D 0:00, D+h 0:00)."""
DEMAND, WEIGHT = "demand", "weight"
"""Label of a row, in units, and how much it counts: 0 where a stock-out hid what was wanted."""
MEAN = "mean"
"""Head of a model that forecasts the mean."""


def head(level: float) -> str:
    """Name of the head of a quantile: `q50` … `q99`."""
    return f"q{round(level * 100)}"


HEADS = (MEAN, *map(head, LEVELS))
"""Heads of a model, each the text of a file."""


@dataclass(frozen=True)
class Forecast:
    """Distributions of the demand of rows, in units of the window [D 0:00, D+h 0:00).

    Args:
        mean: Expected demand, one a row, 0 or more.
        quantiles: One row a row and a column for each of `LEVELS`; never falling from left to right.
    """

    mean: Floats
    quantiles: Floats


@dataclass(frozen=True)
class Columns:
    """What a model reads of a row.

    Args:
        numeric: Numbers; null is unknown.
        categories: Name of a text → its frozen values, whose places are the codes; any other value is unknown.
    """

    numeric: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, in the order in which a model sees them."""
        return (*self.numeric, *self.categories)


@dataclass(frozen=True)
class Trained:
    """A model as text.

    Args:
        columns: What it reads.
        heads: Name of `HEADS` → text of LightGBM.
        settings: How it was trained: seed, trees, leaves and the like, by name.
    """

    columns: Columns
    heads: Mapping[str, str]
    settings: Mapping[str, Any]
