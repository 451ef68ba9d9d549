"""What a change of a table leads to, and who sends it: the driver, or executors where that would be too much for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic

from lakeshelf.contracts import CATALOG, Topic
from lakeshelf.streams.commit import distributed
from lakeshelf.streams.commit.committers.base import Rows
from lakeshelf.streams.commit.distributed import Spread
from lakeshelf.streams.commit.publisher import Outgoing, Publisher
from lakeshelf.streams.commit.sink import Sink
from lakeshelf.streams.commit.updates import TableChange

Sendable = Outgoing | Spread
DRIVER_ROWS = 100_000


class Outbox(Generic[Rows]):
    """Makes messages of changes and sends them.

    Args:
        sink: Holds the rows.
        publisher: Sends what the driver sends.
        driver_rows: Most rows of a change that come to the driver for that.
    """

    def __init__(self, sink: Sink[Rows], publisher: Publisher, driver_rows: int) -> None:
        self._sink = sink
        self._publisher = publisher
        self._driver_rows = driver_rows

    def of(self, change: TableChange[Rows]) -> Iterator[Sendable]:
        """What a change leads to, made ready while its commit is made."""
        if change.update.topic is not None:
            topic = CATALOG.topics[change.update.topic]
            yield self._made(topic, change.rows)
            if change.removed is not None:
                yield self._made(topic, change.removed, removed=True)
        for emission, events in change.events:
            yield self._made(CATALOG.topics[emission.topic], events)

    def send(self, outgoing: Sendable) -> int:
        """Send messages; how many there are."""
        if isinstance(outgoing, Spread):
            return distributed.send(outgoing, self._publisher.client)
        return self._publisher.send(outgoing)

    def _made(self, topic: Topic, rows: Rows, *, removed: bool = False) -> Sendable:
        spread = self._sink.spread(rows, self._driver_rows)
        if spread is not None:
            return Spread(topic, *spread, removed)
        held = self._sink.to_arrow(rows)
        if removed:
            return self._publisher.tombstones(topic, held)
        send = self._publisher.rows if topic.compacted else self._publisher.events
        return send(topic, held)
