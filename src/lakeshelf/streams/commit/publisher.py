"""Publication: absolute rows of a table to its compacted topic, keyed and versioned, after the commit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa
from confluent_kafka import KafkaError, KafkaException, Producer

from lakeshelf.contracts import TIMESTAMP, Field, Topic
from lakeshelf.contracts.model import KEY_SEPARATOR
from lakeshelf.errors import BrokerError
from lakeshelf.streams.declare.duck import Duck
from lakeshelf.streams.take.refusal import Refused

Message = tuple[str | bytes | None, str | bytes | None, list[tuple[str, str | bytes]]]
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"
QUEUE_MESSAGES = 200_000
FLUSH_SECONDS = 60.0


class MessageTooLarge(BrokerError):  # noqa: N818 - says what is too large
    """A message that the topic does not take, however often it is sent."""


class Publisher:
    """Sends the rows of one query's tables and waits until the broker has them.

    Args:
        client: librdkafka settings that reach and authenticate with the broker.
    """

    def __init__(self, client: Mapping[str, str]) -> None:
        self._duck = Duck(threads=1)
        self._failed: list[KafkaError] = []
        self._producer = Producer(
            {
                **client,
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 5,
                "compression.type": "lz4",
                "delivery.report.only.error": True,
                "queue.buffering.max.messages": QUEUE_MESSAGES,
            }
        )

    def rows(self, topic: Topic, producer: str, rows: pa.Table) -> int:
        """Publish rows of the topic's table; the value is the row without internal columns.

        Args:
            topic: A compacted topic.
            producer: Owner of the topic, for the header.
            rows: Rows with the columns of the topic's value and key.
        """
        return self._send(topic.name, _messages(topic, producer, rows, self._values(topic, rows)))

    def events(self, topic: Topic, rows: pa.Table) -> int:
        """Publish events; their ids derive from their cause, so that sending them again is harmless."""
        values = self._values(topic, rows)
        headers: list[tuple[str, str | bytes]] = []
        keys = message_key(topic, rows)
        return self._send(topic.name, ((k, v, headers) for k, v in zip(keys, values, strict=True)))

    def tombstones(self, topic: Topic, producer: str, rows: pa.Table) -> int:
        """Publish the removal of rows; `rows` hold at least key and `version`."""
        return self._send(topic.name, _messages(topic, producer, rows, [None] * rows.num_rows))

    def encoded(self, topic: Topic, messages: Iterable[tuple[str, str]]) -> int:
        """Publish messages that are encoded already, as key and value, with the headers of the topic."""
        return self._send(topic.name, ((k, v, _headers(topic, v)) for k, v in messages))

    def records(self, topic: str, keys: list[bytes | None], values: list[bytes]) -> int:
        """Publish encoded records without headers."""
        return self._send(
            topic, ((key, value, []) for key, value in zip(keys, values, strict=True))
        )

    def refusals(self, refused: Sequence[Refused]) -> int:
        """Publish what is refused."""
        keys, values = [r.message_key() for r in refused], [r.message() for r in refused]
        return self.records("quarantine", keys, values)

    def flush(self) -> None:
        """Wait until the broker has acknowledged everything.

        Raises:
            BrokerError: Something was not acknowledged; the batch is not done and will be repeated.
        """
        left = self._producer.flush(FLUSH_SECONDS)
        failed, self._failed = self._failed, []
        if failed or left:
            reason = str(failed[0]) if failed else f"no answer within {FLUSH_SECONDS:.0f} s"
            kind = MessageTooLarge if any(map(_is_too_large, failed)) else BrokerError
            raise kind(
                f"{left + len(failed)} messages were not acknowledged: {reason}",
                hint="see `lakeshelf status`; the batch is repeated",
            )

    def _values(self, topic: Topic, rows: pa.Table) -> list[str | None]:
        members = ", ".join(map(_member, topic.fields))
        text = f"SELECT to_json(struct_pack({members})) AS value FROM changed"
        values: list[str | None] = self._duck.native(text, changed=rows)["value"].to_pylist()
        return values

    def _send(self, topic: str, messages: Iterator[Message]) -> int:
        sent = 0
        for key, value, headers in messages:
            self._produce(topic, key, value, headers)
            sent += 1
        return sent

    def _produce(self, topic: str, key: Any, value: Any, headers: Any) -> None:
        while True:
            try:
                self._producer.produce(
                    topic, value, key, headers=headers, on_delivery=self._delivered
                )
                return
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                kind = MessageTooLarge if _is_too_large(error.args[0]) else BrokerError
                raise kind(
                    f"cannot publish to {topic}: {error}", hint="see `lakeshelf doctor`"
                ) from error

    def _delivered(self, error: Any, _: Any) -> None:
        if error is not None:
            self._failed.append(error)


def _is_too_large(error: KafkaError) -> bool:
    return bool(error.code() == KafkaError.MSG_SIZE_TOO_LARGE)


def message_key(topic: Topic, rows: pa.Table) -> list[str]:
    """Kafka keys of rows."""
    if topic.fixed_key:
        return [topic.fixed_key] * rows.num_rows
    columns = [rows[name].to_pylist() for name in topic.key]
    return (
        columns[0]
        if len(columns) == 1
        else [KEY_SEPARATOR.join(map(str, parts)) for parts in zip(*columns, strict=True)]
    )


def _headers(topic: Topic, value: str) -> list[tuple[str, str | bytes]]:
    if not topic.compacted:
        return []
    return [("version", str(orjson.loads(value)["version"])), ("producer", topic.owner)]


def _messages(
    topic: Topic, producer: str, rows: pa.Table, values: list[str | None]
) -> Iterator[Message]:
    keys, versions = message_key(topic, rows), rows["version"].to_pylist()
    for key, value, version in zip(keys, values, versions, strict=True):
        yield key, value, [("version", str(version)), ("producer", producer)]


def _member(field: Field) -> str:
    """A member of the value; times are ISO-8601 in UTC with microseconds."""
    if field.type == TIMESTAMP:
        return f"{field.name} := strftime({field.name}, '{TIME_FORMAT}')"
    return f"{field.name} := {field.name}"
