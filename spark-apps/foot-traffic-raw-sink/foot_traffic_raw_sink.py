"""Mirrors of customers entering and leaving, and of sales that were lost (docs/design/retail.md#events)."""

from lakeshelf.streams.declare.job import Job

JOB = Job(
    name="foot-traffic-raw-sink",
    doc="Mirrors foot traffic and lost sales.",
    mirrors=("foot_traffic", "lost_sales"),
    trigger_ms=2000,
)
