"""Every row of any number of rows is reached, though no element is taller than browsers draw, and few rows are held."""

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
HELD = 80
"""Pages of rows that are held."""
LOADED = """async (count) => {
    const { Pages, SIZE } = await import("/grid/pages.js");
    const [answers, stopped] = [[], []];
    const fetch = (offset, rows, signal) => new Promise((answer, fail) => {
        signal.addEventListener("abort", () => { stopped.push(offset / SIZE); fail(signal.reason); });
        answers.push(() => answer({ row_ids: Array(rows).fill("row") }));
    });
    const pages = new Pages(fetch, () => {}, (error) => { throw error; });
    pages.show(0, SIZE);
    pages.show(9 * SIZE, 9 * SIZE);
    const numbers = Array.from({ length: count }, (_, number) => number);
    for (const number of numbers.slice(9)) {
        const loaded = pages.load(number);
        answers.at(-1)();
        await loaded;
    }
    return [stopped, numbers.filter((number) => pages.at(number * SIZE))];
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


def test_rows_out_of_sight_are_not_waited_for_and_those_not_used_for_longest_go(page: Page) -> None:
    count = 9 + HELD + 2
    stopped, held = page.evaluate(LOADED, count)
    assert stopped == [0, 1]
    assert held == list(range(count - HELD, count))
