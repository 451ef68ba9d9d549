"""One decoder a topic, made from its contract: JSON values to typed columns, judged on the way.

`msgspec` reads a message in one pass and judges names, types, bounds, lengths and words as strictly as
the reference validator `lakeshelf.contracts.validate`, but for what it skips: bytes that are no UTF-8,
and nesting that no other reader follows. Size, depth and bytes are therefore looked at before it sees a
message. Times, decimals and what the contract says of several fields are judged as columns afterwards.
Whatever is not certain the reference validator decides; the decoder may doubt too often, never too
seldom.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from functools import cache, reduce
from typing import Annotated, Any, Literal

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Meta

from lakeshelf.contracts import (
    BINARY,
    BOOLEAN,
    DATE,
    DOUBLE,
    LONG,
    STRING,
    TIMESTAMP,
    Decimal,
    Field,
    ListOf,
    Struct,
    Topic,
)
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.contracts.types import Type
from lakeshelf.contracts.values import MAX_LONG, MIN_LONG
from lakeshelf.streams.take.columns import columns
from lakeshelf.streams.take.rules import conditions

LONGEST, DEEPEST = 64 * 1024, 1000
"""Most bytes and levels of a message that `msgspec` sees, which recurses. What is deeper `orjson` refuses."""
READ_AS: dict[Type, Any] = {
    STRING: str,
    LONG: int,
    DOUBLE: float,
    BOOLEAN: bool,
    DATE: date,
    TIMESTAMP: str,
    BINARY: bytes,
}


@cache
def decoder(topic: Topic) -> Decoder:
    """The decoder of a topic."""
    return Decoder(topic)


class Decoder:
    """Decodes the values of one topic.

    Args:
        topic: Its contract.
    """

    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        self._schema = arrow_contract.schema(topic.fields)
        message = _class(topic.name, [_with_words(topic, field) for field in topic.fields])
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(message).decode
        self._doubtful = message(**dict.fromkeys(self._schema.names))

    def __call__(self, values: pa.Array) -> pa.StructArray:
        """The fields of messages: a struct each, null where the message is not certainly valid.

        Args:
            values: Values of records (binary), as they came; null where there is none.
        """
        messages = list(self._messages(values))
        read = pa.array([message is not self._doubtful for message in messages], pa.bool_())
        arrays, typed = columns(self._topic.fields, messages)
        ruled = conditions(self._topic, dict(zip(self._schema.names, arrays, strict=True)))
        valid = pc.fill_null(reduce(pc.and_, (*typed, *ruled), read), False)
        return pa.StructArray.from_arrays(arrays, fields=list(self._schema), mask=pc.invert(valid))

    def _messages(self, values: pa.Array) -> Iterator[Any]:
        for value in values.to_pylist():
            try:
                yield self._decode(value) if _is_bounded(value) else self._doubtful
            except (msgspec.MsgspecError, RecursionError):
                yield self._doubtful


def _is_bounded(value: bytes | None) -> bool:
    """Whether `msgspec` may see a value."""
    if value is None or len(value) > LONGEST:
        return False
    shallow = len(value) <= DEEPEST or value.count(b"[") + value.count(b"{") <= DEEPEST
    return shallow and (value.isascii() or _is_utf8(value))


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _with_words(topic: Topic, field: Field) -> Field:
    """The field, with all the words that there are as event types."""
    words = topic.event_types if field.name == "event_type" else ()
    return replace(field, enum=words) if words else field


def _class(name: str, fields: Sequence[Field], *, closed: bool = False) -> type[msgspec.Struct]:
    """The class of a message or element; a closed one has no other fields than these."""
    members: list[Any] = [
        (field.name, _annotated(field))
        if field.required
        else (field.name, _annotated(field) | None, None)
        for field in fields
    ]
    return msgspec.defstruct(name, members, kw_only=True, gc=False, forbid_unknown_fields=closed)


def _annotated(field: Field) -> Any:
    """The type to read a field as, with all that one value is held to."""
    if field.enum:
        return Literal[field.enum]
    if isinstance(field.type, Struct):
        return _class(field.name, field.type.fields, closed=True)
    if isinstance(field.type, ListOf):
        element: Any = _annotated(replace(field, type=field.type.element, required=False))
        return Annotated[list[element], Meta(max_length=field.most)]
    read_as = float if isinstance(field.type, Decimal) else READ_AS[field.type]
    return Annotated[read_as, _limits(field)]


def _limits(field: Field) -> Meta:
    if field.type in (STRING, BINARY):
        return Meta(min_length=1 if field.required else None, max_length=field.longest)
    low, high = (MIN_LONG, MAX_LONG) if field.type == LONG else (None, None)
    return Meta(
        ge=low if field.minimum is None else field.minimum,
        le=high if field.maximum is None else field.maximum,
    )
