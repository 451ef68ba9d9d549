"""Valid messages of every topic, and what it takes to spoil them."""

from __future__ import annotations

from typing import Any

import orjson

from lakeshelf.contracts import (
    BINARY,
    BOOLEAN,
    DATE,
    DOUBLE,
    LONG,
    STRING,
    TIMESTAMP,
    Decimal,
    ListOf,
    Struct,
    Topic,
)
from lakeshelf.contracts.types import Type
from lakeshelf.contracts.validate import check

EXAMPLES: dict[Type, Any] = {
    STRING: "S1",
    LONG: 7,
    DOUBLE: 2.5,
    BOOLEAN: True,
    DATE: "2017-01-31",
    TIMESTAMP: "2017-01-31T08:00:00.000Z",
    BINARY: "AAE=",
}


def example(topic: Topic, event_type: str | None = None) -> dict[str, Any]:
    """A valid message of the topic with every field present."""
    message = _object(topic.fields)
    if topic.event_types:
        message["event_type"] = event_type or topic.event_types[0]
    for name, inner in topic.unique:
        for number, element in enumerate(message[name], 1):
            element[inner] = number
    return message


def encode(message: Any) -> bytes:
    """The message as it goes over the wire."""
    return orjson.dumps(message)


def reason(topic: Any, message: Any, **changes: Any) -> str | None:
    """Why a message with some fields changed is refused; None: it is valid."""
    refusal = check(topic, encode({**message, **changes}))
    return refusal.reason if refusal else None


def _object(fields: tuple[Any, ...]) -> dict[str, Any]:
    return {field.name: _value(field) for field in fields}


def _value(field: Any) -> Any:
    if field.enum:
        return field.enum[0]
    if field.maximum is not None and field.maximum < 7:
        return field.maximum
    return _of_type(field.type)


def _of_type(type_: Type) -> Any:
    if isinstance(type_, ListOf):
        return [_of_type(type_.element), _of_type(type_.element)]
    if isinstance(type_, Struct):
        return _object(type_.fields)
    if isinstance(type_, Decimal):
        return 0.25
    return EXAMPLES[type_]
