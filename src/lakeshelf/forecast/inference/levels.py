"""Levels as they are told: messages of the topic `order_levels`, which follow from rows of predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from lakeshelf.forecast.demand.windows import next_cutoff
from lakeshelf.shop.cutoffs import CUTOFF, DAY

TOPIC = "order_levels"
FIELDS = (
    "shelf_id",
    "store_id",
    "item_id",
    "level_qty",
    "lot_level_qty",
    "service_level",
    "feature_date",
    "valid_until",
    "model_name",
    "model_version",
)
UPDATED = "created_at"
COLUMNS = (*FIELDS, UPDATED)
"""Of `curated/predictions`, what a message follows from."""


def valid_until(day: date) -> datetime:
    """When the levels of a cutoff day end: with the next cutoff day, so that a late prediction leaves no gap."""
    return datetime.combine(next_cutoff(day) + DAY, time.min, UTC)


def in_time(day: date, now: datetime) -> bool:
    """Whether the orders of a cutoff day are still to be made."""
    return now < datetime.combine(day, CUTOFF, UTC)


def messages(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The messages of rows of `curated/predictions` whose level was sent; the same rows are the same messages.

    A later cutoff day has the higher version, so a level never goes back.
    """
    return [
        {
            **{name: row[name] for name in FIELDS},
            "version": row["feature_date"].toordinal(),
            "updated_at": row[UPDATED],
        }
        for row in rows
        if row["valid_until"] is not None
    ]
