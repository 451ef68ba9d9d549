"""Tables of what was decided: alerts, plans, orders, discounts, and what waits to be done."""

from __future__ import annotations

from dataclasses import replace

from lakeshelf.contracts.layers import Analytics, Ops, Staging
from lakeshelf.contracts.lives import ALERT_KINDS, ALERT_STATES, PLAN_STATES
from lakeshelf.contracts.model import Table
from lakeshelf.contracts.retail import shared as s
from lakeshelf.contracts.retail.topics_reference import MODEL_VERSION, PLAN_SOURCES
from lakeshelf.contracts.types import (
    BOOLEAN,
    DATE,
    DOUBLE,
    LIST_LENGTH,
    LONG,
    STRING,
    TIMESTAMP,
    Field,
    ListOf,
)

LOCATIONS = ("store", "warehouse")

LOCATION = Field("location", STRING, "Where the units are.", enum=LOCATIONS)
SUGGESTED_QTY = s.units("suggested_qty", "Units that the rule asks for.")
MAX_ORDER = s.MAX_QUANTITY * s.MAX_MULTIPLIER
"""What a reorder point is rounded up to at most: a multiple of the largest lots."""
LATEST_ACTOR = s.optional(s.ACTOR, "Who changed it last, a person or a service.")
LIFE = (s.CREATED_AT, s.UPDATED_AT, s.VERSION)
"""Closing columns of what is opened and changed."""
HELD = Field(
    "held",
    BOOLEAN,
    "A person closed it, and the condition has not been false at a tick since.",
    internal=True,
)
DECIDED_AT = Field("decided_at", TIMESTAMP, "Business time of its last change.", internal=True)

ALERTS = Table(
    name=Ops.ALERTS,
    key=("alert_id",),
    owner="alerts-sink",
    doc="Alerts, one row each, in their latest state: open, ack, then resolved or dismissed.",
    topic="alerts",
    columns=(
        Field("alert_id", STRING, "Derived from type, location, shelf, lot and creation."),
        Field("event_type", STRING, "What the alert is about.", enum=ALERT_KINDS),
        s.STORE_ID,
        s.SHELF_ID,
        s.optional(s.BATCH_CODE, "The lot, where the alert is about one."),
        s.optional(s.EXPIRY_DATE, "Expiry date of that lot."),
        LOCATION,
        Field(
            "status",
            STRING,
            "State of the alert; `ack` counts as open.",
            enum=ALERT_STATES,
        ),
        s.units("current_stock", "Units there when the alert last changed.", required=False),
        s.optional(s.MAX_STOCK),
        s.units("min_qty", "The policy's lower limit, or reorder point.", required=False),
        s.percent("threshold_pct", "The policy's threshold.", required=False),
        Field(
            "stock_pct",
            DOUBLE,
            "Stock as a share of `max_stock`.",
            required=False,
            minimum=0,
            unit="%",
        ),
        replace(SUGGESTED_QTY, required=False),
        LATEST_ACTOR,
        *LIFE,
    ),
)


def _own_alerts(name: str, owner: str) -> Table:
    return Table(
        name=name,
        key=("alert_id",),
        owner=owner,
        doc=f"Alerts that {owner} has opened, as it knows them; `ops/alerts` has those of everybody.",
        columns=(*ALERTS.columns, HELD, DECIDED_AT),
    )


SHELF_ALERTS = _own_alerts(Ops.SHELF_ALERTS, "shelf-alert-engine")
WH_ALERTS = _own_alerts(Ops.WH_ALERTS, "wh-alert-engine")

SHELF_RESTOCK_PLAN = Table(
    name=Ops.SHELF_RESTOCK_PLAN,
    key=("plan_id",),
    owner="shelf-alert-engine",
    doc="Plans to refill a shelf from the warehouse; at most one pending a shelf.",
    topic="shelf_restock_plan",
    columns=(
        Field("plan_id", STRING, "Derived from shelf, creation and the plans issued before."),
        s.STORE_ID,
        s.SHELF_ID,
        SUGGESTED_QTY,
        s.units("issued_qty", "Units of the wh_out that carry the plan's id."),
        Field("status", STRING, "State of the plan.", enum=PLAN_STATES),
        LATEST_ACTOR,
        *LIFE,
        HELD,
    ),
)

