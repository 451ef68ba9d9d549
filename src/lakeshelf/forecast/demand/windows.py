"""Cutoff days and the windows that forecasts are of (docs/design/forecasting.md#vocabulary)."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pyarrow as pa

from lakeshelf.forecast.frames import HORIZON, KEY
from lakeshelf.shop.cutoffs import CUTOFF, CUTOFF_DAYS, DAY, delivery_date

CUTOFFS = pa.schema([(KEY[1], pa.date32()), (HORIZON, pa.int64())])
WEEKDAY = "weekday"
WEEK = pa.schema([(WEEKDAY, pa.int64()), (HORIZON, pa.int64())])


def next_cutoff(day: date) -> date:
    """The first cutoff day after a day."""
    return next(d for n in range(1, 8) if (d := day + n * DAY).weekday() in CUTOFF_DAYS)


def latest_cutoff(day: date) -> date:
    """The last cutoff day up to a day."""
    return next(d for n in range(7) if (d := day - n * DAY).weekday() in CUTOFF_DAYS)


def horizon(day: date) -> int:
    """Days from a cutoff day until the delivery of the next cutoff, before which no later order helps."""
    return (delivery_date(datetime.combine(next_cutoff(day), CUTOFF, UTC)) - day).days


def week() -> pa.Table:
    """The cutoff days of a week.

    Returns:
        `weekday` (1 is Monday), `horizon_days`.
    """
    days = (date(2000, 1, 3) + n * DAY for n in range(7))
    cutoff_days = (day for day in days if day.weekday() in CUTOFF_DAYS)
    rows = [{WEEKDAY: day.isoweekday(), HORIZON: horizon(day)} for day in cutoff_days]
    return pa.Table.from_pylist(rows, WEEK)


def lengths() -> frozenset[int]:
    """Days that windows have."""
    return frozenset(week()[HORIZON].to_pylist())


def business_day(day: date) -> pa.Table:
    """A business day, with its horizon if it is a cutoff day.

    Returns:
        `feature_date`, `horizon_days`, one row.
    """
    days = horizon(day) if day.weekday() in CUTOFF_DAYS else None
    return pa.Table.from_pylist([{KEY[1]: day, HORIZON: days}], CUTOFFS)


def cutoffs(since: date, until: date) -> pa.Table:
    """The cutoff days in [since, until), with the horizon of each.

    Returns:
        `feature_date`, `horizon_days`, oldest first.
    """
    days = (since + n * DAY for n in range((until - since).days))
    rows = [{KEY[1]: day, HORIZON: horizon(day)} for day in days if day.weekday() in CUTOFF_DAYS]
    return pa.Table.from_pylist(rows, CUTOFFS)
