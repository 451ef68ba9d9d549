"""Alerts of everybody, one row each: the highest version wins, in whatever order they arrive.

The rule is docs/design/retail.md#alerts.
"""

from lakeshelf.contracts import CATALOG
from lakeshelf.streams.declare.job import Job, View

COLUMNS = [
    column.name for column in CATALOG.tables["ops/alerts"].columns if column.name != "updated_at"
]

ALERTS = View(
    table="ops/alerts",
    sql=f"""
        WITH ranked AS (
            SELECT *, row_number() OVER (PARTITION BY alert_id ORDER BY version DESC, event_id) AS turn FROM {{alerts}})
        SELECT {", ".join(f"r.{name}" for name in COLUMNS)}
        FROM ranked AS r LEFT JOIN {{current}} AS c ON c.alert_id = r.alert_id
        WHERE r.turn = 1 AND r.version > coalesce(c.version, 0)""",
)

JOB = Job(
    name="alerts-sink",
    doc="Keeps the latest state of every alert.",
    updates=(ALERTS,),
    trigger_ms=1000,
)
