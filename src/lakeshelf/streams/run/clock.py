"""Business time as a query knows it: the latest tick, and whether it may decide yet.

Nothing is decided before the first tick, nor before the query has read what its topics held when it
started: what it does not know yet may already have been done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa
from confluent_kafka import Message

from lakeshelf.kafka.consuming import ANSWER_S, between, reader, watermarks
from lakeshelf.kafka.handles import Reader
from lakeshelf.streams.commit.ledger import Offsets
from lakeshelf.streams.declare import intake
from lakeshelf.streams.declare.job import CLOCK
from lakeshelf.streams.take.refusal import accepted

WINDOW = 64
"""So many offsets before the end are looked at first: the latest tick is among them, as a rule."""
END = 2**62
"""Behind every offset there is."""

Tick = Mapping[str, Any]


class BusinessTime:
    """The latest tick that a query has read.

    Args:
        tick: The latest one before its first batch: `now`, `today`, `phase`; None: there was none.
        ends: Topic → partition → offset up to which the query reads before it decides.
    """

    def __init__(self, tick: Tick | None, ends: Mapping[str, Mapping[str, int]]) -> None:
        self._tick = tick
        self._ends = ends
        self._ticked = self._rolled = False
        self._fresh = True

    def advance(self, ticks: pa.Table, offsets: Offsets) -> None:
        """Take the ticks of a batch and the offsets that it ends at."""
        before = self._tick
        self._ticked = ticks.num_rows > 0
        if self._ticked:
            self._tick = max(ticks.to_pylist(), key=lambda tick: tick["version"])
        self._rolled = self._tick is not None and (
            before is None or before["today"] != self._tick["today"]
        )
        behind = {
            topic: {p: end for p, end in ends.items() if _until(offsets, topic, p) < end}
            for topic, ends in self._ends.items()
        }
        self._ends = {topic: ends for topic, ends in behind.items() if ends}

    @property
    def decides(self) -> bool:
        """Whether decisions may be made now."""
        return self._tick is not None and self.informed

    @property
    def informed(self) -> bool:
        """Whether the query has read what its topics held when it started."""
        return not self._ends

    @property
    def moved(self) -> bool:
        """Whether the batch has to be looked at for the sake of time alone."""
        return self.decides and (self._ticked or self._fresh)

    def decided(self) -> None:
        """Note that a batch was decided to its end."""
        self._fresh = self._fresh and not self.decides

    def relation(self) -> pa.Table:
        """One row as `lakeshelf.streams.declare.job.DecisionView` reads it; none before the first tick."""
        if self._tick is None:
            return intake.CLOCK_RELATION.empty_table()
        fields = {name: self._tick[name] for name in ("now", "today", "phase")}
        flags = {"ticked": self._ticked, "rolled": self._rolled, "fresh": self._fresh}
        return pa.Table.from_pylist([{**fields, **flags}], schema=intake.CLOCK_RELATION)


def _until(offsets: Offsets, topic: str, partition: str) -> int:
    return offsets.get(topic, {}).get(partition, (0, 0))[1]


def tick_before(client: Mapping[str, str], offset: int = END) -> Tick | None:
    """The latest tick on the topic below an offset.

    Raises:
        BrokerError: The broker does not answer.
    """
    consumer = reader(client, "lakeshelf-clock")
    try:
        last = latest(consumer, offset)
    finally:
        consumer.close()
    return None if last is None else last[1]


def latest(
    consumer: Reader, until: int = END, seconds: float = ANSWER_S
) -> tuple[int, Tick] | None:
    """The latest tick below an offset, and where it stands; looked for from the end.

    Args:
        consumer: One of `reader`.
        until: The offset.
        seconds: Longest wait for an answer.

    Raises:
        BrokerError: The broker does not answer.
    """
    first, end = watermarks(consumer, CLOCK, 0, seconds)
    end, size = min(until, end), WINDOW
    while first < end:
        begin = max(first, end - size)
        ticks = list(_ticks(between(consumer, {(CLOCK, 0): (begin, end)}, seconds)))
        if ticks:
            return max(ticks, key=lambda entry: entry[1]["version"])
        end, size = begin, size * 8
    return None


def _ticks(messages: Iterable[Message]) -> Iterator[tuple[int, Tick]]:
    for message in messages:
        tick = accepted(message)
        if tick is not None and not tick["deleted"]:
            yield message.offset() or 0, tick
