"""Features of past cutoff days, by the statements of the daily job (docs/design/forecasting.md#features)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.components.component import DAY, Upsert
from lakeshelf.components.journal import OwnTable
from lakeshelf.forecast.demand.known import Pins
from lakeshelf.forecast.demand.lakes import DemandEvents, outstanding
from lakeshelf.forecast.demand.rows import AT_ONCE
from lakeshelf.forecast.demand.windows import cutoffs
from lakeshelf.lake.place.errors import Conflict
from lakeshelf.lake.rows.port import ReadTables
from lakeshelf.lake.upkeep import requests
from shelf_daily_features import FEATURES, SOURCES, DailyFeatures, rows_of_days

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Filled:
    """What a back-fill wrote.

    Attributes:
        days: Cutoff days that got features.
        rows: Rows of them.
        demand_days: Days whose demand was written before.
        last: Last day that anything is known of; None: there are no receipts at all.
    """

    days: tuple[date, ...] = ()
    rows: int = 0
    demand_days: int = 0
    last: date | None = None


def backfill(
    lake: ReadTables,
    stack: Path,
    since: date | None,
    until: date | None,
    progress: Progress = lambda step, done, total: None,
) -> Filled:
    """Write the features of cutoff days that have none of a forecast, and the demand of the days before them.

    Rows that were stored before there were features of a forecast are replaced. Days that the
    component has still to do are left to it.

    Args:
        lake: The lake.
        stack: Folder of the stack that the component belongs to.
        since: First day; None: the day after the first receipt.
        until: Last day; None: the day after the last receipt.
        progress: Is told what is done, how many days of it, and of how many.

    Raises:
        Conflict: The component is up.
    """
    with requests.leased(lake.root, lake.dataset(FEATURES), stack) as is_ours:
        if not is_ours:
            raise Conflict(
                f"{DailyFeatures.name} is up and alone writes {FEATURES}",
                hint="stop it with `lakeshelf down`, then back-fill",
            )
        own = OwnTable(lake.root, DailyFeatures.name, FEATURES)
        stored = lake.read(FEATURES, columns=["feature_date", "horizon_days"]).read_all()
        known = DemandEvents.of(lake, SOURCES).counts
        days = _missing(known, own, stored, since, until)
        if not days:
            return Filled(last=max(known, default=None))
        progress("demand", 0, 0)
        demand_days = _catch_up(lake, own, days[-1])
        rows = sum(_written(lake, own, days, _days(stored), progress))
        return Filled(tuple(days), rows, demand_days, max(known))


def _days(stored: pa.Table) -> set[date]:
    return set(pc.unique(stored["feature_date"]).to_pylist())


def _missing(
    known: Collection[date], own: OwnTable, stored: pa.Table, since: date | None, until: date | None
) -> list[date]:
    """Cutoff days none of whose rows are stored, or one of them with another window than the calendar's."""
    if not known:
        return []
    first, last = min(known) + DAY, max(known) + DAY
    if own.last is not None:
        last = min(last, own.last.decision.event_time.date())
    possible = cutoffs(max(first, since or first), min(last, until or last) + DAY)
    windows: dict[date, set[int | None]] = defaultdict(set)
    for row in stored.group_by(stored.column_names).aggregate([]).to_pylist():
        windows[row["feature_date"]].add(row["horizon_days"])
    return [
        row["feature_date"]
        for row in possible.to_pylist()
        if windows[row["feature_date"]] != {row["horizon_days"]}
    ]


def _catch_up(lake: ReadTables, own: OwnTable, until: date) -> int:
    demand = outstanding(lake, SOURCES, until)
    if demand is None:
        return 0
    own.upsert(SOURCES.demand, Upsert(demand.rows, demand.txns))
    return len(pc.unique(demand.rows["day"]))


def _written(
    lake: ReadTables, own: OwnTable, days: list[date], stored: set[date], progress: Progress
) -> Iterator[int]:
    for n in range(0, len(days), AT_ONCE):
        some, pins = days[n : n + AT_ONCE], Pins(lake)
        for done, rows in enumerate(rows_of_days(some, pins), n):
            progress("features", done, len(days))
            write = own.replace if days[done] in stored else own.append
            write(rows, pins.versions)
            yield rows.num_rows
