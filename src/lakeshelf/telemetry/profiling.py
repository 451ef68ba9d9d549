"""Where the batches of a query spend their time: the difference of two looks at the metrics of its driver."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from lakeshelf.telemetry import metrics
from lakeshelf.telemetry.metrics import Metric

WHOLE = "whole"
"""Step that all others are parts of."""
TURN, BETWEEN = "turn", "between"
"""Waits that follow from others: of commits for those before them, and of a query for its next batch."""
STARTED = "process_start_time_seconds"
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Spent:
    """What one part of the work took.

    Attributes:
        kind: `step`, `wait`, `statement` or `commit`.
        name: Which one; statements and commits have the name of their table.
        count: How often it was done.
        seconds: How long it took in all.
        mean_ms: Milliseconds each, in the mean.
        median_ms: Read off the buckets of the histogram, so between their bounds; None where it has none.
        share: Of the time of all batches; of the whole time for `between`.
    """

    kind: str
    name: str
    count: int
    seconds: float
    mean_ms: float
    median_ms: float | None
    share: float


@dataclass(frozen=True)
class Profile:
    """Where the batches of a query spent their time.

    Attributes:
        query: The query.
        seconds: Between the two looks.
        batches: Batches that were done meanwhile.
        batch_seconds: How long they took in all.
        batch_ms: Median of a batch; None without one.
        spent: What took how long, the longest of a kind first.
    """

    query: str
    seconds: float
    batches: int
    batch_seconds: float
    batch_ms: float | None
    spent: tuple[Spent, ...]

    def as_json(self) -> dict[str, Any]:
        """The profile for programs."""
        return asdict(self)


class MetricsPage:
    """The metrics of a process at one moment.

    Args:
        text: As Prometheus reads them.

    Raises:
        ValueError: It is no such text.
    """

    def __init__(self, text: str) -> None:
        self.values: dict[tuple[str, Labels], float] = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    @property
    def queries(self) -> dict[str, bool]:
        """Query → whether it runs."""
        return {
            dict(labels)["query"]: value > 0 for labels, value in self.of(metrics.QUERY_UP.exported)
        }

    def tables(self, query: str) -> set[str]:
        """Tables of a query."""
        every = (dict(labels) for labels, _ in self.of(metrics.FRESHNESS.exported))
        return {labels["table"] for labels in every if labels["query"] == query}

    def of(self, name: str) -> Iterator[tuple[Labels, float]]:
        """Labels and value of each series of a name."""
        return ((labels, value) for (known, labels), value in self.values.items() if known == name)

    @property
    def started(self) -> float:
        """When the process started."""
        return self.values.get((STARTED, ()), 0.0)


@dataclass(frozen=True)
class Grown:
    """What was added to a histogram or summary, all series together of which labels have some values.

    Attributes:
        metric: The metric.
        labels: Label → value; labels that are not named may have any.
        before: The first look.
        after: The second one.
    """

    metric: Metric
    labels: dict[str, str]
    before: MetricsPage
    after: MetricsPage

    @cached_property
    def count(self) -> int:
        """How many values came."""
        return round(self._sum("count"))

    @cached_property
    def seconds(self) -> float:
        """Their sum."""
        return self._sum("sum")

    @property
    def median_ms(self) -> float | None:
        """Their median, as straight lines between the bounds of the buckets have it; None: nothing is known of it."""
        buckets: dict[float, float] = {}
        for labels, value in self._series("bucket"):
            bound = float(dict(labels)["le"])
            buckets[bound] = buckets.get(bound, 0.0) + value
        return _median_ms(sorted(buckets.items())) if self.count else None

    def spent(self, kind: str, name: str, of: float) -> Spent:
        """As a line of a profile; `of` are the seconds that it is a part of."""
        return spent(kind, name, self.count, self.seconds, of, self.median_ms)

    def _sum(self, end: str) -> float:
        return sum(value for _, value in self._series(end))

    def _series(self, end: str) -> Iterator[tuple[Labels, float]]:
        name = f"{self.metric.exported}_{end}"
        for labels, value in self.after.of(name):
            if self.labels.items() <= dict(labels).items():
                yield labels, value - self.before.values.get((name, labels), 0.0)


def spent(
    kind: str, name: str, count: int, seconds: float, of: float, median_ms: float | None = None
) -> Spent:
    """A line of a profile."""
    mean_ms = 1000 * seconds / count if count else 0.0
    share = seconds / of if of else 0.0
    shown = None if median_ms is None else round(median_ms, 1)
    return Spent(kind, name, count, round(seconds, 4), round(mean_ms, 1), shown, round(share, 4))


def profile(query: str, before: MetricsPage, after: MetricsPage, seconds: float) -> Profile:
    """Where the batches that were done between two looks spent their time."""

    def grown(metric: Metric, **labels: str) -> Grown:
        return Grown(metric, labels, before, after)

    whole = grown(metrics.BATCH_DURATION, query=query, step=WHOLE)
    of = whole.seconds
    lines = [
        *_by_label("step", grown(metrics.BATCH_DURATION, query=query), "step", of),
        *_waits(grown(metrics.BATCH_WAIT, query=query), whole, seconds),
        *_by_label("statement", grown(metrics.STATEMENT_DURATION, query=query), "statement", of),
    ]
    commits = [
        (grown(metrics.COMMIT_DURATION, table=table), grown(metrics.COMMIT_WORK, table=table))
        for table in sorted(after.tables(query))
    ]
    work = [own.spent("commit", own.labels["table"], of) for _, own in commits if own.count]
    stood = sum(asked.seconds - own.seconds for asked, own in commits)
    lines.append(spent("wait", TURN, sum(own.count for _, own in commits), max(0.0, stood), of))
    return Profile(
        query,
        round(seconds, 3),
        whole.count,
        round(of, 4),
        None if whole.median_ms is None else round(whole.median_ms, 1),
        tuple(sorted([*lines, *work], key=_order)),
    )


def _by_label(kind: str, every: Grown, label: str, of: float) -> list[Spent]:
    """A line for each value of a label that something was added for, but the whole."""
    names = {dict(labels)[label] for labels, _ in every.after.of(f"{every.metric.exported}_count")}
    parts = (
        (name, Grown(every.metric, every.labels | {label: name}, every.before, every.after))
        for name in names - {WHOLE}
    )
    return [part.spent(kind, name, of) for name, part in parts if part.count]


def _waits(every: Grown, whole: Grown, seconds: float) -> list[Spent]:
    """What a batch waits for, and the query between its batches."""
    idle = max(0.0, seconds - whole.seconds)
    between = spent("wait", BETWEEN, whole.count, idle, seconds)
    return [between, *_by_label("wait", every, "wait", whole.seconds)]


KINDS = ("step", "wait", "statement", "commit")


def _order(line: Spent) -> tuple[int, float, str]:
    return KINDS.index(line.kind), -line.seconds, line.name


def _median_ms(buckets: list[tuple[float, float]]) -> float | None:
    """Median of values by how many are up to each bound."""
    half = buckets[-1][1] / 2 if buckets else 0.0
    low = below = 0.0
    for bound, count in buckets:
        if count >= half > 0:
            high = low if math.isinf(bound) else bound
            return 1000 * (low + (high - low) * (half - below) / (count - below))
        low, below = bound, count
    return None
