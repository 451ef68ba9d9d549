"""What was sold of which goods: a floor of what was wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.forecast.demand.segments import BY_MEASURE
from lakeshelf.forecast.frames import Floats
from lakeshelf.forecast.orders.distribution import Ints
from lakeshelf.forecast.whatif.errors import NoReceipts
from lakeshelf.forecast.whatif.steps import ReplaySteps

FLOOR_OF_DEMAND = (
    "receipts are a floor of demand: what customers wanted of an empty shelf is not in them"
)
UNKNOWN = "unknown"
Texts = npt.NDArray[np.object_]


@dataclass(frozen=True)
class Goods:
    """What stands on shelves, an entry a shelf.

    Args:
        shelf_id: The shelf.
        store_id: Its store.
        category: Department of its item; `unknown` without one.
        price: Price of a unit, in units of the currency.
        life: Days from receipt to expiry; NaN: it keeps.
        batch: Units of a supplier's batch, at least 1.
        max_stock: Units that a shelf holds; None: customers reach the back room, and there is no shelf.
    """

    shelf_id: Texts
    store_id: Texts
    category: Texts
    price: Floats
    life: Floats
    batch: Ints
    max_stock: Ints | None

    @classmethod
    def of(cls, profiles: pa.Table) -> Goods:
        """The goods of rows of `curated/shelf_profiles`."""
        return cls(
            _texts(profiles["shelf_id"]),
            _texts(profiles["store_id"]),
            _texts(profiles["category"]),
            _floats(profiles["unit_price"]),
            _floats(profiles["shelf_life_days"]),
            np.maximum(_floats(profiles["standard_batch_size"]), 1).astype(np.int64),
            _floats(profiles["max_stock"]).astype(np.int64),
        )

    def take(self, rows: Ints) -> Goods:
        """The same of some shelves, by number."""
        columns: Any = (None if v is None else v[rows] for v in vars(self).values())
        return Goods(*columns)


@dataclass(frozen=True)
class DemandHistory:
    """Units that were wanted.

    Args:
        goods: The goods.
        steps: When.
        units: A row a step, a column a shelf.
        begins: Step from which a shelf counts, one a shelf: that of its first sale. Before it the shelf exists in the
            history only because it will sell.
        peaks: Most units of a step that were wanted and not put back at any time in it, as `units`; None: nothing is
            ever put back.
    """

    goods: Goods
    steps: ReplaySteps
    units: Ints
    begins: Ints
    peaks: Ints | None = None

    @property
    def most(self) -> Ints:
        """Units from which on none of a step is lost."""
        return self.units if self.peaks is None else self.peaks

    @property
    def by_measure(self) -> npt.NDArray[np.bool_]:
        """Whose goods are sold by measure, as fuel is: their units are no pieces, and add up with no others."""
        return np.asarray(self.units.max(axis=0) >= BY_MEASURE)

    def __post_init__(self) -> None:
        if not self.units.any():
            raise NoReceipts(
                f"nothing was sold in {self.steps.days} days from {self.steps.first}",
                hint="name other days or stores",
            )

    @classmethod
    def of_days(cls, goods: Goods, sales: pa.Table, steps: ReplaySteps) -> DemandHistory:
        """The history of daily sales.

        Args:
            goods: The goods; sales of other shelves are left out.
            sales: `shelf_id`, `day`, `units`; days before the first step only say which shelves count from the
                beginning, and units below 0 (returns) are none.
            steps: A step a day.

        Raises:
            NoReceipts: Nothing was sold.
        """
        shelves = pa.array(goods.shelf_id, pa.string())
        place = pc.index_in(sales["shelf_id"], value_set=shelves).combine_chunks()
        known = pc.and_(pc.is_valid(place), pc.greater(sales["units"], 0))
        shelf = place.filter(known.combine_chunks()).to_numpy()
        days = sales["day"].filter(known).cast(pa.date32()).cast(pa.int32()).to_numpy()
        day = days - (np.datetime64(steps.first) - np.datetime64("1970-01-01")).astype(int)
        amount = sales["units"].filter(known).to_numpy()
        units = np.zeros((steps.days, len(goods.shelf_id)), np.int64)
        within = (day >= 0) & (day < steps.days)
        np.add.at(units, (day[within], shelf[within]), amount[within].astype(np.int64))
        begins = np.full(len(goods.shelf_id), steps.days, np.int64)
        np.minimum.at(begins, shelf, np.maximum(day, 0))
        return cls(goods, steps, units, begins)

    def take(self, rows: Ints) -> DemandHistory:
        """The same of some shelves, by number."""
        peaks = None if self.peaks is None else self.peaks[:, rows]
        units, begins = self.units[:, rows], self.begins[rows]
        return DemandHistory(self.goods.take(rows), self.steps, units, begins, peaks)


def _texts(column: pa.ChunkedArray) -> Texts:
    values: Texts = column.fill_null(UNKNOWN).to_numpy().astype(object)
    return values


def _floats(column: pa.ChunkedArray) -> Floats:
    return np.asarray(column.cast(pa.float64()).to_numpy(), np.float64)
