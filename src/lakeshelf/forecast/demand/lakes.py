"""Daily demand of a lake, which follows its raw events (docs/design/forecasting.md#demand).

With its rows `curated/daily_demand` notes how many events each day had when it was computed. A day that has another
number of them is computed again, from all its events. The notes bear the ids of the raw tables and whether lost sales
are observed: where one of these is another, each day is new.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from lakeshelf.forecast.demand.daily import daily_demand
from lakeshelf.forecast.demand.engine import BOUNDS, EngineBounds
from lakeshelf.forecast.demand.known import Sources
from lakeshelf.lake.form.commits import Txn
from lakeshelf.lake.rows.conditions import Where
from lakeshelf.lake.rows.port import ReadTables
from lakeshelf.lake.rows.snapshot import Snapshot
from lakeshelf.shop.cutoffs import DAY

RECEIPTS = ("event_time", "store_id", "items")
LOST = ("event_time", "store_id", "shelf_id", "item_id", "quantity")
LOOK = "daily_demand"
"""Application that counts how often the table was brought up to date."""
AT_ONCE = 31
"""Days whose events are in memory together."""
EVENT_DATE = "event_date"


@dataclass(frozen=True)
class Demand:
    """What the table of daily demand lacks.

    Args:
        rows: Rows of the days that are to be written, all of each.
        txns: Notes that go with them into the same commit.
    """

    rows: pa.Table
    txns: tuple[Txn, ...]


@dataclass(frozen=True)
class DemandEvents:
    """Receipts and lost sales, each at one version.

    Args:
        receipts: Receipts.
        lost: Lost sales.
        counts: Day → number of its events.
        observed: Whether anybody observes lost sales.
    """

    receipts: Snapshot
    lost: Snapshot
    counts: Mapping[date, int]
    observed: bool

    @classmethod
    def of(cls, lake: ReadTables, sources: Sources) -> DemandEvents:
        """Those of a lake as it stands."""
        receipts, lost = lake.snapshot(sources.receipts), lake.snapshot(sources.lost_sales)
        sold, missed = Counter(receipts.rows_by(EVENT_DATE)), Counter(lost.rows_by(EVENT_DATE))
        return cls(receipts, lost, sold + missed, bool(missed))

    def note(self, day: date) -> str:
        """Application whose version is the number of events that a day had."""
        lost = self.lost.table_id if self.observed else ""
        return f"{LOOK}:{self.receipts.table_id}:{lost}:{day}"

    def demand(self, days: Sequence[date], bounds: EngineBounds) -> pa.Table:
        """Demand of days, the oldest first."""
        where: Where = [(EVENT_DATE, "in", days)]
        receipts = self.receipts.scan(RECEIPTS, where).read_all()
        lost = self.lost.scan(LOST, where).read_all() if self.observed else None
        return daily_demand(receipts, lost, None, days[0], days[-1] + DAY, bounds)


def outstanding(
    lake: ReadTables,
    sources: Sources,
    until: date,
    since: date = date.min,
    bounds: EngineBounds = BOUNDS,
) -> Demand | None:
    """What the table of daily demand lacks of the days in [since, until); None: nothing.

    Lost units are null as long as there is no lost sale at all, since then nobody observes them. Hours without stock
    are null: what a lake knows of the stock of replayed shelves follows from their next sale.

    Args:
        lake: The lake.
        sources: Its tables.
        until: Day after the last one.
        since: First day.
        bounds: Memory and threads.
    """
    noted = lake.snapshot(sources.demand).handle.transaction_version
    events = DemandEvents.of(lake, sources)
    days = sorted(
        day
        for day, number in events.counts.items()
        if since <= day < until and noted(events.note(day)) != number
    )
    if not days:
        return None
    parts = [events.demand(days[n : n + AT_ONCE], bounds) for n in range(0, len(days), AT_ONCE)]
    look = Txn(LOOK, (noted(LOOK) or 0) + 1)
    notes = (Txn(events.note(day), events.counts[day]) for day in days)
    return Demand(pa.concat_tables(parts), (look, *notes))
