"""A row of a bound dataset passes its fixed rules if and only if readers of the topic take its message."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal as Exact
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.contracts import CATALOG, Topic
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
)
from lakeshelf.contracts.validate import check, parse
from lakeshelf.governance.domain.binding import bound, require_bound
from lakeshelf.governance.domain.definition import Column, Definition, RowRule
from lakeshelf.governance.domain.values import read
from lakeshelf.governance.errors import GovernanceError
from tests.governance.domain.model import equal

GOVERNED = ("shelf_policies", "wh_policies", "shelf_profiles", "batch_catalog")
NOW = datetime(2017, 1, 31, 8, tzinfo=UTC)
EXTRA = Topic(
    name="prices",
    key=("sku",),
    cleanup="compact",
    owner="publisher",
    doc="Every kind of field.",
    fields=(
        Field("sku", STRING, "Key."),
        Field("kind", STRING, "Of some.", required=False, enum=("a", "bb")),
        Field("note", STRING, "Short.", required=False, max_length=3),
        Field("share", Decimal(5, 4), "Exact.", required=False, minimum=0.00005, maximum=0.5),
        Field("number", LONG, "Whole.", minimum=-1.5, maximum=2**62),
        Field("weight", DOUBLE, "Any.", required=False),
        Field("since", TIMESTAMP, "Time.", required=False),
        *CATALOG.topics["shelf_policies"].fields[-2:],
    ),
)
TOPICS = [*(CATALOG.topics[name] for name in GOVERNED), EXTRA]
FITTING = {
    STRING: "a",
    LONG: 7,
    DOUBLE: 2.5,
    BOOLEAN: True,
    DATE: date(2017, 1, 31),
    TIMESTAMP: NOW,
}


def holds(rule: RowRule, column: Column, value: Any) -> bool:
    """Whether a value passes a rule: a null is judged by `not_null` alone."""
    if rule.kind == "not_null":
        return value is not None
    if value is None:
        return True
    if rule.kind == "in_set":
        return value in rule.params["values"]
    if rule.kind == "length":
        return rule.params["minimum"] <= len(value) <= rule.params["maximum"]
    low, high = (rule.params.get(name) for name in ("minimum", "maximum"))
    return (low is None or read(column, low) <= value) and (
        high is None or value <= read(column, high)
    )


def passes(definition: Definition, row: dict[str, Any]) -> bool:
    return all(
        holds(rule, definition[name], row[name])
        for rule in definition.rules
        for name in rule.columns
    )


def message_of(topic: Topic, row: dict[str, Any]) -> tuple[bytes, bytes]:
    """Value and key as they are published."""
    names = [field.name for field in topic.fields]
    present = {name: value for name, value in row.items() if name in names and value is not None}
    message = present | {"version": 7, "updated_at": NOW}
    value = orjson.dumps(message, default=float, option=orjson.OPT_UTC_Z)
    return value, topic.key_of(row).encode()


def near(field: Field) -> st.SearchStrategy[Any]:
    """Values at the edges of what a field takes."""
    edges = [bound for bound in (field.minimum, field.maximum) if bound is not None] or [0]
    if field.type == STRING:
        lengths = [0, 1, 2, 3, 4, *(field.longest + n for n in (-1, 0, 1) if field.longest)]
        texts = st.sampled_from(["x" * length for length in lengths] + ["é" * (field.longest or 1)])
        return st.none() | texts | st.sampled_from([*field.enum, "😀", '"', "null"])
    if field.type == LONG:
        return st.none() | st.sampled_from([int(e) + n for e in edges for n in (-2, -1, 0, 1, 2)])
    if field.type == DOUBLE:
        floats = [math.nextafter(float(e), way) for e in edges for way in (-math.inf, math.inf)]
        rest = [math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, *map(float, edges)]
        return st.none() | st.sampled_from(floats + rest)
    if isinstance(field.type, Decimal):
        step = Exact(1).scaleb(-field.type.scale)
        whole = [Exact(repr(e)).quantize(step) + n * step for e in edges for n in (-2, -1, 0, 1, 2)]
        return st.none() | st.sampled_from([*whole, (10**field.type.precision - 1) * step])
    more = {
        BOOLEAN: st.booleans(),
        DATE: st.dates(),
        TIMESTAMP: st.datetimes(timezones=st.just(UTC)),
    }
    return st.none() | more[field.type]  # type: ignore[index]


@st.composite
def rows(draw: Any, topic: Topic) -> dict[str, Any]:
    definition = bound(topic)
    row: dict[str, Any] = {}
    for column in definition.content:
        type_ = column.field.type
        row[column.name] = Exact("0.1000") if isinstance(type_, Decimal) else FITTING[type_]
    row |= {c.name: None for c in definition.content if c.field.enum}
    for column in draw(st.lists(st.sampled_from(definition.content), max_size=3)):
        row[column.name] = draw(near(column.field))
    return row


@pytest.mark.slow
@settings(max_examples=300)
@given(st.sampled_from(TOPICS).flatmap(lambda topic: st.tuples(st.just(topic), rows(topic))))
def test_the_rules_take_what_readers_take(case: tuple[Topic, dict[str, Any]]) -> None:
    topic, row = case
    definition = bound(topic)
    if any(row[name] is None for name in definition.key):
        return
    value, key = message_of(topic, row)
    doubles = [v for v in row.values() if isinstance(v, float)]
    if not all(map(math.isfinite, doubles)):
        assert not passes(definition, row), "a message would have null in its place"
        return
    refusal = check(topic, value, key)
    assert passes(definition, row) is (refusal is None), refusal
    if refusal is None:
        there = parse(topic, value, key)
        assert all(equal(there[name], row[name]) for name in row)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_columns_are_those_of_the_topic_without_what_the_publisher_writes(topic: Topic) -> None:
    definition = bound(topic)
    names = [field.name for field in (*topic.key_only, *topic.fields)]
    assert [c.name for c in definition.columns] == [
        n for n in names if n not in ("version", "updated_at")
    ]
    assert [c.name for c in definition.columns if c.system] == [n for n in names if n == "actor"]
    assert all(rule.fixed and rule.severity == "fatal" for rule in definition.rules)
    assert Definition.of_json(definition.as_json()) == definition


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"cleanup": "delete", "retention_ms": 1}, "not compacted"),
        ({"key": (), "fixed_key": "k"}, "not one field"),
        ({"key": ("sku", "kind")}, "not one field"),
        ({"key": ("since",)}, "its key since"),
        ({"equal": (("sku", "kind"),)}, "depend"),
        ({"event_types": ("a",)}, "depend"),
        ({"fields": EXTRA.fields[:-1]}, "no updated_at"),
        ({"fields": (*EXTRA.fields, Field("raw", BINARY, "Bytes."))}, "raw is binary"),
        ({"fields": (*EXTRA.fields, Field("big", Decimal(16, 2), "Big."))}, "15 digits"),
    ],
    ids=range(9),
)
def test_a_topic_whose_messages_are_no_rows_is_refused(
    change: dict[str, Any], problem: str
) -> None:
    with pytest.raises(GovernanceError, match=problem) as refusal:
        bound(replace(EXTRA, **change))
    assert refusal.value.code == "definition_invalid"


def test_decimals_of_more_digits_would_be_refused_by_readers() -> None:
    """Why they cannot be bound."""
    big = replace(
        EXTRA,
        fields=(
            Field("sku", STRING, "Key."),
            Field("big", Decimal(38, 0), "Big."),
            *EXTRA.fields[-2:],
        ),
    )
    value, key = message_of(big, {"sku": "a", "big": Exact(10**38 - 1)})
    assert check(big, value, key) is not None


def unlike(definition: Definition) -> dict[str, Definition]:
    """Definitions that name the topic, and are not what follows from it."""
    rules, columns = definition.rules, definition.columns
    return {
        "a rule less": replace(definition, rules=rules[1:]),
        "a rule that can be removed": replace(
            definition, rules=(replace(rules[0], fixed=False), *rules[1:])
        ),
        "a wider bound": replace(definition, rules=tuple(replace(one, params={}) for one in rules)),
        "a column more": replace(
            definition, columns=(*columns, Column(Field("more", STRING, "More.")))
        ),
        "no system column": replace(
            definition, columns=tuple(replace(one, system=False) for one in columns)
        ),
    }


@pytest.mark.parametrize("case", unlike(bound(CATALOG.topics["shelf_policies"])))
def test_a_dataset_is_bound_by_what_follows_from_its_topic_alone(case: str) -> None:
    topic = CATALOG.topics["shelf_policies"]
    require_bound(bound(topic), topic)
    with pytest.raises(GovernanceError) as refusal:
        require_bound(unlike(bound(topic))[case], topic)
    assert refusal.value.code == "definition_invalid"


def test_what_people_say_of_a_column_is_their_own() -> None:
    topic = CATALOG.topics["shelf_policies"]
    first = bound(topic)
    labelled = replace(first, columns=tuple(replace(one, label="x") for one in first.columns))
    require_bound(labelled, topic)


def test_a_topic_that_is_unknown_binds_nothing() -> None:
    with pytest.raises(GovernanceError, match="no topic 'nothing'"):
        require_bound(replace(bound(CATALOG.topics["shelf_policies"]), topic="nothing"), None)


def test_a_dataset_of_no_topic_has_no_fixed_rule_and_no_system_column() -> None:
    with pytest.raises(GovernanceError) as refusal:
        require_bound(replace(bound(CATALOG.topics["shelf_policies"]), topic=None), None)
    assert len(refusal.value.details["problems"]) == 2
