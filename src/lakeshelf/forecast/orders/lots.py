"""Orders are whole lots (docs/design/forecasting.md#orders)."""

from __future__ import annotations

import numpy as np

from lakeshelf.forecast.frames import Floats
from lakeshelf.forecast.orders.distribution import Ints
from lakeshelf.forecast.orders.economics import Outlook
from lakeshelf.forecast.orders.level import largest

POINTS = 64
"""Most units of a lot whose worth is looked at; of a larger lot, as many that stand for their neighbours."""


def rounded_up(units: Ints, lot: Ints) -> Ints:
    """Whole lots that hold so many units, in units."""
    return -(-units // lot) * lot


def order(position: Ints, level: Ints, lot: Ints, floor: Ints | int, outlook: Outlook) -> Ints:
    """Units to order, in whole lots: what is missing to the level, rounded up or down, whichever earns more.

    Rounding down is refused where it would leave less than the floor; of two that earn the same, up is taken. So of a
    lot that is much larger than the level nothing is ordered, unless the shelf would fall below its floor. Of lots
    of up to `POINTS` units each unit counts.

    Args:
        position: Units that can serve the window.
        level: Units that are worth having.
        lot: Units of a lot, at least 1.
        floor: Fewest units, one a row or for all; a level below it stands, and is the floor.
        outlook: What becomes of the units.
    """
    missing = np.maximum(level - position, 0)
    down, up = missing // lot * lot, rounded_up(missing, lot)
    open_rows = np.flatnonzero((down < up) & (position + down >= np.minimum(floor, level)))
    some = outlook.take(open_rows)
    loses = worth(some, position[open_rows] + down[open_rows], lot[open_rows]) < 0
    up[open_rows[loses]] = down[open_rows[loses]]
    return up


def lot_level(level: Ints, lot: Ints, outlook: Outlook) -> Ints:
    """Position below which one more lot earns at least what it costs, one a row; at most the level.

    Who knows it orders what `order` does, without knowing the forecast.

    Args:
        level: Units that are worth having.
        lot: Units of a lot, at least 1.
        outlook: What becomes of the units.
    """
    return largest(lambda k: worth(outlook, k - 1, lot) >= 0, level)


def worth(outlook: Outlook, stocked: Ints, lot: Ints) -> Floats:
    """Money that a lot more is expected to earn, one a row, if so many units are stocked already."""
    points = np.minimum(lot, POINTS)
    total = np.zeros(len(lot))
    for number in range(int(points.max(initial=0))):
        rows = np.flatnonzero(number < points)
        share = lot[rows] / points[rows]
        unit = stocked[rows] + np.ceil((number + 0.5) * share).astype(np.int64)
        total[rows] += outlook.take(rows).gain(unit) * share
    return total
