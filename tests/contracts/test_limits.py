"""Limits of the contract: lengths of texts and lists, largest numbers, depth; what lies beyond is refused in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lakeshelf.contracts import CATALOG, LONG, STRING, Field, ListOf, Topic
from lakeshelf.contracts.retail.shared import REFERENCE
from lakeshelf.contracts.types import LIST_LENGTH
from lakeshelf.contracts.validate import Refusal, check

from .cases import encode, example, reason

SHELF = CATALOG.topics["shelf_events"]
POS = CATALOG.topics["pos_transactions"]
POLICIES = CATALOG.topics["shelf_policies"]
PICKUP = example(SHELF, "pickup")


def test_a_number_beyond_double_counts_only_where_a_field_is_read() -> None:
    value = encode(PICKUP).decode()[:-1]
    assert check(SHELF, f'{value}, "unknown": 1e400}}'.encode()) is None
    found = check(SHELF, f'{value}, "delta_weight": 1e400}}'.encode())
    assert found is not None
    assert found.reason == "not_json"


@pytest.mark.parametrize("digits", [400, 5000])
@pytest.mark.parametrize("field", ["delta_weight", "quantity", "shelf_id"])
def test_very_long_numbers_are_refused_like_any_beyond_double(field: str, digits: int) -> None:
    value = encode(PICKUP).decode()[:-1]
    found = check(SHELF, f'{value}, "{field}": 1{"0" * digits}}}'.encode())
    assert found is not None
    assert found.reason == "not_json"


@pytest.mark.parametrize("rest", ["NaN", '"\\ud800"', "[" * 5000, "01", "1} x"])
def test_what_is_no_json_is_refused_beside_a_number_beyond_double_too(rest: str) -> None:
    value = encode(PICKUP).decode()[:-1]
    found = check(SHELF, f'{value}, "unknown": 1e400, "other": {rest}}}'.encode())
    assert found is not None
    assert found.reason == "not_json"


TEXTS = [
    (topic.name, field)
    for topic in CATALOG.topics.values()
    for field in topic.fields
    if field.type == STRING and not field.enum
]


@pytest.mark.parametrize(("name", "field"), TEXTS, ids=lambda value: getattr(value, "name", value))
def test_every_text_has_a_longest_length(name: str, field: Field) -> None:
    topic = replace(CATALOG.topics[name], equal=())
    assert field.longest is not None
    refusal = check(topic, encode({**example(topic), field.name: "é" * (field.longest + 1)}))
    assert refusal is not None
    assert refusal.reason == "too_long"
    fitting = check(topic, encode({**example(topic), field.name: "é" * field.longest}))
    assert fitting is None or fitting.reason == "unknown_event_type"


def test_texts_in_lists_have_a_longest_length_too() -> None:
    line = example(POS)["items"][0]
    refusal = check(POS, encode({**example(POS), "items": [line, {**line, "item_id": "x" * 257}]}))
    assert refusal == Refusal("too_long", "items[1].item_id has 257 characters, at most 256 may be")
    discounts = CATALOG.topics["daily_discounts"]
    codes = {**example(discounts), "batch_codes": ["L1", "x" * 257]}
    assert reason(discounts, codes) == "too_long"


LISTS = [
    (topic, field)
    for topic in CATALOG.topics.values()
    for field in topic.fields
    if isinstance(field.type, ListOf)
]


@pytest.mark.parametrize(("topic", "field"), LISTS, ids=lambda value: value.name)
def test_every_list_has_a_most_of_elements(topic: Topic, field: Field) -> None:
    def of(elements: int) -> bytes:
        one = example(topic)[field.name][0]
        numbered = [
            {**one, "line": n} if isinstance(one, dict) else f"L{n}" for n in range(elements)
        ]
        return encode({**example(topic), field.name: numbered})

    assert field.most is not None
    assert check(topic, of(field.most)) is None
    refusal = check(topic, of(field.most + 1))
    assert refusal == Refusal("too_long", f"{field.name} has 501 elements, at most 500 may be")


def test_a_list_of_the_longest_ids_fits_in_a_record() -> None:
    discounts = CATALOG.topics["daily_discounts"]
    codes = [f"{n:03d}" + "\x01" * 253 for n in range(LIST_LENGTH)]
    message = {**example(discounts), "shelf_id": "\x01" * 256, "batch_codes": codes}
    value = encode(message)
    assert check(discounts, value) is None
    assert len(value) < 1_000_000


@pytest.mark.parametrize(
    "topic",
    [t for t in CATALOG.topics.values() if t.owner == REFERENCE],
    ids=lambda topic: topic.name,
)
def test_every_number_that_somebody_sets_has_a_largest_value(topic: Topic) -> None:
    counted = [f for f in topic.fields if f.type == LONG and f.name != "version"]
    for field in counted:
        assert field.maximum is not None, field.name
        refusal = check(topic, encode({**example(topic), field.name: field.maximum + 1}))
        assert refusal == Refusal("impossible_value", f"{field.name} = {field.maximum + 1}")
        assert check(topic, encode({**example(topic), field.name: field.maximum})) is None


def test_a_key_that_no_value_confirms_has_a_longest_length() -> None:
    profiles = CATALOG.topics["shelf_profiles"]
    value = encode(example(profiles))
    assert check(profiles, value, b"x" * 256) is None
    refusal = check(profiles, value, b"x" * 257)
    assert refusal is not None
    assert refusal.reason == "too_long"


@pytest.mark.parametrize("depth", [2, 253, 254, 255, 300, 900, 1000])
def test_whatever_nests_where_it_should_not_is_refused_in_words(depth: int) -> None:
    nest = b"[" * depth + b"]" * depth
    value = encode(PICKUP).replace(b'"quantity":7', b'"quantity":' + nest)
    refusal = check(SHELF, value)
    assert refusal is not None
    assert refusal.reason == "wrong_type"


def test_a_large_text_of_escapes_is_read_once() -> None:
    """Looked for from each of its quotation marks, its end would not be found within the hour."""
    refusal = check(SHELF, b'{"a":1e400,"b":"' + rb"\"" * 450_000)
    assert refusal is not None
    assert refusal.reason == "not_json"


def test_a_long_value_is_cut_in_the_detail() -> None:
    refusal = check(SHELF, encode({**PICKUP, "quantity": "9" * 10_000}))
    assert refusal is not None
    assert len(refusal.detail) <= 80
