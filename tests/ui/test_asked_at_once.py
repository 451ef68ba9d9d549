"""What staff ask for stands at its row from the moment in which they ask, and no longer where it was not taken."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from lakeshelf.governance.services.context import Context
from tests.governance.api.people import issue
from tests.ui.browser import signed_in
from tests.ui.floor import app, sent, shop_template
from tests.ui.keyboard import button

__all__ = ["app", "sent", "shop_template"]
pytestmark = pytest.mark.slow
FORM = "**/forms/act"
ASKED = "! ack asked by ann, not yet done"


@pytest.fixture
def page(browser: Browser, context: Context, address: str) -> Iterator[Page]:
    with signed_in(browser, address, issue(context, "ann", "ann")) as page:
        page.goto("/alerts")
        page.get_by_label("Alert a1").check()
        yield page


def test_what_is_asked_stands_at_its_row_before_the_answer_comes(page: Page) -> None:
    held: list[Route] = []
    page.route(FORM, lambda route: held.append(route))  # noqa: PLW0108 - Playwright calls functions alone
    row, acknowledge = page.locator("#a1"), button(page, "Acknowledge the ticked")
    acknowledge.click()
    expect(row).to_contain_text(ASKED)
    expect(page.locator("#a1 ~ tr").filter(has_text="not yet done")).to_have_count(0)
    held[0].abort()
    expect(page.locator("form .refused")).to_contain_text("No answer came that could be read.")
    expect(row).not_to_contain_text(ASKED)
    acknowledge.click()
    expect(row).to_contain_text(ASKED)
    with page.expect_navigation():
        held[1].continue_()
    expect(row).to_contain_text(ASKED)
    expect(page.locator("#said")).to_contain_text("Asked.")
