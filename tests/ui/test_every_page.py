"""Every page at its fullest, in real Chromium, light and dark, on a desk and in a hand: it complains of nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from lakeshelf.governance.validation.remote import Worker
from lakeshelf.ui.pages import PAGES
from tests.governance.api.floor import shop_template
from tests.ui import lived, tools, weights
from tests.ui.browser import PICTURES, SCHEMES, SIZES, signed_in
from tests.ui.lived import Lived
from tests.ui.steward import WORST

__all__ = ["shop_template"]
pytestmark = [pytest.mark.slow, pytest.mark.ml]
BARE = {"/trace", "/reviews/{project}/{number}", "/pipeline", "/alerts", "/plans"}
"""Pages of which a part is empty at their fullest: nothing of the stack runs, nobody has said a word, no act failed."""
OUT_OF_REACH = """() => {
    const controls = document.querySelectorAll("a[href], button, input, select, textarea, summary");
    const seen = [...controls].filter((one) => one.checkVisibility() && !one.matches(".skip"));
    return seen.filter((one) => {
        one.scrollIntoView({ block: "center", inline: "center" });
        const { left, right, top, bottom } = one.getClientRects()[0];
        return right < 1 || left > innerWidth - 1 || bottom < 1 || top > innerHeight - 1;
    }).map((one) => one.outerHTML.slice(0, 120));
}"""
"""Controls that cannot be scrolled into sight."""
HEAVIEST_BYTES = 120_000
"""A page with its styles and scripts, as they are sent."""


@pytest.fixture(scope="module")
def shop(shop_template: Path, worker: Worker) -> Iterator[Lived]:
    with lived.shop(shop_template, worker) as made:
        yield made


@pytest.fixture(scope="module")
def full(shop: Lived) -> Mapping[str, list[str]]:
    """Page → addresses at which it is full; made before a browser runs, which lets no other loop run in its thread."""
    return lived.full(shop)


@pytest.fixture(scope="module")
def crowded(shop: Lived) -> list[str]:
    return lived.crowded(shop)


@pytest.fixture
def page(
    full: Mapping[str, list[str]], crowded: list[str], browser: Browser, shop: Lived
) -> Iterator[Page]:
    with signed_in(browser, shop.address, "owner") as page:
        yield page


def opened(page: Page, address: str) -> None:
    """Open a page with all that it folds away, and wait for what its scripts show."""
    answer = page.goto(address)
    assert answer is not None
    assert answer.status == 200
    expect(page.locator("h1")).to_be_visible()
    page.locator("details").evaluate_all("(all) => all.forEach((one) => { one.open = true; })")
    if page.locator("[data-grid]").count():
        expect(page.locator(".grid-line [role=gridcell]").first).not_to_be_empty()


def serious(page: Page) -> list[str]:
    """What axe finds that keeps people out."""
    found = page.evaluate("() => axe.run().then((result) => result.violations)")
    return [
        f"{one['id']}: {node['html'][:200]}"
        for one in found
        if one["impact"] in WORST
        for node in one["nodes"]
    ]


def is_wider(page: Page) -> bool:
    """Whether the whole page scrolls sideways."""
    root = "document.documentElement"
    return bool(page.evaluate(f"() => {root}.scrollWidth > {root}.clientWidth"))


def empty(page: Page) -> list[str]:
    """Cells of cards that hold nothing; an error may come to stand in one."""
    shown = page.locator(".cards td:visible:not(:has([data-error], input, a))")
    texts = shown.evaluate_all("(cells) => cells.map((one) => [one.dataset.label, one.innerText])")
    return [f"empty: {label}" for label, text in texts if text.strip() in ("", "\N{EN DASH}")]


def bare(page: Page) -> list[str]:
    """What of a page is refused, or holds nothing."""
    return page.locator(".refusal[role=alert]:visible, main .empty:visible").all_inner_texts()


def faults(page: Page, size: str) -> Iterator[str]:
    yield from serious(page)
    if is_wider(page):
        yield "it scrolls sideways"
    if size == "hand":
        yield from empty(page)


def pictured(page: Page, *words: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"\W+", "-", " ".join(words)).strip("-")
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


@pytest.mark.parametrize("path", [page.path for page in PAGES])
def test_every_page_is_for_everybody(page: Page, full: Mapping[str, list[str]], path: str) -> None:
    axe = (tools.modules() / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    wrong: list[str] = []
    for address in full[path]:
        opened(page, address)
        weight = weights.sent(page)
        wrong += [f"{address} weighs {weight:,} bytes"] if weight > HEAVIEST_BYTES else []
        page.evaluate(axe)
        for (size, (width, height)), scheme in product(SIZES.items(), SCHEMES):
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=scheme)
            found = list(faults(page, size))
            if found:
                pictured(page, path, size, scheme)
            wrong += [f"{address} {size} {scheme}: {fault}" for fault in found]
        if path not in BARE:
            wrong += [f"{address} is not full: {told}" for told in bare(page)]
    assert wrong == []


@pytest.mark.parametrize("path", [page.path for page in PAGES])
def test_a_page_at_twice_and_four_times_its_size_does_not_scroll_sideways_and_has_all_its_controls(
    page: Page, full: Mapping[str, list[str]], path: str
) -> None:
    width, height = SIZES["desk"]
    for address in full[path]:
        opened(page, address)
        for times in (2, 4):
            page.set_viewport_size({"width": width // times, "height": height // times})
            assert not is_wider(page), (address, times)
            assert page.evaluate(OUT_OF_REACH) == [], (address, times)


def test_light_or_dark_is_as_the_system_has_it_until_somebody_chooses(page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto("/me")
    root, switch = page.locator("html"), page.locator("[data-theme-switch]")
    for theme, other in (("dark", "light"), ("light", "dark")):
        expect(root).to_have_attribute("data-theme", theme)
        expect(root).to_have_css("color-scheme", theme)
        expect(switch).to_have_text(other.title())
        switch.click()
    switch.click()
    page.reload()
    expect(root).to_have_attribute("data-theme", "light")


def test_no_page_is_heavy_that_has_all_rows_of_its_list(page: Page, crowded: list[str]) -> None:
    for address in crowded:
        opened(page, address)
        assert page.locator("tbody tr").count() >= lived.CROWDED
        assert weights.sent(page) <= HEAVIEST_BYTES, address
