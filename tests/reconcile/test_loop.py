"""A shop that lives by itself reconciles, and whatever is changed in one of its tables shows."""

import copy
import json
import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from pathlib import Path

import living_shop as shop
import pytest
from lake_model import Model, Row

from lakeshelf.reconcile import Reconciliation, reconcile_loop

Change = Callable[[Model], None]
After = Callable[[Model], Reconciliation]


@pytest.fixture(scope="module")
def right() -> Model:
    return shop.shop()


@pytest.fixture(scope="module")
def written(right: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return right.write(tmp_path_factory.mktemp("right"))


@pytest.fixture(scope="module")
def sound(right: Model, written: Path) -> Reconciliation:
    return reconcile_loop(written, right.records)


@pytest.fixture
def model(right: Model) -> Model:
    return copy.deepcopy(right)


@pytest.fixture
def after(right: Model, written: Path, tmp_path: Path) -> After:
    """Reconciles a changed shop: a copy of the right lake, with the changed tables."""

    def reconciled(model: Model) -> Reconciliation:
        lake = tmp_path / "lake"
        shutil.copytree(written, lake)
        model.overwrite(lake, (n for n, rows in model.tables.items() if rows != right.tables[n]))
        return reconcile_loop(lake, model.records)

    return reconciled


def failed(found: Reconciliation) -> set[str]:
    return {check.name for check in found.checks if not check.ok}


@pytest.mark.slow
def test_a_shop_that_is_right_reconciles(sound: Reconciliation) -> None:
    assert [(check.name, check.sample) for check in sound.checks if not check.ok] == []
    assert {check.name.split()[0] for check in sound.checks} >= {f"I{n}" for n in range(7)}
    assert sound.tables["ops/shelf_restock_plan"] == 3
    assert json.loads(json.dumps(sound.as_json()))["ok"] is True


def test_every_check_that_can_have_something_to_compare_has(sound: Reconciliation) -> None:
    empty = {check.name for check in sound.checks if not check.expected and not check.actual}
    assert empty == {"picks", "discounts decided"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_movements_by_chance_are_folded_alike(seed: int, tmp_path: Path) -> None:
    model = shop.chance(seed)
    found = reconcile_loop(model.write(tmp_path), model.records)
    invariants = [check for check in found.checks if check.name.startswith("I")]
    assert [(check.name, check.sample) for check in invariants if not check.ok] == []


def put(table: str, column: str, value: object, row: int = 0) -> Change:
    """A change of one value; `value` may be a function of the old one."""

    def change(model: Model) -> None:
        there = model.tables[table][row]
        there[column] = value(there[column]) if callable(value) else value

    change.__name__ = f"{table} {column}"
    return change


def drop(table: str, row: int = 0) -> Change:
    def change(model: Model) -> None:
        del model.tables[table][row]

    change.__name__ = f"{table} less a row"
    return change


def add(table: str, **values: object) -> Change:
    """A copy of the first row, with other values."""

    def change(model: Model) -> None:
        model.tables[table].append({**model.tables[table][0], **values})

    change.__name__ = f"{table} one more row"
    return change


def each(kind: Callable[..., Change], tables: Iterable[str], *values: object) -> Change:
    """The same change of several tables, each of which has a check of its own."""
    changes = [kind(table, *values) for table in tables]

    def change(model: Model) -> None:
        for single in changes:
            single(model)

    change.__name__ = " and ".join(single.__name__ for single in changes)
    return change


def refolded(event_id: str, **values: object) -> Change:
    """Another raw event, folded as it is."""

    def change(model: Model) -> None:
        model.event(event_id).update(values)
        model.fold()

    change.__name__ = f"{event_id} {' '.join(values)}"
    return change


def without(event_id: str, table: str) -> Change:
    """A raw event that was lost, folded without it."""

    def change(model: Model) -> None:
        model.tables[table].remove(model.event(event_id))
        model.fold()

    change.__name__ = f"no {event_id}"
    return change


def more(value: int) -> int:
    return value + 1


def sold(**values: object) -> Change:
    def change(model: Model) -> None:
        model.event("t2")["items"][0].update(values)

    change.__name__ = f"sold {' '.join(values)}"
    return change


def unallotted(model: Model) -> None:
    lots = model.tables["cleansed/shelf_batch_state"]
    lots.remove(next(row for row in lots if row["batch_code"] == "__UNALLOTTED__"))


def other_lot(model: Model) -> None:
    first, second = lots_of("A", model)[:2]
    for row, units in ((first, 1), (second, -1)):
        row["balance"] += units
        row["batch_quantity_store"] = max(row["balance"], 0)
    model.tables["ops/stock_discrepancies"] = [
        row for row in model.tables["ops/stock_discrepancies"] if row["batch_code"] != "A1"
    ]


def lots_of(shelf: str, model: Model) -> list[Row]:
    return [row for row in model.tables["cleansed/shelf_batch_state"] if row["shelf_id"] == shelf]


def overpicked(model: Model) -> None:
    model.event("w5")["quantity"] = 40
    model.tables["staging/shelf_refill_pending"][0]["quantity"] = 40
    model.tables["ops/shelf_restock_plan"][1]["issued_qty"] = 40
    model.fold()
    model.tables["ops/stock_discrepancies"] = [
        row for row in model.tables["ops/stock_discrepancies"] if row["location"] == "store"
    ]


LATER = datetime(2026, 3, 9, tzinfo=UTC)
SHELF_STATES = ("cleansed/shelf_state", "cleansed/wh_state")
LOT_STATES = ("cleansed/shelf_batch_state", "cleansed/wh_batch_state")
STATES = (*SHELF_STATES, *LOT_STATES)
I6_SHELVES, I6_LOTS = (
    {"I6 shelf_state", "I6 wh_state"},
    {"I6 shelf_batch_state", "I6 wh_batch_state"},
)
ORDERS, RECEIPTS = "ops/wh_supplier_orders", "ops/wh_supplier_receipts"
PLANS, SUPPLY = "ops/shelf_restock_plan", "ops/wh_supplier_plan"
DISCOUNTS, PENDING = "analytics/daily_discounts", "staging/shelf_refill_pending"

CHANGES = [
    (put(RECEIPTS, "received_qty", more), {"I4 received"}),
    (drop(RECEIPTS), {"I4 received"}),
    (add(RECEIPTS, receipt_id="R", order_id="O9", received_qty=0), {"I4 received"}),
    (put(RECEIPTS, "shelf_id", "B"), {"I4 received"}),
    (put(ORDERS, "total_qty", more), {"I4 received", "I4 wh_in"}),
    (put(ORDERS, "status", "issued"), {"I4 received", "I4 wh_in", "supply ordered"}),
    (put(ORDERS, "status", "delivered", row=1), {"I4 received", "I4 wh_in", "supply ordered"}),
    (refolded("w12", order_id=None), {"I4 wh_in"}),
    (refolded("w3", order_id="O9"), {"I4 wh_in"}),
    (refolded("w13", quantity=11), {"I4 wh_in"}),
    (each(put, SHELF_STATES, "item_id", "other"), I6_SHELVES),
    (each(put, SHELF_STATES, "store_id", "other"), I6_SHELVES),
    (each(put, STATES, "last_event_time", LATER), I6_SHELVES | I6_LOTS),
    (each(put, LOT_STATES, "received_date", None), I6_LOTS),
    (each(put, LOT_STATES, "expiry_date", date(2026, 3, 4), 1), I6_LOTS),
    (each(drop, STATES, -1), I6_SHELVES | I6_LOTS),
    (each(add, STATES), I6_SHELVES | I6_LOTS),
    (other_lot, {"I6 shelf_batch_state"}),
    (unallotted, {"I6 shelf_batch_state", "I1"}),
    (drop("staging/lot_catalog_store"), {"I6 shelf_batch_state"}),
    (drop("staging/lot_catalog_wh"), {"I6 wh_batch_state"}),
    (put(PLANS, "issued_qty", more), {"plans issued"}),
    (drop(PLANS), {"plans issued"}),
    (refolded("w6", plan_id="P9"), {"plans issued", "arrivals"}),
    (put(PLANS, "status", "issued"), {"plans reached"}),
    (put(PLANS, "status", "completed", row=1), {"plans reached"}),
    (put(PLANS, "status", "canceled", row=1), {"plans reached"}),
    (put(PLANS, "status", "completed", row=2), {"plans reached"}),
    (refolded("s5", quantity=11), {"plans reached", "arrivals"}),
    (add(PLANS, plan_id="P4", shelf_id="A", status="pending", issued_qty=0), {"plans pending"}),
    (add(SUPPLY, supplier_plan_id="SP5", status="pending", order_id=None), {"supply pending"}),
    (add("curated/predictions", valid_until=None), {"M2 predictions"}),
    (add("curated/predictions", model_version="V1"), {"M2 levels"}),
    (put(SUPPLY, "source", "rule"), {"M3 named"}),
    (put(SUPPLY, "source", "ml", row=1), {"M3 named", "M3 champion"}),
    (put(SUPPLY, "level_qty", None), {"M3 named"}),
    (put(SUPPLY, "level_qty", 31, row=2), {"M3 level"}),
    (put(SUPPLY, "model_version", "V1", row=2), {"M3 level"}),
    (put(SUPPLY, "model_version", "V3"), {"M3 champion"}),
    (put("staging/order_levels", "deleted", True), {"M3 level"}),
    (drop("staging/order_levels"), {"M3 level"}),
    (put("ops/models", "replaced", None, row=1), {"M3 champion"}),
    (put("ops/models", "status", "refused", row=1), set()),
    (put("ops/models", "status", "challenger", row=1), {"M3 champion"}),
    (put(SUPPLY, "status", "pending", row=1), {"supply ordered"}),
    (put(SUPPLY, "order_id", "O1", row=3), {"supply ordered"}),
    (overpicked, {"picks", "I3 missing"}),
    (without("s6", "raw/shelf_events"), {"arrivals"}),
    (drop(PENDING), {"arrivals"}),
    (add(PENDING, event_id="w6", shelf_id="A", batch_code="A2", quantity=2), {"arrivals"}),
    (put(PENDING, "quantity", more), {"arrivals"}),
    (refolded("s5", cause_event_id="w99"), {"arrivals"}),
    (refolded("s6", batch_code="A1"), {"arrivals"}),
    (sold(discount=0), {"discounts given"}),
    (sold(total_price=10), {"discounts charged"}),
    (put(DISCOUNTS, "discount", 0), {"discounts given", "discounts charged"}),
    (drop(DISCOUNTS), {"discounts decided"}),
    (add("ops/alerts", alert_id="alert 9", event_type="expired_removal"), set()),
    (add("ops/alerts", alert_id="alert 9"), {"alerts open", "alerts kept"}),
    (put("ops/alerts", "version", 0, row=2), {"alerts kept"}),
    (put("ops/alerts", "status", "resolved", row=3), {"alerts kept"}),
    (drop("ops/alerts"), {"alerts kept"}),
    (drop("ops/wh_alerts"), {"alerts kept"}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("change", "red"), CHANGES, ids=lambda v: getattr(v, "__name__", ""))
def test_a_changed_table_is_found(
    change: Change, red: set[str], model: Model, after: After
) -> None:
    change(model)
    found = after(model)
    assert red <= failed(found)
    assert bool(red) is not found.ok
    assert all(check.sample for check in found.checks if not check.ok)


def test_every_check_can_be_red(sound: Reconciliation) -> None:
    """Those of I0 to I3 and I5 are shown in `test_reconcile`."""
    names = {check.name for check in sound.checks}
    old = {name for name in names if name.startswith(("I0", "I1", "I2", "I3", "I5"))}
    assert names - old - {"shelf", "warehouse"} == {
        name for _, red in CHANGES for name in red if name not in old
    }


@pytest.mark.slow
def test_a_differing_row_tells_the_columns_that_differ(model: Model, after: After) -> None:
    put(SHELF_STATES[0], "item_id", "other")(model)
    checks = {check.name: check for check in after(model).checks}
    assert checks["I6 shelf_state"].sample == ("A: expected item_id=item A, found item_id=other",)


@pytest.mark.slow
def test_a_missing_row_is_told_as_nothing(model: Model, after: After) -> None:
    drop(RECEIPTS)(model)
    drop("ops/alerts")(model)
    checks = {check.name: check for check in after(model).checks}
    assert checks["I4 received"].sample == ("O1/A: expected 24, found 12",)
    assert checks["alerts kept"].sample[0].endswith("found nothing")


@pytest.mark.slow
@pytest.mark.parametrize("event_id", ["s4", "s10", "s13", "w5", "w9", "w10"])
def test_carts_transit_and_removals_are_counted_once(
    event_id: str, model: Model, after: After
) -> None:
    model.event(event_id)["quantity"] += 1
    assert "I0" in failed(after(model))
