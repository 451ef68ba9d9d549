"""What a lake teaches: rows with features and labels (docs/design/forecasting.md#training).

Rows are read as they were stored: what comes late changes their labels, and no feature.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.counts import count_of
from lakeshelf.forecast.demand import chosen, labels, windows
from lakeshelf.forecast.demand.chosen import SAMPLE, Sample
from lakeshelf.forecast.demand.engine import BOUNDS, EngineBounds
from lakeshelf.forecast.demand.labels import SETTLED_DAYS
from lakeshelf.forecast.demand.rows import AT_ONCE, of_store
from lakeshelf.forecast.demand.segments import BY_MEASURE
from lakeshelf.forecast.frames import DEMAND, HORIZON, KEY, WEIGHT
from lakeshelf.forecast.model.folds import PLAN, TooLittleHistory
from lakeshelf.forecast.model.naive import with_naive
from lakeshelf.forecast.training import stored
from lakeshelf.forecast.training.memory import joined
from lakeshelf.forecast.versions import drift
from lakeshelf.lake.rows.port import ReadTables
from lakeshelf.shop.cutoffs import DAY

WARM_UP_DAYS, LEAST_WARM_UP_DAYS = 56, 1
"""Days of receipts before the first cutoff day that anything is learned from; in a young shop fewer."""
LEAST_DAYS = LEAST_WARM_UP_DAYS + 7 * PLAN.least_weeks + min(windows.lengths()) + SETTLED_DAYS
"""Days of receipts with fewer than which nothing can be trained: all labels of the least weeks are known."""


@dataclass(frozen=True)
class Lesson:
    """What a lake teaches.

    Args:
        rows: Key, features, columns of naive forecasts, `demand` and `weight`, by day and shelf.
        recent: Key and features of all shelves on the last cutoff days of `rows`.
        demand: Daily demand that the labels follow from.
    """

    rows: pa.Table
    recent: pa.Table
    demand: pa.Table

    @property
    def trained_until(self) -> date:
        """Last day whose demand is in a label."""
        ends = pc.add(
            pc.cast(self.rows[KEY[1]], pa.int32()), pc.cast(self.rows[HORIZON], pa.int32())
        )
        return date(1970, 1, 1) + timedelta(days=pc.max(ends).as_py() - 1)

    @property
    def age(self) -> int:
        """Days of receipts up to that day."""
        return int((self.trained_until - pc.min(self.demand["day"]).as_py()).days) + 1


def lesson(
    lake: ReadTables,
    today: date | None = None,
    sample: Sample = SAMPLE,
    bounds: EngineBounds = BOUNDS,
) -> Lesson:
    """The rows of all cutoff days whose labels are known, without goods that are sold by measure.

    They follow from the last of these days alone, so that `settled(trained_until)` as `today` gives the same ones.

    Args:
        lake: A lake, at the versions that it reads.
        today: The day that begins; None, or one that has no features yet: the latest one that has.
        sample: How much of the tail is in it.
        bounds: Memory and threads.

    Raises:
        TooLittleHistory: There is no cutoff day whose label is known, or one has no features.
        NotFound: The lake lacks a table.
    """
    known = stored.days(lake)
    if not known.num_rows:
        raise _lacking("no features are stored")
    last = known[KEY[1]][-1].as_py()
    until = min(today or last, last)
    demand = stored.demand(lake, until)
    cutoffs = _taught(known, demand, until)
    days = cutoffs[KEY[1]].to_pylist()
    begun = stored.begun(demand)
    measured = _by_measure(demand, cutoffs)
    parts = (
        chosen.of_stored(stored.features(lake, days[n : n + AT_ONCE]), begun, sample, bounds)
        for n in range(0, len(days), AT_ONCE)
    )
    picked = joined(_without(part, measured) for part in parts)
    if not picked.num_rows:
        raise _too_little(demand, until)
    return Lesson(
        with_naive(_with_labels(picked, demand, until, bounds), demand),
        of_store(stored.features(lake, days[-drift.DAYS :]).read_all()),
        _without(demand, measured),
    )


def settled(trained_until: date) -> date:
    """The day on which all labels up to a day are known."""
    return trained_until + timedelta(days=1 + SETTLED_DAYS)


def _by_measure(demand: pa.Table, cutoffs: pa.Table) -> pa.Array:
    """Shelves whose goods are sold by measure, by what they sold before the last label ended."""
    last = cutoffs.slice(len(cutoffs) - 1).to_pylist()[0]
    end = last[KEY[1]] + last[HORIZON] * DAY
    sold = demand.filter(pc.less(demand["day"], pa.scalar(end)))
    peaks = sold.group_by(KEY[0], use_threads=False).aggregate([("units", "max")])
    return peaks.filter(pc.greater_equal(peaks["units_max"], BY_MEASURE))[KEY[0]].combine_chunks()


def _without(rows: pa.Table, shelves: pa.Array) -> pa.Table:
    return rows.filter(pc.invert(pc.is_in(rows[KEY[0]], value_set=shelves)))


def _taught(known: pa.Table, demand: pa.Table, until: date) -> pa.Table:
    """Cutoff days that anything is learned from; each of them has features."""
    cutoffs = after_warm_up(pc.min(demand["day"]).as_py(), until)
    if not cutoffs.num_rows:
        raise _too_little(demand, until)
    lacking = sorted(set(cutoffs[KEY[1]].to_pylist()) - set(known[KEY[1]].to_pylist()))
    if lacking:
        of = f"{len(lacking)} of {count_of(cutoffs.num_rows, 'cutoff day')}"
        raise _lacking(f"of {of} no features are stored, the first is {lacking[0]}")
    cutoffs = cutoffs.join(known, cutoffs.column_names, join_type="left semi").sort_by(KEY[1])
    if not cutoffs.num_rows:
        raise _too_little(demand, until)
    return cutoffs


def after_warm_up(first: date | None, until: date) -> pa.Table:
    """Cutoff days whose labels are known, without the first ones as far as the newest fold can spare them."""
    if first is None:
        return windows.CUTOFFS.empty_table()
    cutoffs = _labelled(first + LEAST_WARM_UP_DAYS * DAY, until)
    if not cutoffs.num_rows:
        return cutoffs
    spared = cutoffs[KEY[1]][-1].as_py() - 7 * PLAN.full_weeks * DAY
    begin = min(first + WARM_UP_DAYS * DAY, spared)
    return cutoffs.filter(pc.greater_equal(cutoffs[KEY[1]], begin))


def _labelled(first: date, today: date) -> pa.Table:
    """Cutoff days from the first on whose labels are known."""
    days = windows.cutoffs(first, max(first, today))
    ends = [row[KEY[1]] + timedelta(days=row[HORIZON] + SETTLED_DAYS) for row in days.to_pylist()]
    return days.filter(pa.array([end <= today for end in ends], pa.bool_()))


def _with_labels(picked: pa.Table, demand: pa.Table, today: date, bounds: EngineBounds) -> pa.Table:
    its = labels.labels(picked.select([*KEY, HORIZON, WEIGHT]), demand, today, bounds=bounds)
    if any(picked[name].combine_chunks() != its[name].combine_chunks() for name in KEY):
        raise AssertionError("features and labels are of different rows")
    rows = picked.drop_columns(WEIGHT)
    return rows.append_column(DEMAND, its[DEMAND]).append_column(WEIGHT, its[WEIGHT])


def _lacking(what: str) -> TooLittleHistory:
    return TooLittleHistory(
        f"nothing is trained: {what}", hint="write them with `lakeshelf features backfill`"
    )


def _too_little(demand: pa.Table, today: date) -> TooLittleHistory:
    first = pc.min(demand["day"]).as_py()
    days = 0 if first is None else (today - first).days
    return TooLittleHistory(
        f"nothing is trained: {count_of(days, 'day')} since the first receipt, of at least {LEAST_DAYS}",
        hint="wait for more days",
    )
