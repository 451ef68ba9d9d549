"""Which shelves are low, what to refill, which lots are about to expire (docs/design/retail.md#refill)."""

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
from lakeshelf.streams.declare.job import (
    DecisionView,
    Emission,
    Fold,
    Job,
    Latest,
    Movements,
    Scope,
)

ARRIVAL = "event_type = 'restock' AND coalesce(reason, '') <> 'opening_balance'"


def travelled(key: str, where: str = "true") -> tuple[Movements, ...]:
    """Units that left the warehouse, and that arrived on a shelf."""
    return (
        Movements(
            source="{wh_events}",
            where=f"event_type = 'wh_out' AND {where}",
            values={key: key, "sent": "quantity"},
        ),
        Movements(
            source="{shelf_events}",
            where=f"{ARRIVAL} AND {where}",
            values={key: key, "arrived": "quantity"},
        ),
    )


TRANSIT = Fold(
    table="staging/shelf_transit",
    movements=travelled("shelf_id"),
    combine={"sent": "sum", "arrived": "sum"},
)
PROGRESS = Fold(
    table="staging/plan_progress",
    movements=travelled("plan_id", "plan_id IS NOT NULL"),
    combine={"sent": "sum", "arrived": "sum"},
)
REACHED = """
    progress AS (
        SELECT plan_id, sent, CASE WHEN sent > 0 AND arrived >= sent THEN 'completed' WHEN sent > 0 THEN 'issued' END
            AS reached
        FROM {staging_plan_progress})"""
TARGETS = f"""
    WITH {REACHED}
    SELECT alert_id AS target_id, status, version FROM {{ops_shelf_alerts}}
    UNION ALL SELECT p.plan_id, coalesce(g.reached, p.status), p.version
    FROM {{ops_shelf_restock_plan}} AS p LEFT JOIN progress AS g ON g.plan_id = p.plan_id"""
COMMANDS = commands("ops/shelf_commands", "shelf-alert-engine", TARGETS)
POLICIES = Latest(table="staging/shelf_policies", source="{shelf_policies}")


TOUCHED = concerned(
    "ops_shelf_alerts", {"ops_shelf_restock_plan": "plan_id"}, "staging_shelf_policies"
)
SHELVES = Scope(
    name="shelves",
    keys=f"""
        SELECT DISTINCT shelf_id FROM (
            SELECT shelf_id FROM {{touched_cleansed_shelf_state}}
            UNION ALL SELECT shelf_id FROM {{touched_staging_shelf_transit}}
            UNION ALL SELECT shelf_id FROM {{touched_staging_shelf_profiles}}
            UNION ALL SELECT shelf_id FROM {{touched_staging_shelf_policies}}
            UNION ALL SELECT shelf_id FROM {{shelf_batch_state}}
            UNION ALL {TOUCHED}) AS named""",
    sql=f"""
        WITH
        facts AS (
            SELECT s.shelf_id, coalesce(p.store_id, x.store_id) AS store_id, p.shelf_id IS NOT NULL AS known,
                p.max_stock, coalesce(x.current_stock, 0) AS stock,
                coalesce(m.sent - m.arrived, 0) AS in_transit, {policy_in_force("shelf_policies")}
            FROM {{keys}} AS s
            LEFT JOIN {{curated_shelf_profiles}} AS p ON p.shelf_id = s.shelf_id
            LEFT JOIN {{cleansed_shelf_state}} AS x ON x.shelf_id = s.shelf_id
            LEFT JOIN {{staging_shelf_transit}} AS m ON m.shelf_id = s.shelf_id
            {policy_joins("staging_shelf_policies", "s.shelf_id")}),
        judged AS (
            SELECT *, known AND max_stock > 0 AND (100 * stock < threshold_pct * max_stock OR stock < min_qty) AS low,
                CAST(ceil(max_stock * target_pct / 100) AS BIGINT) AS target
            FROM facts)
        SELECT *, CASE WHEN low THEN greatest(target - stock - in_transit, 0) ELSE 0 END AS wanted FROM judged""",
)


CONDITIONS = """
    conditions AS (
        SELECT 'refill_request' AS event_type, 'store' AS location, store_id, shelf_id,
            CAST(NULL AS STRING) AS batch_code, CAST(NULL AS DATE) AS expiry_date, low AS holds,
            stock AS current_stock, max_stock, min_qty, threshold_pct,
            100 * stock / CAST(nullif(max_stock, 0) AS DOUBLE) AS stock_pct, wanted AS suggested_qty
        FROM {shelves}
        UNION ALL
        SELECT 'near_expiry', 'store', s.store_id, s.shelf_id, l.batch_code, l.expiry_date,
            s.known AND l.batch_quantity_store > 0
                AND datediff(l.expiry_date, t.today) BETWEEN 0 AND s.near_expiry_days,
            l.batch_quantity_store, s.max_stock, CAST(NULL AS BIGINT), CAST(NULL AS DOUBLE), CAST(NULL AS DOUBLE),
            CAST(NULL AS BIGINT)
        FROM {shelves} AS s JOIN {cleansed_shelf_batch_state} AS l ON l.shelf_id = s.shelf_id
        CROSS JOIN {business_time} AS t WHERE l.expiry_date IS NOT NULL)"""

ALERTS = DecisionView(
    table="ops/shelf_alerts",
    scope=SHELVES,
    conditions=CONDITIONS,
    sql=alerts(SHELVES.name, CONDITIONS, "ops_shelf_commands"),
    emits=(Emission(topic="alerts", sql=alert_events()),),
)
PLANS = DecisionView(
    table="ops/shelf_restock_plan",
    topic="shelf_restock_plan",
    scope=SHELVES,
    sql=plans(
        SHELVES.name,
        REACHED,
        "ops_shelf_commands",
        kind=PlanKind.RESTOCK,
        key="plan_id",
        own={"issued_qty": ("coalesce(progress.sent, plan.issued_qty)", "0")},
    ),
)

JOB = Job(
    name="shelf-alert-engine",
    awaited=True,
    doc="Opens and closes alerts of low shelves and of lots that expire, and plans refills.",
    updates=(TRANSIT, PROGRESS, COMMANDS, POLICIES, ALERTS, PLANS),
    objections=(unknown_shelves("shelf_policies"), *refusals("ops_shelf_commands", TARGETS)),
)
