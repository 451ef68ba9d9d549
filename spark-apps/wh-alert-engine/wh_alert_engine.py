"""Which back rooms run low, what to order, which of their lots are about to expire (docs/design/retail.md#orders)."""

from lakeshelf.contracts.lives import PlanKind
from lakeshelf.shop.commands import commands, refusals
from lakeshelf.shop.decisions import (
    GLOBAL,
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
MOVED = f"""
            UNION ALL SELECT moved.shelf_id FROM (
                SELECT shelf_id FROM {{touched_cleansed_shelf_state}}
                UNION ALL SELECT shelf_id FROM {{touched_staging_shelf_transit}}
                UNION ALL SELECT shelf_id FROM {{touched_staging_shelf_policies}}
                UNION ALL SELECT shelf_id FROM {{shelf_batch_state}}) AS moved
                LEFT SEMI JOIN {{staging_order_levels}} AS told ON told.shelf_id = moved.shelf_id
            UNION ALL SELECT shelf_id FROM {{staging_order_levels}}
            WHERE '{GLOBAL}' IN (SELECT shelf_id FROM {{touched_staging_shelf_policies}})"""
"""Shelves with a level whose position or floor changes: what happens on all other shelves concerns no back room."""

LEVELS_IN_FORCE = f"""
        levels AS (
            SELECT s.shelf_id, l.level_qty, l.lot_level_qty, l.model_version, CAST(l.valid_until AS DATE) AS until
            FROM {{keys}} AS s JOIN {{staging_order_levels}} AS l ON l.shelf_id = s.shelf_id
            CROSS JOIN {{business_time}} AS t
            WHERE NOT l.deleted AND t.today < CAST(l.valid_until AS DATE)),
        expiring AS (
            SELECT lot.shelf_id, CAST(sum(lot.units) AS BIGINT) AS units FROM (
                SELECT shelf_id, expiry_date, batch_quantity_warehouse AS units FROM {{cleansed_wh_batch_state}}
                UNION ALL
                SELECT shelf_id, expiry_date, batch_quantity_store FROM {{cleansed_shelf_batch_state}}) AS lot
            JOIN levels AS l ON l.shelf_id = lot.shelf_id AND lot.expiry_date < l.until
            GROUP BY lot.shelf_id),
        leveled AS (
            SELECT l.*, {policy_in_force("shelf_policies", "min_qty")},
                coalesce(x.current_stock, 0) + coalesce(m.sent - m.arrived, 0) - coalesce(e.units, 0) AS elsewhere
            FROM levels AS l
            LEFT JOIN {{cleansed_shelf_state}} AS x ON x.shelf_id = l.shelf_id
            LEFT JOIN {{staging_shelf_transit}} AS m ON m.shelf_id = l.shelf_id
            LEFT JOIN expiring AS e ON e.shelf_id = l.shelf_id
            {policy_joins("staging_shelf_policies", "l.shelf_id")})"""
"""Levels in force of the keys, with what stands elsewhere than in the back room, less what expires before they end."""

FOLLOWED = """
        positions AS (
            SELECT r.shelf_id, r.lot, l.level_qty, l.lot_level_qty, l.model_version,
                CAST(greatest(r.stock + r.ordered + l.elsewhere, 0) AS BIGINT) AS position_qty,
                CASE WHEN r.allow_zero THEN 0 ELSE greatest(l.min_qty, 1) END AS floor_qty
            FROM ruled AS r JOIN leveled AS l ON l.shelf_id = r.shelf_id
            WHERE r.known AND r.plan_source = 'ml'),
        short AS (
            SELECT *, greatest(greatest(level_qty, floor_qty) - position_qty, 0) AS units FROM positions),
        whole AS (SELECT *, units % lot AS rest, units - units % lot AS down FROM short),
        followed AS (
            SELECT shelf_id, position_qty, level_qty, model_version,
                down + CASE WHEN rest = 0 THEN 0
                    WHEN position_qty + down < coalesce(lot_level_qty, 0) OR position_qty + down < floor_qty
                        OR (lot_level_qty IS NULL AND 2 * rest >= lot) THEN lot
                    ELSE 0 END AS wanted
            FROM whole)"""
"""Units that a level asks for, in whole lots, of each of `ruled` that it decides for."""


ROOMS = Scope(
    name="rooms",
    keys=f"""
        SELECT DISTINCT shelf_id FROM (
            SELECT shelf_id FROM {{touched_cleansed_wh_state}}
            UNION ALL SELECT shelf_id FROM {{touched_staging_shelf_profiles}}
            UNION ALL SELECT shelf_id FROM {{touched_staging_wh_policies}}
            UNION ALL SELECT shelf_id FROM {{touched_staging_order_levels}}
            UNION ALL SELECT shelf_id FROM {{wh_batch_state}}
            UNION ALL SELECT o.shelf_id FROM {{staging_supplier_orders}} AS o
                LEFT SEMI JOIN {{touched_staging_supplier_orders}} AS n ON n.order_id = o.order_id
            {MOVED}
            UNION ALL {TOUCHED}) AS named""",
    sql=f"""
        WITH
        coming AS (
            SELECT shelf_id, sum(total_qty) AS ordered FROM {{staging_supplier_orders}}
            WHERE status = 'issued' AND NOT deleted GROUP BY shelf_id),
        {LEVELS_IN_FORCE},
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
            FROM facts),
        ruled AS (
            SELECT *, CASE WHEN low THEN CAST(ceil(missing / CAST(lot AS DOUBLE)) AS BIGINT) * lot ELSE 0 END
                AS rule_qty
            FROM judged),
        {FOLLOWED}
        SELECT r.*, f.position_qty, f.level_qty, f.model_version, coalesce(f.wanted, r.rule_qty) AS wanted,
            CASE WHEN f.shelf_id IS NULL THEN 'rule' ELSE 'ml' END AS source
        FROM ruled AS r LEFT JOIN followed AS f ON f.shelf_id = r.shelf_id""",
)


CONDITIONS = """
    conditions AS (
        SELECT 'supplier_request' AS event_type, 'warehouse' AS location, store_id, shelf_id,
            CAST(NULL AS STRING) AS batch_code, CAST(NULL AS DATE) AS expiry_date, low AS holds,
            stock AS current_stock, CAST(NULL AS BIGINT) AS max_stock, reorder_point_qty AS min_qty,
            CAST(NULL AS DOUBLE) AS threshold_pct, CAST(NULL AS DOUBLE) AS stock_pct, rule_qty AS suggested_qty
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
            "order_id": ("coalesce(progress.order_id, plan.order_id)", "CAST(NULL AS STRING)"),
        },
        following=("source", "model_version", "level_qty"),
    ),
)

JOB = Job(
    name="wh-alert-engine",
    awaited=True,
    doc="Opens and closes alerts of back rooms that run low and of lots that expire, and plans orders.",
    updates=(POLICIES, LEVELS, ORDERS, COMMANDS, ALERTS, PLANS),
    objections=(unknown_shelves("wh_policies"), *refusals("ops_wh_commands", TARGETS)),
)
