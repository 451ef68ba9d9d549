"""Sending of records to Kafka: in order, each one acknowledged, errors raised."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException, Message

from lakeshelf.errors import BrokerError
from lakeshelf.kafka.handles import Writer
from lakeshelf.kafka.refusals import refusal
from replay_events import HEADERS
from replay_tables import OPENING_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import pyarrow as pa

IN_FLIGHT = 40_000
"""Most records that wait for an acknowledgement, 15 MB: enough to keep the broker busy."""

PATIENCE_S = 60.0
"""How long nothing may be acknowledged before the broker counts as lost."""

SHORTEST_WAIT_S = 0.02

PRODUCER: Mapping[str, Any] = {
    "client.id": "replay",
    "acks": "all",
    "enable.idempotence": True,
    "compression.type": "lz4",
    "linger.ms": 20,
    "batch.size": 512 * 1024,
    "batch.num.messages": 20_000,
    "queue.buffering.max.messages": 4 * IN_FLIGHT,
    "queue.buffering.max.kbytes": 512 * 1024,
    "delivery.timeout.ms": int(PATIENCE_S * 1000),
    "delivery.report.only.error": True,
    "partitioner": "murmur2_random",
    "log_level": 2,
}
"""Settings of the producer; with the partitioner of Java, so that a key has one partition."""


class Sender:
    """A producer that keeps the order of each topic and raises what was not delivered."""

    def __init__(self, bootstrap_servers: str, settings: Mapping[str, Any] | None = None) -> None:
        self._servers = bootstrap_servers
        self._failed: list[str] = []
        self._producer = Writer(
            {**PRODUCER, "bootstrap.servers": bootstrap_servers, **(settings or {})}
        )

    def require(self, topics: Iterable[str]) -> None:
        """See that the broker answers and has the topics.

        Raises:
            BrokerError: No broker there, or a topic is missing.
        """
        try:
            existing = self._producer.list_topics(timeout=10).topics
        except KafkaException as error:
            raise refusal(
                f"no Kafka at {self._servers}",
                error,
                hint="run `lakeshelf up`",
                heard=self._producer,
            ) from error
        if missing := sorted(set(topics) - set(existing)):
            raise BrokerError(
                f"no topic {missing[0]} at {self._servers}", hint="run `lakeshelf bootstrap`"
            )

    @property
    def waiting(self) -> int:
        """Records that are not yet acknowledged."""
        return len(self._producer)

    def send(self, batch: pa.RecordBatch) -> None:
        """Send a batch; returns when all but `IN_FLIGHT` records are acknowledged."""
        by_topic: dict[str, list[dict[str, Any]]] = {}
        for topic, key, value in zip(
            *(batch.column(name).to_pylist() for name in ("topic", "key", "value")), strict=True
        ):
            by_topic.setdefault(topic, []).append({"key": key, "value": value})
        for topic, messages in by_topic.items():
            self._produce(topic, messages)
        self._wait(IN_FLIGHT)

    def finish(self) -> None:
        """Wait until every record is acknowledged."""
        self._wait(0)

    def _produce(self, topic: str, messages: list[dict[str, Any]]) -> None:
        if headers := HEADERS.get(topic):
            for message in messages:
                self._producer.produce(
                    topic, headers=list(headers), on_delivery=self._delivered, **message
                )
        elif self._producer.produce_batch(topic, messages, on_delivery=self._delivered) != len(
            messages
        ):
            refused = next(message["_error"] for message in messages if "_error" in message)
            raise BrokerError(f"record for {topic} refused by the producer: {refused}")

    def _wait(self, most: int) -> None:
        self._producer.poll(0)
        before, since = self.waiting, time.monotonic()
        while self.waiting > most and not self._failed:
            self._producer.poll(0.01)
            if self.waiting < before:
                before, since = self.waiting, time.monotonic()
            elif time.monotonic() - since > PATIENCE_S:
                self._failed.append(
                    f"nothing acknowledged for {PATIENCE_S:.0f} s, {before} records waiting"
                )
        if self._failed:
            raise BrokerError(
                f"{len(self._failed)} records not delivered to {self._servers}: {self._failed[0]}",
                hint="see that the broker runs and replay again: what came twice is recognised",
            )

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failed.append(f"{message.topic()}: {error.str()}")


def paced(
    batches: Iterable[pa.RecordBatch],
    speed: float | None,
    now: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> Iterator[pa.RecordBatch]:
    """The batches, each record when its time has come.

    The opening comes at once; time runs from the first event after it.

    Args:
        batches: Batches in the order they are sent.
        speed: Business seconds a second; None: at once.
        now: Seconds that pass.
        wait: Waits so many of them.
    """
    if speed is None:
        yield from batches
        return
    start: tuple[float, int] | None = None
    for batch in batches:
        times = [us // 1000 for us in batch.column("event_time").cast("int64").to_pylist()]
        sent = 0
        while sent < len(times):
            if start is None and times[sent] > OPENING_MS:
                start = (now(), times[sent])
            reached = start[1] + (now() - start[0]) * 1000 * speed if start else OPENING_MS
            due = next((row for row in range(sent, len(times)) if times[row] > reached), len(times))
            if due > sent:
                yield batch.slice(sent, due - sent)
            else:
                wait(max(SHORTEST_WAIT_S, (times[sent] - reached) / 1000 / speed))
            sent = due
