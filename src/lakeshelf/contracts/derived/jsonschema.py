"""JSON Schema (draft 2020-12) of the messages, for producers and other systems.

It says what `validate` says but for four things that JSON Schema cannot: `2.0` counts as an
integer there, the calendar is checked by `format` alone, the years of `event_time` are those
of its text and not of UTC, and several values are never compared.
"""

from __future__ import annotations

from typing import Any

from lakeshelf.contracts import values
from lakeshelf.contracts.model import EVENT_YEARS, Bounds, Rule, Table, Topic
from lakeshelf.contracts.types import (
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
    Scalar,
    Struct,
    Type,
)

DRAFT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

_SCALARS: dict[Scalar, Schema] = {
    STRING: {"type": "string"},
    LONG: {"type": "integer", "minimum": values.MIN_LONG, "maximum": values.MAX_LONG},
    DOUBLE: {"type": "number"},
    BOOLEAN: {"type": "boolean"},
    DATE: {"type": "string", "format": "date", "pattern": f"^{values.DATE_PATTERN}$"},
    TIMESTAMP: {
        "type": "string",
        "format": "date-time",
        "pattern": f"^{values.DATE_PATTERN}{values.TIME_PATTERN}$",
    },
    BINARY: {"type": "string", "contentEncoding": "base64"},
}


def message(topic: Topic) -> Schema:
    """JSON Schema of the values of the topic."""
    schema = {
        "$schema": DRAFT,
        "$id": f"urn:lakeshelf:topic:{topic.name}",
        "title": topic.name,
        "description": topic.doc,
        **_object(topic.fields, lengths=True),
    }
    properties = schema["properties"]
    if topic.event_types:
        properties["event_type"]["enum"] = list(topic.event_types)
    if not topic.compacted and "event_time" in properties:
        pattern = properties["event_time"]["pattern"]
        years = "|".join(str(year) for year in _year_patterns())
        properties["event_time"]["pattern"] = pattern.replace("[0-9]{4}", f"({years})", 1)
    if topic.rules:
        schema["allOf"] = [_condition(topic, rule) for rule in topic.rules]
    return schema


def record(table: Table) -> Schema:
    """JSON Schema of a table's rows."""
    return {
        "$schema": DRAFT,
        "$id": f"urn:lakeshelf:table:{table.name}",
        "title": table.name,
        "description": table.doc,
        **_object(table.public),
    }


def _object(fields: tuple[Field, ...], *, lengths: bool = False) -> Schema:
    return {
        "type": "object",
        "properties": {field.name: _field(field, lengths=lengths) for field in fields},
        "required": [field.name for field in fields if field.required],
        "additionalProperties": True,
    }


def _field(field: Field, *, lengths: bool) -> Schema:
    schema = {**_type(field.type, lengths=lengths), "description": field.doc}
    if lengths and field.longest is not None:
        schema.get("items", schema)["maxLength"] = field.longest
    if lengths and field.most is not None:
        schema["maxItems"] = field.most
    if field.minimum is not None:
        schema["minimum"] = field.minimum
    if field.maximum is not None:
        schema["maximum"] = field.maximum
    if field.required and field.type == STRING:
        schema["minLength"] = 1
    if field.enum:
        schema["enum"] = [*field.enum] if field.required else [*field.enum, None]
    if field.default is not None:
        schema["default"] = field.default
    if not field.required:
        schema["type"] = [schema["type"], "null"]
    return schema


def _type(type_: Type, *, lengths: bool) -> Schema:
    if isinstance(type_, ListOf):
        return {"type": "array", "items": _type(type_.element, lengths=lengths)}
    if isinstance(type_, Struct):
        return _object(type_.fields, lengths=lengths)
    if isinstance(type_, Decimal):
        limit = 10 ** (type_.precision - type_.scale) - 0.5 * 10**-type_.scale
        return {"type": "number", "exclusiveMinimum": -limit, "exclusiveMaximum": limit}
    return dict(_SCALARS[type_])


def _condition(topic: Topic, rule: Rule) -> Schema:
    present = {
        name: {"not": {"enum": [None, ""]}}
        for name in rule.required
        if not topic.field(name).required
    }
    bounded = {bounds.field: _bounds(bounds) for bounds in rule.bounds}
    return {
        "if": {
            "properties": {"event_type": {"enum": list(rule.event_types)}},
            "required": ["event_type"],
        },
        "then": {
            "required": list(rule.required),
            "properties": {
                name: {**present.get(name, {}), **bounded.get(name, {})}
                for name in dict.fromkeys((*present, *bounded))
            },
        },
    }


def _bounds(bounds: Bounds) -> Schema:
    schema: Schema = {"minimum": bounds.minimum, "maximum": bounds.maximum}
    return schema | ({"not": {"enum": [0, None]}} if bounds.nonzero else {})


def _year_patterns() -> list[str]:
    """Patterns of the years of `EVENT_YEARS`, one a century where it is whole."""
    first, last = EVENT_YEARS
    centuries = [f"{c}[0-9]{{2}}" for c in range(first // 100, last // 100)]
    return [*centuries, *(str(year) for year in range(last - last % 100, last + 1))]
