"""What a forecast may look at, as a lake has it: each table at one version (docs/design/forecasting.md#features)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.contracts import CATALOG
from lakeshelf.forecast.demand.features_sql import REACH
from lakeshelf.forecast.demand.holidays import holidays
from lakeshelf.forecast.demand.rows import ForecastInputs
from lakeshelf.lake.rows.conditions import Where
from lakeshelf.lake.rows.port import ReadTables
from lakeshelf.lake.rows.snapshot import Snapshot

SHELVES = ("shelf_id", "store_id", "item_id", "category", "subcategory", "shelf_life_days")
DISCOUNTS = ("shelf_id", "discount_date", "discount")
PROMOTIONS = ("shelf_id", "week", "display", "mailer", "known_at")
WEEK, VISITED, BEFORE, YEAR = (timedelta(days=n) for n in (7, 28, 2 * REACH, 366))
LATEST: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True)
class Sources:
    """Names of the tables that features come from."""

    receipts: str
    lost_sales: str
    demand: str
    visits: str
    profiles: str
    discounts: str
    promotions: str


class Pins:
    """Tables of a lake, each at one version for as long as features are made.

    Args:
        lake: The lake.
        versions: Table → version; others are read as they stand when they are first asked for.
    """

    def __init__(self, lake: ReadTables, versions: Mapping[str, int] = LATEST) -> None:
        self._lake = lake
        self._snapshots: dict[str, Snapshot] = {}
        self.versions = dict(versions)
        """Versions of all that was read."""

    def read(self, name: str, columns: Sequence[str], where: Where = ()) -> pa.Table:
        """Rows of a table at its version."""
        if name not in self._snapshots:
            self._snapshots[name] = self._lake.snapshot(name, self.versions.get(name))
            self.versions[name] = self._snapshots[name].version
        return self._snapshots[name].scan(columns, where).read_all()


def known(
    lake: Pins, sources: Sources, first: date, last: date, new: pa.Table | None = None
) -> ForecastInputs:
    """What there is for features of days from `first` to `last`.

    Args:
        lake: The lake.
        sources: Its tables.
        first: Day of the oldest rows.
        last: Day of the newest rows.
        new: Rows of daily demand that the table is about to get.
    """
    demanded: Where = [("day", ">=", first - BEFORE), ("day", "<", last)]
    columns = [column.name for column in CATALOG.tables[sources.demand].columns]
    demand = lake.read(sources.demand, columns, demanded)
    planned: Where = [("week", ">=", first - BEFORE - WEEK), ("week", "<=", last + WEEK)]
    decided: Where = [("discount_date", ">=", first), ("discount_date", "<=", last)]
    return ForecastInputs(
        demand=demand if new is None else _upserted(demand, _between(new, first, last)),
        shelves=lake.read(sources.profiles, SHELVES),
        visits=_visits(lake, sources.visits, first, last),
        promotions=lake.read(sources.promotions, PROMOTIONS, planned),
        discounts=lake.read(sources.discounts, DISCOUNTS, decided),
        holidays=holidays(first, last + YEAR),
    )


def _between(demand: pa.Table, first: date, last: date) -> pa.Table:
    day = demand["day"]
    return demand.filter(pc.and_(pc.greater_equal(day, first - BEFORE), pc.less(day, last)))


def _upserted(stored: pa.Table, new: pa.Table) -> pa.Table:
    key = ["shelf_id", "day"]
    kept = stored.join(new.select(key), keys=key, join_type="left anti")
    return pa.concat_tables([kept.select(new.column_names), new])


def _visits(lake: Pins, name: str, first: date, last: date) -> pa.Table:
    entries = lake.read(
        name,
        ("store_id", "event_date"),
        [
            ("event_type", "=", "entry"),
            ("event_date", ">=", first - VISITED),
            ("event_date", "<", last),
        ],
    )
    counts = entries.group_by(["store_id", "event_date"], use_threads=False).aggregate(
        [([], "count_all")]
    )
    return counts.select(["store_id", "event_date", "count_all"]).rename_columns(
        ["store_id", "day", "visits"]
    )
