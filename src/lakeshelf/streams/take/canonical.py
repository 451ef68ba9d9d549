"""The canonical form of a topic's messages: declared fields, once each, in order, written plainly.

Producers that use the contract write it, and one regular expression recognises it in a tenth of the
time that finding out the shape of any other message takes. It tells names and types; bounds, times
and keys are looked at afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from lakeshelf.contracts import (
    BOOLEAN,
    DATE,
    DOUBLE,
    LONG,
    STRING,
    TIMESTAMP,
    Decimal,
    Field,
    ListOf,
    Topic,
)
from lakeshelf.contracts.model import nested

TEXT = r'"[^"\\\x00-\x1f]*"'
INTEGER = r"(?:0|-?[1-9][0-9]{0,17})"
NUMBER = rf"{INTEGER}(?:\.[0-9]{{1,18}})?"
WRITTEN: dict[Any, str] = {
    STRING: TEXT,
    DATE: TEXT,
    TIMESTAMP: TEXT,
    LONG: INTEGER,
    DOUBLE: NUMBER,
    BOOLEAN: "(?:true|false)",
}


@cache
def pattern(topic: Topic) -> str:
    """Regular expression (RE2) that canonical messages of a topic match as a whole."""
    return _object(topic.fields)


def _object(fields: Sequence[Field], null: str = "|null") -> str:
    first, *others = fields
    return rf"\{{{_member(first, '')}{''.join(_optional(f, null) for f in others)}\}}"


def _optional(field: Field, null: str) -> str:
    if field.required:
        return f", ?{_member(field, '')}"
    return f"(?:, ?{_member(field, null)})?"


def _member(field: Field, null: str) -> str:
    return f'"{field.name}": ?(?:{_value(field)}{null})'


def _value(field: Field) -> str:
    if isinstance(field.type, ListOf):
        inner = nested(field)
        element = _object(inner, null="") if inner else WRITTEN[field.type.element]
        return rf"\[(?:{element}(?:, ?{element})*)?\]"
    return NUMBER if isinstance(field.type, Decimal) else WRITTEN[field.type]
