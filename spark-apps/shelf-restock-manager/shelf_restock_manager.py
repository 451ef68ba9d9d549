"""Picks goods for due plans: once each, oldest lots first, none that has expired (docs/design/retail.md#picks)."""

from lakeshelf.streams.declare.job import DecisionView, Emission, Job, Scope
from lakeshelf.streams.declare.sql import derived_id

PLAN_DELAY_S = 60
PHASE = "picks"
PICK_ID = "concat_ws('-', CAST(unix_millis(picked_at) AS STRING), 'wh_out', plan_id, batch_code)"

PLANS = Scope(
    name="plans_in_work",
    keys="""
        SELECT plan_id FROM {ops_shelf_restock_plan} WHERE status = 'pending'
        UNION ALL SELECT plan_id FROM {staging_restock_picks}""",
)
PICKS = DecisionView(
    table="staging/restock_picks",
    removes=True,
    scope=PLANS,
    sql=f"""
        WITH due AS (
            SELECT p.plan_id, p.store_id, p.shelf_id, p.suggested_qty, t.today,
                p.created_at + INTERVAL {PLAN_DELAY_S} SECONDS AS due_at
            FROM {{ops_shelf_restock_plan}} AS p CROSS JOIN {{business_time}} AS t
            WHERE p.status = 'pending' AND p.created_at + INTERVAL {PLAN_DELAY_S} SECONDS <= t.now
                AND coalesce(t.phase, '{PHASE}') = '{PHASE}'),
        read_back AS (
            SELECT c.plan_id FROM (SELECT plan_id, sum(quantity) AS quantity FROM {{current}} GROUP BY plan_id) AS c
            JOIN {{staging_plan_progress}} AS g ON g.plan_id = c.plan_id WHERE g.sent >= c.quantity),
        unread AS (SELECT * FROM {{current}} LEFT ANTI JOIN read_back USING (plan_id)),
        waiting AS (SELECT * FROM due LEFT ANTI JOIN unread USING (plan_id)),
        picked AS (SELECT shelf_id, batch_code, sum(quantity) AS quantity FROM unread GROUP BY shelf_id, batch_code),
        lots AS (
            SELECT w.*, x.item_id, l.batch_code, l.received_date, l.expiry_date, l.last_event_time,
                greatest(l.batch_quantity_warehouse - coalesce(k.quantity, 0), 0) AS units
            FROM waiting AS w
            JOIN {{cleansed_wh_batch_state}} AS l ON l.shelf_id = w.shelf_id
            JOIN {{cleansed_wh_state}} AS x ON x.shelf_id = w.shelf_id
            LEFT JOIN picked AS k ON k.shelf_id = l.shelf_id AND k.batch_code = l.batch_code
            WHERE l.expiry_date IS NULL OR l.expiry_date >= w.today),
        queued AS (
            SELECT *, sum(units) OVER (
                PARTITION BY plan_id ORDER BY received_date NULLS LAST, expiry_date NULLS LAST, batch_code
                ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - units AS units_before
            FROM lots),
        picks AS (
            SELECT *, greatest(due_at, last_event_time) AS picked_at,
                least(units, suggested_qty - units_before) AS quantity
            FROM queued WHERE units > 0 AND units_before < suggested_qty)
        SELECT {derived_id(PICK_ID)} AS event_id,
            picked_at AS event_time, plan_id, store_id, shelf_id, item_id, batch_code, quantity, received_date,
            expiry_date, false AS removed
        FROM picks
        UNION ALL
        SELECT c.event_id, c.event_time, c.plan_id, c.store_id, c.shelf_id, c.item_id, c.batch_code, c.quantity,
            c.received_date, c.expiry_date, true
        FROM {{current}} AS c LEFT SEMI JOIN read_back USING (plan_id)""",
    emits=(
        Emission(
            topic="wh_events",
            sql="""
                SELECT event_id, 'wh_out' AS event_type, event_time, store_id, 1 AS schema_version, shelf_id, item_id,
                    batch_code, quantity, received_date, expiry_date, plan_id, CAST(NULL AS STRING) AS order_id,
                    'shelf-restock-manager' AS actor, CAST(NULL AS STRING) AS reason
                FROM {changed}""",
        ),
    ),
)

JOB = Job(
    name="shelf-restock-manager",
    awaited=True,
    doc="Takes what due plans ask for out of the back room.",
    updates=(PICKS,),
)
