"""A reader that stays where it is, so that what is asked for next has been fetched already."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping

from confluent_kafka import Message, TopicPartition

from lakeshelf.errors import BrokerError
from lakeshelf.kafka.consuming import ANSWER_S, available, behind, is_end, reader
from lakeshelf.kafka.handles import Reader

Place = tuple[str, int]
"""Topic and partition."""
AHEAD_KB = "8192"
"""What is fetched ahead at most."""


class PartitionFollower:
    """Reads partitions from one given offset to the next, and meanwhile fetches what is behind it.

    Args:
        client: librdkafka settings that reach the broker.
        group: Consumer group, under which nothing is committed.
    """

    def __init__(self, client: Mapping[str, str], group: str) -> None:
        self._client = {
            **client,
            "auto.offset.reset": "error",
            "queued.max.messages.kbytes": AHEAD_KB,
        }
        self._group = group
        self._consumer: Reader | None = None
        self._next: dict[Place, int] = {}
        self._seen: dict[Place, int] = {}
        self._ahead: dict[Place, deque[Message]] = {}

    def read(
        self, ranges: Mapping[Place, tuple[int, int]], seconds: float = ANSWER_S
    ) -> list[Message]:
        """Committed records between offsets, partition by partition.

        Args:
            ranges: Of each partition that is followed: offsets from (inclusive) and until (exclusive).
            seconds: Longest wait for all of them.

        Raises:
            BrokerError: They did not come, or are not there any more. The reader begins anew when it is asked again.
        """
        starts = {place: first for place, (first, _) in ranges.items()}
        try:
            if self._consumer is None or self._next != starts:
                self._begin(starts)
            self._fetch({place: until for place, (_, until) in ranges.items()}, seconds)
        except BaseException:
            self.close()
            raise
        records = [
            message for place, (_, until) in ranges.items() for message in self._taken(place, until)
        ]
        self._next = {place: until for place, (_, until) in ranges.items()}
        return records

    def close(self) -> None:
        """Let go of the broker; harmless where nothing is held."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close()

    def _begin(self, starts: Mapping[Place, int]) -> None:
        """Begin at other offsets, with another consumer: what the last one had fetched must not be taken for these."""
        self.close()
        self._consumer = reader(self._client, self._group)
        self._consumer.assign([TopicPartition(*place, first) for place, first in starts.items()])
        self._seen = dict(starts)
        self._ahead = {place: deque() for place in starts}

    def _fetch(self, ends: Mapping[Place, int], seconds: float) -> None:
        """Wait until each partition is read to its end; markers of transactions may stand before it."""
        assert self._consumer is not None
        deadline = time.monotonic() + seconds
        while missing := [place for place, until in ends.items() if self._seen[place] < until]:
            messages = available(self._consumer, max(0.0, deadline - time.monotonic()))
            for message in messages:
                self._note(message)
            if not messages and time.monotonic() >= deadline:
                raise BrokerError(
                    f"no record of {missing[0][0]} came within {seconds:.0f} s",
                    hint="see `lakeshelf doctor`",
                )

    def _note(self, message: Message) -> None:
        place = (str(message.topic()), message.partition() or 0)
        if not is_end(message):
            self._ahead[place].append(message)
        self._seen[place] = max(self._seen[place], behind(message))

    def _taken(self, place: Place, until: int) -> list[Message]:
        ahead, records = self._ahead[place], []
        while ahead and (ahead[0].offset() or 0) < until:
            records.append(ahead.popleft())
        return records
