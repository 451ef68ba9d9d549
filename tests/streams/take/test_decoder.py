"""The decoder of a topic beside the reference validator: both ways, for every topic and every type."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.contracts import (
    BINARY,
    BOOLEAN,
    CATALOG,
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
from lakeshelf.contracts.validate import check
from lakeshelf.contracts.validate import parse as reference
from lakeshelf.streams.take import columns, decoder
from tests.streams.corpus import adversarial
from tests.streams.messages import TOKENS, Record, plain, spoiled

TOPICS = tuple(CATALOG.topics.values())
TYPES = (STRING, LONG, DOUBLE, BOOLEAN, DATE, TIMESTAMP, BINARY, Decimal(12, 2), Decimal(5, 4))
DOUBTED = {
    TIMESTAMP: ('"2017-01-31T08:00:00.1234567Z"',),
    Decimal(12, 2): ("1.5e-7",),
    Decimal(5, 4): ("1.5e-7",),
}
"""Tokens that are valid and that the decoder leaves to the reference: more digits than the type has."""


def decoded(topic: Topic, values: Sequence[bytes | None]) -> list[Any]:
    """The fields of each message; None where the decoder is in doubt."""
    found: list[Any] = decoder.decoder(topic)(pa.array(values, pa.binary())).to_pylist()
    return found


def wrong(topic: Topic, values: Sequence[bytes | None]) -> list[bytes | None]:
    """Messages that the decoder takes and the reference refuses, or reads otherwise."""
    return [
        value
        for value, found in zip(values, decoded(topic, values), strict=True)
        if found and (check(topic, value) is not None or found != reference(topic, value or b""))
    ]


@given(record=spoiled())
def test_what_it_takes_is_what_the_reference_reads(record: Record) -> None:
    assert not wrong(record.contract, [record.value])


UNKNOWN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=2)
    ),
    max_leaves=4,
)


@st.composite
def written(draw: st.DrawFn) -> tuple[Topic, bytes]:
    """A valid message in any layout, perhaps with fields that the contract does not know."""
    topic = draw(st.sampled_from(TOPICS))
    event_type = draw(st.sampled_from(topic.event_types or (None,)))
    message = json.loads(plain(topic, event_type, sparse=draw(st.booleans())).value or b"")
    for name in (f.name for f in topic.fields if f.type == TIMESTAMP and f.name in message):
        message[name] = draw(
            st.sampled_from(("2017-01-31T08:00:00.000Z", "2017-01-31T09:00+01:00"))
        )
    names = st.text(min_size=1).filter(lambda name: name not in {f.name for f in topic.fields})
    message |= draw(st.dictionaries(names, UNKNOWN, max_size=2))
    members = draw(st.permutations(list(message.items())))
    layout = {"indent": draw(st.sampled_from((None, 1))), "ensure_ascii": draw(st.booleans())}
    return topic, json.dumps(dict(members), **layout).encode()


@given(given=written())
def test_a_valid_message_in_any_layout_is_taken(given: tuple[Topic, bytes]) -> None:
    topic, value = given
    assert check(topic, value) is None
    assert decoded(topic, [value]) == [reference(topic, value)]


def every(type_: Any, *, required: bool) -> Topic:
    """A topic of one field, alone, in a list and in a list of objects."""
    inner = Field("inner", type_, "What it is.", required=required)
    return Topic(
        name="every",
        key=("one",),
        cleanup="delete",
        owner="any",
        fields=(
            Field("one", type_, "What it is.", required=False),
            Field("some", ListOf(type_), "What they are.", required=False),
            Field("objects", ListOf(Struct((inner,))), "What they are.", required=False),
        ),
        doc="Every type.",
        retention_ms=1,
    )


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("type_", TYPES, ids=str)
def test_every_type_is_read_as_the_reference_reads_it(type_: Any, required: bool) -> None:
    topic = every(type_, required=required)
    forms = ('{"one":%s}', '{"some":[%s]}', '{"objects":[{"inner":%s}]}')
    tokens = [token for token in TOKENS for _ in forms]
    values = [(form % token).encode() for token in TOKENS for form in forms]
    assert not wrong(topic, values)
    told = zip(tokens, values, decoded(topic, values), strict=True)
    doubted = {t for t, value, found in told if found is None and check(topic, value) is None}
    assert doubted <= {*DOUBTED.get(type_, ())}


@given(type_=st.sampled_from(TYPES), data=st.data())
def test_any_number_is_read_as_the_reference_reads_it(type_: Any, data: st.DataObject) -> None:
    numbers = st.integers(-(2**70), 2**70) | st.floats() | st.decimals(-(10**12), 10**12, places=3)
    topic, number = every(type_, required=False), data.draw(numbers)
    assert not wrong(topic, [f'{{"one":{number}}}'.encode()])


@given(
    time=st.datetimes(),
    fraction=st.integers(0, 9),
    zone=st.sampled_from(("Z", "+01:00", "-18", "")),
)
def test_any_time_is_read_as_the_reference_reads_it(time: Any, fraction: int, zone: str) -> None:
    digits = f".{time.microsecond:06d}000"[: fraction + 1] if fraction else ""
    text = f"{time:%Y-%m-%dT%H:%M:%S}{digits}{zone}"
    assert not wrong(every(TIMESTAMP, required=False), [f'{{"one":"{text}"}}'.encode()])


@pytest.fixture(scope="module")
def hostile() -> dict[str, list[bytes | None]]:
    """Messages of each topic that the guards are there for."""
    found = {
        topic.name: [r.value for r in adversarial() if r.contract == topic] for topic in TOPICS
    }
    deep = b',"ignored":' + b"[" * 1_500 + b"]" * 1_500 + b"}"
    found["shelf_events"] += [(found["shelf_events"][0] or b"")[:-1] + deep]
    return found


def taken_wrongly(hostile: dict[str, list[bytes | None]]) -> list[bytes | None]:
    return [v for name, values in hostile.items() for v in wrong(CATALOG.topics[name], values)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "guard", "without"),
    [
        (columns, "TIME", "."),
        (decoder, "DEEPEST", decoder.LONGEST),
        (decoder, "_is_utf8", lambda _: True),
        (decoder, "conditions", lambda *_: ()),
    ],
)
def test_without_one_of_its_guards_it_takes_what_the_reference_refuses(
    monkeypatch: pytest.MonkeyPatch,
    hostile: dict[str, list[bytes | None]],
    module: ModuleType,
    guard: str,
    without: Any,
) -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    try:
        assert not taken_wrongly(hostile)
        monkeypatch.setattr(module, guard, without)
        assert taken_wrongly(hostile)
    finally:
        sys.setrecursionlimit(limit)
