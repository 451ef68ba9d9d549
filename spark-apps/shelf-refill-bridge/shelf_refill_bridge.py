"""Goods reach the shelf `REFILL_DELAY_S` after they left the back room (docs/design/retail.md#arrivals)."""

from lakeshelf.streams.declare.job import DecisionView, Emission, Job, Scope, View
from lakeshelf.streams.declare.sql import derived_id

REFILL_DELAY_S = 180
PHASE = "arrivals"

PENDING = View(
    table="staging/shelf_refill_pending",
    removes=True,
    sql=f"""
        WITH arrived AS (SELECT cause_event_id AS event_id FROM {{shelf_events}} WHERE event_type = 'restock')
        SELECT e.event_id, e.store_id, e.shelf_id, e.item_id, e.batch_code, e.quantity, e.plan_id,
            e.quantity * p.unit_weight AS delta_weight, e.event_time,
            e.event_time + INTERVAL {REFILL_DELAY_S} SECONDS AS available_at, false AS removed
        FROM {{wh_events}} AS e LEFT JOIN {{curated_shelf_profiles}} AS p ON p.shelf_id = e.shelf_id
        LEFT ANTI JOIN arrived AS a ON a.event_id = e.event_id
        WHERE e.event_type = 'wh_out' AND coalesce(e.reason, '') <> 'replay'
        UNION ALL
        SELECT c.event_id, c.store_id, c.shelf_id, c.item_id, c.batch_code, c.quantity, c.plan_id, c.delta_weight,
            c.event_time, c.available_at, true
        FROM {{current}} AS c LEFT SEMI JOIN arrived AS a ON a.event_id = c.event_id""",
)

ENVELOPE = "available_at AS event_time, store_id, 1 AS schema_version, shelf_id, item_id"
CAUSE = "plan_id, event_id AS cause_event_id, 'shelf-refill-bridge' AS actor, CAST(NULL AS STRING) AS reason"


def event(kind: str, quantity: str, weight: str) -> str:
    """A shelf event of goods that arrived."""
    id_ = f"concat_ws('-', CAST(unix_millis(available_at) AS STRING), '{kind}', event_id)"
    return f"""
        SELECT {derived_id(id_)} AS event_id,
            '{kind}' AS event_type, {ENVELOPE}, {quantity} AS quantity, batch_code,
            CAST(NULL AS STRING) AS customer_id, {weight} AS delta_weight, {CAUSE}
        FROM {{changed}}"""


GOODS = Scope(
    name="goods_under_way",
    keys="""
        SELECT event_id FROM {staging_shelf_refill_pending}
        UNION ALL SELECT event_id FROM {staging_shelf_refill_arrivals}""",
)
ARRIVALS = DecisionView(
    table="staging/shelf_refill_arrivals",
    removes=True,
    scope=GOODS,
    sql=f"""
        SELECT p.event_id, p.store_id, p.shelf_id, p.item_id, p.batch_code, p.quantity, p.plan_id, p.delta_weight,
            p.available_at, false AS removed
        FROM {{staging_shelf_refill_pending}} AS p CROSS JOIN {{business_time}} AS t
        LEFT ANTI JOIN {{current}} AS c ON c.event_id = p.event_id
        WHERE p.available_at <= t.now AND coalesce(t.phase, '{PHASE}') = '{PHASE}'
        UNION ALL
        SELECT c.event_id, c.store_id, c.shelf_id, c.item_id, c.batch_code, c.quantity, c.plan_id, c.delta_weight,
            c.available_at, true
        FROM {{current}} AS c LEFT ANTI JOIN {{staging_shelf_refill_pending}} AS p ON p.event_id = c.event_id""",
    emits=(
        Emission(topic="shelf_events", sql=event("restock", "quantity", "CAST(NULL AS DOUBLE)")),
        Emission(
            topic="shelf_events",
            sql=f"{event('weight_change', 'CAST(NULL AS BIGINT)', 'delta_weight')} WHERE delta_weight IS NOT NULL",
        ),
    ),
)

JOB = Job(
    name="shelf-refill-bridge",
    doc="Puts goods on the shelf three minutes after they left the back room.",
    updates=(PENDING, ARRIVALS),
)
