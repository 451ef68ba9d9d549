"""How the grid looks: rows as tall as somebody chose, and lines that are seen to wait."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Route, expect

from lakeshelf.governance.services.context import Context
from tests.governance.api.people import issue
from tests.support import eventually
from tests.ui.browser import signed_in
from tests.ui.steward import Desk, made

pytestmark = pytest.mark.slow
FAR = 500
BAR = """(cell) => {
    const { animationDelay, opacity } = getComputedStyle(cell, "::after");
    return [animationDelay, opacity];
}"""


@pytest.fixture
def desk(browser: Browser, context: Context, address: str) -> Iterator[Desk]:
    made(context, rows=600)
    with signed_in(browser, address, issue(context, "ann", "ann")) as page:
        shown = Desk(page, context)
        shown.open()
        yield shown


def jump(desk: Desk) -> None:
    desk.go(1, "sku")
    desk.press("Control+g")
    desk.type(str(FAR))


def test_rows_are_as_tall_as_somebody_chose_and_stay_where_they_were(desk: Desk) -> None:
    jump(desk)
    expect(desk.row(FAR)).to_have_css("height", "28px")
    choice = desk.page.locator("[data-rows-choice] select")
    lines = desk.page.locator(".grid-rows .grid-line:not([hidden])")
    view = lines.count() * 28
    for chosen, height in (("roomy", 36), ("dense", 24)):
        choice.select_option(chosen)
        expect(desk.row(FAR)).to_have_css("height", f"{height}px")
        expect(desk.row(FAR)).to_be_visible()
        eventually(lambda of=height: abs(lines.count() * of - view) < 60, "lines fill the view")
    desk.page.reload()
    expect(choice).to_have_value("dense")
    expect(desk.row(1)).to_have_css("height", "24px")


def test_the_active_row_is_seen_in_a_low_window_too(desk: Desk) -> None:
    desk.page.set_viewport_size({"width": 1280, "height": 400})
    jump(desk)
    expect(desk.cell(FAR, "sku")).to_be_in_viewport(ratio=0.95)
    desk.press(*["ArrowDown"] * 20)
    cell = desk.cell(FAR + 20, "sku")
    expect(cell).to_be_in_viewport(ratio=0.95)
    lower, said = cell.bounding_box(), desk.page.locator(".grid-found").bounding_box()
    assert lower is not None
    assert said is not None
    assert lower["y"] + lower["height"] <= said["y"] + 1  # parts of a pixel


def test_lines_are_seen_to_wait_after_a_moment(desk: Desk) -> None:
    held: list[Route] = []
    desk.page.route("**/views/*/rows?*", lambda route: held.append(route))  # noqa: PLW0108 - Playwright calls functions alone
    jump(desk)
    cell = desk.cell(FAR, "sku")
    eventually(lambda: cell.evaluate(BAR) == ["0.2s", "1"], "a bar stands where a text will")
    for route in held:
        route.continue_()
    expect(cell).to_have_text(f"K{FAR - 1:06}")
    assert cell.evaluate(BAR)[0] != "0.2s"
