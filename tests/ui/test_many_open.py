"""Pages of shelves with more alerts and plans than anybody reads, and with ids of any length."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI

from lakeshelf.governance.services.context import Context
from tests.cli.shop.told_shop import ALERT, LIFE, PLACE, SHELF, write
from tests.governance.api.people import Browser, Person
from tests.ui.controls import reasons, text, tree
from tests.ui.floor import app, sent, shop_template
from tests.ui.test_frame import read

__all__ = ["app", "sent", "shop_template"]
pytestmark = pytest.mark.slow
PLAN = {**PLACE, **LIFE, "suggested_qty": 6, "issued_qty": 0, "status": "pending", "held": False}


@pytest.fixture
def lake(app: FastAPI, context: Context) -> Path:
    assert context.root.folder is not None
    return context.root.folder


def test_a_shelf_tells_how_much_is_open_beside_the_newest(
    app: FastAPI, ann: Person, lake: Path
) -> None:
    before = ann.get(f"/api/v1/shelves/{SHELF}")
    write(lake, "ops/alerts", *({**ALERT, "alert_id": f"{n:0390}"} for n in range(120)))
    write(lake, "ops/shelf_restock_plan", *({**PLAN, "plan_id": f"p{n:0390}"} for n in range(120)))
    alerts = len(before["alerts"]) + 120
    shown = ann.get(f"/api/v1/shelves/{SHELF}")
    assert (len(shown["alerts"]), shown["alerts_total"]) == (100, alerts)
    assert (len(shown["plans"]), shown["plans_total"]) == (100, len(before["plans"]) + 120)
    page = tree(read(Browser(app, "ann"), f"/shelves/{SHELF}").text)
    assert f"The newest 100 of {alerts} open alerts: all of them." in text(page)
    assert reasons(page) == []


def test_what_was_asked_is_told_beside_ids_of_any_length(
    app: FastAPI, ann: Person, lake: Path
) -> None:
    place = {"shelf_id": "S1-I7", "store_id": "S7"}
    ids = [f"{n:09000}" for n in range(20)]
    write(lake, "ops/alerts", *({**ALERT, **place, "alert_id": one} for one in (*ids, "short")))
    ann.post("/api/v1/acts", {"command": "ack", "targets": ["short"], "reason": "seen"})
    page = read(Browser(app, "ann"), "/alerts?store=S7")
    assert (page.status_code, reasons(tree(page.text))) == (200, [])
    assert "ack asked by ann, not yet done" in page.text


def test_what_no_address_holds_is_refused_on_its_page(app: FastAPI, ann: Person) -> None:
    answer = read(Browser(app, "ann"), f"/shelves/{'!' * 30_000}")
    assert answer.status_code == 200
    assert "too long to be asked for" in " ".join(reasons(tree(answer.text)))
