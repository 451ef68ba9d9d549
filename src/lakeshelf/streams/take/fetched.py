"""Records that the driver has fetched itself, in the columns of `lakeshelf.streams.take.parse.received`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from lakeshelf.errors import BrokerError
from lakeshelf.streams.take.columns import TIMES

SCHEMA = pa.schema(
    [
        ("topic", pa.string()),
        ("kafka_partition", pa.int64()),
        ("kafka_offset", pa.int64()),
        ("kafka_timestamp", TIMES),
        ("original_key", pa.binary()),
        ("original_value", pa.binary()),
        ("producer", pa.string()),
        ("header_version", pa.string()),
    ]
)
HEADERS = ("producer", "version")


def table(messages: Sequence[Message], *, headers: bool) -> pa.Table:
    """Records as they came.

    Args:
        messages: The records.
        headers: Whether their headers count; else they are null.

    Raises:
        BrokerError: A record has no time, as those of the oldest clients.
    """
    columns = (
        [message.topic() for message in messages],
        [message.partition() for message in messages],
        [message.offset() for message in messages],
        pa.array(_times(messages), pa.timestamp("ms", "UTC")),
        [message.key() for message in messages],
        [message.value() for message in messages],
        *_headers(messages if headers else (), len(messages)),
    )
    arrays = [
        pa.array(values, field.type) if isinstance(values, list) else values.cast(field.type)
        for values, field in zip(columns, SCHEMA, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _times(messages: Sequence[Message]) -> Iterator[int]:
    for message in messages:
        kind, milliseconds = message.timestamp()
        if kind == TIMESTAMP_NOT_AVAILABLE:
            raise BrokerError(
                f"record {message.offset()} of {message.topic()} has no time",
                hint="Spark reads it",
            )
        yield milliseconds


def _headers(messages: Sequence[Message], rows: int) -> Iterator[Sequence[str | None]]:
    if not messages:
        yield from ([None] * rows for _ in HEADERS)
        return
    held = [_first(message) for message in messages]
    for name in HEADERS:
        yield [one.get(name) for one in held]


def _first(message: Message) -> Mapping[str, str | None]:
    """The first header of each name, as text."""
    named: dict[str, str | None] = {}
    headers = message.headers() or ()
    for name, value in headers.items() if isinstance(headers, dict) else headers:
        if name in HEADERS and name not in named:
            named[name] = value.decode(errors="replace") if isinstance(value, bytes) else value
    return named
