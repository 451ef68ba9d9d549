"""The metrics, declared once: what each means, and its labels; the page, the alerts and the dashboards follow from it.

A metric takes values from the moment that its process serves them (`lakeshelf.telemetry.serving`); before, and in a
command, it takes none and costs nothing. No label has a value from data: names of queries, tables, topics and
components come from declarations, and past `MOST_SERIES` of a metric all others are one, `other`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Kind = Literal["counter", "gauge", "histogram"]
PREFIX = "lakeshelf_"
MOST_SERIES = 100
"""Combinations of labels that a metric keeps apart."""
OTHER = "other"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Bounds of the buckets of durations."""


class Sink(Protocol):
    """Takes what is measured."""

    def take(self, metric: Metric, value: float, labels: tuple[str, ...]) -> None:
        """Add to a counter, set a gauge, or observe a value."""


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: Name without the prefix; ends with the unit, and `_total` for a counter.
        kind: `counter`, `gauge` or `histogram`.
        help: What it means.
        labels: Names of its labels.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()

    @property
    def exported(self) -> str:
        """Name under which it is scraped."""
        return f"{PREFIX}{self.name}"

    def take(self, value: float, **labels: str) -> None:
        """Add to a counter, set a gauge, or observe a value; exactly the labels of the metric are named."""
        if _sinks:
            _sinks[-1].take(self, value, tuple(labels[name] for name in self.labels))

    def add(self, value: float = 1, **labels: str) -> None:
        """Add to a counter."""
        self.take(value, **labels)


_sinks: list[Sink] = []


def begin(sink: Sink) -> None:
    """Give what is measured to a sink from now on."""
    _sinks.append(sink)


def end(sink: Sink) -> None:
    """Give it no more."""
    _sinks.remove(sink)


BUILD_INFO = Metric("build_info", "gauge", "1, for the version that runs.", ("part", "version"))
HEARTBEAT = Metric(
    "heartbeat_timestamp_seconds",
    "gauge",
    "When the process last came round, seconds since 1970.",
    ("part",),
)
QUERY_UP = Metric("query_up", "gauge", "1 while a query runs, 0 while it does not.", ("query",))
QUERY_RESTARTS = Metric(
    "query_restarts_total", "counter", "How often a query failed and started again.", ("query",)
)
BATCH_DONE = Metric(
    "batch_last_done_timestamp_seconds",
    "gauge",
    "When the last batch of a query was done, seconds since 1970.",
    ("query",),
)
BATCHES = Metric(
    "batches_total",
    "counter",
    "Batches that were done, or failed and are tried again.",
    ("query", "outcome"),
)
BATCH_DURATION = Metric(
    "batch_duration_seconds",
    "histogram",
    "How long each step of a batch takes: take, raw, tables, publish, ledger, and whole.",
    ("query", "step"),
)
TRIGGER = Metric(
    "query_trigger_seconds",
    "gauge",
    "Time from one batch of a query to the next, at least.",
    ("query",),
)
RECORDS = Metric(
    "records_total",
    "counter",
    "Records that a query has folded, by what became of them: valid, duplicate, quarantined.",
    ("query", "topic", "fate"),
)
QUARANTINED = Metric(
    "quarantined_total", "counter", "Records that were refused, by the reason.", ("topic", "reason")
)
LAG = Metric(
    "source_lag_records",
    "gauge",
    "Records of a topic that a query has not folded, asked every few seconds.",
    ("query", "topic"),
)
FRESHNESS = Metric(
    "freshness_seconds",
    "gauge",
    "Age of the newest record that a query has folded, by the broker's time; 0 where nothing is left to fold.",
    ("query",),
)
COMMIT_DURATION = Metric(
    "commit_duration_seconds",
    "histogram",
    "How long a commit takes from when it is asked for, its turn behind others included.",
    ("table", "committer", "operation"),
)
COMMIT_CONFLICTS = Metric(
    "commit_conflicts_total",
    "counter",
    "Commits that another writer was quicker than, each of which is made again.",
    ("table",),
)
TABLE_VERSION = Metric(
    "table_version", "gauge", "Version of the last commit to a table.", ("table",)
)
PUBLISHED = Metric(
    "published_total", "counter", "Messages that were handed to the broker.", ("topic",)
)
PUBLISH_ERRORS = Metric(
    "publish_errors_total", "counter", "Messages that the broker did not take.", ("topic",)
)
COMPONENT_UP = Metric(
    "component_up", "gauge", "1 while a component runs, 0 while it does not.", ("component",)
)
COMPONENT_RESTARTS = Metric(
    "component_restarts_total",
    "counter",
    "How often a component failed and started again.",
    ("component",),
)
CLOCK = Metric(
    "clock_business_timestamp_seconds",
    "gauge",
    "Business time of the last tick, seconds since 1970.",
)
MAINTENANCE = Metric(
    "maintenance_duration_seconds",
    "histogram",
    "How long a round of maintenance of a table takes.",
    ("table",),
)
DISK_FREE = Metric(
    "disk_free_bytes", "gauge", "Free bytes at the folder of local state.", ("place",)
)
DISK_SIZE = Metric("disk_size_bytes", "gauge", "Bytes of the disk of that folder.", ("place",))
HTTP_DURATION = Metric(
    "http_request_duration_seconds",
    "histogram",
    "How long the API takes for a call.",
    ("route", "method", "status"),
)

METRICS: Mapping[str, Metric] = {
    value.exported: value for value in tuple(globals().values()) if isinstance(value, Metric)
}
"""Every metric by the name under which it is scraped."""


def series(metric: Metric) -> tuple[str, ...]:
    """Names of the series that a metric has when it is scraped."""
    if metric.kind == "histogram":
        return tuple(f"{metric.exported}_{end}" for end in ("bucket", "count", "sum"))
    return (metric.exported,)


def as_rows() -> list[dict[str, Any]]:
    """The metrics as rows of the page that documents them."""
    return [
        {"metric": m.exported, "type": m.kind, "labels": ", ".join(m.labels), "is": m.help}
        for m in METRICS.values()
    ]
