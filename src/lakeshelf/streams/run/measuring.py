"""What a query tells of its batches in metrics."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from lakeshelf.streams.commit.ledger import Counts
from lakeshelf.streams.take.refusal import Refused
from lakeshelf.telemetry import metrics

FATES = ("valid", "duplicate", "quarantined")
Offsets = Mapping[str, Mapping[str, int]]
"""Topic → partition → offset."""


@contextmanager
def step(query: str, name: str) -> Iterator[None]:
    """Measure a step of a batch that succeeds."""
    began = time.perf_counter()
    yield
    metrics.BATCH_DURATION.take(time.perf_counter() - began, query=query, step=name)


def records(query: str, counts: Mapping[str, Counts], refused: Iterable[Refused]) -> None:
    """Count what became of the records of a batch that is done."""
    for topic, by_fate in counts.items():
        for fate in FATES:
            if number := getattr(by_fate, fate):
                metrics.RECORDS.add(number, query=query, topic=topic, fate=fate)
    for one in refused:
        metrics.QUARANTINED.add(topic=one.topic, reason=one.reason)


def lag(query: str, reached: Offsets, ends: Offsets, appended_at: datetime | None) -> None:
    """Tell how far a query is behind.

    Args:
        query: Its name.
        reached: Offsets below which everything is folded.
        ends: Offsets behind the last records of its topics.
        appended_at: Broker's time of the newest record that it has folded; None: it has folded none yet.
    """
    behind = 0
    for topic, partitions in ends.items():
        done = reached.get(topic, {})
        missing = sum(max(0, end - done.get(partition, 0)) for partition, end in partitions.items())
        metrics.LAG.take(missing, query=query, topic=topic)
        behind += missing
    if appended_at is not None:
        age = (datetime.now(UTC) - appended_at).total_seconds() if behind else 0.0
        metrics.FRESHNESS.take(max(0.0, age), query=query)
