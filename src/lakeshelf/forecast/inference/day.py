"""A cutoff day: its features, what orders have to know of its shelves, and what versions say of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

import numpy as np
import pyarrow as pa

from lakeshelf.contracts import CATALOG, arrow
from lakeshelf.contracts.layers import Curated
from lakeshelf.counts import count_of
from lakeshelf.forecast.demand.engine import BOUNDS, EngineBounds, engine
from lakeshelf.forecast.demand.features import SCHEMA
from lakeshelf.forecast.inference import reasons
from lakeshelf.forecast.inference.predictions import (
    MOST_FALLEN,
    Mask,
    Predicted,
    SentLevels,
    as_rows,
    deciding,
    predicted,
)
from lakeshelf.forecast.inference.shelves import ORDERED, Shelves
from lakeshelf.forecast.inference.use import Choice, InUse
from lakeshelf.forecast.model.boosted import Predictor

ROWS = arrow.schema(CATALOG.tables[Curated.PREDICTIONS].columns)
"""Columns of `curated/predictions`."""
WAY_OUT = (
    "`lakeshelf features backfill` writes those that a forecast can read while the shop is down"
)
SHELVES_SQL = """
WITH coming AS (SELECT shelf_id, sum(total_qty) AS units FROM orders GROUP BY shelf_id)
SELECT f.shelf_id, p.store_id, p.item_id, p.unit_price::DOUBLE AS unit_price,
    p.shelf_life_days::DOUBLE AS shelf_life_days, w.service_level::DOUBLE AS service_level,
    greatest(p.standard_batch_size * w.batch_multiplier, 1)::BIGINT AS lot, s.min_qty::BIGINT AS min_qty,
    greatest(f.current_stock + f.wh_current_stock + f.in_transit + coalesce(c.units, 0), 0)::BIGINT AS position,
    w.allow_zero, w.plan_source = 'ml' AS by_model
FROM features AS f JOIN profiles AS p USING (shelf_id) JOIN room AS w USING (shelf_id)
    JOIN store AS s USING (shelf_id) LEFT JOIN coming AS c USING (shelf_id)
ORDER BY f.shelf_id
"""


@dataclass(frozen=True)
class DayInputs:
    """What is known of a cutoff day when it is predicted.

    Args:
        features: Rows of `curated/features_store` of the day.
        profiles: Rows of `curated/shelf_profiles`.
        room: Policies of back rooms in force, a row a shelf: `wh_policies`.
        store: Policies of shelves in force, a row a shelf: `shelf_policies`.
        orders: `shelf_id`, `total_qty` of orders that are not delivered.
    """

    features: pa.Table
    profiles: pa.Table
    room: pa.Table
    store: pa.Table
    orders: pa.Table


@dataclass(frozen=True)
class CutoffDay:
    """A cutoff day that can be predicted.

    Args:
        day: The day D.
        rows: Features that a model may read, by shelf.
        shelves: What an order has to know, in the same order.
        by_model: Whose orders a model decides about.
        missing: Shelves with a profile and without features.
    """

    day: date
    rows: pa.Table
    shelves: Shelves
    by_model: Mask
    missing: int

    @property
    def is_whole(self) -> bool:
        """Whether so few shelves are without features that the others can be relied on."""
        return bool(self.missing <= MOST_FALLEN * (self.rows.num_rows + self.missing))

    def without(self, stores: Collection[str]) -> CutoffDay:
        """The day, with the rule deciding for some stores; "": for all of them."""
        is_handed_back = np.isin(self.shelves.store_id.astype(str), list(stores)) | ("" in stores)
        return replace(self, by_model=self.by_model & ~is_handed_back)


def of(day: date, known: DayInputs, rows: pa.Table, bounds: EngineBounds = BOUNDS) -> CutoffDay:
    """The day as it is known.

    Args:
        day: The day D.
        known: Tables.
        rows: The features of `known` that a model may read.
        bounds: Memory and threads.
    """
    with engine(vars(known), bounds) as connection:
        table = connection.execute(SHELVES_SQL).to_arrow_table()
    seen = pa.table({"shelf_id": table["shelf_id"]})
    rows = seen.join(rows, "shelf_id", join_type="inner").select(SCHEMA.names).sort_by("shelf_id")
    missing = known.profiles.num_rows - rows.num_rows
    by_model = table["by_model"].to_numpy(zero_copy_only=False).astype(bool)
    return CutoffDay(day, rows, Shelves.of(table.select(ORDERED.names)), by_model, missing)


@dataclass(frozen=True)
class Predictions:
    """What versions say of a day.

    Args:
        rows: Rows of `curated/predictions`.
        fallen: Version → share of the shelves that the rule decides for instead.
        problems: Version, or "" where none can be told, → why it says nothing, one line.
    """

    rows: pa.Table
    fallen: Mapping[str, float]
    problems: Mapping[str, str]


NOTHING = Predictions(ROWS.empty_table(), {}, {})


def predictions(day: CutoffDay, choice: Choice, sent: datetime | None, at: datetime) -> Predictions:
    """What all versions in use say of a day.

    Args:
        day: The day.
        choice: The versions.
        sent: Until when levels of the champion decide; None: it is too late for the day's orders.
        at: When the day began.
    """
    tables, fallen, problems = [ROWS.empty_table()], {}, dict(choice.problems)
    for one in choice.all:
        version = one.version.card.model_version
        if not day.is_whole:
            lacking = f"features of {day.day} lack {count_of(day.missing, 'shelf')}"
            problems[version] = f"{lacking}; {WAY_OUT}"
            fallen[version] = 1.0
        elif day.rows.num_rows:
            said = predicted(day.rows, Predictor(one.version.trained)(day.rows), day.shelves)
            fallen[version] = said.fallen_share
            tables.append(_rows(day, one, said, sent, at))
    return Predictions(pa.concat_tables(tables), fallen, problems)


def _rows(
    day: CutoffDay, one: InUse, said: Predicted, sent: datetime | None, at: datetime
) -> pa.Table:
    decides = one.role == "champion"
    heard = said.usable & day.by_model if decides and sent else np.zeros(len(day.by_model), bool)
    card = one.version.card
    same = {
        "model_name": card.model_name,
        "model_version": card.model_version,
        "role": one.role,
        "created_at": at,
    }
    levels = SentLevels(heard, sent or at)
    rows = as_rows(said, day.rows, day.shelves, _reasons(day, one, said), levels, **same)
    return rows.select(ROWS.names).cast(ROWS)


def _reasons(day: CutoffDay, one: InUse, said: Predicted) -> list[str | None]:
    """Reasons of the shelves that the champion orders for by their forecast; they cost too much for all."""
    asked = (said.order > 0) & said.usable & (one.role == "champion")
    asked &= deciding(day.rows, day.shelves)
    texts = iter(reasons.top(one.version.trained, day.rows.filter(pa.array(asked))))
    return [next(texts) if ask else None for ask in asked]
