"""Every page, in real Chromium: light and dark, on a desk and in a hand, with nothing that a browser complains of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from lakeshelf.governance.services.context import Context
from lakeshelf.ui import files
from lakeshelf.ui.pages import PAGES
from tests.cli.shop.told_shop import SHELF
from tests.governance.api.modelled import CANDIDATE
from tests.governance.api.people import issue
from tests.governance.services.conftest import DATASET, PROJECT
from tests.ui import tools
from tests.ui.browser import PICTURES, signed_in
from tests.ui.floor import app, sent, shop_template
from tests.ui.steward import WORST

__all__ = ["app", "sent", "shop_template"]
pytestmark = pytest.mark.slow
NAMES = {
    "shelf": SHELF,
    "project": PROJECT,
    "dataset": DATASET,
    "number": "1",
    "upload": "0",
    "id": SHELF,
    "version": CANDIDATE,
}
"""What the names of addresses are here."""
QUERIES = {"/data/{project}/{dataset}/blame": "?shelf_id=S1"}
SIZES = {"desk": (1280, 720), "hand": (390, 844)}
HEAVIEST_BYTES = 120_000
"""A page with its styles and scripts, as they are sent."""


@pytest.fixture
def page(browser: Browser, context: Context, address: str) -> Iterator[Page]:
    with signed_in(browser, address, issue(context, "ann", "ann")) as page:
        yield page


def address_of(path: str) -> str:
    """Where a page of the declarations is; one with a name that is not known here fails."""
    return path.replace(":path", "").format_map(NAMES) + QUERIES.get(path, "")


def serious(page: Page) -> list[str]:
    """What axe finds that keeps people out."""
    page.evaluate((tools.modules() / "axe-core" / "axe.min.js").read_text(encoding="utf-8"))
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


@pytest.mark.parametrize("path", [page.path for page in PAGES])
def test_every_page_is_for_everybody(page: Page, path: str) -> None:
    wrong: list[str] = []
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.goto(address_of(path))
            expect(page.locator("h1")).to_be_visible()
            faults = serious(page) + (["it scrolls sideways"] if is_wider(page) else [])
            faults += empty(page) if size == "hand" else []
            if faults:
                PICTURES.mkdir(parents=True, exist_ok=True)
                name = re.sub(r"\W+", "-", f"{path} {size} {scheme}").strip("-")
                page.screenshot(path=PICTURES / f"{name}.png", full_page=True)
            wrong += [f"{size} {scheme}: {fault}" for fault in faults]
    assert wrong == []


def test_no_page_is_heavy(page: Page) -> None:
    weights: dict[str, int] = {}
    for path in (one.path for one in PAGES):
        sent: list[Response] = []

        def keep(answer: Response, sent: list[Response] = sent) -> None:
            sent.append(answer)

        page.on("response", keep)
        opened = page.goto(address_of(path), wait_until="load")
        assert opened is not None
        page.remove_listener("response", keep)
        names = {urlsplit(one.url).path.split("/", 3)[-1] for one in sent if "/static/" in one.url}
        weights[path] = len(opened.body()) + sum(len(files.assets().packed[name]) for name in names)
    assert {path: weight for path, weight in weights.items() if weight > HEAVIEST_BYTES} == {}
