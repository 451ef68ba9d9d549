"""Columns of baselines that the rows do not have, from units by day: last windows and rates of rare demand.

Sources: Croston, Operational Research Quarterly 23 (1972); Syntetos and Boylan, International Journal of Forecasting
21 (2005); Teunter, Syntetos and Babai, European Journal of Operational Research 214 (2011).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.forecast.frames import KEY, Floats
from lakeshelf.forecast.model.baselines import CROSTON, LAST_WINDOW, SBA, SEASONAL_NAIVE, TSB
from lakeshelf.forecast.model.rows import days, horizons

SMOOTHING = 0.1
"""Weight of the newest size and interval; of the newest day in the chance of a sale, half of it."""
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
    return Calendar(shelves, first, np.maximum(units, 0))


def with_rates(rows: pa.Table, daily: pa.Table) -> pa.Table:
    """Rows with every column that a baseline reads and that they lack.

    Args:
        rows: `shelf_id`, `feature_date`, `horizon_days`.
        daily: `shelf_id`, `day`, `units`, of days before and after; only those before D count.
    """
    book = calendar(daily)
    shelf, day = book.places(rows)
    length = horizons(rows).astype(np.int64)
    windows = {LAST_WINDOW: (day - length, day), SEASONAL_NAIVE: (day - 7, day - 7 + length)}
    for name, (since, until) in windows.items():
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.array(_between(book, shelf, since, until)))
    lacking = [name for name in RARE if name not in rows.column_names]
    for name, values in _states(book, shelf, day, lacking).items():
        rows = rows.append_column(name, pa.array(values))
    return rows


def _between(book: Calendar, shelf: Places, since: Places, until: Places) -> Floats:
    """Units in [since, until); shelves without units have none."""
    sums = np.concatenate([np.zeros((len(book.units), 1)), np.cumsum(book.units, 1, float)], 1)
    first, last = (np.clip(at, 0, sums.shape[1] - 1) for at in (since, until))
    return np.asarray(np.where(shelf < 0, 0.0, sums[shelf, last] - sums[shelf, first]))


@dataclass
class Rare:
    """What Croston, SBA and TSB remember of shelves; unknown is NaN until the first sale."""

    count: int
    size: Floats = field(init=False)
    interval: Floats = field(init=False)
    chance: Floats = field(init=False)
    waited: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.size, self.interval, self.chance = (np.full(self.count, np.nan) for _ in range(3))
        self.waited = np.zeros(self.count)

    def see(self, units: Floats) -> None:
        """Follow a day: units of each shelf."""
        sold, first = units > 0, np.isnan(self.size)
        self.waited += 1
        self.chance += SMOOTHING / 2 * (sold - self.chance)
        self.size = _smoothed(self.size, units, sold)
        self.interval = _smoothed(self.interval, self.waited, sold)
        self.chance = np.where(sold & first, 1 / self.waited, self.chance)
        self.waited = np.where(sold, 0.0, self.waited)


def _smoothed(value: Floats, newest: Floats, sold: npt.NDArray[np.bool_]) -> Floats:
    moved = np.where(np.isnan(value), newest, value + SMOOTHING * (newest - value))
    return np.asarray(np.where(sold, moved, value))


RARE: dict[str, Callable[[Rare], Floats]] = {
    CROSTON: lambda state: state.size / state.interval,
    SBA: lambda state: (1 - SMOOTHING / 2) * state.size / state.interval,
    TSB: lambda state: state.chance * state.size,
}
"""Column → units a day."""


def _states(book: Calendar, shelf: Places, day: Places, names: list[str]) -> dict[str, Floats]:
    """The rates of rows, each from the days before its own."""
    values = {name: np.full(len(shelf), np.nan) for name in names}
    for at, state in _days(book, int(day.max(initial=0)) if names else 0):
        rows = np.flatnonzero((day == at) & (shelf >= 0))
        for name in names:
            values[name][rows] = RARE[name](state)[shelf[rows]]
    return values


def _days(book: Calendar, until: int) -> Iterator[tuple[int, Rare]]:
    """Days 0 to `until`, with what was known when each began."""
    state = Rare(len(book.units))
    for day in range(until + 1):
        yield day, state
        if day < book.units.shape[1]:
            state.see(book.units[:, day].astype(float))
