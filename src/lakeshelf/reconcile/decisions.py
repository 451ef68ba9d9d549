# ruff: noqa: S608 - the SQL is put together from constants of this module
"""What the shop decided for itself: plans, picks, arrivals, discounts, alerts (docs/design/retail.md#refill)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.layers import Analytics, Curated, Ops, Raw, Staging
from lakeshelf.contracts.lives import OPEN_ALERT, AlertKind

if TYPE_CHECKING:
    from lakeshelf.reconcile.books import Books
    from lakeshelf.reconcile.checks import Check

ALERT = tuple(c.name for c in CATALOG.tables[Ops.ALERTS].columns if c.name != "updated_at")
ENGINE_ALERTS = (Ops.SHELF_ALERTS, Ops.WH_ALERTS)

GONE_OUT = "FROM source WHERE event_type = 'wh_out'"
ARRIVED = """
FROM source WHERE event_type = 'restock' AND reason IS DISTINCT FROM 'opening_balance'
"""

TABLES = (
    (
        "gone_out",
        Raw.WH_EVENTS,
        ("event_id", "event_type", "shelf_id", "batch_code", "quantity", "plan_id", "reason"),
        GONE_OUT,
    ),
    (
        "arrived",
        Raw.SHELF_EVENTS,
        (
            "event_type",
            "shelf_id",
            "batch_code",
            "quantity",
            "plan_id",
            "cause_event_id",
            "actor",
            "reason",
        ),
        ARRIVED,
    ),
    (
        "waiting_goods",
        Staging.SHELF_REFILL_PENDING,
        ("event_id", "shelf_id", "batch_code", "quantity", "plan_id"),
        "FROM source",
    ),
    (
        "restock_plan",
        Ops.SHELF_RESTOCK_PLAN,
        ("plan_id", "shelf_id", "issued_qty", "status"),
        "FROM source",
    ),
    (
        "supplier_plan",
        Ops.WH_SUPPLIER_PLAN,
        ("supplier_plan_id", "shelf_id", "order_id", "status"),
        "FROM source",
    ),
    (
        "supplier_order",
        Ops.WH_SUPPLIER_ORDERS,
        ("order_id", "supplier_plan_id", "shelf_id", "status"),
        "FROM source",
    ),
    (
        "discount",
        Analytics.DAILY_DISCOUNTS,
        ("shelf_id", "discount_date", "discount", "created_at"),
        "FROM source",
    ),
    ("profile", Curated.SHELF_PROFILES, ("shelf_id", "unit_price"), "FROM source"),
    ("alert", Ops.ALERTS, ALERT, "FROM source"),
    ("shelf_alert", ENGINE_ALERTS[0], ALERT, "FROM source"),
    ("wh_alert", ENGINE_ALERTS[1], ALERT, "FROM source"),
)
"""View, table, columns, and what of them."""

ISSUED = """
SELECT plan_id, coalesce(sum(sent), 0), sum(issued_qty) FROM (
    SELECT plan_id, quantity AS sent FROM gone_out WHERE plan_id <> ''
    UNION ALL BY NAME SELECT plan_id, issued_qty FROM restock_plan
) GROUP BY plan_id
"""

REACHED = """
SELECT plan_id, CASE WHEN sent > 0 AND arrived >= sent THEN 'completed' WHEN sent > 0 THEN 'issued'
    ELSE 'not issued' END AS status
FROM restock_plan
LEFT JOIN (SELECT plan_id, sum(quantity) AS sent FROM gone_out GROUP BY plan_id) USING (plan_id)
LEFT JOIN (SELECT plan_id, sum(quantity) AS arrived FROM arrived GROUP BY plan_id) USING (plan_id)
"""

PLAN_STATUS = """
SELECT plan_id, CASE WHEN status IN ('issued', 'completed') THEN status ELSE 'not issued' END
    AS status
FROM restock_plan
"""

PICKS = """
SELECT concat_ws('/', shelf_id, batch_code), greatest(-balance, 0), coalesce(missing_qty, 0)
FROM wh_lots SEMI JOIN (FROM gone_out WHERE plan_id <> '') AS picked USING (shelf_id, batch_code)
LEFT JOIN (FROM discrepancy WHERE location = 'warehouse') AS d USING (shelf_id, batch_code)
"""

OWN_GONE_OUT = "SELECT * FROM gone_out WHERE reason IS DISTINCT FROM 'replay'"

GOODS = f"""
SELECT event_id, 1 AS times, shelf_id, batch_code, plan_id, quantity FROM ({OWN_GONE_OUT})
"""

GOODS_FOUND = f"""
SELECT event_id, count(*) AS times, min(shelf_id) AS shelf_id, min(batch_code) AS batch_code,
       min(plan_id) AS plan_id, sum(quantity)::BIGINT AS quantity
FROM (
    SELECT cause_event_id AS event_id, shelf_id, batch_code, plan_id, quantity FROM arrived
    WHERE cause_event_id IN (SELECT event_id FROM ({OWN_GONE_OUT}))
        OR actor = 'shelf-refill-bridge'
    UNION ALL BY NAME SELECT * FROM waiting_goods
) GROUP BY event_id
"""

DISCOUNTED = """
SELECT concat_ws('/', transaction_id, sold.shelf_id), {expected}, {actual}
FROM sold JOIN discount ON discount.shelf_id = sold.shelf_id
    AND discount_date = event_time::DATE AND event_time >= created_at
