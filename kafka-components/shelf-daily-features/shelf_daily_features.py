"""Features of each shelf for a business day, from what was known when it began (docs/design/retail.md#features).

They come from the events before that day, also when the day is done late; so no feature knows what it
shall help to predict.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime

import pyarrow as pa

import features_stock
from lakeshelf.components.component import Component, Decision, Tick, Upsert, days
from lakeshelf.contracts.layers import Analytics, Curated, Raw
from lakeshelf.forecast.demand.chosen import every
from lakeshelf.forecast.demand.known import Pins, Sources, known
from lakeshelf.forecast.demand.lakes import outstanding
from lakeshelf.forecast.demand.rows import looking_back
from lakeshelf.forecast.demand.windows import business_day

FEATURES = Curated.FEATURES_STORE
SOURCES = Sources(
    receipts=Raw.POS_TRANSACTIONS,
    lost_sales=Raw.LOST_SALES,
    demand=Curated.DAILY_DEMAND,
    visits=Raw.FOOT_TRAFFIC,
    profiles=Curated.SHELF_PROFILES,
    discounts=Analytics.DAILY_DISCOUNTS,
    promotions=Curated.PROMOTIONS,
)
MOST_ROWS = 500_000
"""Rows that one statement makes, if they are of more than one day: more at once is more memory."""


def rows_of(day: date, lake: Pins, new: pa.Table | None = None) -> pa.Table:
    """Rows of `curated/features_store` for a day, a row for each shelf with a profile.

    Args:
        day: The business day D.
        lake: What there is; of events only those before D count.
        new: Rows of daily demand that the table is about to get.
    """
    (rows,) = rows_of_days([day], lake, new)
    return rows


def rows_of_days(
    some: Sequence[date], lake: Pins, new: pa.Table | None = None
) -> Iterator[pa.Table]:
    """The same for several days, the oldest first; what was known is read, and what they look back on made, once."""
    looked_at = known(lake, SOURCES, some[0], some[-1], new)
    shelves = looked_at.shelves.num_rows
    at_once = max(1, MOST_ROWS // max(1, shelves))
    with (
        features_stock.stock(some[-1], lake) as stock,
        looking_back(looked_at, some[0], some[-1]) as features_of,
    ):
        for n in range(0, len(some), at_once):
            part = some[n : n + at_once]
            cutoffs = pa.concat_tables(map(business_day, part))
            made = features_of(every(looked_at.shelves, cutoffs))
            for place, day in enumerate(part):
                yield stock.beside(day, made.slice(place * shelves, shelves))


class DailyFeatures(Component):
    """Writes the features of each business day once."""

    name = "shelf-daily-features"
    doc = "Demand of each shelf and day, and its features on each business day, for training and prediction."
    phase = "discounts"
    follows = ("daily-discount-manager",)
    journal = FEATURES

    def dues(self, after: datetime | None, tick: Tick) -> Sequence[datetime]:
        """The business days that are not done."""
        return days(after, tick)

    def decide(self, due: datetime, tick: Tick) -> Decision:
        """The features of the day that begins at `due`, and the demand of days before it that is new."""
        day, lake = due.date(), self.context.lake
        demand = outstanding(lake, SOURCES, day)
        upserts = {SOURCES.demand: Upsert(demand.rows, demand.txns)} if demand else {}
        if self._is_there(day):
            return Decision(str(day), due, upserts=upserts)
        pins = Pins(lake)
        table = rows_of(day, pins, demand.rows if demand else None)
        return Decision(str(day), due, table=table, upserts=upserts, inputs=pins.versions)

    def _is_there(self, day: date) -> bool:
        """Whether a back-fill has written the day."""
        where = [("feature_date", "=", day)]
        stored = self.context.lake.read(FEATURES, columns=["feature_date"], where=where)
        return any(batch.num_rows for batch in stored)


COMPONENT = DailyFeatures
