"""Transactions of producers that are open and hold back what stands behind them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from confluent_kafka import Consumer, TopicPartition

from lakeshelf.kafka import topics
from lakeshelf.kafka.consuming import ANSWER_S, available, is_end, reader

PATIENCE_S = 60.0
"""Longest time for which an open transaction is nothing to tell of: Kafka's default for producers."""
WAY_ON = "end its producer, or wait for its transaction.timeout.ms, at most 15 minutes by default"


@dataclass(frozen=True)
class OpenTransaction:
    """The first transaction of a partition that is open.

    Attributes:
        topic: The topic.
        partition: The partition.
        offset: Its first record there.
        waiting: Offsets from there to the end, which nobody reads yet.
        since: When that record arrived; None if it cannot be told.
    """

    topic: str
    partition: int
    offset: int
    waiting: int
    since: datetime | None

    @property
    def problem(self) -> str:
        """What there is, in a sentence."""
        began = "" if self.since is None else f" since {self.since:%Y-%m-%d %H:%M:%S} UTC"
        return (
            f"{self.topic}, partition {self.partition}: a transaction has been open{began}, and "
            f"{self.waiting:,} offsets from {self.offset} on wait for its end"
        )

    def __str__(self) -> str:
        return f"{self.problem}; {WAY_ON}"

    def outlasts(self, seconds: float, now: datetime) -> bool:
        """Whether it has been open for longer; one of unknown age has."""
        return self.since is None or (now - self.since).total_seconds() > seconds

    def as_json(self) -> dict[str, object]:
        """As plain values."""
        return {**vars(self)}


def lasting(opened: Iterable[OpenTransaction]) -> list[OpenTransaction]:
    """Those that have been open for longer than `PATIENCE_S`."""
    now = datetime.now(UTC)
    return [one for one in opened if one.outlasts(PATIENCE_S, now)]


def blocking(client: Mapping[str, str], names: Iterable[str]) -> list[OpenTransaction]:
    """The open transactions that hold back records of topics.

    Raises:
        BrokerError: The broker does not answer.
    """
    requested = list(names)
    readable = topics.end_offsets(client, requested)
    written = topics.end_offsets(client, requested, committed=False)
    held = [
        (topic, int(p), offset, written[topic].get(p, offset) - offset)
        for topic, parts in readable.items()
        for p, offset in parts.items()
        if written[topic].get(p, offset) > offset
    ]
    if not held:
        return []
    consumer = reader({**client, "isolation.level": "read_uncommitted"}, "lakeshelf-status")
    try:
        return [OpenTransaction(*place, _arrived(consumer, *place[:3])) for place in held]
    finally:
        consumer.close()


def _arrived(consumer: Consumer, topic: str, partition: int, offset: int) -> datetime | None:
    consumer.assign([TopicPartition(topic, partition, offset)])
    for message in available(consumer, ANSWER_S, most=1):
        if not is_end(message):
            return datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC)
    return None
