"""Names under which metrics are scraped."""

from __future__ import annotations

from lakeshelf.telemetry.metrics import Metric

ENDS = {"histogram": ("bucket", "count", "sum"), "summary": ("count", "sum")}
"""Kind → ends of the names of its series; others have one, of the metric's own name."""


def series(metric: Metric) -> list[str]:
    """Names of the series that a metric has when it is scraped."""
    ends = ENDS.get(metric.kind)
    return [f"{metric.exported}_{end}" for end in ends] if ends else [metric.exported]
