"""The Python client sees the shop and asks of it all that the API does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from lakeshelf.governance.api.app import application, ended
from lakeshelf.governance.client import Client
from lakeshelf.governance.client import shop as client
from lakeshelf.governance.client.shop import Shop
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.services.context import Context
from tests.cli.shop.told_shop import SHELF
from tests.governance.api.floor import answering, shop
from tests.governance.api.modelled import CANDIDATE, CHAMPION
from tests.governance.api.people import issue
from tests.governance.api.serving import address

__all__ = ["address"]


@pytest.fixture
def app(context: Context, shop_template: Any) -> Iterator[FastAPI]:
    made = application(context, answering(shop(context, shop_template)))
    yield made
    ended(made)


@pytest.fixture
def seen(address: str, context: Context) -> Iterator[Shop]:
    with Client(address, issue(context, "ben", "ben")) as api:
        yield api.shop()


@pytest.mark.parametrize("page", [1, 200])
def test_lists_are_whole(seen: Shop, monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    monkeypatch.setattr(client, "PAGE", page)
    assert [row["alert_id"] for row in seen.alerts()] == ["a1", "a3", "a2"]
    assert [row["alert_id"] for row in seen.alerts(most=2)] == ["a1", "a3"]
    assert seen.alerts(most=0) == []
    assert [row["plan_id"] for row in seen.plans(status="issued")] == ["p1"]
    assert [row["batch_id"] for row in seen.ledger()] == [1, 0]


def test_everything_that_is_told_is_reached(seen: Shop) -> None:
    assert seen.alert("a1")["why"]
    assert seen.plan("p1")["alert_id"] == "a1"
    assert seen.shelf(SHELF)["can"] == {"adjust": True}
    assert seen.order(SHELF)["source"] == "rule"
    assert len(seen.models()) == 4
    assert seen.models_in_use()["champion"]["model_version"] == CHAMPION
    assert seen.model(CHAMPION)["damage"]
    assert seen.low(location="store")[0]["shelf_id"] == SHELF
    assert seen.trace(SHELF)["kinds"] == ["shelf"]
    assert seen.numbers()["numbers"]["alerts"]["refill_request"] == 1
    assert seen.numbers_history()
    assert seen.status()["state"] == "down"
    assert seen.lag() == {"alerts-sink": {"alerts": 0}}
    assert seen.quarantine() == []
    assert seen.table("ops/alerts")["owner"] == "alerts-sink"
    assert {row["name"] for row in seen.tables(most=3)} < {row["name"] for row in seen.tables()}
    assert len(seen.lineage("topic:alerts")["nodes"]) < len(seen.lineage()["nodes"])


def test_staff_asks_and_sees_what_became_of_it(seen: Shop) -> None:
    asked, unknown = seen.ask("ack", ["a1", "../a2"], reason="seen")
    assert (asked["state"], unknown["state"]) == ("asked", "refused")
    assert seen.adjust(SHELF, -1)["command"] == "adjust"
    assert len(seen.acts()) == 3
    assert seen.acts(state="refused") == [unknown]
    assert seen.act(asked["id"])["reason"] == "seen"


@pytest.mark.ml
def test_what_may_not_be_is_refused_with_its_code(seen: Shop) -> None:
    asks: tuple[tuple[Callable[[], object], str], ...] = (
        (seen.doctor, "forbidden"),
        (lambda: seen.alert("../numbers"), "not_found"),
        (lambda: seen.alert(".."), "not_found"),
        (lambda: seen.promote(CANDIDATE, "challenger"), "forbidden"),
        (lambda: seen.roll_back(CHAMPION), "forbidden"),
        (lambda: seen.what_if(set={"none": "1"}), "request_invalid"),
        (lambda: seen.what_if(stores=["none"]), "request_invalid"),
        (lambda: seen.alerts(store="none"), "request_invalid"),
        (lambda: seen.adjust(SHELF, 0), "request_invalid"),
    )
    for ask, code in asks:
        with pytest.raises(GovernanceError) as refusal:
            ask()
        assert refusal.value.code == code
