"""The reference validator: each reason of the contract, and what is no reason."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.validate import MOST_FINDINGS, REASONS, Refusal, check, parse

from .cases import encode, example, reason

SHELF = CATALOG.topics["shelf_events"]
POS = CATALOG.topics["pos_transactions"]
WH = CATALOG.topics["wh_events"]
POLICIES = CATALOG.topics["shelf_policies"]

PICKUP = example(SHELF, "pickup")


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def without(message: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in message.items() if key != name}


@pytest.mark.parametrize("name", CATALOG.topics)
def test_an_example_of_every_topic_is_valid(name: str) -> None:
    topic = CATALOG.topics[name]
    for event_type in topic.event_types or (None,):
        assert check(topic, encode(example(topic, event_type))) is None


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" ",
        b"{",
        b'{"a":1}x',
        b"{'a':1}",
        b'{"a":\xff}',
        b'{"a":"\xff"}',
        b'{"a":"\\ud800"}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'{"quantity":1e400}',
        b'{"a":01}',
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"\x00",
        b"nan",
    ],
    ids=lambda value: repr(value[:16]),
)
def test_what_is_no_json_is_not_json(value: bytes) -> None:
    refusal = check(SHELF, value)
    assert refusal is not None
    assert refusal.reason == "not_json"


@pytest.mark.parametrize("value", [b"1", b"null", b'"x"', b"[]", b"[{}]", b"true"])
def test_json_that_is_no_object_is_not_object(value: bytes) -> None:
    refusal = check(SHELF, value)
    assert refusal is not None
    assert refusal.reason == "not_object"


@pytest.mark.parametrize("name", [f.name for f in SHELF.fields if f.required])
def test_a_required_field_may_be_neither_absent_nor_null(name: str) -> None:
    expected = Refusal("missing_field", f"{name} is missing")
    assert check(SHELF, encode(without(PICKUP, name))) == expected
    assert check(SHELF, encode({**PICKUP, name: None})) == expected


@pytest.mark.parametrize("name", [f.name for f in SHELF.fields if not f.required])
def test_an_optional_field_may_be_absent_or_null(name: str) -> None:
    message = example(SHELF, "weight_change")
    assert reason(SHELF, without(message, name)) is None
    assert reason(SHELF, message, **{name: None}) is None


@pytest.mark.parametrize("event_type", [t for t in SHELF.event_types if t != "weight_change"])
def test_a_movement_needs_a_quantity(event_type: str) -> None:
    message = example(SHELF, event_type)
    assert reason(SHELF, without(message, "quantity")) == "missing_field"


def test_a_removal_needs_a_lot() -> None:
    assert reason(SHELF, without(example(SHELF, "removal"), "batch_code")) == "missing_field"
    assert reason(SHELF, without(PICKUP, "batch_code")) is None


WRONG: list[tuple[str, Any]] = [
    ("quantity", 2.0),
    ("quantity", "2"),
    ("quantity", True),
    ("quantity", 2**63),
    ("quantity", 10**30),
    ("quantity", -(2**63) - 1),
    ("quantity", [2]),
    ("schema_version", 1.0),
    ("shelf_id", 5),
    ("shelf_id", ["S1"]),
    ("shelf_id", {}),
    ("delta_weight", "5"),
    ("delta_weight", False),
    ("event_type", 5),
    ("event_time", 1483228800),
    ("event_time", "2017-01-01"),
    ("event_time", "2017-01-01T00:00:00"),
    ("event_time", "2017-01-01 00:00:00Z"),
    ("event_time", "2017-02-30T00:00:00Z"),
    ("event_time", "2017-01-01T24:00:00Z"),
    ("event_time", "2017-01-01T23:59:60Z"),
    ("event_time", "2017-01-01T00:00:00+19:00"),
    ("event_time", "2017-01-01T00:00:00Europe/Paris"),
    ("event_time", "2017-01-01T00:00:00Z\n"),
    ("event_time", "٢٠١٧-01-01T00:00:00Z"),
    ("event_time", "17-01-01T00:00:00Z"),
    ("event_time", "0000-01-01T00:00:00Z"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_field_of_another_type_is_a_wrong_type(name: str, value: Any) -> None:
    text = repr({**PICKUP, name: value}).replace("'", '"').replace("True", "true")
    text = text.replace("False", "false")
    refusal = check(SHELF, text.encode())
    assert refusal is not None
    assert refusal.reason == "wrong_type"
    assert refusal.detail.startswith(name)


@pytest.mark.parametrize("value", ["2017-1-1", "2017-02-29", "2017-13-01", "20170101", 20170101])
def test_a_date_that_is_none_is_a_wrong_type(value: Any) -> None:
    assert reason(WH, example(WH), expiry_date=value) == "wrong_type"


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2017-01-01T11:53:26.000Z", utc("2017-01-01 11:53:26")),
        ("2017-01-01T11:53:26Z", utc("2017-01-01 11:53:26")),
        ("2017-01-01T11:53Z", utc("2017-01-01 11:53:00")),
        ("2017-01-01T00:00:00.123456789+02:00", utc("2016-12-31 22:00:00.123456")),
        ("2017-01-01T00:00:00-0530", utc("2017-01-01 05:30:00")),
        ("2017-01-01T00:00:00+01", utc("2016-12-31 23:00:00")),
    ],
)
def test_times_are_read_with_their_offset(text: str, time: dt.datetime) -> None:
    message = encode({**PICKUP, "event_time": text})
    assert check(SHELF, message) is None
    assert parse(SHELF, message)["event_time"] == time


def test_an_unknown_event_type_is_refused_where_the_topic_knows_its_own() -> None:
    assert reason(SHELF, PICKUP, event_type="Pickup") == "unknown_event_type"
    assert reason(SHELF, PICKUP, event_type="pick up") == "unknown_event_type"


@pytest.mark.parametrize("name", ["event_id", "event_type", "store_id", "shelf_id"])
def test_an_empty_text_counts_as_missing_where_one_is_required(name: str) -> None:
    assert reason(SHELF, PICKUP, **{name: ""}) == "missing_field"
    assert reason(POS, example(POS), event_type="whatever") is None


@pytest.mark.parametrize(
    ("topic", "event_type", "quantity", "expected"),
    [
        (SHELF, "pickup", 0, "bad_quantity"),
        (SHELF, "pickup", -1, "bad_quantity"),
        (SHELF, "pickup", 10_000_000, None),
        (SHELF, "pickup", 10_000_001, "bad_quantity"),
        (SHELF, "restock", 0, "bad_quantity"),
        (SHELF, "removal", -5, "bad_quantity"),
        (SHELF, "adjustment", -5, None),
        (SHELF, "adjustment", 5, None),
        (SHELF, "adjustment", 0, "bad_quantity"),
        (SHELF, "adjustment", -10_000_000, None),
        (SHELF, "adjustment", -10_000_001, "bad_quantity"),
        (SHELF, "weight_change", 0, None),
        (WH, "wh_in", 0, "bad_quantity"),
        (WH, "wh_out", 1, None),
        (WH, "wh_removal", 10_000_001, "bad_quantity"),
        (WH, "wh_adjustment", 0, "bad_quantity"),
        (WH, "wh_adjustment", -7, None),
        (CATALOG.topics["lost_sales"], None, 0, "bad_quantity"),
    ],
)
def test_quantities_stay_in_the_bounds_of_their_event_type(
    topic: Any, event_type: str | None, quantity: int, expected: str | None
) -> None:
    assert reason(topic, example(topic, event_type), quantity=quantity) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"quantity": 0}, None),
        ({"quantity": -1}, "bad_quantity"),
        ({"quantity": 10_000_001}, "bad_quantity"),
        ({"quantity": 1.0}, "wrong_type"),
        ({"quantity": None}, "missing_field"),
        ({"unit_price": "1.00"}, "wrong_type"),
        ({"unit_price": 5}, None),
        ({"unit_price": 10**10}, "wrong_type"),
        ({"discount": 10}, "wrong_type"),
        ({"unit_price": -0.01}, "impossible_value"),
        ({"total_price": -1.5}, "impossible_value"),
        ({"discount": -0.0001}, "impossible_value"),
        ({"discount": 1.0001}, "impossible_value"),
        ({"discount": 1}, None),
        ({"expiry_date": "tomorrow"}, "wrong_type"),
        ({"expiry_date": None}, None),
        ({"surprise": {"x": 1}}, None),
    ],
)
def test_lines_of_a_receipt_are_checked_like_messages(
    change: dict[str, Any], expected: str | None
) -> None:
    message = example(POS)
    line = {**message["items"][1], **change}
    refusal = check(POS, encode({**message, "items": [message["items"][0], line]}))
    assert (refusal and refusal.reason) == expected
    if refusal is not None:
        assert refusal.detail.startswith(f"items[1].{next(iter(change))}")


@pytest.mark.parametrize("items", [{}, "x", [1], [None], [[]]])
def test_items_that_are_no_list_of_objects_are_a_wrong_type(items: Any) -> None:
    assert reason(POS, example(POS), items=items) == "wrong_type"


def test_a_receipt_may_have_no_lines() -> None:
    assert reason(POS, example(POS), items=[]) is None


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("1999-12-31T23:59:59.999Z", "bad_event_time"),
        ("2000-01-01T00:00:00Z", None),
        ("2000-01-01T00:00:00+00:30", "bad_event_time"),
        ("2100-12-31T23:59:59.999Z", None),
        ("2101-01-01T00:00:00Z", "bad_event_time"),
        ("2101-01-01T00:00:00+01:00", None),
        ("0001-01-01T00:00:00+01:00", "bad_event_time"),
        ("9999-12-31T23:59:59-01:00", "bad_event_time"),
    ],
)
def test_event_times_stay_in_their_century(time: str, expected: str | None) -> None:
    assert reason(SHELF, PICKUP, event_time=time) == expected


@pytest.mark.parametrize(
    ("topic", "change"),
    [
        ("shelf_policies", {"threshold_pct": -1}),
        ("shelf_policies", {"threshold_pct": 100.1}),
        ("shelf_policies", {"target_pct": 101}),
        ("shelf_policies", {"min_qty": -1}),
        ("shelf_policies", {"near_expiry_days": -1}),
        ("wh_policies", {"reorder_point_qty": -1}),
        ("wh_policies", {"batch_multiplier": 0}),
        ("shelf_profiles", {"max_stock": -1}),
        ("shelf_profiles", {"standard_batch_size": 0}),
        ("shelf_profiles", {"unit_price": -0.01}),
        ("clock", {"kind": "sundial"}),
        ("shelf_state", {"current_stock": -1}),
    ],
)
def test_a_value_that_cannot_be_is_impossible(topic: str, change: dict[str, Any]) -> None:
    declared = CATALOG.topics[topic]
    assert reason(declared, example(declared), **change) == "impossible_value"


@pytest.mark.parametrize("topic", [t.name for t in CATALOG.topics.values() if t.equal])
def test_values_that_the_topic_calls_equal_are(topic: str) -> None:
    declared = CATALOG.topics[topic]
    for name, other in declared.equal:
        message = {**example(declared), name: "another"}
        refusal = check(declared, encode(message))
        assert refusal is not None
        assert refusal.reason == "impossible_value"
        assert {name, other} <= set(refusal.detail.split())


@pytest.mark.parametrize("topic", [t.name for t in CATALOG.topics.values() if t.unique])
def test_a_value_that_is_unique_in_its_list_stands_there_once(topic: str) -> None:
    declared = CATALOG.topics[topic]
    for name, inner in declared.unique:
        message = example(declared)
        first, second = message[name]
        message[name] = [first, second, {**first, inner: 9}, {**second, inner: 9}]
        refusal = check(declared, encode(message))
        assert refusal is not None
        assert (refusal.reason, refusal.detail) == (
            "impossible_value",
            f"{name} have {inner} = 9 twice",
        )
        assert check(declared, encode({**message, name: message[name][:3]})) is None


@pytest.mark.parametrize("name", ["version", "updated_at"])
@pytest.mark.parametrize("topic", [t.name for t in CATALOG.topics.values() if t.compacted])
def test_every_compacted_message_has_a_version_and_its_time(topic: str, name: str) -> None:
    declared = CATALOG.topics[topic]
    assert reason(declared, without(example(declared), name)) == "missing_field"


def test_a_tombstone_is_valid_on_a_compacted_topic_alone() -> None:
    assert check(POLICIES, None) is None
    assert check(SHELF, None) == Refusal("not_json", "no value")


@pytest.mark.parametrize(
    ("topic", "key", "expected"),
    [
        ("shelf_policies", b"__GLOBAL__", None),
        ("shelf_policies", b"", "missing_field"),
        ("shelf_policies", b"\xff", "wrong_type"),
        ("clock", b"clock", None),
        ("clock", b"watch", "impossible_value"),
        ("shelf_batch_state", b"S1::S1", None),
        ("shelf_batch_state", b"S1::S2", "impossible_value"),
        ("daily_discounts", b"S1::2017-01-31", None),
        ("shelf_events", b"anything", None),
    ],
)
def test_keys_of_compacted_topics_are_checked(topic: str, key: bytes, expected: str | None) -> None:
    declared = CATALOG.topics[topic]
    refusal = check(declared, encode(example(declared)), key)
    assert (refusal and refusal.reason) == expected


def test_the_first_reason_of_the_list_is_given() -> None:
    spoiled = {
        **PICKUP,
        "shelf_id": None,
        "store_id": 5,
        "item_id": "x" * 257,
        "event_type": "theft",
        "quantity": -1,
        "event_time": "1999-01-01T00:00:00Z",
    }
    repairs = ("shelf_id", "store_id", "item_id", "event_type", "quantity", "event_time")
    found = []
    for name in repairs:
        found.append(reason(SHELF, spoiled))
        spoiled = {**spoiled, name: PICKUP[name]}
    assert reason(SHELF, spoiled) is None
    # an unknown event type has no bounds: its quantity is judged once the type is known
    assert found == list(REASONS[2:8])


def test_of_a_key_given_twice_the_last_counts() -> None:
    text = encode(PICKUP)[:-1] + b',"quantity":0}'
    refusal = check(SHELF, text)
    assert refusal == Refusal("bad_quantity", "quantity = 0")
    assert parse(SHELF, encode(PICKUP)[:-1] + b',"quantity":3}')["quantity"] == 3


def test_unknown_fields_and_newer_versions_are_accepted() -> None:
    assert reason(SHELF, PICKUP, schema_version=2, colour=["red", {"x": None}]) is None


def test_parse_gives_typed_values_of_declared_fields_alone() -> None:
    message = example(POS)
    line = {**message["items"][0], "unit_price": 1.005, "discount": 0, "total_price": 5}
    typed = parse(POS, encode({**message, "items": [line], "colour": "red"}))
    assert list(typed) == [field.name for field in POS.fields]
    assert typed["items"][0]["unit_price"] == Decimal("1.01")
    assert typed["items"][0]["discount"] == Decimal("0.0000")
    assert typed["items"][0]["total_price"] == Decimal("5.00")
    assert typed["items"][0]["expiry_date"] == dt.date(2017, 1, 31)


def test_parse_adds_what_stands_in_the_key_alone() -> None:
    typed = parse(POLICIES, encode(example(POLICIES)), b"__GLOBAL__")
    assert typed["shelf_id"] == "__GLOBAL__"
    assert typed["active"] is True


def test_the_detail_tells_the_findings_of_one_reason_together() -> None:
    lacking = {k: v for k, v in PICKUP.items() if k not in ("event_id", "shelf_id")}
    refusal = check(SHELF, encode({**lacking, "quantity": "two"}))
    assert refusal is not None
    assert refusal.reason == "missing_field"
    assert sorted(refusal.detail.split("; ")) == ["event_id is missing", "shelf_id is missing"]
    nothing = check(SHELF, b"{}")
    assert nothing is not None
    assert len(nothing.detail.split("; ")) == MOST_FINDINGS
