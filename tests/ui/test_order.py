"""Rows of the grid in the order that somebody asks for, by header, key or address; what leads on keeps it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from lakeshelf.governance.services.context import Context
from tests.governance.api.people import issue
from tests.ui.browser import signed_in
from tests.ui.keyboard import button
from tests.ui.steward import COLUMNS, Desk, made

pytestmark = pytest.mark.slow
ROWS = 40
FIRST, LAST = "K000000", f"K{ROWS - 1:06}"


@pytest.fixture
def desk(browser: Browser, context: Context, address: str) -> Iterator[Desk]:
    made(context, ROWS)
    with signed_in(browser, address, issue(context, "ann", "ann")) as page:
        yield Desk(page, context)


def header(desk: Desk, column: str) -> Locator:
    place = COLUMNS.index(column) + 2
    return desk.page.locator(f'[role=columnheader][aria-colindex="{place}"]')


def test_rows_are_sorted_by_key_by_header_and_by_the_address(desk: Desk) -> None:
    desk.open()
    desk.go(3, "sku")
    for order, first, said in (
        ("ascending", FIRST, "40 rows by sku"),
        ("descending", LAST, "40 rows by sku, descending"),
        ("none", FIRST, "40 rows by key"),
    ):
        desk.press("F9")
        expect(header(desk, "sku")).to_have_attribute("aria-sort", order)
        expect(desk.cell(1, "sku")).to_have_text(first)
        desk.says(said)
    header(desk, "sku").get_by_role("button").click()
    expect(header(desk, "sku")).to_have_attribute("aria-sort", "ascending")
    expect(desk.grid).to_be_focused()
    desk.press("F9")
    expect(desk.cell(1, "sku")).to_have_text(LAST)
    desk.page.reload()
    expect(desk.cell(1, "sku")).to_have_text(LAST)
    desk.open("?sort=-sku")
    expect(desk.cell(2, "sku")).to_have_text(f"K{ROWS - 2:06}")


def test_what_is_chosen_next_keeps_the_order(desk: Desk) -> None:
    desk.open("?filter=sku+<+K000010&version=1")
    desk.go(1, "sku")
    desk.press("F9", "F9")
    expect(desk.cell(1, "sku")).to_have_text("K000009")
    with desk.page.expect_navigation():
        button(desk.page, "Show").click()
    expect(desk.cell(1, "sku")).to_have_text("K000009")
    assert "sort=-sku" in desk.page.url
    assert "version=1" in desk.page.url
    with desk.page.expect_navigation():
        desk.page.get_by_role("link", name="All rows").click()
    expect(desk.cell(1, "sku")).to_have_text(LAST)
    assert "version=1" in desk.page.url
    with desk.page.expect_navigation():
        desk.page.get_by_role("link", name="now", exact=True).click()
    expect(desk.cell(1, "sku")).to_have_text(LAST)
    assert "version" not in desk.page.url


@pytest.mark.parametrize(("link", "first"), [("All rows", LAST), ("now", "K000009")])
def test_links_lead_on_in_the_order_that_was_chosen_on_their_page(
    desk: Desk, link: str, first: str
) -> None:
    desk.open("?filter=sku+<+K000010&version=1")
    desk.go(1, "sku")
    desk.press("F9", "F9")
    expect(desk.cell(1, "sku")).to_have_text("K000009")
    with desk.page.expect_navigation():
        desk.page.get_by_role("link", name=link, exact=True).click()
    expect(desk.cell(1, "sku")).to_have_text(first)
    assert "sort=-sku" in desk.page.url
