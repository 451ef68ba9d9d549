"""How many records of a topic can be read: what was aborted, compacted or deleted is no longer one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lakeshelf.kafka import topics
from lakeshelf.kafka.consuming import between, reader

MOST_READ = 100_000
"""Offsets of a topic up to which its records are read to be counted."""


@dataclass(frozen=True)
class TopicCount:
    """Records of a topic.

    Attributes:
        records: How many can be read; of a large topic, how many at most.
        exact: Whether each was seen.
    """

    records: int
    exact: bool


def readable(
    client: Mapping[str, str], names: Iterable[str], most: int = MOST_READ
) -> dict[str, TopicCount]:
    """Topic → its records; a topic that is not there is left out.

    Args:
        client: librdkafka settings that reach the broker.
        names: The topics.
        most: Offsets of a topic up to which it is read.

    Raises:
        BrokerError: The broker does not answer.
    """
    requested = list(names)
    first, ends = topics.first_offsets(client, requested), topics.end_offsets(client, requested)
    places = {
        name: {(name, int(p)): (first[name].get(p, 0), end) for p, end in parts.items()}
        for name, parts in ends.items()
    }
    spans = {
        name: sum(end - begin for begin, end in parts.values()) for name, parts in places.items()
    }
    small = [name for name in requested if spans[name] <= most]
    seen = _seen(client, {place: at for name in small for place, at in places[name].items()})
    return {
        name: TopicCount(seen[name] if name in small else spans[name], name in small)
        for name in requested
        if ends[name]
    }


def _seen(
    client: Mapping[str, str], places: Mapping[tuple[str, int], tuple[int, int]]
) -> Counter[str]:
    consumer = reader(client, "lakeshelf-count")
    try:
        return Counter(str(message.topic()) for message in between(consumer, places))
    finally:
        consumer.close()
