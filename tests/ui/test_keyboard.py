"""The days of a steward and of a reviewer, by keyboard alone: nothing is clicked, and what is pressed has the focus."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from lakeshelf.governance.services.context import Context
from tests.governance.api.people import issue
from tests.governance.services.conftest import PROJECT
from tests.ui.browser import signed_in
from tests.ui.keyboard import button, press, reach
from tests.ui.steward import DATASET, Desk, made

pytestmark = pytest.mark.slow
PASTED = 50


@pytest.fixture
def steward(browser: Browser, context: Context, address: str) -> Iterator[Page]:
    made(context, rows=2 * PASTED)
    with signed_in(browser, address, issue(context, "ann", "ann")) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        yield page


@pytest.fixture
def reviewer(browser: Browser, context: Context, address: str) -> Iterator[Page]:
    with signed_in(browser, address, issue(context, "ben", "ben")) as page:
        yield page


def test_a_steward_and_a_reviewer_need_no_mouse(
    steward: Page, reviewer: Page, context: Context
) -> None:
    paste_and_submit(Desk(steward, context))
    expect(button(steward, "Approve")).to_be_disabled()
    expect(steward.get_by_text("you are one of its authors").first).to_be_visible()
    reject_and_approve(reviewer)
    steward.reload()
    expect(steward.get_by_text("approved", exact=False).first).to_be_visible()
    press(steward, button(steward, "Merge"))
    expect(steward.get_by_role("status").first).to_have_text("It is merged.")


def paste_and_submit(desk: Desk) -> None:
    page = desk.page
    page.goto("/data")
    press(page, page.locator("main").get_by_role("link", name=DATASET))
    expect(page.locator(".grid-line [role=gridcell]").first).not_to_be_empty()
    reach(page, desk.grid)
    values = ["1,234", *(str(n % 25) for n in range(1, PASTED))]
    page.evaluate("(text) => navigator.clipboard.writeText(text)", "\n".join(values))
    desk.press("Control+Home", "Home", "ArrowRight", "ArrowRight", "Control+v")
    desk.says(f"{PASTED - 1} of {PASTED} cells pasted. Refused: threshold_pct of K000000")
    desk.saved()
    desk.press("F8")
    desk.says("it could be two numbers, not 1,234")
    desk.press("Control+Enter")
    expect(
        page.get_by_text(f"updated {PASTED - 1}, cells {PASTED - 1}; 0 findings")
    ).to_be_visible()
    press(page, button(page, "Submit…"))
    expect(page.get_by_label("Title")).to_be_focused()
    desk.type("Thresholds of a spreadsheet")
    page.wait_for_url(f"**/reviews/{PROJECT}/1")


def reject_and_approve(page: Page) -> None:
    page.goto("/reviews")
    press(page, page.get_by_role("link", name="1 Thresholds of a spreadsheet"))
    for row in ("K000003", "K000004"):
        press(page, page.get_by_role("checkbox", name=f"cell {row} threshold_pct"), "Space")
    page.keyboard.press("Enter")
    expect(page.locator("#reject-cells").get_by_label("Why")).to_be_focused()
    page.keyboard.type("too low")
    press(page, button(page, "Reject the cells that are ticked"))
    expect(page.get_by_role("status").first).to_contain_text("These cells are rejected")
    expect(page.locator("main")).to_contain_text(f"{PASTED - 3} cells")
    reach(page, page.get_by_role("textbox", name="Remark"))
    page.keyboard.type("The rest is fine")
    press(page, button(page, "Say it"))
    expect(page.get_by_role("status").first).to_have_text("Your remark is kept.")
    press(page, button(page, "Approve"))
    expect(page.get_by_role("status").first).to_contain_text("Your approval is given")


def test_who_reads_is_told_the_keys_that_are_in_force_and_has_no_control_that_edits(
    browser: Browser, context: Context, address: str
) -> None:
    made(context, rows=40)
    with signed_in(browser, address, issue(context, "vic", "vic")) as page:
        desk = Desk(page, context)
        desk.open()
        desk.go(2, "note")
        desk.page.keyboard.type("mine")
        desk.press("Delete", "Insert")
        expect(page.locator(".grid-editor")).to_be_hidden()
        expect(desk.cell(2, "threshold_pct")).to_have_text("30")
        expect(desk.grid).to_have_attribute("aria-rowcount", "41")
        edits = page.get_by_role("toolbar", name="Edits")
        for name in ("Insert row", "Delete rows", "Undo", "Redo", "Preview", "Submit…", "Discard…"):
            expect(edits.get_by_role("button", name=name, exact=True)).to_be_disabled()
        desk.press("?")
        told = page.get_by_role("dialog").locator("th")
        expect(told.filter(has_text="Ctrl+C")).to_have_text("Ctrl+C")
        for name in ("Delete, Backspace", "Ctrl+Z", "Insert", "Ctrl+Enter"):
            expect(told.filter(has_text=name)).to_have_count(0)
