"""What an order has to know of shelves beside their forecast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lakeshelf.forecast.frames import Floats
from lakeshelf.forecast.orders.distribution import Ints

Texts = npt.NDArray[np.object_]
ORDERED = pa.schema(
    [
        *((name, pa.string()) for name in ("shelf_id", "store_id", "item_id")),
        *((name, pa.float64()) for name in ("unit_price", "shelf_life_days", "service_level")),
        *((name, pa.int64()) for name in ("lot", "min_qty", "position")),
        ("allow_zero", pa.bool_()),
    ]
)
"""Columns of the shelves that are ordered for."""


@dataclass(frozen=True)
class OrderTerms:
    """On which terms shelves are ordered for, an entry each, in the order of the rows that are forecast.

    Args:
        unit_price: Price of a unit, in units of the currency.
        shelf_life_days: Days from receipt to expiry; NaN: it keeps.
        service_level: Share of windows in which a level should suffice; NaN: from the costs.
        lot: Units of a supplier's lot that an order is a multiple of, at least 1.
        min_qty: Fewest units of a level.
        position: Units that can serve the window already.
        allow_zero: Whether a level may be 0.
    """

    unit_price: Floats
    shelf_life_days: Floats
    service_level: Floats
    lot: Ints
    min_qty: Ints
    position: Ints
    allow_zero: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Shelves(OrderTerms):
    """The same, with what stands where.

    Args:
        shelf_id: The shelf.
        store_id: Its store.
        item_id: What stands there.
    """

    shelf_id: Texts
    store_id: Texts
    item_id: Texts

    @classmethod
    def of(cls, table: pa.Table) -> Shelves:
        """The shelves of rows of `ORDERED`; a number that is not known is NaN, a price 0."""
        arrays: dict[str, Any] = {
            name: table[name].cast(ORDERED.field(name).type).to_numpy() for name in ORDERED.names
        }
        return cls(**{name: _filled(name, values) for name, values in arrays.items()})

    def take(self, rows: Any) -> Shelves:
        """The same of some shelves, by number or mask."""
        return Shelves(**{name: values[rows] for name, values in vars(self).items()})


def _filled(name: str, values: Any) -> Any:
    return np.nan_to_num(values) if name == "unit_price" else values
