"""Predictions of a cutoff day: forecast, level, and lots to order (docs/design/forecasting.md#predictions)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from lakeshelf.forecast.demand.segments import BY_MEASURE, SEGMENTS, segment
from lakeshelf.forecast.frames import HORIZON, KEY, LEVELS, Floats, Forecast
from lakeshelf.forecast.inference.shelves import OrderTerms, Shelves
from lakeshelf.forecast.orders import lots
from lakeshelf.forecast.orders.distribution import Ints
from lakeshelf.forecast.orders.economics import Outlook
from lakeshelf.forecast.orders.level import levels
from lakeshelf.shop.cutoffs import CUTOFF, delivery_date

Mask = npt.NDArray[np.bool_]
PEAK = "peak_91d"
TAIL = "tail"
BEYOND = 10
"""A level is out of all proportion from so many times the largest window on."""
MOST_FALLEN = 0.01
"""Share of shelves with no usable forecast from which on none of the day is used."""


@dataclass(frozen=True)
class Predicted:
    """What a version says of the shelves of a cutoff day, an entry a row.

    Args:
        forecast: Demand of the window.
        outlook: What becomes of units.
        level: Position that the next order should reach, in units.
        order: Units to order, in whole lots.
        usable: Whether forecast and level can be relied on; the rule decides for the others.
    """

    forecast: Forecast
    outlook: Outlook
    level: Ints
    order: Ints
    usable: Mask

    @property
    def fallen_share(self) -> float:
        """Share of the shelves that the rule decides for."""
        return 1 - float(np.mean(self.usable)) if len(self.usable) else 0.0


def predicted(rows: pa.Table, forecast: Forecast, shelves: OrderTerms) -> Predicted:
    """Levels and orders of forecasts.

    A forecast that is no number, negative or falling, or whose level is `BEYOND` the largest window that the shelf can
    have sold, is not used; if that is more than `MOST_FALLEN` of all, none of the day is. Goods that are sold by
    measure are left out.

    Args:
        rows: Features of one cutoff day.
        forecast: What a version forecasts of them.
        shelves: What an order has to know of each of them.
    """
    sound = _sound(forecast)
    forecast = _emptied(forecast, ~sound)
    outlook = _outlook(rows, forecast, shelves)
    level = _levels(rows, outlook, shelves)
    wrong = ~(sound & (level <= BEYOND * _largest(rows, shelves)))
    by_measure = rows[PEAK].to_numpy() >= BY_MEASURE
    usable = ~wrong & ~by_measure
    if np.count_nonzero(wrong & ~by_measure) > MOST_FALLEN * len(usable):
        usable = np.zeros_like(usable)
    floor = np.where(shelves.allow_zero, 0, np.maximum(shelves.min_qty, 1))
    order = lots.order(shelves.position, level, shelves.lot, floor, outlook)
    return Predicted(forecast, outlook, level, order, usable)


def _sound(forecast: Forecast) -> Mask:
    every = np.column_stack([forecast.mean, forecast.quantiles])
    falls = (np.diff(forecast.quantiles, axis=1) < 0).any(axis=1)
    return np.asarray(np.isfinite(every).all(axis=1) & (every >= 0).all(axis=1) & ~falls)


def _emptied(forecast: Forecast, rows: Mask) -> Forecast:
    """A forecast of nothing where it is no forecast."""
    mean = np.where(rows, 0.0, forecast.mean)
    return Forecast(mean, np.where(rows[:, None], 0.0, forecast.quantiles))


def _outlook(rows: pa.Table, forecast: Forecast, shelves: OrderTerms) -> Outlook:
    """What becomes of units that arrive with the delivery of this cutoff."""
    days = _day(rows)
    arrives = (delivery_date(datetime.combine(days, CUTOFF, UTC)) - days).days
    life = arrives + shelves.shelf_life_days + 1
    return Outlook.of(forecast, _horizon(rows), life, shelves.unit_price)


def deciding(rows: pa.Table, shelves: OrderTerms) -> Mask:
    """Rows whose forecast has a say in their level: not those of the tail, unless the shelf may be empty."""
    return np.asarray(~segment(rows, TAIL) | shelves.allow_zero)


def _levels(rows: pa.Table, outlook: Outlook, shelves: OrderTerms) -> Ints:
    """Levels; a shelf of the tail has its floor, whatever its forecast, unless it may be empty."""
    floor, is_tail = np.maximum(shelves.min_qty, 1), segment(rows, TAIL)
    level = floor.copy()
    at = np.flatnonzero(deciding(rows, shelves))
    level[at] = levels(
        outlook.take(at), shelves.service_level[at], shelves.min_qty[at], shelves.allow_zero[at]
    )
    return np.where(is_tail, np.minimum(level, floor), level)


def _largest(rows: pa.Table, shelves: OrderTerms) -> Floats:
    """More than any window of the latest 91 days sold, and at least the floor."""
    peak = rows[PEAK].to_numpy() * _horizon(rows)
    return np.asarray(np.maximum(peak, np.maximum(shelves.min_qty, 1)), np.float64)


def _horizon(rows: pa.Table) -> Floats:
    return np.asarray(rows[HORIZON].to_numpy(), np.float64)


def _day(rows: pa.Table) -> date:
    day: date = rows[KEY[1]][0].as_py()
    return day


@dataclass(frozen=True)
class SentLevels:
    """Levels that the engine hears of.

    Args:
        rows: Of which rows.
        until: Until when they decide.
    """

    rows: Mask
    until: datetime


def as_rows(
    of: Predicted,
    rows: pa.Table,
    shelves: Shelves,
    reasons: Sequence[str | None],
    sent: SentLevels,
    **same: Any,
) -> pa.Table:
    """Rows of `curated/predictions` of the shelves that the version decides for.

    Args:
        of: What was predicted.
        rows: Features of the day.
        shelves: Its shelves.
        reasons: JSON of `reasons.top`, one a row; None: nobody asked.
        sent: Which levels are sent.
        same: Columns that all rows have alike.
    """
    columns: dict[str, Any] = {
        KEY[1]: rows[KEY[1]],
        HORIZON: rows[HORIZON],
        "shelf_id": shelves.shelf_id,
        "store_id": shelves.store_id,
        "item_id": shelves.item_id,
        "predicted_batches": of.order // shelves.lot,
        "suggested_qty": of.order,
        "mean_units": of.forecast.mean,
        "quantiles": _quantiles(of.forecast),
        "level_qty": of.level,
        "service_level": pa.array(shelves.service_level, from_pandas=True),
        "segment": segments(rows),
        "top_reasons": pa.array(reasons, pa.string()),
        "lot_level_qty": _lot_levels(of, shelves, sent.rows),
        "valid_until": [sent.until if one else None for one in sent.rows],
        **{name: [value] * rows.num_rows for name, value in same.items()},
    }
    return pa.table(columns).filter(pa.array(of.usable))


def _lot_levels(of: Predicted, shelves: Shelves, rows: Mask) -> pa.Array:
    """Lot levels of some rows, the others are null: they take long to tell."""
    at = np.flatnonzero(rows)
    levels = np.zeros(len(rows), np.int64)
    levels[at] = lots.lot_level(of.level[at], shelves.lot[at], of.outlook.take(at))
    return pa.array(levels, mask=~rows)


def _quantiles(forecast: Forecast) -> list[str]:
    """JSON: level → units, a text a row."""
    names = [f"{level:g}" for level in LEVELS]
    return [
        orjson.dumps(dict(zip(names, map(int, units), strict=True))).decode()
        for units in forecast.quantiles
    ]


def segments(rows: pa.Table) -> list[str]:
    """The narrowest segment of each row."""
    names = np.full(rows.num_rows, next(iter(SEGMENTS)), object)
    for name in SEGMENTS:
        names[segment(rows, name)] = name
    return [str(name) for name in names]
