"""Malformed records, each with the reason that the contract refuses it for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from replay_plan import FOOT_TRAFFIC, POS_TRANSACTIONS, SHELF_EVENTS, WH_EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable

SHELF = "S0-I0"
"""A shelf that no receipt names: a malformed record that got through shows as a shelf too many."""


@dataclass(frozen=True)
class Malformed:
    """One way for a record to be broken.

    Attributes:
        topic: Topic that it is sent to.
        reason: Reason that quarantine has to give.
        value: The record's value for a serial number.
        keyed: Whether the record has a key.
    """

    topic: str
    reason: str
    value: Callable[[int], bytes | None]
    keyed: bool = True

    def key(self, serial: int) -> bytes | None:
        """The record's key."""
        return f"{SHELF}-{serial}".encode() if self.keyed else None


def _valid(topic: str, serial: int) -> dict[str, Any]:
    """A record that would be accepted: what a case then breaks."""
    identity = f"1483228800000-M{serial}"
    envelope = {
        "event_id": identity,
        "event_type": {
            FOOT_TRAFFIC: "entry",
            SHELF_EVENTS: "pickup",
            POS_TRANSACTIONS: "sale",
            WH_EVENTS: "wh_in",
        }[topic],
        "event_time": "2017-01-01T00:00:00.000Z",
        "store_id": "S0",
        "schema_version": 1,
    }
    stock = {"shelf_id": SHELF, "item_id": "I0", "quantity": 1}
    line = {"line": 1, **stock, "unit_price": 1.0, "discount": 0.0, "total_price": 1.0}
    own: dict[str, dict[str, Any]] = {
        FOOT_TRAFFIC: {"visit_id": f"V-M{serial}", "customer_id": "C0"},
        SHELF_EVENTS: stock | {"customer_id": "C0"},
        POS_TRANSACTIONS: {"transaction_id": identity, "customer_id": "C0", "items": [line]},
        WH_EVENTS: stock | {"batch_code": f"L-{SHELF}-{serial}"},
    }
    return envelope | own[topic]


def _encoded(record: object) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode()


def _with(topic: str, **changes: Any) -> Callable[[int], bytes]:
    return lambda serial: _encoded(_valid(topic, serial) | changes)


def _without(topic: str, field: str) -> Callable[[int], bytes]:
    return lambda serial: _encoded({k: v for k, v in _valid(topic, serial).items() if k != field})


def _line(**changes: Any) -> Callable[[int], bytes]:
    def value(serial: int) -> bytes:
        record = _valid(POS_TRANSACTIONS, serial)
        return _encoded(record | {"items": [record["items"][0] | changes]})

    return value


def _cut(topic: str, keep: float) -> Callable[[int], bytes]:
    def value(serial: int) -> bytes:
        whole = _encoded(_valid(topic, serial))
        return whole[: int(len(whole) * keep)]

    return value


def _truncated_utf8(serial: int) -> bytes:
    return _encoded(_valid(FOOT_TRAFFIC, serial)).replace(b'"C0"', b'"C\xc3"')


def _nested(serial: int) -> bytes:
    return _encoded(_valid(FOOT_TRAFFIC, serial) | {"actor": None}).replace(
        b"null", b"[" * 10_000 + b"]" * 10_000
    )


def _too_large(serial: int) -> bytes:
    return _line(unit_price=None)(serial).replace(b"null", b"1e400")


CASES: tuple[Malformed, ...] = (
    Malformed(SHELF_EVENTS, "not_json", _cut(SHELF_EVENTS, 0.6)),
    Malformed(FOOT_TRAFFIC, "not_json", _truncated_utf8),
    Malformed(SHELF_EVENTS, "not_json", _with(SHELF_EVENTS, delta_weight=float("nan"))),
    Malformed(WH_EVENTS, "not_json", _with(WH_EVENTS, quantity=float("inf"))),
    Malformed(
        POS_TRANSACTIONS, "not_json", lambda serial: f"receipt {serial}".encode(), keyed=False
    ),
    Malformed(WH_EVENTS, "not_json", lambda _: b""),
    Malformed(SHELF_EVENTS, "not_json", lambda _: None),
    Malformed(FOOT_TRAFFIC, "not_json", _nested),
    Malformed(POS_TRANSACTIONS, "not_json", _too_large),
    Malformed(SHELF_EVENTS, "not_object", lambda serial: f"[{serial}]".encode()),
    Malformed(POS_TRANSACTIONS, "not_object", lambda serial: f'"{serial}"'.encode()),
    Malformed(FOOT_TRAFFIC, "not_object", lambda _: b"null", keyed=False),
    Malformed(SHELF_EVENTS, "missing_field", _without(SHELF_EVENTS, "shelf_id")),
    Malformed(SHELF_EVENTS, "missing_field", _with(SHELF_EVENTS, event_type="removal")),
    Malformed(WH_EVENTS, "missing_field", _without(WH_EVENTS, "batch_code")),
    Malformed(POS_TRANSACTIONS, "missing_field", _without(POS_TRANSACTIONS, "items")),
    Malformed(FOOT_TRAFFIC, "missing_field", _without(FOOT_TRAFFIC, "event_id")),
    Malformed(SHELF_EVENTS, "wrong_type", _with(SHELF_EVENTS, quantity="2")),
    Malformed(WH_EVENTS, "wrong_type", _with(WH_EVENTS, quantity=2.0)),
    Malformed(POS_TRANSACTIONS, "wrong_type", _with(POS_TRANSACTIONS, items={})),
    Malformed(FOOT_TRAFFIC, "wrong_type", _with(FOOT_TRAFFIC, visit_id=7)),
    Malformed(SHELF_EVENTS, "unknown_event_type", _with(SHELF_EVENTS, event_type="theft")),
    Malformed(WH_EVENTS, "unknown_event_type", _with(WH_EVENTS, event_type="wh_lost")),
    Malformed(FOOT_TRAFFIC, "unknown_event_type", _with(FOOT_TRAFFIC, event_type="dance")),
    Malformed(SHELF_EVENTS, "bad_quantity", _with(SHELF_EVENTS, quantity=0)),
    Malformed(SHELF_EVENTS, "bad_quantity", _with(SHELF_EVENTS, quantity=-3)),
    Malformed(
        SHELF_EVENTS, "bad_quantity", _with(SHELF_EVENTS, event_type="adjustment", quantity=0)
    ),
    Malformed(WH_EVENTS, "bad_quantity", _with(WH_EVENTS, quantity=10_000_001)),
    Malformed(POS_TRANSACTIONS, "bad_quantity", _line(quantity=-1)),
    Malformed(
        SHELF_EVENTS, "bad_event_time", _with(SHELF_EVENTS, event_time="1999-12-31T23:59:59.999Z")
    ),
    Malformed(WH_EVENTS, "bad_event_time", _with(WH_EVENTS, event_time="2101-01-01T00:00:00.000Z")),
    Malformed(
        POS_TRANSACTIONS,
        "bad_event_time",
        _with(POS_TRANSACTIONS, event_time="1970-01-01T00:00:00.000Z"),
    ),
)
"""Every way a record can be broken; taken in turn, so that the number of each is known."""


def counts(records: int) -> dict[str, dict[str, int]]:
    """How many of `records` malformed records go to which topic for which reason."""
    counted: dict[str, dict[str, int]] = {}
    for position, case in enumerate(CASES):
        number = (records - position + len(CASES) - 1) // len(CASES)
        if number > 0:
            reasons = counted.setdefault(case.topic, {})
            reasons[case.reason] = reasons.get(case.reason, 0) + number
    return counted
