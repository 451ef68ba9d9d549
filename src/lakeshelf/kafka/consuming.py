"""Reading topics: committed records alone, and never waiting for more of them than there are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from typing import TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from lakeshelf.errors import BrokerError
from lakeshelf.kafka.handles import Reader
from lakeshelf.kafka.refusals import PERMISSIONS, refusal

MOST = 5000
ANSWER_S, RETRY_S = 15.0, 0.1
_SEE = "see `lakeshelf doctor`"
_COORDINATOR_MOVES = frozenset(
    {
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError._WAIT_COORD,  # noqa: SLF001 - its public name
    }
)
"""What is answered while a consumer group passes from one broker to another, or to its first."""
_Answer = TypeVar("_Answer")


def reader(client: Mapping[str, str], group: str) -> Reader:
    """A consumer that sees what committed transactions hold, and is told when it has read a partition to its end.

    Args:
        client: librdkafka settings that reach the broker.
        group: Its consumer group, under which offsets are committed by hand alone.
    """
    fixed = {"group.id": group, "enable.auto.commit": False, "enable.partition.eof": True}
    return Reader({"isolation.level": "read_committed", **client, **fixed})


def available(consumer: Consumer, seconds: float, most: int = MOST) -> list[Message]:
    """Records that are there, and ends of partitions: waits for the first, and for no other.

    Args:
        consumer: An assigned consumer.
        seconds: Longest wait for the first.
        most: Most records.
    """
    first = consumer.poll(seconds)
    return [] if first is None else [first, *consumer.consume(most - 1, 0)]


def is_end(message: Message) -> bool:
    """Whether this is no record, but the news that a partition has no more.

    Raises:
        BrokerError: It is the news of a failure.
    """
    error = message.error()
    if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
        what = (
            f"topic {message.topic()} cannot be read" if message.topic() else "nothing can be read"
        )
        raise refusal(what, error, hint=_SEE)
    return error is not None


def behind(message: Message) -> int:
    """The offset that is read next: behind a record, or behind what an end of a partition passed over.

    Markers of transactions, and what was aborted, have offsets and are never seen.
    """
    return (message.offset() or 0) + (0 if is_end(message) else 1)


def between(
    consumer: Reader,
    places: Mapping[tuple[str, int], tuple[int, int]],
    seconds: float = ANSWER_S,
) -> Iterator[Message]:
    """Records between offsets; the consumer is left without an assignment.

    Args:
        consumer: One of `reader`.
        places: Topic and partition → offsets from (inclusive) and until (exclusive).
        seconds: Longest wait for an answer.

    Raises:
        BrokerError: Nothing came for so long.
    """
    ends = {place: until for place, (first, until) in places.items() if first < until}
    consumer.assign([TopicPartition(*place, places[place][0]) for place in ends])
    while ends:
        messages = available(consumer, seconds)
        if not messages:
            topic = next(iter(ends))[0]
            raise BrokerError(f"no record of {topic} came within {seconds:.0f} s", hint=_SEE)
        for message in messages:
            place = (str(message.topic()), message.partition() or 0)
            if place in ends and not is_end(message) and (message.offset() or 0) < ends[place]:
                yield message
            if place in ends and (is_end(message) or behind(message) >= ends[place]):
                del ends[place]
    consumer.unassign()  # a fetch that waits for records would hold up every other question


def watermarks(
    consumer: Reader, topic: str, partition: int, seconds: float = ANSWER_S
) -> tuple[int, int]:
    """First offset of a partition, and the one behind the last record that a `reader` can see.

    Raises:
        BrokerError: The broker does not tell within so many seconds.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            first, end = consumer.get_watermark_offsets(
                TopicPartition(topic, partition), timeout=seconds
            )
        except KafkaException as error:  # a topic that was just created has no leader yet
            if time.monotonic() > deadline:
                what = f"no broker tells the offsets of {topic}"
                raise refusal(what, error, hint=_SEE, heard=consumer) from error
            time.sleep(RETRY_S)
        else:
            return first, end


def coordinated(
    ask: Callable[[], _Answer], what: str, heard: Reader, seconds: float = ANSWER_S
) -> _Answer:
    """What the coordinator of a consumer group answers, asked again while the group moves to another.

    librdkafka looks for the new one and leaves the question unanswered (docs/design/pitfalls.md#trap-61;
    https://github.com/confluentinc/librdkafka/issues/5586).

    Args:
        ask: The question, which may be asked twice.
        what: What failed if there is no answer.
        heard: The consumer that asks.
        seconds: How long to ask while the group moves.

    Raises:
        BrokerError: The broker does not answer, or the group moves for longer.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except KafkaException as error:
            moves = error.args[0].code() in _COORDINATOR_MOVES
            if not moves or time.monotonic() > deadline:
                raise refusal(what, error, hint=_SEE, heard=heard) from error
            time.sleep(RETRY_S)


def records(client: Mapping[str, str], topic: str) -> Iterator[Message]:
    """Every record that a topic holds now, each partition in its order.

    Args:
        client: librdkafka settings that reach and authenticate with the broker.
        topic: The topic.

    Raises:
        BrokerError: The broker does not answer.
    """
    with closing(reader(client, "lakeshelf-reader")) as consumer:
        known = _partitions(consumer, topic)
        places = {(topic, p): watermarks(consumer, topic, p) for p in sorted(known)}
        yield from between(consumer, places)


def _partitions(consumer: Reader, topic: str) -> Iterable[int]:
    try:
        described = consumer.list_topics(topic, ANSWER_S).topics[topic]
    except KafkaException as error:
        what = f"no broker tells the partitions of {topic}"
        raise refusal(what, error, hint=_SEE, heard=consumer) from error
    if described.error is not None and described.error.code() in PERMISSIONS:
        raise refusal(f"topic {topic} cannot be read", described.error, hint=_SEE, heard=consumer)
    return list(described.partitions)
