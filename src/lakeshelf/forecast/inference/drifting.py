"""How far the features of all shelves have moved since a training (docs/design/forecasting.md#health)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date

import numpy as np
import pyarrow as pa

from lakeshelf.contracts.layers import Curated
from lakeshelf.forecast.demand.features import SCHEMA
from lakeshelf.forecast.demand.rows import of_store
from lakeshelf.forecast.frames import KEY
from lakeshelf.forecast.model.rows import STORE, matrix, texts
from lakeshelf.forecast.versions.drift import DAYS, LEAST_ROWS, stability
from lakeshelf.forecast.versions.folders import Version
from lakeshelf.forecast.versions.health import DRIFT, Health
from lakeshelf.lake.rows.port import ReadTables
from lakeshelf.shop.cutoffs import CUTOFF_DAYS, DAY

OF_CALENDAR = ("horizon_days", "day_of_week", "days_to_holiday", "days_known")
"""Features that move with each day, whatever customers do."""
OF_PLANS = ("promoted_days", "display", "mailer", "display_before", "mailer_before")
"""Features that each week's plan of promotions sets anew."""
SHARED = ("store_", "category_", "subcategory_")
"""Beginnings of features that shelves of a store or department share: they have few values, which move together."""
DRIFTING = frozenset(
    n for n in SCHEMA.names if n not in (*OF_CALENDAR, *OF_PLANS) and not n.startswith(SHARED)
)


def recent(lake: ReadTables, day: date) -> pa.Table:
    """Features of all shelves on the latest `DAYS` cutoff days up to a day, as a reference has them."""
    days = [d for n in range(7 * DAYS) if (d := day - n * DAY).weekday() in CUTOFF_DAYS][:DAYS]
    where = [(KEY[1], "in", days)]
    return of_store(lake.read(Curated.FEATURES_STORE, columns=SCHEMA.names, where=where).read_all())


def indices(version: Version, rows: pa.Table) -> dict[str, dict[str, float]]:
    """How far features of `recent` are from those that a version was trained on: store → feature → index."""
    columns = version.trained.columns
    values = matrix(rows, columns).astype(np.float64)
    moved = stability(version.reference, values, texts(rows, STORE).astype(str).tolist(), columns)
    return {store: _of_shelf(of) for store, of in moved.items()}


def unknown(one: Health, stores: Collection[str]) -> str | None:
    """Why no drift is told; None: it is, or this is another metric.

    Args:
        one: A row of health.
        stores: Those that the reference of the version knows.
    """
    if one.metric != DRIFT or one.value is not None:
        return None
    if one.store_id not in stores:
        return "the training knew no shelf of the store"
    return f"fewer than {LEAST_ROWS} rows of features on {DAYS} cutoff days"


def _of_shelf(of: Mapping[str, float]) -> dict[str, float]:
    return {name: index for name, index in of.items() if name in DRIFTING}
