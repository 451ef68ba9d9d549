"""The position that an order should reach (docs/design/forecasting.md#orders)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lakeshelf.contracts.retail.topics_reference import LEAST_SERVICE, MOST_SERVICE
from lakeshelf.errors import ConfigurationError
from lakeshelf.forecast.frames import Floats
from lakeshelf.forecast.orders.distribution import Ints
from lakeshelf.forecast.orders.economics import Outlook


def position(shelf: Ints, in_transit: Ints, room: Ints, ordered: Ints, expiring: Ints) -> Ints:
    """Units that can serve the window, one a row.

    Args:
        shelf: Units on the shelf.
        in_transit: Units between back room and shelf.
        room: Units in the back room.
        ordered: Units that are ordered and not delivered.
        expiring: Units of all these that expire before the window ends.
    """
    units: Ints = np.maximum(shelf + in_transit + room + ordered - expiring, 0)
    return units


def levels(
    outlook: Outlook,
    service: Floats | None = None,
    min_qty: Ints | int = 1,
    allow_zero: Any = False,
) -> Ints:
    """Units that are worth having, one a row.

    Unit k is worth it while it earns more than it costs (`Outlook.gain`). A service level replaces that by the units
    that suffice with so much probability, in the unit's life where that is shorter than the window. Nothing is
    stocked beyond `Outlook.most`. Free goods stand at `min_qty`, unless there is a service level.

    Args:
        outlook: What becomes of the units.
        service: Service level a row; NaN, or none at all: from the costs.
        min_qty: Fewest units, one a row or for all; at least 1 is kept.
        allow_zero: Whether a shelf that is worth nothing may stand empty, one a row or for all.

    Raises:
        ConfigurationError: A service level that is out of bounds.
    """
    asked = np.full(len(outlook.most), np.nan) if service is None else service
    _require_bounds(asked)
    worth = largest(
        lambda k: np.where(np.isnan(asked), outlook.gain(k) > 0, outlook.sold(k) > 1 - asked),
        outlook.most,
    )
    floor = np.maximum(min_qty, 1)
    return np.where(np.asarray(allow_zero) & (worth == 0), 0, np.maximum(worth, floor))


def largest(holds: Callable[[Ints], Any], most: Ints) -> Ints:
    """Largest k from 1 to `most` for which a condition holds that, once false, stays so; else 0."""
    low, high = np.zeros_like(most), np.maximum(most, 0)
    while (low < high).any():
        middle = (low + high + 1) // 2
        kept = holds(middle)
        low, high = np.where(kept, middle, low), np.where(kept, high, middle - 1)
        high = np.maximum(low, high)
    return low


def _require_bounds(service: Floats) -> None:
    beyond = service[(service < LEAST_SERVICE) | (service > MOST_SERVICE)]
    if beyond.size:
        raise ConfigurationError(
            f"service_level is {beyond[0]:g}",
            hint=f"give a share from {LEAST_SERVICE} to {MOST_SERVICE}",
        )