WH_SUPPLIER_PLAN = Table(
    name=Ops.WH_SUPPLIER_PLAN,
    key=("supplier_plan_id",),
    owner="wh-alert-engine",
    doc="Plans to order from the supplier; at most one pending a shelf.",
    topic="wh_supplier_plan",
    columns=(
        Field("supplier_plan_id", STRING, "Derived from shelf, creation and plans issued before."),
        s.STORE_ID,
        s.SHELF_ID,
        replace(SUGGESTED_QTY, maximum=MAX_ORDER),
        s.STANDARD_BATCH_SIZE,
        Field("source", STRING, "Who suggested it, last.", enum=PLAN_SOURCES),
        Field("status", STRING, "State of the plan.", enum=PLAN_STATES),
        Field("order_id", STRING, "The order that took it up.", required=False),
        s.optional(MODEL_VERSION, "Version whose level it follows; null: the rule's."),
        s.units("level_qty", "The level that it follows; null: the rule's.", required=False),
        LATEST_ACTOR,
        *LIFE,
        HELD,
    ),
)

WH_SUPPLIER_ORDERS = Table(
    name=Ops.WH_SUPPLIER_ORDERS,
    key=("order_id",),
    owner="wh-supplier-manager",
    doc="Orders placed at a cutoff, one a delivery date and shelf.",
    profile="shared",
    topic="wh_supplier_orders",
    columns=(
        Field("order_id", STRING, "Derived from delivery date and shelf."),
        Field("supplier_plan_id", STRING, "The plan that it takes up."),
        Field("delivery_date", DATE, "Day for which delivery was ordered."),
        s.STORE_ID,
        s.SHELF_ID,
        replace(s.units("total_qty", "Units ordered.", maximum=MAX_ORDER), minimum=1),
        Field("status", STRING, "State of the order.", enum=("issued", "delivered")),
        Field("cutoff_ts", TIMESTAMP, "Cutoff at which it was placed."),
        Field("delivery_ts", TIMESTAMP, "When it was delivered in truth.", required=False),
        s.CREATED_AT,
        s.UPDATED_AT,
        replace(s.VERSION, doc="1 when issued, 2 when delivered.", minimum=1, maximum=2),
    ),
)

WH_SUPPLIER_RECEIPTS = Table(
    name=Ops.WH_SUPPLIER_RECEIPTS,
    key=("receipt_id",),
    owner="wh-supplier-manager",
    doc="Goods received for orders.",
    profile="shared",
    columns=(
        Field("receipt_id", STRING, "Derived from order and lot."),
        Field("order_id", STRING, "The order that was delivered."),
        Field("delivery_date", DATE, "Day for which delivery was ordered."),
        s.SHELF_ID,
        s.units("received_qty", "Units received."),
        s.CREATED_AT,
    ),
)

STOCK_DISCREPANCIES = Table(
    name=Ops.STOCK_DISCREPANCIES,
    key=("location", "shelf_id", "batch_code"),
    owner="stock-discrepancies",
    doc="Units that movements took and no earlier movement brought: max(-balance, 0).",
    columns=(
        LOCATION,
        s.SHELF_ID,
        s.described(s.BATCH_CODE, "The lot; empty for the whole shelf."),
        s.units("missing_qty", "Units missing; 0 once later events cover them."),
        Field("since", TIMESTAMP, "`last_event_time` of the state row that first showed it."),
        Field(
            "resolved_at",
            TIMESTAMP,
            "`last_event_time` of the state row that covered it.",
            required=False,
        ),
        s.described(s.VERSION, "Version of the state row that it follows from."),
    ),
)

