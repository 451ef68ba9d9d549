"""Reading a topic without waiting for more records than there are."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from lakeshelf.errors import BrokerError

MOST = 5000
ANSWER_S, RETRY_S = 15.0, 0.1


def available(consumer: Consumer, seconds: float, most: int = MOST) -> list[Message]:
    """Records that are there: waits for the first, and for no other.

    Args:
        consumer: An assigned consumer.
        seconds: Longest wait for the first.
        most: Most records.
    """
    first = consumer.poll(seconds)
    return [] if first is None else [first, *consumer.consume(most - 1, 0)]


def watermarks(consumer: Consumer, topic: str, partition: int) -> tuple[int, int]:
    """First offset of a partition, and the one behind its last record.

    Raises:
        BrokerError: The broker does not tell within `ANSWER_S`.
    """
    deadline = time.monotonic() + ANSWER_S
    while True:
        try:
            first, end = consumer.get_watermark_offsets(
                TopicPartition(topic, partition), timeout=ANSWER_S
            )
        except KafkaException as error:  # a topic that was just created has no leader yet
            if time.monotonic() > deadline:
                raise BrokerError(
                    f"no broker tells the offsets of {topic}: {error.args[0].str()}",
                    hint="see `lakeshelf doctor`",
                ) from error
            time.sleep(RETRY_S)
        else:
            return first, end


def records(client: Mapping[str, str], topic: str) -> Iterator[Message]:
    """Every record that a topic holds now, partition by partition.

    Args:
        client: librdkafka settings that reach and authenticate with the broker.
        topic: The topic.

    Raises:
        BrokerError: The broker does not answer.
    """
    consumer = Consumer({**client, "group.id": "lakeshelf-reader", "enable.auto.commit": False})
    with closing(consumer):
        known = consumer.list_topics(topic, ANSWER_S).topics[topic].partitions
        for partition in sorted(known):
            yield from _records(consumer, topic, partition)


def _records(consumer: Consumer, topic: str, partition: int) -> Iterator[Message]:
    at, end = watermarks(consumer, topic, partition)
    consumer.assign([TopicPartition(topic, partition, at)])
    while at < end:
        found = available(consumer, ANSWER_S)
        if not found:
            raise BrokerError(
                f"no record of {topic} came within {ANSWER_S:.0f} s", hint="see `lakeshelf doctor`"
            )
        yield from (record for record in found if (record.offset() or 0) < end)
        at = (found[-1].offset() or 0) + 1
