"""Publication: absolute rows of a table to its compacted topic, keyed and versioned, after the commit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
from confluent_kafka import KafkaError, KafkaException

from lakeshelf.contracts import TIMESTAMP, Field, Topic
from lakeshelf.contracts.model import KEY_SEPARATOR
from lakeshelf.counts import count_of
from lakeshelf.errors import BrokerError
from lakeshelf.kafka.handles import Writer
from lakeshelf.kafka.refusals import refusal
from lakeshelf.streams.take.refusal import Refused
from lakeshelf.telemetry import metrics

if TYPE_CHECKING:
    from lakeshelf.streams.declare.duck import Duck

Headers = list[tuple[str, str | bytes | None]]
Message = tuple[str | bytes | None, str | bytes | None, Headers]
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"
QUEUE_MESSAGES = 200_000
FLUSH_SECONDS = 60.0
ORIGIN = "origin"
"""Header by which a sender knows its own messages among those of the topic's owner."""


@dataclass(frozen=True)
class Outgoing:
    """Messages of one topic, encoded, to be sent once."""

    topic: str
    messages: Iterator[Message]


class MessageTooLarge(BrokerError):  # noqa: N818 - says what is too large
    """A message that the topic does not take, however often it is sent."""


class Publisher:
    """Sends the rows of one query's tables and waits until the broker has them.

    Args:
        client: librdkafka settings that reach and authenticate with the broker.
    """

    def __init__(self, client: Mapping[str, str]) -> None:
        self.client = client
        self._failed: list[KafkaError] = []
        self._producer = Writer(
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

    def rows(self, topic: Topic, rows: pa.Table, origin: str = "") -> Outgoing:
        """Messages of rows of the topic's table; the value is the row without internal columns.

        Args:
            topic: A compacted topic.
            rows: Rows with the columns of the topic's value and key.
            origin: By what its sender knows a message of its own, for a further header; empty: none.
        """
        return Outgoing(topic.name, _messages(topic, rows, self._values(topic, rows), origin))

    def tombstones(self, topic: Topic, rows: pa.Table, origin: str = "") -> Outgoing:
        """Messages of the removal of rows; `rows` hold at least key and `version`, the rest as for `rows`."""
        return Outgoing(topic.name, _messages(topic, rows, [None] * rows.num_rows, origin))

    def events(self, topic: Topic, rows: pa.Table) -> Outgoing:
        """Messages of events; their ids derive from their cause, so that sending them again is harmless."""
        keys, values = message_key(topic, rows), self._values(topic, rows)
        return Outgoing(topic.name, ((k, v, []) for k, v in zip(keys, values, strict=True)))

    def send(self, outgoing: Outgoing) -> int:
        """Publish encoded messages; how many there are."""
        return self._send(outgoing.topic, outgoing.messages)

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
            raise self._unacknowledged(failed, left)

    def _unacknowledged(self, failed: list[KafkaError], left: int) -> BrokerError:
        late = KafkaError(KafkaError._TIMED_OUT, f"no answer within {FLUSH_SECONDS:.0f} s")  # noqa: SLF001 - its public name
        what = f"not acknowledged: {count_of(left + len(failed), 'message')}"
        hint = "see `lakeshelf status`; the batch is repeated"
        if any(map(_is_too_large, failed)):
            return MessageTooLarge(f"{what}: {failed[0].str()}", hint=hint)
        return refusal(what, next(iter(failed), late), hint=hint, heard=self._producer)

    @cached_property
    def _duck(self) -> Duck:
        from lakeshelf.streams.declare.duck import Duck  # noqa: PLC0415 - heavy, and many send no rows

        return Duck(threads=1)

    def _values(self, topic: Topic, rows: pa.Table) -> list[str | None]:
        members = ", ".join(map(_member, topic.fields))
        text = f"SELECT to_json(struct_pack({members})) AS value FROM changed"
        values: list[str | None] = self._duck.native(text, changed=rows)["value"].to_pylist()
        return values

    def _send(self, topic: str, messages: Iterator[Message]) -> int:
        # A call a message is a fifth of what publishing costs, so the common case makes one and no more.
        produce, delivered = self._producer.produce, self._delivered
        sent = 0
        for key, value, headers in messages:
            try:
                produce(topic, value, key, headers=headers, on_delivery=delivered)
            except (BufferError, KafkaException):
                self._produce(topic, key, value, headers)
            sent += 1
        metrics.PUBLISHED.add(sent, topic=topic)
        metrics.PUBLISH_ERRORS.add(0, topic=topic)
        return sent

    def _produce(self, topic: str, key: Any, value: Any, headers: Headers) -> None:
        """Queue a message as soon as there is room."""
        while True:
            try:
                self._producer.produce(
                    topic, value, key, headers=headers, on_delivery=self._delivered
                )
                return
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                what, hint = f"cannot publish to {topic}", "see `lakeshelf doctor`"
                if _is_too_large(error.args[0]):
                    raise MessageTooLarge(f"{what}: {error}", hint=hint) from error
                raise refusal(what, error, hint=hint, heard=self._producer) from error

    def _delivered(self, error: Any, message: Any) -> None:
        if error is not None:
            metrics.PUBLISH_ERRORS.add(topic=message.topic())
            self._failed.append(error)


def _is_too_large(error: KafkaError) -> bool:
    return bool(error.code() == KafkaError.MSG_SIZE_TOO_LARGE)


def message_key(topic: Topic, rows: pa.Table) -> list[str]:
    """Kafka keys of rows."""
    if topic.fixed_key:
        return [topic.fixed_key] * rows.num_rows
    columns = [_as_text(rows[name]).to_pylist() for name in topic.key]
    return (
        columns[0]
        if len(columns) == 1
        else [KEY_SEPARATOR.join(map(str, parts)) for parts in zip(*columns, strict=True)]
    )


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column if pa.types.is_string(column.type) else column.cast(pa.string())


def _headers(topic: Topic, value: str) -> Headers:
    if not topic.compacted:
        return []
    return [("version", str(orjson.loads(value)["version"])), ("producer", topic.owner)]


def _messages(
    topic: Topic, rows: pa.Table, values: Sequence[str | None], origin: str
) -> Iterator[Message]:
    """Messages whose parts are there already; so many small objects at once would keep the collector busy."""
    marks: Headers = [("producer", topic.owner), *([(ORIGIN, origin)] if origin else [])]
    versions = rows["version"].cast(pa.string()).to_pylist()
    parts = zip(message_key(topic, rows), values, versions, strict=True)
    return ((key, value, [("version", version), *marks]) for key, value, version in parts)


def _member(field: Field) -> str:
    """A member of the value; times are ISO-8601 in UTC with microseconds."""
    if field.type == TIMESTAMP:
        return f"{field.name} := strftime({field.name}, '{TIME_FORMAT}')"
    return f"{field.name} := {field.name}"
