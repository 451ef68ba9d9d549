"""What edits would do to the shelves, while one edits: beside the grid as they are taken, and without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, Route, expect

from lakeshelf.governance.api.app import application
from lakeshelf.governance.services.context import Context
from lakeshelf.ui import serving
from tests.cli.shop.told_shop import SHELF
from tests.governance.api.floor import answering, shop, shop_template
from tests.governance.api.people import DATA, Browser, Person, issue
from tests.governance.api.test_life import done, insert, set_
from tests.governance.services import acting
from tests.ui.browser import signed_in
from tests.ui.test_frame import read

__all__ = ["shop_template"]
HERE = "/data/retail/shelf_policies"
HOSTILE = "<script>alert(1)</script>=1+1\u202e"
EFFECT = "**/live_sessions/*/effect"


@pytest.fixture
def app(context: Context, shop_template: Path) -> FastAPI:
    beside = replace(answering(shop(context, shop_template)), today=lambda: date(2026, 3, 1))
    made = application(context, beside)
    serving.install(made)
    return made


def edited(person: Person, *edits: dict[str, Any]) -> str:
    """A session with edits: its path in the API."""
    session = f"/api/v1/live_sessions/{person.post(f'{DATA}/live_sessions')['id']}"
    assert person.post(f"{session}/edits", {"edits": list(edits)})["refusals"] == []
    return session


def test_without_scripts_a_page_tells_what_edits_would_do(
    app: FastAPI, ann: Person, ben: Person, cat: Person
) -> None:
    done(ann, ben, insert(SHELF, threshold_pct=50, min_qty=0))
    browser = Browser(app, "ann")
    assert f'href="{HERE}/preview"' in read(browser, HERE).text
    assert "You have no edits here" in read(browser, f"{HERE}/preview").text
    session = edited(ann, set_(SHELF, "threshold_pct", 0), insert(HOSTILE))
    [told] = ann.get(f"{session}/effect")
    text = read(browser, f"{HERE}/preview").text
    for figure in ("low", "units"):
        now, then = (told["totals"][figure][side] for side in ("now", "then"))
        assert now != then
        assert f"<strong>{now} → {then}</strong>" in text
        assert f'<td class="n">{now} → {then}</td>' in text  # of the store, too
    assert "lots near expiry" in text
    assert f'href="/trace/{SHELF}"' in text
    assert "As of business day 2026-03-01; read " in text
    assert "inserted 1, updated 1" in text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text
    other = edited(ben, set_(SHELF, "min_qty", 9)).rpartition("/")[2]
    assert "none of yours" in read(browser, f"{HERE}/preview?session={other}").text
    assert "You have no edits here" in read(Browser(app, "cat_"), f"{HERE}/preview").text


@pytest.fixture
def page(browser: Chromium, context: Context, address: str) -> Iterator[Page]:
    acting.done(context, acting.insert(SHELF, threshold_pct=50, min_qty=0))
    with signed_in(browser, address, issue(context, "ann", "grid")) as shown:
        shown.goto(HERE)
        yield shown


def type_(page: Page, column: str, text: str) -> None:
    page.get_by_role("columnheader", name=column).first.wait_for()
    place = page.get_by_role("columnheader", name=column).first.get_attribute("aria-colindex")
    page.locator(f'[aria-rowindex="2"] [aria-colindex="{place}"]').click()
    page.keyboard.type(text)
    page.keyboard.press("Enter")


@pytest.mark.slow
def test_beside_the_grid_the_newest_edits_count_and_a_failure_leaves_it_alone(page: Page) -> None:
    figures, state = page.locator(".effect-figures"), page.locator(".effect-state")
    panel = page.locator("[data-effect]")
    expect(state).to_contain_text("told as you edit")
    type_(page, "Threshold", "0")
    expect(figures).to_contain_text("1 → 0 shelves below threshold")
    expect(state).to_have_text("As of business day 2026-03-01.")
    expect(panel).not_to_contain_class("stale")

    held: list[Route] = []
    page.route(EFFECT, lambda route: held.append(route))  # noqa: PLW0108 - it is given a name
    with page.expect_request(EFFECT):
        type_(page, "Threshold", "100")
    type_(page, "Threshold", "90")
    expect(page.locator(".grid-state")).to_have_text("saved")
    expect(state).to_have_text("Computing…")
    expect(panel).to_contain_class("stale")
    page.evaluate("() => new Promise((done) => setTimeout(done, 800))")  # timers end in their order
    with page.expect_request(EFFECT):
        held[0].fulfill(json=[told(777)])
    expect(panel).to_contain_class("stale")
    expect(figures).to_contain_text("1 → 0 shelves")  # the older answer is not shown
    held[1].fulfill(json=[told(3)])
    expect(figures).to_contain_text("0 → 3 shelves")
    expect(panel).not_to_contain_class("stale")
    assert len(held) == 2  # one at a time
    page.unroute(EFFECT)

    wrong = {"error": {"code": "internal", "message": "it broke <b>", "details": {}}}
    page.route(EFFECT, lambda route: route.fulfill(status=500, json=wrong))
    type_(page, "Threshold", "80")
    expect(state).to_have_text(
        "The effect could not be told: it broke <b>; the next edit asks again."
    )
    expect(panel).to_contain_class("stale")
    page.unroute(EFFECT)
    type_(page, "Threshold", "0")
    expect(figures).to_contain_text("1 → 0 shelves")
    expect(page.locator(".grid-state")).to_have_text("saved")


def told(low: int) -> dict[str, Any]:
    nothing = {"now": 0, "then": 0, "changed": 0}
    return {
        **{"location": "store", "known": True, "why": "", "as_of": "2026-03-01"},
        "totals": {"low": {**nothing, "then": low}, "units": nothing, "near_expiry": nothing},
        **{"stores": [], "shelves": [], "versions": {}},
    }
