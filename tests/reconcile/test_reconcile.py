"""The reconciliation agrees with a lake that is right, and finds every unit that is not."""

import copy
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from lake_model import Model

from lakeshelf.errors import LakeError
from lakeshelf.reconcile import Reconciliation, invariants, receipts, reconcile
from replay_events import events, totals
from replay_faults import RECORD
from replay_plan import ReplayPlan

PLAN = ReplayPlan(
    stores=3, baskets=60, seed=5, malformed=0.03, duplicates=0.05, reorder_minutes=30, late=0.02
)


@pytest.fixture(scope="module")
def right() -> Model:
    return Model(pa.Table.from_batches(events(PLAN), RECORD).to_pylist())


@pytest.fixture
def model(right: Model) -> Model:
    return copy.deepcopy(right)


def failed(found: Reconciliation) -> set[str]:
    return {check.name for check in found.checks if not check.ok}


def reconciled(model: Model, root: Path) -> Reconciliation:
    return reconcile(model.write(root), model.records, stores=PLAN.stores, baskets=PLAN.baskets)


@pytest.mark.slow
def test_a_lake_that_is_right_reconciles(right: Model, tmp_path: Path) -> None:
    found = reconciled(right, tmp_path)
    assert found.ok, [check for check in found.checks if not check.ok]
    assert right.records == {t: n for t, n in totals(PLAN).topics.items() if t != "shelf_profiles"}
    assert found.tables["raw/pos_transactions"] == PLAN.baskets
    named = {check.name.split()[0] for check in found.checks if check.name.startswith("I")}
    assert named == {f"I{n}" for n in range(7)}
    assert all(check.expected == check.actual for check in found.checks)
    assert json.loads(json.dumps(found.as_json()))["ok"] is True


@pytest.mark.slow
def test_the_two_halves_can_be_asked_for_alone(right: Model, tmp_path: Path) -> None:
    right.write(tmp_path)
    assert all(check.ok for check in receipts(tmp_path, PLAN.stores, PLAN.baskets))
    assert all(check.ok for check in invariants(str(tmp_path), right.records))


def lose(table: str, column: str = "balance") -> Callable[[Model], None]:
    def change(model: Model) -> None:
        model.tables[table][0][column] -= 1

    return change


def stock_of_nothing(model: Model) -> None:
    model.tables["cleansed/shelf_state"][0]["current_stock"] += 1


def unseen_shortage(model: Model) -> None:
    event = next(e for e in model.tables["raw/wh_events"] if e["event_type"] == "wh_in")
    event["quantity"] -= 1000
    model.fold()
    model.tables["ops/stock_discrepancies"] = []


def invented_shortage(model: Model) -> None:
    row = {"location": "store", "shelf_id": "S1-I1", "batch_code": "", "missing_qty": 1}
    model.tables["ops/stock_discrepancies"].append(row)


def lost_record(model: Model) -> None:
    model.tables["raw/quarantine"].pop()


def counted_twice(model: Model) -> None:
    model.duplicates["foot_traffic"] += 1


def appended_twice(model: Model) -> None:
    model.tables["raw/foot_traffic"].append(model.tables["raw/foot_traffic"][0])


def lost_supply(model: Model) -> None:
    rows = model.tables["raw/wh_events"]
    rows.remove(next(e for e in rows if e["event_type"] == "wh_out"))


def lost_pickup(model: Model) -> None:
    rows = model.tables["raw/shelf_events"]
    rows.remove(next(e for e in rows if e["event_type"] == "pickup"))
    model.fold()


def unit_on_another_lot(model: Model) -> None:
    rows = model.tables["cleansed/shelf_batch_state"]
    shelf = next(
        r["shelf_id"] for r in rows if sum(o["shelf_id"] == r["shelf_id"] for o in rows) > 1
    )
    first, second = [r for r in rows if r["shelf_id"] == shelf][:2]
    for row, units in ((first, 1), (second, -1)):
        row["balance"] += units
        row["batch_quantity_store"] = max(row["balance"], 0)


def cheaper_receipt(model: Model) -> None:
    line = model.tables["raw/pos_transactions"][0]["items"][0]
    line["total_price"] -= 1


