"""Counts of what is there: against the books, doubted where they are odd, booked once whoever sends them."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI

from lakeshelf.governance.api.app import application
from lakeshelf.governance.client import Client
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.services.context import Context
from tests.cli.shop.told_shop import SHELF, event, write
from tests.governance.api.floor import answering, shop
from tests.governance.api.people import Person, issue, told
from tests.governance.api.serving import address
from tests.governance.api.shop.test_acts import API, Broker

__all__ = ["address"]
COUNT, BOOKS = f"{API}/shelves/{SHELF}/count", f"{API}/shelves/{SHELF}/books"
LOT = "o1"
"""The only lot of which the books expect units on the shelf: three."""


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def app(context: Context, shop_template: Any, broker: Broker) -> FastAPI:
    return application(context, answering(shop(context, shop_template), broker))


def test_the_books_tell_what_a_count_is_compared_with(vic: Person, eve: Person) -> None:
    books = vic.get(BOOKS)
    assert {lot["batch_code"]: lot["expected"] for lot in books["lots"]} == {LOT: 3, "L1": 0}
    assert books["lots"][0]["expiry_date"] == "2026-03-04"
    assert eve.refused("GET", f"{API}/shelves/none/books") == "not_found"
    assert vic.refused("GET", f"{BOOKS}?location=warehouse") == "not_found"


def test_a_count_adjusts_the_books_and_is_done_when_they_hold_it(
    ben: Person, broker: Broker, context: Context
) -> None:
    assert context.root.folder is not None
    counted = ben.post(COUNT, {"units": 2, "reason": "broken", "agreed": True})
    assert (counted["batch_code"], counted["counted"], counted["difference"]) == (LOT, 2, -1)
    [(topic, message)] = broker
    known = {"event_type": "adjustment", "quantity": -1, "batch_code": LOT, "actor": "ben"}
    assert (topic, message["reason"]) == ("shelf_events", "broken")
    assert message.items() >= known.items()
    act = counted["act"]
    assert (act["command"], act["target"], act["state"]) == ("count", SHELF, "asked")
    booked = {**event(99, "adjustment", 50, quantity=-1), "event_id": act["id"]}
    write(context.root.folder, "raw/shelf_events", booked)
    assert ben.get(f"{API}/acts/{act['id']}")["state"] == "done"


def test_a_count_that_the_books_make_doubtful_is_sent_only_when_it_is_agreed(
    ben: Person, broker: Broker
) -> None:
    refusal = ben.call("POST", COUNT, {"units": 9}).json()["error"]
    assert refusal["code"] == "count_doubted"
    assert "more than 20% of the 3 units" in refusal["message"]
    assert (refusal["details"]["expected"], refusal["details"]["difference"]) == (3, 6)
    assert not broker
    ben.post(COUNT, {"units": 9, "agreed": True})
    assert len(broker) == 1


def test_where_the_books_agree_nothing_is_asked(ben: Person, broker: Broker) -> None:
    assert ben.post(COUNT, {"units": 3}) == {
        "shelf_id": SHELF,
        "location": "store",
        "batch_code": LOT,
        "counted": 3,
        "difference": 0,
        "act": None,
    }
    assert not broker
    assert ben.get(f"{API}/acts")["total"] == 0


def test_the_same_count_counts_once_while_the_books_are_as_they_were(
    ben: Person, cat: Person, broker: Broker
) -> None:
    body = {"units": 2, "agreed": True}
    first = told(ben.call("POST", COUNT, body, X_Request_ID="one"))
    assert told(ben.call("POST", COUNT, body, X_Request_ID="one")) == first
    again = told(cat.call("POST", COUNT, body, X_Request_ID="two"))
    assert again["act"]["id"] == first["act"]["id"]
    assert len(broker) == 1
    other = cat.post(COUNT, {"units": 1, "agreed": True})
    assert other["act"]["id"] != first["act"]["id"]
    assert len(broker) == 2


@pytest.mark.parametrize(
    ("shelf", "body", "code"),
    [
        ("none", {"units": 1}, "not_found"),
        (SHELF, {"units": 1, "lot": "nothing"}, "request_invalid"),
        (SHELF, {"units": 1, "location": "warehouse"}, "not_found"),
        (SHELF, {"units": -1}, "request_invalid"),
        (SHELF, {"units": 10_000_000, "agreed": True, "actor": "ann"}, "request_invalid"),
    ],
)
def test_a_count_that_cannot_be_is_refused_and_leaves_nothing(
    ben: Person, broker: Broker, shelf: str, body: dict[str, Any], code: str
) -> None:
    assert ben.refused("POST", f"{API}/shelves/{shelf}/count", body) == code
    assert not broker
    assert ben.get(f"{API}/acts")["total"] == 0


def test_who_may_not_count_is_refused(vic: Person, broker: Broker) -> None:
    assert vic.refused("POST", COUNT, {"units": 2, "agreed": True}) == "forbidden"
    assert not broker


def test_the_client_counts_and_sees_the_books(
    context: Context, address: str, broker: Broker
) -> None:
    with Client(address, issue(context, "ben", "ben")) as api:
        seen = api.shop()
        assert [lot["expected"] for lot in seen.books(SHELF)["lots"] if lot["expected"]] == [3]
        with pytest.raises(GovernanceError) as refusal:
            seen.count(SHELF, 0, lot=LOT)
        assert refusal.value.code == "count_doubted"
        assert seen.count(SHELF, 0, lot=LOT, agreed=True)["difference"] == -3
    assert len(broker) == 1