DAILY_DISCOUNTS = Table(
    name=Analytics.DAILY_DISCOUNTS,
    key=("shelf_id", "discount_date"),
    owner="daily-discount-manager",
    doc="Discount of a shelf on a business day, given because lots expire.",
    profile="shared",
    topic="daily_discounts",
    columns=(
        s.SHELF_ID,
        Field("discount_date", DATE, "The business day."),
        Field("discount", s.FRACTION, "Fraction taken off the price.", minimum=0, maximum=1),
        Field(
            "batch_codes",
            ListOf(STRING),
            f"The lots that caused it; of more than {LIST_LENGTH} those that expire last.",
        ),
        s.CREATED_AT,
        s.VERSION,
        s.UPDATED_AT,
    ),
)

AVAILABLE_AT = Field("available_at", TIMESTAMP, "Business time at which the goods reach the shelf.")
TRAVELLED = (
    Field("sent", LONG, "Units of wh_out.", unit="units"),
    Field("arrived", LONG, "Units of restock, opening stock apart.", unit="units"),
)

SHELF_REFILL_PENDING = Table(
    name=Staging.SHELF_REFILL_PENDING,
    key=("event_id",),
    owner="shelf-refill-bridge",
    doc="Goods between warehouse and shelf: from the wh_out until its restock is published.",
    columns=(
        s.described(s.EVENT_ID, "The wh_out."),
        s.STORE_ID,
        s.SHELF_ID,
        s.ITEM_ID,
        s.BATCH_CODE,
        s.QUANTITY,
        s.PLAN_ID,
        s.DELTA_WEIGHT,
        s.described(s.EVENT_TIME, "Event time of the wh_out."),
        AVAILABLE_AT,
    ),
)

SHELF_REFILL_ARRIVALS = Table(
    name=Staging.SHELF_REFILL_ARRIVALS,
    key=("event_id",),
    owner="shelf-refill-bridge",
    doc="Goods that have reached the shelf: from the decision until its restock is read back.",
    columns=(
        s.described(s.EVENT_ID, "The wh_out."),
        s.STORE_ID,
        s.SHELF_ID,
        s.ITEM_ID,
        s.BATCH_CODE,
        s.QUANTITY,
        s.PLAN_ID,
        s.DELTA_WEIGHT,
        AVAILABLE_AT,
        s.UPDATED_AT,
    ),
)

RESTOCK_PICKS = Table(
    name=Staging.RESTOCK_PICKS,
    key=("event_id",),
    owner="shelf-restock-manager",
    doc="Goods picked for a plan: from the decision until the wh_out is read back.",
    columns=(
        s.described(s.EVENT_ID, "The wh_out, derived from plan and lot."),
        s.described(s.EVENT_TIME, "When the pick was due, or possible."),
        replace(s.PLAN_ID, required=True),
        s.STORE_ID,
        s.SHELF_ID,
        s.ITEM_ID,
        s.BATCH_CODE,
        s.QUANTITY,
        s.RECEIVED_DATE,
        s.EXPIRY_DATE,
        s.UPDATED_AT,
    ),
)

SHELF_TRANSIT = Table(
    name=Staging.SHELF_TRANSIT,
    key=("shelf_id",),
    owner="shelf-alert-engine",
    doc="Units that left the warehouse for a shelf, and that arrived there.",
    columns=(s.SHELF_ID, *TRAVELLED, s.UPDATED_AT),
)

PLAN_PROGRESS = Table(
    name=Staging.PLAN_PROGRESS,
    key=("plan_id",),
    owner="shelf-alert-engine",
    doc="Units that left the warehouse with a plan's id, and that arrived with it.",
    columns=(replace(s.PLAN_ID, required=True), *TRAVELLED, s.UPDATED_AT),
)

TABLES = (
    ALERTS,
    SHELF_ALERTS,
    WH_ALERTS,
    SHELF_RESTOCK_PLAN,
    WH_SUPPLIER_PLAN,
    WH_SUPPLIER_ORDERS,
    WH_SUPPLIER_RECEIPTS,
    STOCK_DISCREPANCIES,
    SHELF_REFILL_PENDING,
    SHELF_REFILL_ARRIVALS,
    RESTOCK_PICKS,
    SHELF_TRANSIT,
    PLAN_PROGRESS,
    DAILY_DISCOUNTS,
)
