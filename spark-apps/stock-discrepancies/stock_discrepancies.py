"""What is missing where a balance is negative, until later events cover it (docs/design/retail.md#discrepancies)."""

from lakeshelf.streams.declare.job import Job, View

SHOWN = """
    SELECT '{location}' AS location, shelf_id, {batch_code} AS batch_code, version,
        CASE WHEN deleted THEN 0 ELSE greatest(-balance, 0) END AS missing_qty,
        coalesce(last_event_time, kafka_timestamp) AS shown_at
    FROM {{{topic}}}"""


def shown(topic: str, location: str, batch_code: str = "''") -> str:
    """What the messages of one state topic say is missing."""
    return SHOWN.format(topic=topic, location=location, batch_code=batch_code)


STOCK_DISCREPANCIES = View(
    table="ops/stock_discrepancies",
    sql=f"""
        WITH shown AS (
            {shown("shelf_state", "store")}
            UNION ALL {shown("wh_state", "warehouse")}
            UNION ALL {shown("shelf_batch_state", "store", "batch_code")}
            UNION ALL {shown("wh_batch_state", "warehouse", "batch_code")}),
        ranked AS (
            SELECT *, row_number() OVER (
                PARTITION BY location, shelf_id, batch_code ORDER BY version DESC, missing_qty DESC) AS turn
            FROM shown),
        newest AS (SELECT * FROM ranked WHERE turn = 1)
        SELECT n.location, n.shelf_id, n.batch_code, n.missing_qty,
            CASE WHEN n.missing_qty > 0 AND coalesce(c.missing_qty, 0) = 0 THEN n.shown_at ELSE c.since END AS since,
            CASE WHEN n.missing_qty > 0 THEN CAST(NULL AS TIMESTAMP)
                WHEN c.missing_qty > 0 THEN n.shown_at ELSE c.resolved_at END AS resolved_at,
            n.version
        FROM newest AS n LEFT JOIN {{current}} AS c
            ON c.location = n.location AND c.shelf_id = n.shelf_id AND c.batch_code = n.batch_code
        WHERE n.missing_qty > 0 OR c.version < n.version""",
)

JOB = Job(
    name="stock-discrepancies",
    doc="Keeps what is missing where a balance is negative.",
    updates=(STOCK_DISCREPANCIES,),
    trigger_ms=2000,
)
