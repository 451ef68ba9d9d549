"""What an id can be, found by looking where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from lakeshelf.contracts import CATALOG, DATE, Field
from lakeshelf.contracts.model import KEY_SEPARATOR
from lakeshelf.lake.rows.conditions import Condition
from lakeshelf.shop.history import ALERTS, EVENTS, History, equal, events_with
from lakeshelf.shop.naming import PROFILES

PLANS, SUPPLY = "ops/shelf_restock_plan", "ops/wh_supplier_plan"
ORDERS, GOODS = "ops/wh_supplier_orders", "ops/wh_supplier_receipts"
DISCOUNTS = "analytics/daily_discounts"
PENDING = "staging/shelf_refill_pending"
BY_SHELF = ("cleansed/shelf_state", "cleansed/wh_state")
BY_LOT = ("cleansed/shelf_batch_state", "cleansed/wh_batch_state")
LOTS = "staging/lot_catalog_store"
POLICIES = ("staging/shelf_policies", "staging/wh_policies")
COMMANDS = ("ops/shelf_commands", "ops/wh_commands")
TRAFFIC = "raw/foot_traffic"
BY_CUSTOMER = events_with("customer_id")
TOTALS = "curated/product_total_state"
OF_STOCK = events_with("shelf_id")
Home = tuple[str, tuple[str, ...]]
"""A table, and its columns in which an id stands."""

KINDS: Mapping[str, tuple[Home, ...]] = {
    "shelf": tuple((name, ("shelf_id",)) for name in (*BY_SHELF, PROFILES, *POLICIES)),
    "lot": tuple((name, ("batch_code",)) for name in (*BY_LOT, LOTS)),
    "lot_of_shelf": tuple((name, ("shelf_id", "batch_code")) for name in BY_LOT),
    "item": tuple((name, ("item_id",)) for name in (*BY_SHELF, PROFILES)),
    "restock_plan": ((PLANS, ("plan_id",)),),
    "supplier_plan": ((SUPPLY, ("supplier_plan_id",)),),
    "order": ((ORDERS, ("order_id",)),),
    "receipt": ((GOODS, ("receipt_id",)),),
    "discount": ((DISCOUNTS, ("shelf_id", "discount_date")),),
    "alert": tuple((name, ("alert_id",)) for name in ALERTS),
    "command": tuple((name, ("event_id",)) for name in COMMANDS),
    "event": tuple((name, ("event_id",)) for name in EVENTS),
    "visit": ((TRAFFIC, ("visit_id",)),),
    "customer": tuple((name, ("customer_id",)) for name in BY_CUSTOMER),
}
"""What an id can be → tables and columns where it then stands; parts of a key are joined as in its topic."""


def kinds(history: History, wanted: str) -> list[str]:
    """What an id is, found by looking."""
    return [
        kind
        for kind, homes in KINDS.items()
        if any(_stands(history, table, columns, wanted) for table, columns in homes)
    ]


def _stands(history: History, table: str, columns: tuple[str, ...], wanted: str) -> bool:
    where = conditions(table, columns, wanted)
    return bool(where) and history.rows(table, *where, columns=columns).num_rows > 0


def conditions(table: str, columns: tuple[str, ...], wanted: str) -> list[Condition]:
    """Conditions that columns have the parts of an id; none where it cannot be one of theirs."""
    parts = wanted.split(KEY_SEPARATOR) if len(columns) > 1 else [wanted]
    if len(parts) != len(columns):
        return []
    contract = CATALOG.tables[table]
    try:
        return [
            equal(name, _value(contract.column(name), part))
            for name, part in zip(columns, parts, strict=True)
        ]
    except ValueError:
        return []


def _value(field: Field, part: str) -> object:
    return date.fromisoformat(part) if field.type == DATE else part
