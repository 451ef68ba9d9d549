"""Columns of naive forecasts, which rows do not have, from units by day: the last window, the same days a week ago."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.forecast.frames import KEY, Floats
from lakeshelf.forecast.model.baselines import LAST_WINDOW, SEASONAL_NAIVE
from lakeshelf.forecast.model.rows import days, horizons

UNITS = "units"
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Calendar:
    """Units of shelves by day, as a dense array.

    Args:
        shelves: Ids, one a row.
        first: Day of the first column.
        units: A shelf a row, a day a column; 4 bytes a cell.
    """

    shelves: pa.Array
    first: np.datetime64
    units: npt.NDArray[np.float32]

    def places(self, rows: pa.Table) -> tuple[Places, Places]:
        """Row and column of each row of a table: its shelf (-1: it has no units at all) and the day D."""
        shelf = pc.index_in(rows[KEY[0]], value_set=self.shelves).fill_null(-1)
        return np.asarray(shelf.to_numpy(), np.int64), (days(rows) - self.first).astype(np.int64)


def calendar(daily: pa.Table) -> Calendar:
    """Units as a dense array.

    Args:
        daily: `shelf_id`, `day`, `units`; one row a shelf and day.
    """
    shelves = pc.unique(daily[KEY[0]])
    at = np.asarray(daily["day"].to_numpy()).astype("datetime64[D]")
    first = at.min()
    units = np.zeros((len(shelves), int((at.max() - first).astype(int)) + 1), np.float32)
    shelf = pc.index_in(daily[KEY[0]], value_set=shelves).to_numpy()
    units[shelf, (at - first).astype(np.int64)] = daily[UNITS].to_numpy()
    return Calendar(shelves, first, np.maximum(units, 0, out=units))


def with_naive(rows: pa.Table, daily: pa.Table) -> pa.Table:
    """Rows with the columns of naive forecasts, where they lack them.

    Args:
        rows: `shelf_id`, `feature_date`, `horizon_days`.
        daily: `shelf_id`, `day`, `units`, of days before and after; only those before D count.
    """
    book = calendar(daily)
    shelf, day = book.places(rows)
    length = horizons(rows).astype(np.int64)
    windows = {LAST_WINDOW: (day - length, day), SEASONAL_NAIVE: (day - 7, day - 7 + length)}
    sums = _sums(book)
    for name, (since, until) in windows.items():
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.array(_between(sums, shelf, since, until)))
    return rows


def _sums(book: Calendar) -> Floats:
    """Units before each day, and behind the last."""
    shelves, days = book.units.shape
    sums = np.zeros((shelves, days + 1))
    np.cumsum(book.units, 1, float, sums[:, 1:])
    return sums


def _between(sums: Floats, shelf: Places, since: Places, until: Places) -> Floats:
    """Units in [since, until); shelves without units have none."""
    first, last = (np.clip(at, 0, sums.shape[1] - 1) for at in (since, until))
    return np.asarray(np.where(shelf < 0, 0.0, sums[shelf, last] - sums[shelf, first]))
