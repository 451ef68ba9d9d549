"""Alerts, plans, shelves and stories by HTTP are those of the commands, page by page, with why and what can be done."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest

from lakeshelf.errors import MissingExtra
from lakeshelf.forecast.versions.errors import NotExplained
from lakeshelf.governance.api.app import application
from lakeshelf.governance.services.context import Context
from tests.cli.shop.told_shop import OPENED, SHELF, write
from tests.governance.api.people import Person, issue

API = "/api/v1"


def pages(person: Person, path: str, limit: int, **params: Any) -> list[dict[str, Any]]:
    """Every row of a list, page by page."""
    rows: list[dict[str, Any]] = []
    while True:
        page = person.get(f"{API}/{path}", offset=len(rows), limit=limit, **params)
        rows += page["rows"]
        if not page["rows"]:
            assert page["total"] == len(rows)
            return rows


def test_an_alert_says_why_it_is_open_and_what_can_be_done(ben: Person, vic: Person) -> None:
    alerts = {row["alert_id"]: row for row in ben.get(f"{API}/alerts")["rows"]}
    low = alerts["a1"]
    assert low["name"] == "Whole milk"
    assert low["why"] == [
        "2 of 10 units, 20.0 %, is below threshold_pct 40",
        "2 units are below min_qty 3",
    ]
    assert low["figures"]["current_stock"] == 2
    assert low["policy"]["fields"]["min_qty"] == {"value": 3, "from": "shelf"}
    assert low["policy"]["fields"]["threshold_pct"] == {"value": 40.0, "from": "__GLOBAL__"}
    assert low["can"] == {"ack": True, "dismiss": True}
    assert ben.get(f"{API}/alerts/a1") == low
    by_vic = vic.get(f"{API}/alerts/a1")["can"]["ack"]
    assert by_vic == "a viewer may not; owners and contributors and services may"


def test_a_plan_names_the_alert_for_which_it_was_made(ben: Person) -> None:
    plan = ben.get(f"{API}/plans/p1")
    assert (plan["kind"], plan["alert_id"], plan["status"]) == ("refill", "a1", "issued")
    assert plan["why"] == ben.get(f"{API}/alerts/a1")["why"]
    assert plan["can"] == {"cancel": "it is issued"}
    [listed] = ben.get(f"{API}/plans", kind="refill", status="issued")["rows"]
    assert listed == plan
    assert ben.get(f"{API}/plans/sp1")["alert_id"] == "a2"


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_lists_come_whole_by_pages_of_any_size(ben: Person, limit: int) -> None:
    assert [row["alert_id"] for row in pages(ben, "alerts", limit)] == ["a1", "a3", "a2"]
    assert [row["batch_id"] for row in pages(ben, "ledger", limit)] == [1, 0]
    names = [row["name"] for row in pages(ben, "tables", max(limit, 20))]
    assert names == sorted(set(names))
    assert {"ops/alerts", "curated/sales_lines", "retail/shelf_policies"} <= set(names)


def test_a_shelf_is_told_with_all_that_stands_on_it(ben: Person) -> None:
    shelf = ben.get(f"{API}/shelves/{SHELF}")
    assert shelf["shelf_profiles"][0]["name"] == "Whole milk"
    assert shelf["shelf_state"][0]["current_stock"] == 3
    assert shelf["shelf_batch_state"][0]["expiry_date"] == "2026-03-04"
    assert shelf["policies"]["store"]["min_qty"]["value"] == 3
    assert [row["alert_id"] for row in shelf["alerts"]] == ["a1", "a3", "a2"]
    assert shelf["can"] == {"adjust": True}


@pytest.mark.parametrize("shelf", ["S1/books", "S1%2Forder", "/"])
def test_a_shelf_is_named_by_its_id_whatever_that_holds(
    ben: Person, context: Context, shelf: str
) -> None:
    assert context.root.folder is not None
    place = {"store_id": "S1", "shelf_id": shelf, "item_id": "I1"}
    stock = {"current_stock": 1, "balance": 1, "version": 1, "updated_at": OPENED}
    first = {"first_event_id": "e", "first_event_time": OPENED, "last_event_time": OPENED}
    write(context.root.folder, "cleansed/shelf_state", place | stock | first)
    kept = {"max_stock": 10, "unit_price": Decimal(2), "standard_batch_size": 10, "name": "Milk"}
    profile = {**place, **kept, "version": 1, "updated_at": OPENED}
    write(context.root.folder, "curated/shelf_profiles", profile)
    named = f"{API}/shelves/{quote(shelf, safe='')}"
    assert ben.get(named)["shelf_state"][0]["shelf_id"] == shelf
    assert ben.get(f"{named}/books")["shelf_id"] == shelf
    assert ben.get(f"{API}/shelves/{SHELF}/books")["shelf_id"] == SHELF


def test_an_order_is_told_beside_the_rules_and_why(
    ben: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = ben.get(f"{API}/shelves/{SHELF}/order")
    assert order["source"] == "rule"
    assert order["why_rule"]
    assert order["order"] == order["rule"]
    assert order["forecast"] is None
    assert order["plan"]["supplier_plan_id"] == "sp1"
    for error, code in REFUSED_ORDERS:
        monkeypatch.setattr("lakeshelf.governance.services.shop.ordering.explained", raising(error))
        refusal = ben.call("GET", f"{API}/shelves/{SHELF}/order").json()["error"]
        assert refusal["code"] == code
        assert refusal["message"] == "it failed; do this"


REFUSED_ORDERS = (
    (NotExplained("it failed", hint="do this"), "gone"),
    (MissingExtra("it failed", hint="do this"), "service_unavailable"),
)


def raising(error: Exception) -> Callable[..., Any]:
    def fails(*_: object) -> None:
        raise error

    return fails


def test_what_is_low_is_told_by_the_rules_of_the_engines(ben: Person) -> None:
    listed = ben.get(f"{API}/low_shelves", location="store")
    assert [row["shelf_id"] for row in listed["rows"]] == [SHELF]
    assert listed["rows"][0]["why"] == ["3 of 10 units, 30.0 %, is below threshold_pct 40"]


def test_a_story_says_how_much_of_it_is_left_out(ben: Person) -> None:
    told = ben.get(f"{API}/trace", id=SHELF, limit=2)
    assert told["kinds"] == ["shelf"]
    [story] = told["stories"]
    assert story["omitted"]["events"] > 0
    assert {line["section"] for line in story["lines"]} >= {"events", "alerts"}


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("alerts?status=gone", "request_invalid", "no status 'gone'"),
        ("alerts?store=S9", "request_invalid", "no store 'S9'"),
        ("plans?kind=move", "request_invalid", "no kind of plan 'move'"),
        ("low_shelves?shelf=S9", "request_invalid", "no shelf 'S9'"),
        ("low_shelves?location=moon", "request_invalid", "location"),
        ("alerts/none", "not_found", "no alert 'none'"),
        ("plans/none", "not_found", "no plan 'none'"),
        ("shelves/none", "not_found", "no shelf 'none'"),
        ("shelves/none/order", "not_found", "no shelf 'none'"),
        ("trace?id=none", "not_found", "nothing in the lake has the id 'none'"),
        ("alerts?limit=1001", "request_invalid", "limit"),
        ("quarantine?topic=nothing", "request_invalid", "no topic 'nothing'"),
        ("tables/ops/nothing", "not_found", "no table 'ops/nothing'"),
        ("lineage?focus=job:nothing", "not_found", "no node 'job:nothing'"),
    ],
)
def test_what_is_not_known_is_refused_with_what_to_do(
    ben: Person, path: str, code: str, words: str
) -> None:
    answer = ben.call("GET", f"{API}/{path}").json()["error"]
    assert answer["code"] == code
    assert words in answer["message"]


@pytest.mark.parametrize(
    "path", ["alerts", "plans", "alerts/a1", "shelves/S1", "ledger", "quarantine", "trace?id=S1"]
)
def test_a_lake_without_its_tables_is_no_shop_that_has_nothing(context: Context, path: str) -> None:
    ben = Person(application(context), issue(context, "ben", "ben"))
    error = ben.call("GET", f"{API}/{path}").json()["error"]
    assert error["code"] == "service_unavailable"
    assert "lakeshelf up" in error["message"]
    assert str(context.root.folder) not in error["message"]
