"""The canonical form: our own messages have it, and what has it has the names and types of the contract."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.contracts import (
    BOOLEAN,
    CATALOG,
    DATE,
    DOUBLE,
    LONG,
    STRING,
    TIMESTAMP,
    Field,
    ListOf,
)
from lakeshelf.contracts.model import nested
from lakeshelf.streams.take.canonical import pattern

from .messages import plain

TOPICS = tuple(CATALOG.topics.values())
READ: dict[Any, tuple[type, ...]] = {
    STRING: (str,),
    DATE: (str,),
    TIMESTAMP: (str,),
    LONG: (int,),
    DOUBLE: (int, float),
    BOOLEAN: (bool,),
}


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_plain_messages_have_it(topic: Any, separators: tuple[str, str]) -> None:
    for event_type in topic.event_types or (None,):
        for sparse in (False, True):
            message = json.loads(plain(topic, event_type, sparse=sparse).value or b"")
            ordered = {f.name: message[f.name] for f in topic.fields if f.name in message}
            text = json.dumps(ordered, separators=separators, ensure_ascii=False)
            assert re.fullmatch(pattern(topic), text), text


@given(data=st.data())
def test_what_has_it_has_names_and_types_of_the_contract(data: st.DataObject) -> None:
    topic = data.draw(st.sampled_from(TOPICS))
    text = data.draw(st.from_regex(pattern(topic), fullmatch=True))
    assert_members(topic.fields, json.loads(text, object_pairs_hook=list), nullable=True)


def assert_members(
    fields: tuple[Field, ...], members: list[tuple[str, Any]], *, nullable: bool
) -> None:
    declared = [f.name for f in fields]
    names = [name for name, _ in members]
    assert names == [name for name in declared if name in names]
    for name, value in members:
        field = fields[declared.index(name)]
        if isinstance(field.type, ListOf):
            for element in value or ():
                if inner := nested(field):
                    assert_members(inner, element, nullable=False)
                else:
                    assert type(element) in READ[field.type.element]
        elif value is None:
            assert nullable
            assert not field.required
        else:
            assert type(value) in READ.get(field.type, (int, float))
