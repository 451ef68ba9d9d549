"""The table of daily demand follows the raw events, whatever comes when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.contracts import CATALOG, arrow
from lakeshelf.contracts.layers import Curated, Raw
from lakeshelf.forecast.demand.daily import daily_demand
from lakeshelf.forecast.demand.lakes import Demand, outstanding
from lakeshelf.lake import Lake
from lakeshelf.lake.rows import tables
from tests.components.bench import Tables, module
from tests.streams.strategies import event, receipt

SOURCES = module("shelf-daily-features").SOURCES
SHELVES = ("A", "B")
BEGIN = date(2026, 1, 1)
Row = dict[str, Any]


def day(n: int) -> date:
    return BEGIN + timedelta(days=n)


def at(n: int) -> datetime:
    """Noon of a day."""
    return datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=n)


def sale(number: int, n: int, shelf: str = "A", quantity: int = 1) -> Row:
    """A receipt of a line on a day."""
    made = receipt(number, at(n), [{"shelf_id": shelf, "quantity": quantity}])
    return made | {"event_date": day(n)}


def lost(number: int, n: int, shelf: str = "A", quantity: int = 1) -> Row:
    """A lost sale of a day."""
    values = {"shelf_id": shelf, "item_id": "I1", "quantity": quantity}
    return event("lost_sales", number, at(n), **values) | {"event_date": day(n)}


def whole(receipts: Sequence[Row], missed: Sequence[Row], until: int) -> list[Row]:
    """Daily demand of all events at once."""
    made = [
        pa.Table.from_pylist(list(rows), arrow.schema(CATALOG.tables[name].columns))
        for name, rows in ((Raw.POS_TRANSACTIONS, receipts), (Raw.LOST_SALES, missed))
    ]
    observed = made[1] if missed else None
    demand: list[Row] = daily_demand(made[0], observed, None, date.min, day(until)).to_pylist()
    return demand


@dataclass
class World:
    """A lake in memory."""

    lake: Tables = field(default_factory=Tables)

    def look(self, until: int) -> None:
        """Bring the table up to date."""
        if demand := outstanding(self.lake, SOURCES, day(until)):
            self.lake.keep(Curated.DAILY_DEMAND, *demand.rows.to_pylist())
            noted = {(Curated.DAILY_DEMAND, t.app_id): t.version for t in demand.txns}
            self.lake.noted |= noted


sales = st.tuples(st.integers(0, 6), st.sampled_from(SHELVES), st.integers(-1, 3))
losses = st.tuples(st.integers(0, 6), st.sampled_from(SHELVES), st.integers(1, 3))
arrivals = st.lists(
    st.tuples(st.lists(sales, max_size=3), st.lists(losses, max_size=1)), min_size=1, max_size=4
)


@pytest.mark.slow
@settings(deadline=None, max_examples=15)
@given(arrivals=arrivals, data=st.data())
def test_whenever_it_looks_the_table_is_what_all_events_come_to(
    arrivals: list[Any], data: st.DataObject
) -> None:
    receipts: list[Row] = []
    missed: list[Row] = []
    world, until = World(), 0
    for sold, wanted in arrivals:
        receipts += [sale(len(receipts) + n, *place) for n, place in enumerate(sold)]
        missed += [lost(len(missed) + n, *place) for n, place in enumerate(wanted)]
        world.lake.keep(Raw.POS_TRANSACTIONS, *receipts)
        world.lake.keep(Raw.LOST_SALES, *missed)
        until = data.draw(st.integers(until, 8))
        for _ in range(2):
            world.look(until)
            kept = world.lake.kept[Curated.DAILY_DEMAND]
            by_key = sorted(kept, key=lambda row: (row["shelf_id"], row["day"]))
            assert by_key == whole(receipts, missed, until)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    for name in (Raw.POS_TRANSACTIONS, Raw.LOST_SALES, Curated.DAILY_DEMAND):
        tables.ensure(tmp_path, CATALOG.tables[name])
    return Lake(tmp_path, writer="shelf-daily-features")


def tell(lake: Lake, name: str, *rows: Row) -> None:
    """Events come, as their owner writes them."""
    schema = arrow.schema(CATALOG.tables[name].columns)
    owner = Lake(lake.root.folder, writer=CATALOG.tables[name].owner)
    owner.append(name, pa.Table.from_pylist(list(rows), schema))


def look(lake: Lake, until: int = 9) -> list[date]:
    """Bring the table up to date; the days that were computed."""
    demand = outstanding(lake, SOURCES, day(until))
    if demand is None:
        return []
    keep(lake, demand)
    return sorted(demand.rows["day"].unique().to_pylist())


def keep(lake: Lake, demand: Demand) -> None:
    lake.merge(Curated.DAILY_DEMAND, demand.rows, txn=demand.txns)


def test_only_days_that_got_events_are_computed_again(lake: Lake) -> None:
    tell(lake, Raw.POS_TRANSACTIONS, *(sale(n, n) for n in range(5)))
    assert look(lake, until=4) == [day(n) for n in range(4)]
    assert look(lake, until=4) == []
    tell(lake, Raw.POS_TRANSACTIONS, sale(9, 1))
    assert look(lake, until=5) == [day(1), day(4)]
    Lake(lake.root.folder, writer="batch-state-updater").optimize(Raw.POS_TRANSACTIONS)
    assert look(lake, until=5) == []
    rows = lake.read(Curated.DAILY_DEMAND).read_all().sort_by("day").to_pylist()
    assert [(row["units"], row["lost_units"]) for row in rows] == [
        (n, None) for n in (1, 2, 1, 1, 1)
    ]


def test_once_lost_sales_are_observed_each_day_is_computed_again(lake: Lake) -> None:
    tell(lake, Raw.POS_TRANSACTIONS, sale(1, 1), sale(2, 2))
    look(lake)
    tell(lake, Raw.LOST_SALES, lost(1, 2, quantity=4))
    assert look(lake) == [day(1), day(2)]
    rows = lake.read(Curated.DAILY_DEMAND).read_all().sort_by("day").to_pylist()
    assert [row["lost_units"] for row in rows] == [0, 4]
    assert look(lake) == []


def test_of_a_raw_table_that_was_made_again_each_day_is_computed(
    lake: Lake, tmp_path: Path
) -> None:
    tell(lake, Raw.POS_TRANSACTIONS, sale(1, 1), sale(2, 2))
    look(lake)
    (tmp_path / Raw.POS_TRANSACTIONS).rename(tmp_path / "away")
    tables.ensure(tmp_path, CATALOG.tables[Raw.POS_TRANSACTIONS])
    tell(lake, Raw.POS_TRANSACTIONS, sale(1, 1, quantity=7), sale(2, 2))
    assert look(lake) == [day(1), day(2)]


def test_a_raw_table_that_was_put_back_is_read_where_it_differs(lake: Lake) -> None:
    tell(lake, Raw.POS_TRANSACTIONS, sale(1, 1), sale(2, 2))
    tell(lake, Raw.POS_TRANSACTIONS, sale(3, 2, quantity=5))
    look(lake)
    Lake(lake.root.folder, writer="batch-state-updater").restore(Raw.POS_TRANSACTIONS, 1)
    assert look(lake) == [day(2)]
    rows = lake.read(Curated.DAILY_DEMAND).read_all().sort_by("day").to_pylist()
    assert [row["units"] for row in rows] == [1, 1]


@pytest.mark.parametrize(
    ("since", "until", "computed"), [(0, 3, [0, 1, 2]), (1, 2, [1]), (2, 2, []), (3, 9, [3])]
)
def test_days_outside_of_those_that_are_asked_for_wait(
    lake: Lake, since: int, until: int, computed: list[int]
) -> None:
    tell(lake, Raw.POS_TRANSACTIONS, *(sale(n, n) for n in range(4)))
    demand = outstanding(lake, SOURCES, day(until), day(since))
    days = demand.rows["day"].to_pylist() if demand else []
    assert days == [day(n) for n in computed]
