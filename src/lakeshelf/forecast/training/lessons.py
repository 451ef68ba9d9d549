"""What a lake teaches: rows with features and labels (docs/design/forecasting.md#training)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.contracts.layers import Analytics, Curated, Raw
from lakeshelf.forecast.demand import chosen, labels, rows, windows
from lakeshelf.forecast.demand.chosen import SAMPLE, Sample
from lakeshelf.forecast.demand.daily import daily_demand
from lakeshelf.forecast.demand.engine import BOUNDS, Bounds
from lakeshelf.forecast.demand.holidays import holidays
from lakeshelf.forecast.demand.labels import SETTLED_DAYS
from lakeshelf.forecast.demand.rows import Known
from lakeshelf.forecast.frames import DEMAND, HORIZON, KEY, WEIGHT
from lakeshelf.forecast.model.folds import PLAN, TooLittleHistory
from lakeshelf.forecast.model.naive import with_naive
from lakeshelf.lake.rows.port import ReadTables

WARM_UP_DAYS = 56
"""Days of receipts before the first cutoff day that anything is learned from."""
LEAST_DAYS = WARM_UP_DAYS + 7 * (PLAN.least_weeks + PLAN.weeks)
"""Days of receipts with fewer than which nothing can be trained; a few more are needed for labels to be known."""
RECENT = 3
"""Cutoff days, a week, whose features of all shelves are what a version calls usual."""
SHELVES = ("shelf_id", "store_id", "item_id", "category", "subcategory", "shelf_life_days")
RECEIPTS = ("event_time", "store_id", "items")
LOST = ("event_time", "store_id", "shelf_id", "item_id", "quantity")
PROMOTIONS = ("shelf_id", "week", "display", "mailer", "known_at")


@dataclass(frozen=True)
class Lesson:
    """What a lake teaches.

    Args:
        rows: Key, features, columns of naive forecasts, `demand` and `weight`, by day and shelf.
        recent: Key and features of all shelves on the last cutoff days of `rows`.
        known: What they were made of.
    """

    rows: pa.Table
    recent: pa.Table
    known: Known

    @property
    def trained_until(self) -> date:
        """Last day whose demand is in a label."""
        ends = pc.add(
            pc.cast(self.rows[KEY[1]], pa.int32()), pc.cast(self.rows[HORIZON], pa.int32())
        )
        return date(1970, 1, 1) + timedelta(days=pc.max(ends).as_py() - 1)


def lesson(
    lake: ReadTables,
    today: date | None = None,
    sample: Sample = SAMPLE,
    bounds: Bounds = BOUNDS,
    warm_up_days: int = WARM_UP_DAYS,
) -> Lesson:
    """The rows of all cutoff days whose labels are known.

    They follow from the last of these days alone, so that `settled(trained_until)` as `today` gives the same ones.

    Args:
        lake: A lake, at the versions that it reads.
        today: The day that begins; None: that of the latest receipt.
        sample: How much of the tail is in it.
        bounds: Memory and threads.
        warm_up_days: Days of receipts before the first cutoff day.

    Raises:
        TooLittleHistory: There is no cutoff day whose label is known.
        NotFound: The lake lacks a table.
    """
    known = read(lake, today, bounds)
    days = pc.min_max(known.demand["day"]).as_py()
    first = None if days["min"] is None else days["min"] + timedelta(days=warm_up_days)
    last = today or days["max"]
    cutoffs = _labelled(first, last) if first and last and first < last else None
    if cutoffs is None or not cutoffs.num_rows:
        raise _too_little(days["min"], last)
    picked = chosen.sampled(_of(known.demand, known.shelves), cutoffs, sample, bounds)
    if not picked.num_rows:
        raise _too_little(days["min"], last)
    return Lesson(
        with_naive(_with_labels(picked, known, last, bounds), known.demand),
        _features(
            chosen.every(known.shelves, cutoffs.slice(cutoffs.num_rows - RECENT), bounds),
            known,
            bounds,
        ),
        known,
    )


def settled(trained_until: date) -> date:
    """The day on which all labels up to a day are known."""
    return trained_until + timedelta(days=1 + SETTLED_DAYS)


def read(lake: ReadTables, until: date | None, bounds: Bounds = BOUNDS) -> Known:
    """What a lake knows of the days before one.

    Args:
        lake: A lake, at the versions that it reads.
        until: Day after the last one; None: there is none.
        bounds: Memory and threads.
    """
    demand = _demand(lake, until or date.max, bounds)
    days = pc.min_max(demand["day"]).as_py()
    end = until or days["max"] or date(1970, 1, 1)
    discounts = ("shelf_id", "discount_date", "discount")
    return Known(
        demand=demand,
        shelves=_table(lake, Curated.SHELF_PROFILES, SHELVES),
        visits=_visits(lake, end),
        promotions=_table(lake, Curated.PROMOTIONS, PROMOTIONS),
        discounts=_table(lake, Analytics.DAILY_DISCOUNTS, discounts),
        holidays=holidays(days["min"] or end, end + timedelta(days=366)),
    )


def _demand(lake: ReadTables, until: date, bounds: Bounds) -> pa.Table:
    where = [("event_date", "<", until)]
    receipts = lake.read(Raw.POS_TRANSACTIONS, columns=RECEIPTS, where=where).read_all()
    lost = lake.read(Raw.LOST_SALES, columns=LOST, where=where).read_all()
    return daily_demand(receipts, lost if lost.num_rows else None, None, date.min, until, bounds)


def _visits(lake: ReadTables, until: date) -> pa.Table:
    where = [("event_type", "=", "entry"), ("event_date", "<", until)]
    names = ("store_id", "event_date")
    entries = lake.read(Raw.FOOT_TRAFFIC, columns=names, where=where).read_all()
    counts = entries.group_by(names).aggregate([([], "count_all")])
    return pa.table(
        dict(zip(("store_id", "day", "visits"), counts.select([*names, "count_all"]), strict=True))
    )


def _table(lake: ReadTables, name: str, columns: tuple[str, ...]) -> pa.Table:
    return lake.read(name, columns=columns).read_all()


def _labelled(first: date, today: date) -> pa.Table:
    """Cutoff days from the first on whose labels are known."""
    days = windows.cutoffs(first, today)
    ends = [row[KEY[1]] + timedelta(days=row[HORIZON] + SETTLED_DAYS) for row in days.to_pylist()]
    return days.filter(pa.array([end <= today for end in ends], pa.bool_()))


def _of(demand: pa.Table, shelves: pa.Table) -> pa.Table:
    """Demand of shelves that have a profile."""
    return demand.filter(pc.is_in(demand[KEY[0]], shelves[KEY[0]].combine_chunks()))


def _features(places: pa.Table, known: Known, bounds: Bounds) -> pa.Table:
    return pa.concat_tables(rows.features(places, known, bounds))


def _with_labels(picked: pa.Table, known: Known, today: date, bounds: Bounds) -> pa.Table:
    features = _features(picked, known, bounds)
    its = labels.labels(picked, known.demand, today, bounds=bounds)
    if any(features[name].combine_chunks() != its[name].combine_chunks() for name in KEY):
        raise AssertionError("features and labels are of different rows")
    return features.append_column(DEMAND, its[DEMAND]).append_column(WEIGHT, its[WEIGHT])


def _too_little(first: date | None, today: date | None) -> TooLittleHistory:
    reason = "there are no receipts" if first is None else f"receipts from {first} to {today}"
    return TooLittleHistory(
        f"nothing is trained: {reason}, and no label is known after {WARM_UP_DAYS} days of them",
        hint="wait for more days",
    )
