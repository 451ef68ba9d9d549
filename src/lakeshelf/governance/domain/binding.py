"""Datasets that feed a compacted topic: the definition that follows from its contract.

docs/design/governance.md#binding
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR
from decimal import Decimal as Exact
from typing import Any

from lakeshelf.contracts.model import Topic
from lakeshelf.contracts.retail.shared import ACTOR, VERSIONED
from lakeshelf.contracts.types import (
    BINARY,
    DATE,
    DOUBLE,
    LONG,
    STRING,
    Decimal,
    Field,
    ListOf,
    Number,
    is_numeric,
)
from lakeshelf.governance.domain.definition import Column, Definition, RowRule
from lakeshelf.governance.errors import refused

MESSAGE_DIGITS = 15
"""Most digits of a decimal that a message carries, because it carries a double."""
_KEY_TYPES = (STRING, LONG, DATE)
_WRITTEN = tuple(field.name for field in VERSIONED)


def bound(topic: Topic) -> Definition:
    """The first definition of a dataset whose rows go to a topic.

    Columns are those of key and value without what the publisher writes. What the contract asks for are fatal rules
    that cannot be removed, so no row that passes them is refused by a reader of the topic.

    Raises:
        GovernanceError: `definition_invalid`: rows of a table cannot stand for messages of that topic.
    """
    if problems := list(_problems(topic)):
        raise refused(
            "definition_invalid",
            f"no dataset can be bound to {topic.name}: {'; '.join(problems)}",
            hint="bind it to a compacted topic of plain fields with a key of one field",
            problems=problems,
        )
    columns = tuple(Column(field, system=field.name == ACTOR.name) for field in _fields(topic))
    rules = tuple(rule for column in columns if not column.system for rule in _rules(column.field))
    return Definition(1, columns, topic.key, rules, topic=topic.name)


def require_bound(definition: Definition, topic: Topic | None) -> None:
    """Refuse a first definition that does not follow from its topic, or has of a topic what comes with none.

    Args:
        definition: The definition.
        topic: The topic that it names; None: there is none.

    Raises:
        GovernanceError: `definition_invalid`.
    """
    if definition.topic is not None and topic is None:
        raise refused("definition_invalid", f"there is no topic {definition.topic[:80]!r}")
    expected = None if topic is None else bound(topic)
    problems = list(_unbound(definition, expected))
    if problems:
        raise refused(
            "definition_invalid",
            f"it is not the definition of a dataset of {definition.topic or 'no topic'}: {'; '.join(problems)}",
            hint="take columns and rules as the topic has them, and change the definition by a change request",
            problems=problems,
        )


def _unbound(definition: Definition, expected: Definition | None) -> Iterator[str]:
    fixed = [rule for rule in definition.rules if rule.fixed]
    if fixed != ([] if expected is None else list(expected.rules)):
        yield "its fixed rules are not those of the topic"
    if expected is None:
        systems = (column.name for column in definition.columns if column.system)
        yield from (f"{name} is a system column" for name in systems)
        return
    if definition.key != expected.key:
        yield f"its key is not {', '.join(expected.key)}"
    if [plain(one) for one in definition.columns] != [plain(one) for one in expected.columns]:
        yield f"its columns are not {', '.join(column.name for column in expected.columns)}"


def plain(column: Column) -> Column:
    """A column without what people say of it."""
    return replace(column, field=replace(column.field, doc="."), label="", hidden=False)


def _fields(topic: Topic) -> tuple[Field, ...]:
    return topic.key_only + tuple(field for field in topic.fields if field.name not in _WRITTEN)


def _problems(topic: Topic) -> Iterator[str]:
    if not topic.compacted:
        yield "it is not compacted"
    if len(topic.key) != 1:
        yield "its key is not one field"
    if topic.rules or topic.event_types or topic.equal or topic.unique or topic.within:
        yield "its fields depend on one another"
    names = [field.name for field in topic.fields]
    yield from (f"it has no {name}" for name in _WRITTEN if name not in names)
    for field in _fields(topic):
        if field.name in topic.key and field.type not in _KEY_TYPES:
            yield f"its key {field.name} is {field.type}"
        if field.type == BINARY or isinstance(field.type, ListOf):
            yield f"{field.name} is {field.type}"
        if isinstance(field.type, Decimal) and field.type.precision > MESSAGE_DIGITS:
            yield f"{field.name} has more than {MESSAGE_DIGITS} digits, which a message does not carry"


def _rules(field: Field) -> Iterator[RowRule]:
    """What the contract asks of a field: an empty text counts as absent, and JSON has no NaN."""
    if field.required:
        yield _rule(field, "not_null")
    if field.enum:
        yield _rule(field, "in_set", values=list(field.enum))
    if field.longest is not None:
        yield _rule(field, "length", minimum=1 if field.required else 0, maximum=field.longest)
    if is_numeric(field.type) and (low_high := _bounds(field)):
        yield _rule(field, "between", **low_high)


def _rule(field: Field, kind: Any, **params: Any) -> RowRule:
    return RowRule(
        f"contract_{field.name}_{kind}", kind, (field.name,), params, "fatal", fixed=True
    )


def _bounds(field: Field) -> dict[str, Any]:
    """The bounds as JSON values of the type, none of them outside the contract's."""
    low, high = field.minimum, field.maximum
    if field.type == DOUBLE:
        most = sys.float_info.max
        return {
            "minimum": float(-most if low is None else low),
            "maximum": float(most if high is None else high),
        }
    bounds = {
        "minimum": _inside(field, low, ROUND_CEILING),
        "maximum": _inside(field, high, ROUND_FLOOR),
    }
    return {name: value for name, value in bounds.items() if value is not None}


def _inside(field: Field, number: Number | None, rounding: str) -> int | str | None:
    if number is None:
        return None
    if isinstance(field.type, Decimal):
        step = Exact(1).scaleb(-field.type.scale)
        return format(Exact(repr(number)).quantize(step, rounding=rounding), "f")
    return math.ceil(number) if rounding == ROUND_CEILING else math.floor(number)
