"""A lake with a shelf that ran low, was refilled and had been delivered to."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.lake.form.commits import Txn, Write
from lakeshelf.lake.rows import tables
from lakeshelf.lake.write import merging

SHELF, LOT = "S1-I1", "L1"
OPENED = datetime(2026, 3, 1, 9, tzinfo=UTC)
PLACE = {"store_id": "S1", "shelf_id": SHELF, "item_id": "I1"}
LIFE = {"created_at": OPENED, "updated_at": OPENED, "version": 1}
ALERT = {
    **PLACE,
    **LIFE,
    "alert_id": "a1",
    "event_type": "refill_request",
    "location": "store",
    "status": "open",
    "current_stock": 2,
    "max_stock": 10,
    "min_qty": 3,
    "threshold_pct": 40.0,
    "stock_pct": 20.0,
    "suggested_qty": 6,
}


def at(minutes: int) -> datetime:
    """A moment, in minutes from the opening of the alert."""
    return OPENED + timedelta(minutes=minutes)


POLICY = {"version": 1, "deleted": False, "active": True, "updated_at": at(-90)}


def event(number: int, kind: str, minutes: int, **values: Any) -> dict[str, Any]:
    origin = {"kafka_partition": 0, "kafka_offset": number, "event_date": at(minutes).date()}
    values = {"quantity": 2, "batch_code": LOT, **values}
    envelope = {"event_id": f"e{number}", "event_type": kind, "event_time": at(minutes)}
    return {**PLACE, **envelope, "schema_version": 1, **origin, **values}


def write(root: Path, name: str, *rows: dict[str, Any]) -> None:
    """Write rows by a merge, whose files hold texts as views whatever the schema says."""
    contract = CATALOG.tables[name]
    found = pa.Table.from_pylist(list(rows), schema=arrow_contract.schema(contract.columns))
    handle = tables.open_table(root, name)
    write = Write.once(Txn("test", handle.version() + 1))
    merging.upsert(handle, name, found, contract.key, write)


def write_events(root: Path) -> None:
    write(
        root,
        "raw/shelf_events",
        event(0, "restock", -60, quantity=10, reason="opening_balance"),
        event(1, "pickup", -40, quantity=5),
        event(2, "pickup", -10, quantity=3),
        event(3, "restock", 4, plan_id="p1", cause_event_id="w1"),
        event(4, "weight_change", 4, quantity=None, delta_weight=50.0, cause_event_id="w1"),
        event(5, "putback", 30, quantity=1),
        event(6, "adjustment", 40, quantity=1, cause_event_id="gone"),
    )
    write(
        root,
        "raw/wh_events",
        {**event(0, "wh_in", -20, order_id="o1", quantity=20), "event_id": "w0"},
        {**event(1, "wh_out", 1, plan_id="p1"), "event_id": "w1"},
    )
    line = {"line": 1, "item_id": "I1", "shelf_id": SHELF, "quantity": 8, "batch_code": LOT}
    other = {**line, "line": 2, "shelf_id": "S1-I2", "batch_code": "L9"}
    sale = event(0, "sale", -5, items=[line, other], customer_id="C1")
    write(root, "raw/pos_transactions", {**sale, "event_id": "t1", "transaction_id": "t1"})
    write(root, "raw/lost_sales", {**event(0, "lost_sale", -2), "event_id": "l1"})
    visit = {"visit_id": "v1", "customer_id": "C1"}
    steps = [("entry", -6), ("exit", -4)]
    write(
        root,
        "raw/foot_traffic",
        *({**event(n, k, m), **visit, "event_id": f"v1{k}"} for n, (k, m) in enumerate(steps)),
    )


def write_decisions(root: Path) -> None:
    closed = {"status": "resolved", "version": 2, "held": False, "decided_at": at(5)}
    write(root, "ops/alerts", ALERT)
    write(root, "ops/shelf_alerts", {**ALERT, **closed})
    supply = {"event_type": "supplier_request", "location": "warehouse", "max_stock": None}
    early = {"created_at": at(-120), "updated_at": at(-120)}
    figures = {"threshold_pct": None, "stock_pct": None, "min_qty": 10, "current_stock": 4}
    write(root, "ops/alerts", {**ALERT, **supply, **figures, **early, "alert_id": "a2"})
    expiring = {
        "alert_id": "a3",
        "event_type": "near_expiry",
        "batch_code": LOT,
        "expiry_date": date(2026, 3, 4),
    }
    write(root, "ops/alerts", {**ALERT, **expiring})
    plan = {**PLACE, **LIFE, "suggested_qty": 6, "held": False}
    write(
        root,
        "ops/shelf_restock_plan",
        {**plan, "plan_id": "p1", "issued_qty": 2, "status": "issued"},
    )
    ordered = {"supplier_plan_id": "sp1", "order_id": "o1"}
    sized = {"standard_batch_size": 10, "source": "rule", "status": "completed"}
    write(root, "ops/wh_supplier_plan", {**plan, **early, **ordered, **sized})
    delivery = {"delivery_date": date(2026, 3, 1), "delivery_ts": at(-20), "cutoff_ts": at(-100)}
    order = {**PLACE, **LIFE, **ordered, **delivery, "created_at": at(-100), "total_qty": 20}
    write(root, "ops/wh_supplier_orders", {**order, "status": "delivered", "version": 2})
    receipt = {"receipt_id": "r1", "received_qty": 20, "created_at": at(-20)}
    write(root, "ops/wh_supplier_receipts", {**order, **receipt})
    asked = {"command": "dismiss", "target_id": "a1", "actor": "ann", "met_version": 1}
    place = {"kafka_partition": 0, "kafka_offset": 0, "event_id": "c1", "event_time": at(3)}
    write(root, "ops/shelf_commands", {**asked, **place, "updated_at": at(3)})
    given = {"discount_date": date(2026, 3, 2), "discount": Decimal("0.3"), "batch_codes": [LOT]}
    write(root, "analytics/daily_discounts", {**PLACE, **LIFE, **given, "created_at": at(900)})


def write_state(root: Path) -> None:
    known = {"last_event_time": at(30), "updated_at": at(30), "version": 6, "balance": 3}
    first = {"first_event_time": at(-60), "first_event_id": "e0"}
    write(root, "cleansed/shelf_state", {**PLACE, **known, **first, "current_stock": 3})
    kept = {"max_stock": 10, "unit_price": Decimal("2.5"), "standard_batch_size": 10}
    profile = {**PLACE, **kept, "name": "Whole milk", "version": 1, "updated_at": at(-90)}
    write(root, "curated/shelf_profiles", profile)
    lot = {"batch_code": LOT, "expiry_date": date(2026, 3, 4), "batch_quantity_store": 3}
    named = {**lot, "batch_code": "o1"}
    write(
        root, "cleansed/shelf_batch_state", {**PLACE, **known, **lot}, {**PLACE, **known, **named}
    )
    write(
        root,
        "staging/shelf_policies",
        {**POLICY, "shelf_id": SHELF, "min_qty": 3},
        {**POLICY, "shelf_id": "__GLOBAL__", "min_qty": 9, "threshold_pct": 40.0},
        {**POLICY, "shelf_id": "S1-I2", "target_pct": 1.0},
    )


def write_ledger(root: Path) -> None:
    batch = {"query_id": "q", "query": "shelf-aggregator", "kind": "batch", "committed_at": OPENED}
    counts = {"rows_in": 1, "valid": 1, "quarantined": 0, "duplicate": 0, "duration_ms": 1}
    rows = [
        {
            **batch,
            **counts,
            "batch_id": number,
            "topics": "{}",
            "committer": "driver",
            "offsets": json.dumps({"shelf_events": {"0": [first, end]}}),
            "table_versions": json.dumps({"raw/shelf_events": 70 + number}),
        }
        for number, first, end in ((1, 2, 5), (0, 0, 2))
    ]
    write(root, "ops/batch_ledger", *rows)


def write_all(root: Path) -> None:
    """Make every table, and write what happened, what was decided, and what is there."""
    tables.ensure_all(root)
    for part in (write_events, write_decisions, write_state, write_ledger):
        part(root)
