"""Pages of the shop floor show what is wrong and why, and what staff ask for is sent once."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from deltalake import DeltaTable, Field
from deltalake.schema import PrimitiveType
from fastapi import FastAPI

from lakeshelf.forecast.inference.explaining import Units
from lakeshelf.governance.api.app import application
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.shop import ordering
from lakeshelf.governance.services.shop.running import Message
from lakeshelf.ui import serving
from lakeshelf.ui.texts import visible
from tests.cli.shop.told_shop import SHELF
from tests.governance.api.conftest import vic
from tests.governance.api.floor import shop
from tests.governance.api.people import DATA, Browser, Person
from tests.governance.api.shop.test_acts import judged
from tests.governance.services.conftest import DATASET, PROJECT, Clock
from tests.ui.floor import app, sent, shop_template
from tests.ui.test_frame import field, post, read

__all__ = ["app", "sent", "shop_template", "vic"]
HOSTILE = ("<script>alert(1)</script>", "=1+1", "\u202egnp.exe", "'\"&", "../../etc")


def test_the_floor_shows_what_is_open_and_why(app: FastAPI, ann: Person) -> None:
    browser = Browser(app, "ann")
    shop_page, alerts, shelf = (
        read(browser, place) for place in ("/", "/alerts", f"/shelves/{SHELF}")
    )
    assert [page.status_code for page in (shop_page, alerts, shelf)] == [200, 200, 200]
    assert "nothing runs; start it with <code>lakeshelf up</code>" in shop_page.text
    assert re.search('href="/trace/a1"[^>]*>the oldest since .*2026-03-01 09:00:00', shop_page.text)
    assert "2 units are below min_qty 3" in alerts.text
    assert 'href="/trace/a1"' in alerts.text
    assert "Whole milk" in shelf.text
    assert "No alert is like this." in read(browser, "/alerts?status=resolved").text
    assert "nowhere" in read(browser, "/alerts?store=nowhere").text


def test_an_act_is_sent_once_and_stands_as_asked_until_it_is_done(
    app: FastAPI, ann: Person, sent: list[Message]
) -> None:
    browser = Browser(app, "ann")
    page = read(browser, "/alerts")
    fields = {name: field(page, name) for name in ("csrf", "key")} | {"back": "/alerts"}
    fields |= {"command": "ack", "targets": "a1", "reason": HOSTILE[0]}
    answers = [post(browser, "/forms/act", fields) for _ in range(2)]
    assert [one.headers["location"] for one in answers] == ["/alerts?done=act"] * 2
    assert len(sent) == 1
    assert "ack asked by ann, not yet done" in read(browser, "/alerts").text


def test_the_newest_act_of_each_target_is_shown_and_a_refused_one_with_its_reason(
    app: FastAPI, ann: Person, context: Context, clock: Clock
) -> None:
    browser = Browser(app, "ann")
    asked = {"command": "ack", "targets": ["a1"]}
    [first] = ann.post("/api/v1/acts", asked)
    judged(context, first, f"it is over {HOSTILE[0]}")
    why = html.escape(f"was refused: it is over {HOSTILE[0]}")
    for place in ("/alerts", f"/shelves/{SHELF}"):
        assert why in read(browser, place).text
    clock.pass_(seconds=1)
    ann.post("/api/v1/acts", {**asked, "command": "dismiss"})
    ann.post("/api/v1/acts", {"command": "cancel", "targets": ["p1"]})
    page = read(browser, "/alerts").text
    row, _, lately = page.partition("Refused lately")
    assert "dismiss asked by ann, not yet done" in row
    assert why not in row
    assert html.escape(f"it is over {HOSTILE[0]}") in lately
    _, _, acts = read(browser, f"/shelves/{SHELF}").text.partition("What was asked for lately")
    assert acts.index("dismiss of") < acts.index("ack of")
    assert "cancel of" in acts


@pytest.mark.parametrize(
    ("targets", "outcome", "said"),
    [
        (["gone"], "act.nothing", "Nothing was sent"),
        (["gone", "a1"], "act.part", "A part was refused at once"),
        (["a1"], "act", "Asked. It is done once"),
    ],
)
def test_what_is_refused_at_once_is_not_called_asked(
    app: FastAPI, ann: Person, sent: list[Message], targets: list[str], outcome: str, said: str
) -> None:
    browser = Browser(app, "ann")
    page = read(browser, "/alerts")
    fields = {name: field(page, name) for name in ("csrf", "key")} | {"back": "/alerts"}
    answer = post(browser, "/forms/act", {**fields, "command": "ack", "targets": targets})
    assert answer.headers["location"] == f"/alerts?done={outcome}"
    shown = html.unescape(read(browser, answer.headers["location"]).text)
    assert said in shown
    assert ("no alert 'gone'" in shown) == ("gone" in targets)
    assert len(sent) == ("a1" in targets)


def test_acts_name_the_command_that_starts_a_stack_that_is_down(
    app: FastAPI, ann: Person, context: Context, shop_template: Path
) -> None:
    down = application(context, shop(context, shop_template))
    serving.install(down)
    browser = Browser(down, "ann")
    page = read(browser, "/alerts")
    fields = {name: field(page, name) for name in ("csrf", "key")} | {"back": "/alerts"}
    fields |= {"command": "ack", "targets": "a1"}
    answer = post(browser, "/forms/act", fields, Accept="application/json")
    assert answer.json()["refused"]["message"].count("lakeshelf up") == 1
    assert "asked by" not in read(browser, "/alerts").text


def test_who_may_not_act_is_told_why(app: FastAPI, vic: Person, ann: Person) -> None:
    page = read(Browser(app, "vic"), f"/shelves/{SHELF}")
    assert "disabled" in page.text
    assert str(vic.get(f"/api/v1/shelves/{SHELF}")["can"]["adjust"]) in html.unescape(page.text)


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_an_address_is_shown_as_the_text_it_is(
    app: FastAPI, ann: Person, text: str
) -> None:
    browser = Browser(app, "ann")
    for place in ("/alerts", "/plans"):
        page = read(browser, f"{place}?store={quote(text, safe='')}")
        assert page.status_code == 200
        assert text in html.unescape(page.text)
        assert "<script>alert" not in page.text


def test_a_shelf_that_is_not_there_is_told(app: FastAPI, ann: Person) -> None:
    page = read(Browser(app, "ann"), "/shelves/nowhere")
    assert page.status_code == 404
    assert "nowhere" in page.text


def test_an_order_is_shown_beside_the_rules_with_the_band_of_its_forecast(
    app: FastAPI, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, place = Browser(app, "ann"), f"/shelves/{SHELF}"
    assert "Show what is ordered and why" in read(browser, place).text
    by_rule = read(browser, f"{place}?order=shown").text
    assert "The rule decides: the policy has plan_source rule" in html.unescape(by_rule)
    told = ordering.explained
    monkeypatch.setattr(ordering, "explained", lambda *of: replace(told(*of), **BY_MODEL))
    page = read(browser, f"{place}?order=shown").text
    assert "A model decides" in page
    assert '<rect x="0.0" y="12" width="450.0"' in page
    assert "0 units suffice in 50 % of cases, 6 in 95 %" in page
    assert all(visible(text) in html.unescape(page) for text in HOSTILE)
    assert "<script>alert" not in page
    assert "\u202e" not in page


def needs_newer(table: Path) -> None:
    """Have a table need a newer reader, as one does that a newer version has written."""
    features = {name: ["ofANewerVersion"] for name in ("readerFeatures", "writerFeatures")}
    protocol = {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, **features}}
    log = table / "_delta_log"
    version = DeltaTable(str(table)).version() + 1
    (log / f"{version:020d}.json").write_text(json.dumps(protocol))


@pytest.mark.parametrize(
    ("place", "table"),
    [
        ("/alerts", "ops/alerts"),
        ("/plans", "ops/shelf_restock_plan"),
        (f"/shelves/{SHELF}", "cleansed/shelf_state"),
        (f"/trace/{SHELF}", "raw/shelf_events"),
    ],
)
def test_a_table_newer_than_the_code_is_told_with_the_next_step(
    app: FastAPI, ann: Person, context: Context, place: str, table: str
) -> None:
    browser, root = Browser(app, "ann"), context.root.folder
    assert root is not None
    DeltaTable(str(root / table)).alter.add_columns(
        [Field("of_a_newer_version", PrimitiveType("string"))]
    )
    assert "This could not be shown." not in read(browser, place).text
    needs_newer(root / table)
    page = html.unescape(read(browser, place).text)
    assert re.search(rf"{table}\b[^<]*ofANewerVersion[^<]*upgrade Lakeshelf", page)
    assert "Sign out" in page


def test_rows_newer_than_the_code_are_told_with_the_next_step(
    app: FastAPI, ann: Person, context: Context
) -> None:
    assert context.root.folder is not None
    needs_newer(context.root.folder / context.folder(PROJECT, DATASET).main)
    answer = Browser(app, "ann").call("POST", f"{DATA}/views", {})
    assert answer.status_code == 503
    message = answer.json()["error"]["message"]
    assert re.search(r"ofANewerVersion.*upgrade Lakeshelf", message)


BY_MODEL: dict[str, Any] = {
    "source": "ml",
    "order": Units(8, 2, 4),
    "why_rule": [],
    "position_qty": 0,
    "forecast": {
        **{"model_name": "demand", "model_version": HOSTILE[1], "segment": HOSTILE[0]},
        **{"feature_date": date(2026, 3, 1), "horizon_days": 3, "mean_units": 2.5},
        **{"level_qty": 8, "service_level": None, "quantiles": {"0.5": 0, "0.95": 6}},
        "base": 1.5,
        "parts": [{"name": text, "value": text, "factor": 1.1, "units": 0.2} for text in HOSTILE],
    },
}
