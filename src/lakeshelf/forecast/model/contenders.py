"""What competes in a trial: a name, and how rows with labels become a forecast of others."""

from __future__ import annotations

from typing import Protocol

import pyarrow as pa

from lakeshelf.forecast.frames import Forecast


class Forecaster(Protocol):
    """A forecast of rows whose labels it does not read."""

    def __call__(self, rows: pa.Table) -> Forecast:
        """Forecast each row."""


class Contender(Protocol):
    """A way to learn from rows."""

    @property
    def name(self) -> str:
        """Its name in tables of scores."""

    def fit(self, rows: pa.Table) -> Forecaster:
        """Learn from rows with labels.

        Raises:
            LakeshelfError: The rows do not have what it needs.
        """
