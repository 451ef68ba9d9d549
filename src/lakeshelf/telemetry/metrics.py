"""The metrics, declared once: what each means, and its labels; the page, the alerts and the dashboards follow from it.

A metric takes values from the moment that its process serves them (`lakeshelf.telemetry.serving`); before, and in a
command, it takes none and costs nothing. No label has a value from data: names of queries, tables, topics and
components come from declarations, and past the room of a metric all others are one, `other`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

Kind = Literal["counter", "gauge", "histogram", "summary"]
PREFIX = "lakeshelf_"
OTHER = "other"
SECONDS = (0.01, 0.05, 0.25, 1.0, 5.0, 15.0)
"""Bounds of the buckets of durations, seconds."""
SERIES_EACH = {"counter": 1, "gauge": 1, "summary": 2, "histogram": len(SECONDS) + 3}
"""Kind → series of one combination of labels: a histogram has its buckets, that of all, count and sum."""


class MetricSink(Protocol):
    """Takes what is measured."""

    def take(self, metric: Metric, value: float, labels: tuple[str, ...]) -> None:
        """Add to a counter, set a gauge, or observe a value."""


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: Name without the prefix; ends with the unit, and `_total` for a counter.
        kind: `counter`, `gauge`, `histogram`, or `summary`, which is a histogram without buckets.
        help: What it means.
        labels: Names of its labels.
        room: Series that it may have when it is scraped, those of `other` not counted.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    room: int = 30

    @property
    def exported(self) -> str:
        """Name under which it is scraped."""
        return f"{PREFIX}{self.name}"

    @property
    def most(self) -> int:
        """Combinations of labels that are kept apart."""
        return self.room // SERIES_EACH[self.kind]

    def take(self, value: float, **labels: str) -> None:
        """Add to a counter, set a gauge, or observe a value; exactly the labels of the metric are named."""
        if _sinks:
            _sinks[-1].take(self, value, tuple(labels[name] for name in self.labels))

    def add(self, value: float = 1, **labels: str) -> None:
        """Add to a counter."""
        self.take(value, **labels)


_sinks: list[MetricSink] = []


def begin(sink: MetricSink) -> None:
    """Give what is measured to a sink from now on."""
    _sinks.append(sink)


def end(sink: MetricSink) -> None:
    """Give it no more."""
    _sinks.remove(sink)


BUILD_INFO = Metric(
    "build_info", "gauge", "1, for the version that runs.", ("part", "version"), room=2
)
HEARTBEAT = Metric(
    "heartbeat_timestamp_seconds",
    "gauge",
    "When the process last came round, seconds since 1970.",
    ("part",),
    room=2,
)
QUERY_UP = Metric(
    "query_up", "gauge", "1 while a query runs, 0 while it does not.", ("query",), room=20
)
QUERY_RESTARTS = Metric(
    "query_restarts_total",
    "counter",
    "How often a query failed and started again.",
    ("query",),
    room=20,
)
BATCH_DONE = Metric(
    "batch_last_done_timestamp_seconds",
    "gauge",
    "When the last batch of a query was done, seconds since 1970.",
    ("query",),
    room=20,
)
BATCH_WAIT = Metric(
    "batch_wait_seconds",
    "summary",
    "How long a batch waits once all is computed: for its commits, and for the broker to take what it publishes.",
    ("query", "wait"),
    room=24,
)
STATEMENT_DURATION = Metric(
    "statement_duration_seconds",
    "summary",
    "How long what is declared for a table computes in a batch, by the table; `refusals`: what jobs refuse.",
    ("query", "statement"),
    room=80,
)
BATCHES = Metric(
    "batches_total",
    "counter",
    "Batches that were done, or failed and are tried again.",
    ("query", "outcome"),
)
BATCH_STEPS = ("take", "awaited", "tables", "publish", "ledger")
"""Steps of a batch: `awaited` are the tables that somebody waits for, and `tables` raw and all others."""
BATCH_DURATION = Metric(
    "batch_duration_seconds",
    "histogram",
    f"How long each step of a batch takes: {', '.join(BATCH_STEPS)}, and whole.",
    ("query", "step"),
    room=324,
)
TRIGGER = Metric(
    "query_trigger_seconds",
    "gauge",
    "Time from one batch of a query to the next, at least.",
    ("query",),
    room=20,
)
RECORDS = Metric(
    "records_total",
    "counter",
    "Records that a query has folded, by what became of them: valid, duplicate, quarantined.",
    ("query", "topic", "fate"),
    room=100,
)
QUARANTINED = Metric(
    "quarantined_total",
    "counter",
    "Records that were refused, by the reason.",
    ("topic", "reason"),
    room=60,
)
LAG = Metric(
    "source_lag_records",
    "gauge",
    "Records of a topic that a query has not folded, asked every few seconds.",
    ("query", "topic"),
    room=30,
)
PARTITION_LAG = Metric(
    "source_partition_lag_records",
    "gauge",
    "The same by partition, of topics with at most 16.",
    ("query", "topic", "partition"),
    room=80,
)
LAG_SECONDS = Metric(
    "source_lag_seconds",
    "gauge",
    "Age of the newest record of a topic that a query has folded, by the broker's time; 0 where none is left to fold.",
    ("query", "topic"),
    room=30,
)
FRESHNESS = Metric(
    "freshness_seconds",
    "gauge",
    "Age of the newest record that a table has, by the broker's time; 0 where nothing is left to fold.",
    ("query", "table"),
    room=40,
)
COMMIT_DURATION = Metric(
    "commit_duration_seconds",
    "histogram",
    "How long a commit takes from when it is asked for, its turn behind others included.",
    ("table", "committer", "operation"),
    room=414,
)
COMMIT_WORK = Metric(
    "commit_work_seconds",
    "summary",
    "How long a commit takes once its turn has come.",
    ("table",),
    room=92,
)
COMMIT_CONFLICTS = Metric(
    "commit_conflicts_total",
    "counter",
    "Commits that another writer was quicker than, each of which is made again.",
    ("table",),
)
TABLE_VERSION = Metric(
    "table_version", "gauge", "Version of the last commit to a table.", ("table",), room=40
)
TABLE_FILES = Metric(
    "table_files",
    "gauge",
    "Files of a table as its owner saw them last: at its start, every 20 versions, and after maintenance.",
    ("table",),
    room=40,
)
TABLE_BYTES = Metric("table_bytes", "gauge", "Bytes of those files.", ("table",), room=40)
RECONCILED = Metric(
    "reconciled_timestamp_seconds",
    "gauge",
    "When `lakeshelf reconcile` was last done, seconds since 1970; told by the driver.",
    room=1,
)
RECONCILE_DIFFERENCES = Metric(
    "reconcile_differences",
    "gauge",
    "Keys at which a check of that reconciliation found a difference; they stand until it is done again.",
    ("check",),
    room=40,
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
COMPONENT_DUE_LAG = Metric(
    "component_due_lag_seconds",
    "gauge",
    "Business time since the oldest due time that a component has reached and not decided; 0 where it is up to date.",
    ("component",),
    room=20,
)
PREDICTIONS = Metric(
    "predictions_total",
    "counter",
    "Predictions that versions of a model made, by what the version was that day.",
    ("role",),
    room=2,
)
MODEL_AGE = Metric(
    "model_age_seconds",
    "gauge",
    "Business time since the last day that the champion was trained until.",
    room=1,
)
MODEL_FALLBACK = Metric(
    "model_fallback_ratio",
    "gauge",
    "Share of active shelves of the last cutoff day that the rule decided for, not a champion; 1 where none predicts.",
    room=1,
)
MODEL_RED_STORES = Metric(
    "model_red_stores",
    "gauge",
    "Stores in which a metric of the champion's health is red.",
    ("metric",),
    room=10,
)
MODEL_HANDED_BACK = Metric(
    "model_handed_back_stores",
    "gauge",
    "Stores that were handed back to the rule, since the champion did badly in them for seven days.",
    room=1,
)
TRAININGS = Metric(
    "trainings_total",
    "counter",
    "Trainings of a model by what they came to: trained, skipped, failed.",
    ("outcome",),
    room=4,
)
CLOCK = Metric(
    "clock_business_timestamp_seconds",
    "gauge",
    "Business time of the last tick, seconds since 1970.",
    room=1,
)
MAINTENANCE = Metric(
    "maintenance_duration_seconds",
    "summary",
    "How long maintenance of a table takes.",
    ("table",),
    room=60,
)
MAINTENANCE_RUNS = Metric(
    "maintenance_runs_total",
    "counter",
    "Maintenance of a table by its owner: a round of its own, or what somebody asked for; done or failed.",
    ("table", "kind", "outcome"),
    room=60,
)
UNMAINTAINED = Metric(
    "table_unmaintained_versions",
    "gauge",
    "Versions of a table since the last round of maintenance, or since its owner started.",
    ("table",),
    room=40,
)
LEASE_TERM = Metric(
    "lease_term",
    "gauge",
    "Term of the lease of a query that this driver has: each owner has a higher one than the last.",
    ("query",),
    room=20,
)
LEASE_LOSSES = Metric(
    "lease_losses_total",
    "counter",
    "How often this driver lost the lease of a query to another one.",
    ("query",),
    room=20,
)
CHANGE_REQUESTS = Metric(
    "change_requests",
    "gauge",
    "Change requests of a governed dataset by state, counted every half minute by the process that looks after all; "
    "the 20 oldest datasets, and `other`.",
    ("dataset", "state"),
    room=200,
)
CERTIFICATE_EXPIRES = Metric(
    "certificate_expires_timestamp_seconds",
    "gauge",
    "Until when a certificate for Kafka is valid, seconds since 1970, read at the start and every hour.",
    ("place",),
    room=3,
)
DISK_FREE = Metric(
    "disk_free_bytes", "gauge", "Free bytes at the folder of local state.", ("place",), room=2
)
DISK_SIZE = Metric(
    "disk_size_bytes", "gauge", "Bytes of the disk of that folder.", ("place",), room=2
)
HTTP_DURATION = Metric(
    "http_request_duration_seconds",
    "histogram",
    "How long the API takes for a call.",
    ("route", "method", "status"),
    room=900,
)

METRICS: Mapping[str, Metric] = {
    value.exported: value for value in tuple(globals().values()) if isinstance(value, Metric)
}
"""Every metric by the name under which it is scraped."""
