"""Which back rooms run low, what to order, which of their lots are about to expire (docs/design/retail.md#orders)."""

from lakeshelf.contracts.lives import PlanKind
from lakeshelf.shop.commands import commands, refusals
from lakeshelf.shop.decisions import (
    alert_events,
    alerts,
    concerned,
    plans,
    policy_in_force,
    policy_joins,
    unknown_shelves,
)
from lakeshelf.streams.declare.job import DecisionView, Emission, Job, Latest, Scope

POLICIES = Latest(table="staging/wh_policies", source="{wh_policies}")
LEVELS = Latest(table="staging/order_levels", source="{order_levels}")
ORDERS = Latest(table="staging/supplier_orders", source="{wh_supplier_orders}")
REACHED = """
    progress AS (
        SELECT supplier_plan_id, order_id, CASE status WHEN 'delivered' THEN 'completed' ELSE status END AS reached
        FROM {staging_supplier_orders} WHERE NOT deleted)"""
TARGETS = f"""
    WITH {REACHED}
    SELECT alert_id AS target_id, status, version FROM {{ops_wh_alerts}}
    UNION ALL SELECT p.supplier_plan_id, coalesce(g.reached, p.status), p.version
    FROM {{ops_wh_supplier_plan}} AS p LEFT JOIN progress AS g ON g.supplier_plan_id = p.supplier_plan_id"""
COMMANDS = commands("ops/wh_commands", "wh-alert-engine", TARGETS)


TOUCHED = concerned(
    "ops_wh_alerts", {"ops_wh_supplier_plan": "supplier_plan_id"}, "staging_wh_policies"
)
ROOMS = Scope(
    name="rooms",
    keys=f"""
        SELECT DISTINCT shelf_id FROM (
            SELECT shelf_id FROM {{touched_cleansed_wh_state}}
            UNION ALL SELECT shelf_id FROM {{touched_staging_shelf_profiles}}
            UNION ALL SELECT shelf_id FROM {{touched_staging_wh_policies}}
            UNION ALL SELECT shelf_id FROM {{wh_batch_state}}
            UNION ALL SELECT o.shelf_id FROM {{staging_supplier_orders}} AS o
                LEFT SEMI JOIN {{touched_staging_supplier_orders}} AS n ON n.order_id = o.order_id
            UNION ALL {TOUCHED}) AS named""",
    sql=f"""
        WITH
        coming AS (
            SELECT shelf_id, sum(total_qty) AS ordered FROM {{staging_supplier_orders}}
            WHERE status = 'issued' AND NOT deleted GROUP BY shelf_id),
        facts AS (
            SELECT s.shelf_id, coalesce(p.store_id, x.store_id) AS store_id, p.shelf_id IS NOT NULL AS known,
                p.standard_batch_size, coalesce(x.wh_current_stock, 0) AS stock, coalesce(m.ordered, 0) AS ordered,
                {policy_in_force("wh_policies")}
            FROM {{keys}} AS s
            LEFT JOIN {{curated_shelf_profiles}} AS p ON p.shelf_id = s.shelf_id
            LEFT JOIN {{cleansed_wh_state}} AS x ON x.shelf_id = s.shelf_id
            LEFT JOIN coming AS m ON m.shelf_id = s.shelf_id
            {policy_joins("staging_wh_policies", "s.shelf_id")}),
        judged AS (
            SELECT *, known AND stock < reorder_point_qty AS low, standard_batch_size * batch_multiplier AS lot,
                greatest(reorder_point_qty - stock - ordered, 0) AS missing
            FROM facts)
        SELECT *, CASE WHEN low THEN CAST(ceil(missing / CAST(lot AS DOUBLE)) AS BIGINT) * lot ELSE 0 END AS wanted
        FROM judged""",
)


CONDITIONS = """
    conditions AS (
        SELECT 'supplier_request' AS event_type, 'warehouse' AS location, store_id, shelf_id,
            CAST(NULL AS STRING) AS batch_code, CAST(NULL AS DATE) AS expiry_date, low AS holds,
            stock AS current_stock, CAST(NULL AS BIGINT) AS max_stock, reorder_point_qty AS min_qty,
            CAST(NULL AS DOUBLE) AS threshold_pct, CAST(NULL AS DOUBLE) AS stock_pct, wanted AS suggested_qty
        FROM {rooms}
        UNION ALL
        SELECT 'near_expiry', 'warehouse', r.store_id, r.shelf_id, l.batch_code, l.expiry_date,
            r.known AND l.batch_quantity_warehouse > 0
                AND datediff(l.expiry_date, t.today) BETWEEN 0 AND r.near_expiry_days,
            l.batch_quantity_warehouse, CAST(NULL AS BIGINT), CAST(NULL AS BIGINT), CAST(NULL AS DOUBLE),
            CAST(NULL AS DOUBLE), CAST(NULL AS BIGINT)
        FROM {rooms} AS r JOIN {cleansed_wh_batch_state} AS l ON l.shelf_id = r.shelf_id
        CROSS JOIN {business_time} AS t WHERE l.expiry_date IS NOT NULL)"""

ALERTS = DecisionView(
    table="ops/wh_alerts",
    scope=ROOMS,
    conditions=CONDITIONS,
    sql=alerts(ROOMS.name, CONDITIONS, "ops_wh_commands"),
    emits=(Emission(topic="alerts", sql=alert_events()),),
)
PLANS = DecisionView(
    table="ops/wh_supplier_plan",
    topic="wh_supplier_plan",
    scope=ROOMS,
    sql=plans(
        ROOMS.name,
        REACHED,
        "ops_wh_commands",
        kind=PlanKind.SUPPLY,
        key="supplier_plan_id",
        own={
            "standard_batch_size": ("plan.standard_batch_size", "demand.standard_batch_size"),
            "source": ("plan.source", "'rule'"),
            "order_id": ("coalesce(progress.order_id, plan.order_id)", "CAST(NULL AS STRING)"),
        },
    ),
)

JOB = Job(
    name="wh-alert-engine",
    due="now",
    doc="Opens and closes alerts of back rooms that run low and of lots that expire, and plans orders.",
    updates=(POLICIES, LEVELS, ORDERS, COMMANDS, ALERTS, PLANS),
    objections=(unknown_shelves("wh_policies"), *refusals("ops_wh_commands", TARGETS)),
)
