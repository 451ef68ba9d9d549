"""Pictures of every page, light and dark, on a desk and in a hand, on a lake in which a shop has lived.

`python -m tests.ui.screenshots DIR` writes all of them, whole; `python -m tests.ui.screenshots DIR NAME …` what is seen
first of those that are named, such as `alerts-desk-light`: so the pictures of docs/pages.md are made.
"""

from __future__ import annotations

import base64
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.cli.shop.told_shop import write_all
from tests.governance.api import modelled
from tests.governance.worker import Process
from tests.ui import lived
from tests.ui.browser import SCHEMES, SIZES, running, signed_in
from tests.ui.lived import Lived

QUALITY = 80
"""Of the pictures, which are WebP."""
TALLEST = 2_400
"""Pixels of a page that are pictured."""


def name(path: str) -> str:
    """What pictures of a page are called, before size and scheme."""
    return "-".join(re.findall(r"\w+", path)) or "shop"


@contextmanager
def _shop() -> Iterator[Lived]:
    """A shop with all that it stands on."""
    with tempfile.TemporaryDirectory(prefix="lakeshelf-") as folder:
        template = Path(folder) / "template"
        write_all(template)
        modelled.write(template)
        process = Process(Path(folder))
        try:
            with lived.shop(template, process.worker) as made:
                yield made
        finally:
            process.kill()


def picture(page: Page, file: Path, *, whole: bool) -> None:
    """Write what a page looks like."""
    grid = page.locator("[data-grid]")
    if grid.count():
        expect(page.locator(".grid-line [role=gridcell]").first).not_to_be_empty()
    height = int(page.evaluate("() => document.documentElement.scrollHeight"))
    size = page.viewport_size
    assert size is not None
    seen = min(height, TALLEST) if whole else min(height, size["height"])
    clip = {"x": 0, "y": 0, "width": size["width"], "height": seen, "scale": 1}
    asked = {"format": "webp", "quality": QUALITY, "clip": clip, "captureBeyondViewport": True}
    session = page.context.new_cdp_session(page)
    file.write_bytes(base64.b64decode(session.send("Page.captureScreenshot", asked)["data"]))
    session.detach()


def write(folder: Path, names: Sequence[str] = ()) -> None:
    """Write the pictures, or those that are named."""
    folder.mkdir(parents=True, exist_ok=True)
    with _shop() as shop, running() as browser:
        places = lived.chosen(shop)
        for role, is_theirs in (("contributor", True), ("owner", False)):
            with signed_in(browser, shop.address, role) as page:
                for path, place in places.items():
                    if path.startswith("/reviews") == is_theirs:
                        _write(page, folder, name(path), place, names)


def _write(page: Page, folder: Path, of: str, place: str, names: Sequence[str]) -> None:
    for size, (width, height) in SIZES.items():
        for scheme in SCHEMES:
            called = f"{of}-{size}-{scheme}"
            if names and called not in names:
                continue
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=scheme)
            page.goto(place)
            picture(page, folder / f"{called}.webp", whole=not names)


if __name__ == "__main__":
    write(Path(sys.argv[1]), sys.argv[2:])
