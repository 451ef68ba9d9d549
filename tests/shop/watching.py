"""The live page of a shop, and what it comes to show of what the jobs decide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect

from lakeshelf.shop import lists
from tests.support import eventually
from tests.ui.browser import required, signed_in

from .deciding import signing_in


@contextmanager
def watched(lake: Path) -> Iterator[Page]:
    """The live page of a shop, open in a browser while the block goes on."""
    with required() as browser, signed_in(browser, *signing_in(lake, "ann")) as page:
        page.goto("/")
        expect(page.locator("[data-live-age]")).to_have_text("live")
        yield page


def require_shown(page: Page, lake: Path, units: Mapping[str, int]) -> None:
    """The live page comes to tell of as many plans as there are, and leads to what they ask for."""
    told = page.locator("[data-live='plans.refill.pending']")
    pending = lists.ListFilter(kind="refill")
    eventually(
        lambda: told.inner_text() == str(lists.plans(lake, pending).total),
        "the live page has the plans",
    )
    page.get_by_role("link", name="refill pending").click()
    for shelf, count in units.items():
        plan = page.get_by_role("row").filter(has_text=shelf)
        expect(plan.get_by_role("cell", name=str(count), exact=True)).to_be_visible()
