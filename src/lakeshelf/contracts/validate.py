"""The reference validator of messages: one message at a time, strict, and slow on purpose.

What the streaming runtime refuses in bulk must be what `check` refuses here, with the same reason.
A message gets the first reason that applies, in the order of `REASONS`; the detail tells the first
few findings of that reason, in the order of the topic's fields.

| reason | of a message that |
|---|---|
| `not_json` | is no JSON: broken, not UTF-8, NaN, a number beyond DOUBLE, over 1,000 levels deep |
| `not_object` | is JSON and no object |
| `missing_field` | lacks a required field, or has null there |
| `wrong_type` | has a field of another type, unknown fields apart |
| `too_long` | has a text, or a key, of more characters, or a list of more elements, than the contract says |
| `unknown_event_type` | has an event type that the topic does not know |
| `bad_quantity` | has a `quantity` outside its bounds |
| `bad_event_time` | has an `event_time` outside the years 2000 to 2100, UTC |
| `impossible_value` | has another number outside its bounds, a word that is not of its enum, or breaks what the
  topic says of several values: two that are equal, one that is unique in its list, a time within days of a date |

Of a key that occurs twice in an object the last value counts. Unknown fields are ignored.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from typing import Any

import orjson

from lakeshelf.contracts import values
from lakeshelf.contracts.model import EVENT_YEARS, Bounds, Topic, nested
from lakeshelf.contracts.types import DATE, TIMESTAMP, Field, Number, Struct, is_numeric
from lakeshelf.counts import count_of

REASONS = (
    "not_json",
    "not_object",
    "missing_field",
    "wrong_type",
    "too_long",
    "unknown_event_type",
    "bad_quantity",
    "bad_event_time",
    "impossible_value",
)
"""Why a single message is refused, in the order in which they apply."""

UNPROCESSABLE = "unprocessable"
"""Why a record is refused that the contract lets in and that no try to process survives."""
MAX_DETAIL = 80
MOST_FINDINGS = 5
"""So many findings of a message are told."""
TOO_LARGE = "number is infinity"
"""What orjson says of a number beyond DOUBLE."""

_MARK_TEXT = "\0number beyond double"
_MARK = orjson.dumps(_MARK_TEXT)
# A string is taken to its end or to that of the message, never looked at twice.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"?|(?P<number>-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)', re.DOTALL)

Message = dict[str, Any]


@dataclass(frozen=True)
class Refusal:
    """Why a message is refused: one of `REASONS`, and the field and value that broke the rule."""

    reason: str
    detail: str


def check(topic: Topic, value: bytes | None, key: bytes | None = None) -> Refusal | None:
    """The reason to refuse a message, or None if it is valid.

    Args:
        topic: The topic that it came by.
        value: The record's value; None is a tombstone, valid on a compacted topic alone.
        key: The record's key, checked on compacted topics; None leaves it unchecked.
    """
    if value is None:
        return None if topic.compacted else Refusal("not_json", "no value")
    try:
        message = _decoded(topic, value)
    except orjson.JSONDecodeError as error:
        return Refusal("not_json", _shorten(str(error)))
    if not isinstance(message, dict):
        return Refusal("not_object", _text(message))
    return next(_refusals(topic, message, key), None)


def parse(topic: Topic, value: bytes, key: bytes | None = None) -> Message:
    """The typed values of a message that passed `check`.

    Returns:
        Every declared field, None where absent; undeclared fields are left out. Fields that stand
        in the key alone come first if `key` is given and the topic has one such field.
    """
    typed = values.read_fields(Struct(topic.fields), _decoded(topic, value))
    if key is not None and len(topic.key_only) == 1:
        return {topic.key_only[0].name: key.decode()} | typed
    return typed


def _decoded(topic: Topic, value: bytes) -> Any:
    """The JSON value; a number too large for a double is none, except where nobody reads it."""
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as error:
        if TOO_LARGE not in str(error):
            raise
        message = orjson.loads(_TOKEN.sub(_marked, value))
        read = [message.get(f.name) for f in topic.fields] if isinstance(message, dict) else message
        if _holds_mark(read):
            raise
        return message


def _marked(token: re.Match[bytes]) -> bytes:
    """The token, or a mark in the place of a number beyond DOUBLE."""
    number = token["number"]
    return _MARK if number is not None and math.isinf(float(number)) else token[0]


def _holds_mark(value: Any) -> bool:
    if isinstance(value, dict | list):
        parts = value.values() if isinstance(value, dict) else value
        return any(map(_holds_mark, parts))
    return bool(value == _MARK_TEXT)


def _refusals(topic: Topic, message: Message, key: bytes | None) -> Iterator[Refusal]:
    """A refusal for each reason; a later one may rely on it that an earlier one does not apply."""
    key_problem = _key_problem(topic, message, key)
    for reason, details in (
        ("missing_field", _missing(topic, message)),
        ("wrong_type", _mistyped(topic.fields, message)),
        ("too_long", _too_long(topic.fields, message)),
        ("unknown_event_type", _unknown_event_type(topic, message)),
        ("bad_quantity", _out_of_bounds(topic, message, quantities=True)),
        ("bad_event_time", _bad_event_time(topic, message)),
        ("impossible_value", _impossible(topic, message)),
    ):
        findings = [_shorten(detail) for detail in islice(details, MOST_FINDINGS)]
        if key_problem is not None and key_problem.reason == reason:
            findings.append(key_problem.detail)
        if findings:
            yield Refusal(reason, "; ".join(findings))


def _missing(topic: Topic, message: Message) -> Iterator[str]:
    event_type = message.get("event_type")
    required = {
        name for rule in topic.rules if event_type in rule.event_types for name in rule.required
    }
    for field in topic.fields:
        if _absent(message, field.name) and (field.required or field.name in required):
            yield f"{field.name} is missing"
        for path, element in _elements(field, message):
            yield from (
                f"{path}.{inner.name} is missing"
                for inner in nested(field)
                if inner.required and _absent(element, inner.name)
            )


def _absent(message: Message, name: str) -> bool:
    """An empty text names nothing, so it counts as absent where something is required."""
    return message.get(name) in (None, "")


def _mistyped(fields: tuple[Field, ...], message: Message, prefix: str = "") -> Iterator[str]:
    for field in fields:
        value = message.get(field.name)
        if value is None or values.is_of(field.type, value):
            continue
        before = False
        for path, element in _elements(field, message):
            for detail in _mistyped(nested(field), element, f"{path}."):
                before = True
                yield detail
        if not before:
            yield f"{prefix}{field.name} = {_text(value)} is not {field.type}"


def _too_long(fields: tuple[Field, ...], message: Message, prefix: str = "") -> Iterator[str]:
    for field in fields:
        value = message.get(field.name)
        if field.most is not None and isinstance(value, list) and len(value) > field.most:
            yield f"{prefix}{field.name} has {len(value):,} elements, at most {field.most:,} may be"
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and (excess := over_length(field, text)):
                yield f"{prefix}{excess}"
        for path, element in _elements(field, message):
            yield from _too_long(nested(field), element, f"{path}.")


def over_length(field: Field, text: str) -> str | None:
    """What is wrong with the length of a text; None if nothing is."""
    if field.longest is None or len(text) <= field.longest:
        return None
    return f"{field.name} has {count_of(len(text), 'character')}, at most {field.longest:,} may be"


def _unknown_event_type(topic: Topic, message: Message) -> Iterator[str]:
    if topic.event_types and message["event_type"] not in topic.event_types:
        yield f"event_type = {_text(message['event_type'])}"


def _bad_event_time(topic: Topic, message: Message) -> Iterator[str]:
    for field in topic.fields:
        if field.name == "event_time" and not topic.compacted:
            time = values.read(field.type, message["event_time"])
            if not EVENT_YEARS[0] <= time.year <= EVENT_YEARS[1]:
                yield f"event_time = {_text(message['event_time'])}"


def _out_of_bounds(topic: Topic, message: Message, *, quantities: bool) -> Iterator[str]:
    for field in topic.fields:
        if (field.name == "quantity") is quantities:
            bounds = _rule_bounds(topic, message, field)
            yield from _outside(field, message.get(field.name), field.name, bounds)
        for path, element in _elements(field, message):
            for inner in nested(field):
                if (inner.name == "quantity") is quantities:
                    value = element.get(inner.name)
                    yield from _outside(inner, value, f"{path}.{inner.name}", ())


def _impossible(topic: Topic, message: Message) -> Iterator[str]:
    yield from _out_of_bounds(topic, message, quantities=False)
    for name, other in topic.equal:
        if message.get(name) != message.get(other):
            yield f"{name} = {_text(message.get(name))} is not {other} = {_text(message.get(other))}"
    for later, earlier, days in topic.within:
        first = datetime.combine(values.read(DATE, message[earlier]), time.min, UTC)
        if not timedelta() <= values.read(TIMESTAMP, message[later]) - first <= timedelta(days):
            within = f"within {count_of(days, 'day')} after {earlier}"
            yield f"{later} = {_text(message[later])} is not {within}"
    for name, inner in topic.unique:
        counts = Counter(e.get(inner) for _, e in _elements(topic.field(name), message))
        twice = (value for value, times in counts.items() if times > 1)
        yield from (f"{name} have {inner} = {_text(value)} twice" for value in twice)


def _rule_bounds(topic: Topic, message: Message, field: Field) -> tuple[Bounds, ...]:
    return tuple(
        bounds
        for rule in topic.rules
        if message.get("event_type") in rule.event_types
        for bounds in rule.bounds
        if bounds.field == field.name
    )


def _outside(field: Field, value: Any, path: str, bounds: tuple[Bounds, ...]) -> Iterator[str]:
    if value is None:
        return
    if field.enum and value not in field.enum:
        yield f"{path} = {_text(value)} is not one of {', '.join(field.enum)}"
    if not is_numeric(field.type):
        return
    limits = [(field.minimum, field.maximum), *((b.minimum, b.maximum) for b in bounds)]
    zero_refused = any(b.nonzero for b in bounds) and value == 0
    if zero_refused or not all(_within(value, low, high) for low, high in limits):
        yield f"{path} = {_text(value)}"


def _within(value: Number, low: Number | None, high: Number | None) -> bool:
    return (low is None or low <= value) and (high is None or value <= high)


def _elements(field: Field, message: Message) -> Iterator[tuple[str, Message]]:
    elements = message.get(field.name)
    if nested(field) and isinstance(elements, list):
        for number, element in enumerate(elements):
            if isinstance(element, dict):
                yield f"{field.name}[{number}]", element


def _key_problem(topic: Topic, message: Message, key: bytes | None) -> Refusal | None:
    if key is None or not topic.compacted:
        return None
    if not key:
        return Refusal("missing_field", "key is empty")
    try:
        text = key.decode()
    except UnicodeDecodeError:
        return Refusal("wrong_type", f"key = {_shorten(repr(key))} is not UTF-8")
    for field in topic.key_only:
        if excess := over_length(field, text):
            return Refusal("too_long", f"key: {excess}")
    if not topic.key_only and (expected := _key_text(topic, message)) != text:
        return Refusal("impossible_value", _shorten(f"key = {text!r} is not {expected!r}"))
    return None


def _key_text(topic: Topic, message: Message) -> str:
    return topic.key_of({name: message.get(name) for name in topic.key})


def _text(value: Any) -> str:
    """The value as JSON, cut; what nests deeper than orjson writes is told by its kind."""
    try:
        return _shorten(orjson.dumps(value).decode())
    except orjson.JSONEncodeError:
        return f"a {type(value).__name__} of many levels"


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_DETAIL else text[: MAX_DETAIL - 1] + "…"