"""

PRICED = f"{DISCOUNTED} JOIN profile ON profile.shelf_id = sold.shelf_id"

UNFOUNDED = """
SELECT concat_ws('/', transaction_id, shelf_id), 0, (sold.discount * 10000)::BIGINT
FROM sold ANTI JOIN discount
    ON discount.shelf_id = sold.shelf_id AND discount_date = event_time::DATE
"""

FULL_PRICE = "(100 * unit_price * quantity * (1 - discount.discount))::DOUBLE"
"""Cents of a line, not rounded."""

ROUNDED_OFF = f"abs((100 * total_price)::DOUBLE - {FULL_PRICE}) <= 1 + quantity / 2.0"
"""Whether a line costs that, whether the sum was rounded or each unit's price."""

ONE_A = """
SELECT concat_ws('/', {keys}), least(count(*), 1), count(*) FROM {rows} GROUP BY {keys}
"""

PLAN_OF_ORDER = """
SELECT supplier_plan_id, order_id, shelf_id,
       CASE status WHEN 'delivered' THEN 'completed' ELSE 'issued' END AS status
FROM supplier_order
"""

ORDERED_PLANS = """
SELECT supplier_plan_id, order_id, shelf_id, status FROM supplier_plan
WHERE status IN ('issued', 'completed') OR order_id <> ''
"""

OPEN_ALERTS = f"(FROM alert WHERE status IN {OPEN_ALERT})"


def decisions_of(books: Books) -> tuple[Check, ...]:
    """Whether what was decided agrees with what followed from it.

    Args:
        books: Books that are open, with their invariants and lots.

    Raises:
        LakeError: A table is missing or cannot be read.
    """
    for view, name, columns, sql in TABLES:
        books.load(view, name, columns, sql)
        if not name.startswith("raw/"):
            books.count(view, name)
    return (*_plans(books), *_goods(books), *_discounts(books), *_alerts(books))


def _plans(books: Books) -> tuple[Check, ...]:
    pending = "(FROM {} WHERE status = 'pending')".format
    return (
        books.compare("plans issued", "units issued of each plan = its wh_out", ISSUED),
        books.compare_rows(
            "plans reached",
            "a plan is issued by its first wh_out, completed once as much was restocked",
            ("plan_id",),
            REACHED,
            PLAN_STATUS,
        ),
        books.compare(
            "plans pending",
            "at most one pending plan a shelf",
            ONE_A.format(keys="shelf_id", rows=pending("restock_plan")),
        ),
        books.compare(
            "supply pending",
            "at most one pending supplier plan a shelf",
            ONE_A.format(keys="shelf_id", rows=pending("supplier_plan")),
        ),
        books.compare_rows(
            "supply ordered",
            "a supplier plan is issued by its order and completed by the delivery",
            ("supplier_plan_id",),
            PLAN_OF_ORDER,
            ORDERED_PLANS,
        ),
    )


def _goods(books: Books) -> tuple[Check, ...]:
    return (
        books.compare("picks", "no lot is picked below zero without a discrepancy", PICKS),
        books.compare_rows(
            "arrivals",
            "each wh_out has one restock that names it, or waits for it",
            ("event_id",),
            GOODS,
            GOODS_FOUND,
        ),
    )


def _discounts(books: Books) -> tuple[Check, ...]:
    fraction = "({}.discount * 10000)::BIGINT".format
    cents = "(100 * total_price)::BIGINT"
    expected = f"CASE WHEN {ROUNDED_OFF} THEN {cents} ELSE round({FULL_PRICE})::BIGINT END"
    return (
        books.compare(
            "discounts given",
            "receipt lines carry the day's discount of their shelf, in 1/10,000",
            DISCOUNTED.format(expected=fraction("discount"), actual=fraction("sold")),
        ),
        books.compare(
            "discounts charged",
            "lines of discounted shelves cost so much less than the list price, in cents",
            PRICED.format(expected=expected, actual=cents),
        ),
        books.compare(
            "discounts decided",
            "no receipt line carries a discount that nobody decided, in 1/10,000",
            UNFOUNDED,
        ),
    )


def _alerts(books: Books) -> tuple[Check, ...]:
    columns = ", ".join(ALERT)
    return (
        books.compare(
            "alerts open",
            "at most one open alert a type, location, shelf and lot",
            ONE_A.format(keys="event_type, location, shelf_id, batch_code", rows=OPEN_ALERTS),
        ),
        books.compare_rows(
            "alerts kept",
            "ops/alerts has the engines' alerts as they are now",
            ("alert_id",),
            f"SELECT {columns} FROM shelf_alert UNION ALL SELECT {columns} FROM wh_alert",
            f"SELECT {columns} FROM alert WHERE event_type <> '{AlertKind.EXPIRED_REMOVAL}'",
        ),
    )