def lost_receipt(model: Model) -> None:
    model.tables["raw/pos_transactions"].pop()
    model.fold()


def swapped_units(model: Model) -> None:
    first, second = model.tables["cleansed/shelf_state"][:2]
    first["balance"] += 1
    second["balance"] -= 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "red"),
    [
        (lose("cleansed/shelf_state"), {"I0", "I1", "shelf", "I6 shelf_state"}),
        (lose("cleansed/wh_state"), {"I0", "I2", "warehouse"}),
        (lose("cleansed/shelf_batch_state"), {"I1", "lots", "I6 shelf_batch_state"}),
        (lose("cleansed/wh_batch_state"), {"I2"}),
        (swapped_units, {"I0", "I1", "shelf"}),
        (stock_of_nothing, {"I3 stock"}),
        (unseen_shortage, {"I3 missing"}),
        (invented_shortage, {"I3 missing"}),
        (lost_record, {"I5"}),
        (counted_twice, {"I5"}),
        (appended_twice, {"I5", "I5 ids"}),
        (lost_supply, {"I5", "warehouse", "lots"}),
        (lost_pickup, {"I5", "pickups"}),
        (unit_on_another_lot, {"lots"}),
        (cheaper_receipt, {"sales", "store sales"}),
        (lost_receipt, {"I5", "baskets", "lines", "units", "sales", "sold"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_difference_is_found(
    change: Callable[[Model], None], red: set[str], model: Model, tmp_path: Path
) -> None:
    change(model)
    found = reconciled(model, tmp_path)
    assert not found.ok
    assert red <= failed(found)
    assert all(check.sample for check in found.checks if not check.ok)


@pytest.mark.slow
def test_a_difference_names_the_shelf_and_both_figures(model: Model, tmp_path: Path) -> None:
    row = model.tables["cleansed/wh_state"][0]
    row["balance"] += 2
    found = {check.name: check for check in reconciled(model, tmp_path).checks}
    expected = row["balance"] - 2
    assert found["warehouse"].sample == (
        f"{row['shelf_id']}: expected {expected}, found {row['balance']}",
    )


@pytest.mark.slow
def test_a_record_more_in_the_topic_than_accounted_for_is_found(
    right: Model, tmp_path: Path
) -> None:
    more = {**right.records, "wh_events": right.records["wh_events"] + 1}
    checks = {check.name: check for check in invariants(right.write(tmp_path), more)}
    assert not checks["I5"].ok
    assert checks["I5"].sample[0].startswith("wh_events: ")


@pytest.mark.slow
def test_ids_that_look_alike_are_told_apart(model: Model, tmp_path: Path) -> None:
    """DuckDB's `hash` takes these two for one."""
    visits = model.tables["raw/foot_traffic"][:2]
    for visit, event_id in zip(
        visits, ("1772863440000-shelf-187928", "1772866440000-shelf-188028"), strict=True
    ):
        visit["event_id"] = event_id
    assert reconciled(model, tmp_path).ok


@pytest.mark.slow
def test_shortages_that_are_recorded_are_no_difference(model: Model, tmp_path: Path) -> None:
    event = next(e for e in model.tables["raw/wh_events"] if e["event_type"] == "wh_in")
    event["quantity"] -= 1000
    model.fold()
    assert {"I3 stock", "I3 missing"}.isdisjoint(failed(reconciled(model, tmp_path)))


@pytest.mark.slow
def test_other_stores_than_those_replayed_are_a_difference(right: Model, tmp_path: Path) -> None:
    right.write(tmp_path)
    checks = {check.name: check for check in receipts(tmp_path, 4, PLAN.baskets)}
    assert not checks["baskets"].ok


def test_a_missing_table_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="no Delta table raw/shelf_events") as error:
        invariants(tmp_path, {})
    assert "\n" not in str(error.value)


def test_a_ledger_of_an_older_release_is_refused(right: Model, tmp_path: Path) -> None:
    right.write(tmp_path)
    old = pa.table({"query_id": ["q"], "kind": ["batch"]})
    write_deltalake(
        str(tmp_path / "ops/batch_ledger"), old, mode="overwrite", schema_mode="overwrite"
    )
    with pytest.raises(LakeError, match="no column topics"):
        invariants(tmp_path, right.records)
