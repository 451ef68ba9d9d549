"""What peers should send, and what they have sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from confluent_kafka import Message, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from benchmarks import events
from benchmarks.events import Shape
from lakeshelf.kafka import topics
from lakeshelf.kafka.consuming import reader

TAKE = 50_000
PARTITIONS = 2
WAIT_S = 30.0
MOST_REFUSED = 10
"""So many answers of the broker that are no messages are passed over."""


@dataclass(frozen=True)
class Expected:
    """Units of each shelf.

    Attributes:
        records: As the sum of all records, repeats counted again.
        events: As the sum of its events, each once.
    """

    records: Mapping[str, int]
    events: Mapping[str, int]

    def is_of_all_records(self, sums: Mapping[str, int]) -> bool:
        """Whether all records are in the sums."""
        return sums == self.records

    def wrong(self, sums: Mapping[str, int]) -> int:
        """Shelves whose sum is not that of their events."""
        return sum(sums.get(shelf) != units for shelf, units in self.events.items())


def expected(shape: Shape, total: int) -> Expected:
    """The sums of the first so many records."""
    signed = "CASE WHEN event_type = 'pickup' THEN -quantity ELSE quantity END"
    records = f"SELECT e, shelf_id, {signed} AS units FROM ({shape.events(0, total)})"
    by_shelf = "SELECT shelf_id, sum(units)::BIGINT FROM ({}) GROUP BY shelf_id"
    with events.connect() as db:
        every = dict(db.execute(by_shelf.format(records)).fetchall())
        once = dict(db.execute(by_shelf.format(f"SELECT DISTINCT * FROM ({records})")).fetchall())
    return Expected(every, once)


def make_topic(client: Mapping[str, str], name: str) -> None:
    """Make a topic for results."""
    admin = AdminClient(dict(client))
    admin.create_topics([NewTopic(name, PARTITIONS, 1)])[name].result(WAIT_S)


def count(client: Mapping[str, str], topic: str) -> int:
    """How many results were sent."""
    return sum(topics.end_offsets(client, [topic])[topic].values())


def read(client: Mapping[str, str], topic: str) -> tuple[dict[str, int], float]:
    """The latest sum of each shelf, and when the last result was sent, seconds since 1970.

    Pathway says of each result whether it holds (`diff`) and at which of its times; others send them in order.
    """
    ends = topics.end_offsets(client, [topic])[topic]
    left, latest_ms, refused = sum(ends.values()), 0, 0
    sums: dict[str, tuple[int, int]] = {}
    consumer = reader(client, "peer-results")
    try:
        consumer.assign([TopicPartition(topic, int(number), 0) for number in ends])
        while left > 0:
            taken = consumer.consume(min(TAKE, left), timeout=WAIT_S)
            messages = [message for message in taken if message.error() is None]
            refused += len(taken) - len(messages)
            if not taken or refused > MOST_REFUSED:
                raise TimeoutError(f"{left} results of {topic} do not come")
            left -= len(messages)
            for message in messages:
                latest_ms = max(latest_ms, message.timestamp()[1])
                _take(sums, message)
    finally:
        consumer.close()
    return {shelf: units for shelf, (_, units) in sums.items()}, latest_ms / 1000


def _take(sums: dict[str, tuple[int, int]], message: Message) -> None:
    result = orjson.loads(message.value() or b"{}")
    at, shelf = result.get("time", 0), result["shelf_id"]
    if result.get("diff", 1) > 0 and at >= sums.get(shelf, (0, 0))[0]:
        sums[shelf] = at, result["units"]
