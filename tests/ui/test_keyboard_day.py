"""The days of store staff, of who settles a conflict and of an analyst, by keyboard alone and in few steps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, expect

from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.shop.running import Message
from tests.cli.shop.told_shop import ALERT, LIFE, OPENED, PLACE, SHELF, at, write
from tests.governance.api.people import issue
from tests.governance.services import acting
from tests.ui.browser import signed_in
from tests.ui.floor import app, sent, shop_template
from tests.ui.keyboard import button, press, reach

__all__ = ["app", "sent", "shop_template"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
NEAR = 20
"""Presses of Tab from where a page begins, or from what was done last."""


@pytest.fixture
def ann(browser: Browser, context: Context, address: str) -> Iterator[Page]:
    with signed_in(browser, address, issue(context, "ann", "ann")) as page:
        yield page


@pytest.fixture
def ben(browser: Browser, context: Context, address: str) -> Iterator[Page]:
    with signed_in(browser, address, issue(context, "ben", "ben")) as page:
        yield page


def skip_the_menu(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")


def says(page: Page, text: str) -> None:
    """What was done is said, and Tab goes on from there."""
    expect(page.locator("#said")).to_contain_text(text)
    expect(page.locator("#said")).to_be_focused()


def test_a_conflict_is_settled_and_another_approves(
    ann: Page, ben: Page, context: Context, app: FastAPI
) -> None:
    acting.done(context, acting.insert("S1"))
    mine = acting.set_("S1", "min_qty", 5)
    acting.proposed(context, acting.ANN, mine, title="More milk")
    acting.done(context, acting.set_("S1", "min_qty", 6))
    ann.goto("/reviews")
    skip_the_menu(ann)
    press(ann, ann.get_by_role("link", name="More milk"), most=NEAR)
    ann.wait_for_url("**/reviews/retail/2")
    expect(ann.get_by_text("conflict with what was merged since").first).to_be_visible()
    skip_the_menu(ann)
    press(ann, ann.get_by_role("link", name="What it changes"), most=NEAR)
    press(ann, ann.get_by_role("radio", name="main for S1 min_qty"), "ArrowRight", most=NEAR)
    expect(ann.get_by_role("radio", name="staged for S1 min_qty")).to_be_checked()
    ann.keyboard.press("Enter")
    expect(button(ann, "Settle those that are chosen")).to_be_focused()
    ann.keyboard.press("Enter")
    says(ann, "settled")
    ben.goto("/reviews/retail/2")
    skip_the_menu(ben)
    press(ben, button(ben, "Approve"), most=NEAR)
    says(ben, "Your approval is given")
    press(ben, button(ben, "Merge"), most=NEAR)
    says(ben, "It is merged.")
    assert acting.rows(context)["S1"]["min_qty"] == 5


def test_staff_acknowledge_and_count_and_find_both_in_the_trace(
    ann: Page, context: Context, sent: list[Message]
) -> None:
    ann.goto("/alerts")
    skip_the_menu(ann)
    press(ann, ann.get_by_role("checkbox", name="Alert a1", exact=True), "Space", most=NEAR)
    ann.keyboard.press("Enter")
    expect(ann.get_by_label("Reason")).to_be_focused()
    ann.keyboard.type("on my way")
    ann.keyboard.press("Enter")
    says(ann, "Asked.")
    expect(ann.locator("#a1")).to_contain_text("ack asked by ann, not yet done")
    reach(ann, ann.locator("#a1").get_by_role("link", name="a1", exact=True))
    answered(context, sent)  # the list stays, as the focus is in it
    ann.keyboard.press("Enter")
    expect(ann.get_by_role("row").filter(has_text="ack (came of it)")).to_contain_text("actor ann")

    ann.goto(f"/shelves/{SHELF}")
    skip_the_menu(ann)
    press(ann, ann.get_by_role("link", name="Correct a count"), most=NEAR)
    reach(ann, ann.get_by_label("Units").first, most=NEAR)
    ann.keyboard.type("7")
    press(ann, button(ann, "Counted").first, most=NEAR)
    form = ann.locator("form").filter(has=ann.get_by_label("Units")).first
    expect(form.get_by_role("alert")).to_be_visible()
    expect(button(ann, "Counted").first).to_be_focused()  # a refusal moves nobody
    ann.keyboard.press("Shift+Tab")
    ann.keyboard.press("Space")
    ann.keyboard.press("Enter")
    says(ann, "Counted.")
    answered(context, sent)
    press(ann, ann.get_by_role("link", name="Its story"), most=NEAR)
    expect(ann.locator("main")).to_contain_text("counted 7")
    press(ann, ann.locator(".picture a[href='/trace/a1']").first)
    expect(ann.get_by_role("heading", name="Alert a1")).to_be_visible()


def answered(context: Context, sent: list[Message]) -> None:
    """What jobs make of the messages that were sent."""
    root = context.root.folder
    assert root is not None
    for topic, values in sent:
        place = {"kafka_partition": 0, "kafka_offset": 100, "event_time": OPENED}
        if topic == "commands":
            write(root, "ops/shelf_commands", {**values, **place, **LIFE, "met_version": 1})
            write(root, "ops/alerts", {**ALERT, "status": "ack", "version": 2})
        else:
            day = {"event_date": OPENED.date()}
            write(root, "raw/shelf_events", {**values, **place, **day})
    sent.clear()


def test_an_analyst_downloads_the_stock_of_an_earlier_day(ann: Page, context: Context) -> None:
    root = context.root.folder
    assert root is not None
    earlier = datetime.now(UTC).isoformat()
    counted = {"current_stock": 9, "balance": 9, "version": 7, "updated_at": at(60)}
    first = {"first_event_time": at(-60), "first_event_id": "e0", "last_event_time": at(60)}
    write(root, "cleansed/shelf_state", {**PLACE, **counted, **first})
    ann.goto("/explore")
    skip_the_menu(ann)
    reach(ann, ann.get_by_role("textbox", name="Statement", exact=True), most=1)
    table = f"cleansed.shelf_state AT (TIMESTAMP => '{earlier}')"
    ann.keyboard.type(f"SELECT shelf_id, current_stock FROM {table}")
    ann.keyboard.press("Control+Enter")
    expect(ann.get_by_role("heading", name="Result")).to_be_focused()
    with ann.expect_download() as download:
        press(ann, button(ann, "Download CSV"), most=1)
    lines = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    assert lines == ["shelf_id,current_stock", f"{SHELF},3"]
