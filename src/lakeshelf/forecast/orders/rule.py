"""What the alert engines plan, as arithmetic: the rule of `shelf-alert-engine` and `wh-alert-engine`.

Their own texts are SQL. `tests/forecast/orders/test_rule.py` runs those on random states and compares.
"""

from __future__ import annotations

import numpy as np

from lakeshelf.forecast.frames import Floats
from lakeshelf.forecast.orders.distribution import Ints
from lakeshelf.forecast.orders.lots import rounded_up


def supply(stock: Ints, ordered: Ints, reorder_point: Ints | int, lot: Ints) -> Ints:
    """Units that a supplier should bring, one a row (docs/design/retail.md#orders).

    Args:
        stock: Units in the back room.
        ordered: Units that are ordered and not delivered.
        reorder_point: Nothing is planned unless the stock is below it.
        lot: `standard_batch_size` times `batch_multiplier`.
    """
    missing = np.maximum(reorder_point - stock - ordered, 0)
    return np.where(stock < reorder_point, rounded_up(missing, lot), 0)


def refill(
    stock: Ints,
    in_transit: Ints,
    max_stock: Ints,
    threshold_pct: Floats | float,
    min_qty: Ints | int,
    target_pct: Floats | float,
) -> Ints:
    """Units that should come from the back room, one a row (docs/design/retail.md#refill).

    Args:
        stock: Units on the shelf.
        in_transit: Units between back room and shelf.
        max_stock: Units that the shelf holds; a shelf of 0 is never low.
        threshold_pct: It is low below this share, in percent.
        min_qty: It is low below this many units.
        target_pct: It is filled to this share, in percent.
    """
    low = (max_stock > 0) & ((100 * stock < threshold_pct * max_stock) | (stock < min_qty))
    target = np.ceil(max_stock * target_pct / 100).astype(np.int64)
    return np.where(low, np.maximum(target - stock - in_transit, 0), 0)


def low_point(
    max_stock: Ints, threshold_pct: Floats | float, min_qty: Ints | int, target_pct: Floats | float
) -> Ints:
    """Most units at which a shelf is refilled, as `refill` says; -1: it never is."""
    bound = threshold_pct * max_stock
    below = np.ceil(bound / 100).astype(np.int64)
    below = np.where(100 * below < bound, below, below - 1)
    below = np.where(100 * below < bound, below, below - 1)
    target = np.ceil(max_stock * target_pct / 100).astype(np.int64)
    low = np.minimum(np.maximum(below, min_qty - 1), target - 1)
    return np.where(max_stock > 0, low, -1)
