"""Rows as arrays: what a model reads of them, what it is to forecast, and how much each counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.forecast.frames import DEMAND, HORIZON, WEIGHT, Columns, Floats

STORE, ITEM, DAY = "store_id", "item_id", "feature_date"
STORE_UNITS = "store_units_7d"
UNITS, LATELY, SINCE_FIRST = "units_sold_28d", 28.0, "days_known"
"""Units of the latest weeks, how many days these are, and for how many days a shelf is known."""
DOUBT = 0.5
"""Units that are added to those of the latest weeks: of a shelf without any, something is expected."""
Matrix = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Days = npt.NDArray[np.datetime64]
Places = npt.NDArray[np.intp]


def numbers(rows: pa.Table, name: str) -> Floats:
    """A column as numbers; null is NaN."""
    column = rows[name].combine_chunks().cast(pa.float64())
    return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)


def demand(rows: pa.Table) -> Floats:
    """Labels, in units."""
    return numbers(rows, DEMAND)


def weights(rows: pa.Table) -> Floats:
    """How much each row counts."""
    return numbers(rows, WEIGHT)


def horizons(rows: pa.Table) -> Floats:
    """Length of the windows, in days."""
    return numbers(rows, HORIZON)


def days(rows: pa.Table) -> Days:
    """Cutoff day of each row."""
    return np.asarray(rows[DAY].to_numpy()).astype("datetime64[D]")


def opened(rows: pa.Table) -> Mask:
    """Rows of stores that are not closed, as one is that sold nothing at all for seven days."""
    return np.asarray(numbers(rows, STORE_UNITS) != 0)


def lately(rows: pa.Table) -> Floats:
    """Units of the window of each row at the rate of 28 days, or of those since the shelf's first sale; above 0."""
    over = np.clip(np.nan_to_num(numbers(rows, SINCE_FIRST), nan=LATELY), 1.0, LATELY)
    return np.asarray((np.nan_to_num(numbers(rows, UNITS)) + DOUBT) / over * horizons(rows))


def last_label_days(rows: pa.Table) -> Days:
    """The last day whose demand is in the label of a row."""
    return np.asarray(days(rows) + horizons(rows).astype("timedelta64[D]") - np.timedelta64(1, "D"))


def texts(rows: pa.Table, name: str) -> npt.NDArray[Any]:
    """A column as texts; null is None."""
    return np.asarray(rows[name].to_numpy(), object)


def codes(values: pa.ChunkedArray, frozen: Iterable[str]) -> Floats:
    """Places of values among the frozen ones; NaN for any other."""
    places = pc.index_in(values.cast(pa.string()), value_set=pa.array(frozen, pa.string()))
    return np.asarray(places.cast(pa.float64()).to_numpy(), np.float64)


def matrix(rows: pa.Table, columns: Columns, at: Places | None = None) -> Matrix:
    """What a model reads: a row a row, a column for each of `columns.names`; NaN is unknown.

    Args:
        rows: Rows.
        columns: What the model reads.
        at: Numbers of the rows that are meant; None: all. The others are not copied first.
    """
    number = rows.num_rows if at is None else len(at)
    some = slice(None) if at is None else at
    values = np.empty((number, len(columns.names)), np.float32, order="F")
    for place, name in enumerate(columns.numeric):
        values[:, place] = numbers(rows, name)[some]
    for place, (name, frozen) in enumerate(columns.categories.items(), len(columns.numeric)):
        values[:, place] = codes(rows[name], frozen)[some]
    return values


def distinct(values: Matrix) -> tuple[Matrix, Places]:
    """The rows of a matrix that differ in any byte, and which of them each row is."""
    rows = np.ascontiguousarray(values)
    whole = rows.view(f"V{rows.shape[1] * rows.itemsize}").ravel()
    _, first, places = np.unique(whole, return_index=True, return_inverse=True)
    return rows[first], places


def frozen(rows: pa.Table, numeric: Iterable[str], categories: Iterable[str]) -> Columns:
    """Columns of a model, with the values that categories have in its rows, in order of the texts."""
    values: Mapping[str, tuple[str, ...]] = {
        name: tuple(sorted(pc.unique(rows[name].cast(pa.string()).drop_null()).to_pylist()))
        for name in categories
    }
    return Columns(tuple(numeric), values)


def kept(rows: pa.Table, mask: Mask) -> pa.Table:
    """The rows of a mask. The first that lie behind each other are not copied: of rows by day these are nearly all."""
    at = np.flatnonzero(mask)
    if not len(at):
        return rows.slice(0, 0)
    first = at[0]
    end = first + _run(at)
    behind = rows.slice(end).filter(pa.array(mask[end:]))
    head = rows.slice(first, end - first)
    return pa.concat_tables([head, behind]) if behind.num_rows else head


def _run(places: Places) -> int:
    """How many of the first places lie behind each other."""
    gaps = np.flatnonzero(np.diff(places) != 1)
    return int(gaps[0]) + 1 if len(gaps) else len(places)
