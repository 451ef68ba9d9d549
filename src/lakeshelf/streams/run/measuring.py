"""What a query tells of its batches in metrics."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

from lakeshelf.streams.commit.ledger import Counts
from lakeshelf.streams.commit.ledger import Offsets as Ranges
from lakeshelf.streams.declare.plan import QueryPlan
from lakeshelf.streams.run.intermediate import Batch
from lakeshelf.streams.take.refusal import Refused
from lakeshelf.telemetry import lineage, metrics, tracing

FATES = ("valid", "duplicate", "quarantined")
MOST_PARTITIONS = 16
"""Partitions of a topic that are told one by one."""
Offsets = Mapping[str, Mapping[str, int]]
"""Topic → partition → offset."""


class Lag(NamedTuple):
    """How far a query is behind.

    Attributes:
        records: Records that it has not folded; None: the ends of its topics are not known.
        seconds: Age of the newest record that it has folded, of the topic for which that is oldest; 0 where none is
            left to fold, None where it is not known.
    """

    records: int | None
    seconds: float | None


@contextmanager
def step(query: str, name: str) -> Iterator[None]:
    """Measure a step of a batch that succeeds."""
    began = time.perf_counter()
    with tracing.span(name, query=query):
        yield
    metrics.BATCH_DURATION.take(time.perf_counter() - began, query=query, step=name)


@contextmanager
def waiting(query: str, what: str) -> Iterator[None]:
    """Measure how long a batch waits for what others do."""
    began = time.perf_counter()
    yield
    metrics.BATCH_WAIT.take(time.perf_counter() - began, query=query, wait=what)


def done(query: str, batch: Batch[Any], offsets: Ranges) -> None:
    """Tell what a batch that is done has read, folded and committed."""
    records(query, batch.counts, batch.refused)
    folded(query, offsets, batch.versions())


def folded(query: str, offsets: Ranges, versions: Mapping[str, int]) -> None:
    """Tell which offsets were folded, and which versions of tables that made."""
    lineage.batch(query, lambda: _until(offsets), versions)


def _until(offsets: Ranges) -> dict[str, str]:
    """Topic → where each of its partitions was read up to, as a version of the topic."""
    return {
        topic: ",".join(f"{number}:{ends[1]}" for number, ends in sorted(partitions.items()))
        for topic, partitions in offsets.items()
    }


def records(query: str, counts: Mapping[str, Counts], refused: Iterable[Refused]) -> None:
    """Count what became of the records of a batch that is done."""
    for topic, by_fate in counts.items():
        for fate in FATES:
            metrics.RECORDS.add(getattr(by_fate, fate), query=query, topic=topic, fate=fate)
    for one in refused:
        metrics.QUARANTINED.add(topic=one.topic, reason=one.reason)


def begun(query: str) -> None:
    """Tell that nothing has gone wrong yet: what counts from nothing on is seen to grow the first time."""
    metrics.QUERY_RESTARTS.add(0, query=query)
    metrics.LEASE_LOSSES.add(0, query=query)
    for outcome in ("done", "failed"):
        metrics.BATCHES.add(0, query=query, outcome=outcome)


def lag(
    plan: QueryPlan, reached: Offsets, ends: Offsets, appended_at: Mapping[str, datetime]
) -> Lag:
    """Tell how far a query is behind, and how old what its tables have.

    Args:
        plan: The query.
        reached: Offsets below which everything is folded.
        ends: Offsets behind the last records of its topics.
        appended_at: Topic → broker's time of the newest record that it has folded; none it has not folded yet.

    Returns:
        The same of all its topics.
    """
    behind = 0
    ages: list[float | None] = []
    for topic, partitions in ends.items():
        missing = _missing(plan.name, topic, reached.get(topic, {}), partitions)
        behind += missing
        age = 0.0 if not missing else _age(appended_at[topic]) if topic in appended_at else None
        ages.append(age)
        if age is not None and topic in appended_at:
            metrics.LAG_SECONDS.take(age, query=plan.name, topic=topic)
    if appended_at:
        age = _age(max(appended_at.values())) if behind else 0.0
        for table in plan.tables:
            metrics.FRESHNESS.take(age, query=plan.name, table=table)
    if not ends:
        return Lag(None, None)
    known = [age for age in ages if age is not None]
    return Lag(behind, round(max(known), 1) if len(known) == len(ages) else None)


def _missing(query: str, topic: str, done: Mapping[str, int], ends: Mapping[str, int]) -> int:
    missing = {number: max(0, end - done.get(number, 0)) for number, end in ends.items()}
    if len(missing) <= MOST_PARTITIONS:
        for number, count in missing.items():
            metrics.PARTITION_LAG.take(count, query=query, topic=topic, partition=number)
    behind = sum(missing.values())
    metrics.LAG.take(behind, query=query, topic=topic)
    return behind


def _age(appended_at: datetime) -> float:
    return max(0.0, (datetime.now(UTC) - appended_at).total_seconds())
