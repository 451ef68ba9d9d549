"""Features of a day as they are stored: computed again from the versions that were noted, they are equal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from lakeshelf.components.component import Context, Tick
from lakeshelf.components.journal import INPUTS, OwnTable
from lakeshelf.contracts import CATALOG, arrow
from lakeshelf.contracts.layers import Curated, Raw
from lakeshelf.contracts.retail.features import FEATURES
from lakeshelf.forecast.demand import rows
from lakeshelf.forecast.demand.features import SCHEMA, FeatureError, admitted
from lakeshelf.forecast.demand.known import Pins
from lakeshelf.lake import Lake
from lakeshelf.lake.rows import tables
from lakeshelf.settings import load_settings
from tests.streams.strategies import event, receipt

from .bench import Row, module
from .model import begin

OWNER, STORE = "shelf-daily-features", Curated.FEATURES_STORE
D = date(2026, 3, 5)
DAY = timedelta(days=1)
COMPONENT = module(OWNER)
READ = (
    *(Raw.SHELF_EVENTS, Raw.WH_EVENTS, Raw.POS_TRANSACTIONS, Raw.LOST_SALES, Raw.FOOT_TRAFFIC),
    *(Curated.SHELF_PROFILES, Curated.PROMOTIONS, Curated.DAILY_DEMAND, STORE),
    "analytics/daily_discounts",
    *("staging/wh_policies", "staging/lot_catalog_store"),
)


class Shop:
    """A lake of one shelf, and the component that makes its features."""

    def __init__(self, root: Path) -> None:
        for name in READ:
            tables.ensure(root, CATALOG.tables[name])
        self.root = root
        self.lake = Lake(root)
        self._number = 0
        profile = {"shelf_id": "A", "store_id": "S1", "item_id": "I1", "category": "food"}
        sizes = {"unit_price": Decimal(2), "max_stock": 9, "standard_batch_size": 1}
        self.write(Curated.SHELF_PROFILES, profile | sizes)

    def write(self, name: str, *written: Row) -> None:
        """Rows, as the owner of the table writes them."""
        contract = CATALOG.tables[name]
        table = pa.Table.from_pylist(list(written), arrow.schema(contract.columns))
        Lake(self.root, writer=contract.owner).append(name, table)

    def sell(self, day: date, quantity: int) -> None:
        """A receipt comes of a line on a day."""
        self._number += 1
        line = {"shelf_id": "A", "quantity": quantity}
        made = receipt(self._number, begin(day), [line])
        self.write(Raw.POS_TRANSACTIONS, made | {"event_date": day})

    def visit(self, day: date) -> None:
        """Somebody enters the store on a day."""
        self._number += 1
        made = event("foot_traffic", self._number, begin(day), event_type="entry")
        self.write(Raw.FOOT_TRAFFIC, made | {"event_date": day})

    def tick(self, day: date) -> None:
        """A business day begins."""
        context = Context(load_settings(lake_root=self.root), {}, self.lake)
        now = begin(day)
        decision = COMPONENT.COMPONENT(context).decide(now, Tick(now, day, None, 1))
        OwnTable(self.root, OWNER, STORE).commit(decision, "", {})

    def stored(self, day: date) -> pa.Table:
        """Features of a day as they stand."""
        return self.lake.read(STORE, where=[("feature_date", "=", day)]).read_all()

    def inputs(self, day: date) -> dict[str, int]:
        """Versions that the features of a day follow from."""
        seconds = int(begin(day).timestamp())
        for entry in self.lake.history(STORE):
            then = self.lake.snapshot(STORE, entry.version).handle
            if then.transaction_version(OWNER) == seconds and INPUTS in entry.metadata:
                noted: dict[str, int] = entry.metadata[INPUTS]
                return noted
        raise AssertionError(f"nobody has written {day}")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


Late = Callable[[Shop], None]


@pytest.mark.parametrize(
    "late",
    [
        pytest.param(lambda shop: shop.sell(D - DAY, 7), id="a receipt of the day before"),
        pytest.param(lambda shop: shop.sell(D, 7), id="a receipt of the day"),
        pytest.param(lambda shop: shop.visit(D - DAY), id="a visit of the day before"),
    ],
)
def test_a_stored_row_computed_again_from_its_versions_is_equal(shop: Shop, late: Late) -> None:
    shop.sell(D - 9 * DAY, 4)
    shop.sell(D - DAY, 1)
    shop.visit(D - DAY)
    shop.tick(D)
    stored, inputs = shop.stored(D), shop.inputs(D)
    assert stored["units_sold_14d"].to_pylist() == [5]
    late(shop)
    shop.tick(D + DAY)
    assert COMPONENT.rows_of(D, Pins(shop.lake, inputs)).equals(stored)
    assert shop.inputs(D + DAY) != inputs


def test_late_receipts_are_in_the_features_of_later_days(shop: Shop) -> None:
    shop.sell(D - 2 * DAY, 4)
    shop.tick(D)
    shop.sell(D - DAY, 3)
    shop.tick(D + DAY)
    sold = [shop.stored(day)["units_sold_7d"].to_pylist() for day in (D, D + DAY)]
    assert sold == [[4], [7]]
    assert not COMPONENT.rows_of(D, Pins(shop.lake)).equals(shop.stored(D))


@pytest.mark.parametrize(
    ("known", "display"), [(timedelta(seconds=-1), "7"), (timedelta(0), None), (DAY, None)]
)
def test_a_promotion_counts_from_the_day_after_it_was_known(
    shop: Shop, known: timedelta, display: str | None
) -> None:
    week = D - timedelta(days=D.weekday())
    planned = {"shelf_id": "A", "week": week, "display": "7", "known_at": begin(D) + known}
    shop.write(Curated.PROMOTIONS, planned | {"version": 1})
    shop.tick(D)
    assert shop.stored(D)["display"].to_pylist() == [display]


def test_features_of_a_window_are_those_of_cutoff_days(shop: Shop) -> None:
    for day in (D, D + DAY):
        shop.tick(day)
    horizons = [shop.stored(day)["horizon_days"].to_pylist() for day in (D, D + DAY)]
    assert horizons == [[4], [None]]


def test_a_model_reads_what_a_forecast_may_and_nothing_else(shop: Shop) -> None:
    discount = {"discount_date": D, "shelf_id": "A", "discount": Decimal("0.1234")}
    shop.write("analytics/daily_discounts", discount)
    shop.sell(D - DAY, 2)
    for day in (D, D + DAY):
        shop.tick(day)
    stored = shop.lake.read(STORE).read_all()
    read = rows.of_store(stored)
    assert read.schema == SCHEMA
    assert (read["feature_date"].to_pylist(), read["discount"].to_pylist()) == ([D], [0.1234])
    assert admitted(read).equals(read)
    with pytest.raises(FeatureError, match="current_stock is none"):
        admitted(stored)


def test_a_day_that_a_back_fill_has_written_is_not_written_again(shop: Shop) -> None:
    shop.tick(D)
    shop.write(STORE, *(row | {"feature_date": D + DAY} for row in shop.stored(D).to_pylist()))
    shop.tick(D + DAY)
    shop.tick(D + DAY)
    assert shop.lake.read(STORE).read_all().num_rows == 2
    assert OwnTable(shop.root, OWNER, STORE).last.decision.event_time == begin(D + DAY)


def test_the_table_has_each_feature_in_its_type() -> None:
    columns = {column.name: column.type for column in CATALOG.tables[STORE].columns}
    types = {feature.name: feature.type for feature in FEATURES}
    other = {name for name, type_ in types.items() if columns[name] != type_}
    assert other == {"discount"}
