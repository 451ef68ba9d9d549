"""What an id can be, found by looking where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from lakeshelf.contracts import CATALOG, DATE, Field
from lakeshelf.contracts.layers import Analytics, Cleansed, Curated, Ops, Raw, Staging
from lakeshelf.contracts.model import KEY_SEPARATOR
from lakeshelf.lake.rows.conditions import Condition
from lakeshelf.shop.history import ALERTS, History, equal, event_tables, events_with
from lakeshelf.shop.naming import PROFILES

PLANS, SUPPLY = Ops.SHELF_RESTOCK_PLAN, Ops.WH_SUPPLIER_PLAN
ORDERS, GOODS = Ops.WH_SUPPLIER_ORDERS, Ops.WH_SUPPLIER_RECEIPTS
DISCOUNTS = Analytics.DAILY_DISCOUNTS
PENDING = Staging.SHELF_REFILL_PENDING
BY_SHELF = (Cleansed.SHELF_STATE, Cleansed.WH_STATE)
BY_LOT = (Cleansed.SHELF_BATCH_STATE, Cleansed.WH_BATCH_STATE)
LOTS = Staging.LOT_CATALOG_STORE
POLICIES = (Staging.SHELF_POLICIES, Staging.WH_POLICIES)
COMMANDS = (Ops.SHELF_COMMANDS, Ops.WH_COMMANDS)
TRAFFIC = Raw.FOOT_TRAFFIC
TOTALS = Curated.PRODUCT_TOTAL_STATE
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
}
"""What an id can be beside an event and what stands in one → its homes."""


def homes() -> dict[str, tuple[Home, ...]]:
    """What an id can be → tables and columns where it then stands; parts of a key are joined as in its topic."""
    return {
        **KINDS,
        "event": tuple((name, ("event_id",)) for name in event_tables()),
        "visit": ((TRAFFIC, ("visit_id",)),),
        "customer": tuple((name, ("customer_id",)) for name in events_with("customer_id")),
    }


def kinds(history: History, identifier: str) -> list[str]:
    """Kinds of things that have this id."""
    return [
        kind
        for kind, places in homes().items()
        if any(_stands(history, table, columns, identifier) for table, columns in places)
    ]


def _stands(history: History, table: str, columns: tuple[str, ...], identifier: str) -> bool:
    where = conditions(table, columns, identifier)
    return bool(where) and history.rows(table, *where, columns=columns).num_rows > 0


def conditions(table: str, columns: tuple[str, ...], identifier: str) -> list[Condition]:
    """Conditions that columns have the parts of an id; none where it cannot be one of theirs."""
    parts = identifier.split(KEY_SEPARATOR) if len(columns) > 1 else [identifier]
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
