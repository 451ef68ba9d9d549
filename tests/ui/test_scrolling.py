"""Every row of any number of rows is reached, though no element is taller than browsers draw."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from lakeshelf.ui import files
from tests.ui.browser import opened

pytestmark = pytest.mark.slow
TALLEST = 33_554_432
"""Pixels of the tallest element in Chromium."""
VIEW, ROW = 280, 28
SET_UP = """async (rows) => {
    const { Scrolling } = await import("/grid/scrolling.js");
    const box = document.createElement("div");
    const inner = document.createElement("div");
    box.style.height = "280px";
    box.style.overflow = "auto";
    box.append(inner);
    document.body.replaceChildren(box);
    window.box = box;
    window.it = new Scrolling(box, inner, () => {});
    window.it.resize(rows);
    return inner.offsetHeight;
}"""
PLACES = "() => [window.it.first, window.it.last]"
NEXT_FRAME = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with opened(browser, files.assets().contents) as shown:
        yield shown


@pytest.mark.parametrize("rows", [0, 1, 10, 11, 535_714, 1_226_540, 100_000_000])
def test_the_first_and_the_last_row_are_reached(page: Page, rows: int) -> None:
    assert page.evaluate(SET_UP, rows) <= TALLEST
    page.evaluate("() => { window.box.scrollTop = window.box.scrollHeight; }")
    page.evaluate(NEXT_FRAME)
    assert page.evaluate(PLACES)[1] == rows - 1
    page.evaluate("() => { window.box.scrollTop = 0; }")
    page.evaluate(NEXT_FRAME)
    assert page.evaluate(PLACES)[0] == 0


def test_each_row_can_be_gone_to_and_the_wheel_passes_over_none(page: Page) -> None:
    rows = 100_000_000
    page.evaluate(SET_UP, rows)
    for row in (0, 1, 1_234_567, 49_999_999, 50_000_000, rows - 2, rows - 1):
        page.evaluate("(row) => window.it.reveal(row)", row)
        page.evaluate(NEXT_FRAME)
        first, last = page.evaluate(PLACES)
        assert first <= row <= last
    page.evaluate("() => window.it.go(28 * 50_000_000)")
    turn = (
        "() => window.box.dispatchEvent(new WheelEvent('wheel', { deltaY: 28, cancelable: true }))"
    )
    for step in range(1, 11):
        page.evaluate(turn)
        page.evaluate(NEXT_FRAME)
        assert page.evaluate(PLACES)[0] == 50_000_000 + step
