"""Pictures of every page, light and dark, on a desk and in a hand, on a lake in which a shop has lived.

`python -m tests.ui.screenshots DIR` writes all of them, whole; `python -m tests.ui.screenshots DIR NAME …` what is seen
first of those that are named, such as `alerts-desk-light`: so the pictures of docs/pages.md are made.
"""

from __future__ import annotations

import base64
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect

from lakeshelf.governance.metadata import Metadata
from lakeshelf.ui.pages import PAGES
from tests.cli.shop.told_shop import OPENED, SHELF, write_all
from tests.governance.api import modelled
from tests.governance.api.operations import USERS
from tests.governance.api.people import REQUESTS, Person
from tests.governance.api.serving import listening
from tests.governance.api.test_life import done, insert, proposed, set_
from tests.governance.services.conftest import Clock, services
from tests.governance.worker import Process
from tests.ui import everybody
from tests.ui.browser import running, signed_in
from tests.ui.everybody import Everybody
from tests.ui.test_every_page import SIZES

SCHEMES = ("light", "dark")
POLICIES = 60
QUALITY = 80
"""Of the pictures, which are WebP."""
TALLEST = 2_400
"""Pixels of a page that are pictured."""


def name(path: str) -> str:
    """What pictures of a page are called, before size and scheme."""
    return "-".join(re.findall(r"\w+", path)) or "shop"


@contextmanager
def shop() -> Iterator[tuple[str, Everybody, dict[str, str]]]:
    """Where the pages of a shop listen, who is there, and page → the address that is pictured."""
    folder = Path(tempfile.mkdtemp(prefix="lakeshelf-"))
    (folder / "process").mkdir()
    process = Process(folder / "process")
    template = folder / "template"
    write_all(template)
    modelled.write(template)
    with Metadata.open(folder / "metadata.db") as metadata:
        context = services(metadata, folder / "lake", process.worker, Clock())
        with (
            everybody.pages(context, template, [], OPENED.date()) as app,
            listening(app) as address,
        ):
            all_ = everybody.everybody(app, context, [])
            people = {role: Person(app, role) for role in USERS}
            yield address, all_, _addresses(all_, _lived(people))
    process.kill()
    shutil.rmtree(folder)


def _lived(people: dict[str, Person]) -> str:
    """Policies, a change request of them that is looked at, and its number."""
    owner, reviewer, author = (people[role] for role in ("owner", "contributor", "author"))
    shelves = [SHELF, *(f"S{1 + n % 4}-I{2 + n}" for n in range(POLICIES - 1))]
    rows = [
        insert(shelf, threshold_pct=40 - n % 4 * 5, min_qty=4) for n, shelf in enumerate(shelves)
    ]
    done(owner, reviewer, *rows)
    edits = [set_(shelf, "threshold_pct", 15) for shelf in shelves[:6]]
    words = {"title": "Lower thresholds for dairy", "description": "It is delivered daily now."}
    number = str(proposed(author, *edits, set_(SHELF, "min_qty", 2), **words)["number"])
    remark = {"body": "Why 2?", "row_id": SHELF, "column": "min_qty"}
    reviewer.post(f"{REQUESTS}/{number}/comments", remark)
    return number


def _addresses(all_: Everybody, number: str) -> dict[str, str]:
    chosen = {path.path: all_.addresses(path.path)[0] for path in PAGES}
    return chosen | {
        "/reviews/{project}/{number}": f"/reviews/retail/{number}",
        "/explore": "/explore",
        "/whatif": "/whatif",
        "/pipeline": "/pipeline",
        "/trace": "/trace",
        "/shelves/{shelf}": f"/shelves/{SHELF}?order=shown",
    }


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
    with shop() as (address, _, places), running() as browser:
        for role, is_theirs in (("contributor", True), ("owner", False)):
            with signed_in(browser, address, role) as page:
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
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.goto(place)
            picture(page, folder / f"{called}.webp", whole=not names)


if __name__ == "__main__":
    write(Path(sys.argv[1]), sys.argv[2:])
