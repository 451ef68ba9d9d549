"""Whatever events and people fill a field with, each page shows it as the text it is, runs none of it, and works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urljoin
from xml.etree.ElementTree import Element

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Dialog, Page, expect

from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.services.imports import uploading
from lakeshelf.governance.services.people import projects, users
from lakeshelf.governance.services.shop.running import Message
from lakeshelf.ui.texts import visible
from tests.cli.shop.told_shop import SHELF
from tests.governance.api.people import ORIGIN, Browser, Person, issue
from tests.governance.services.conftest import ANN, DATASET, PROJECT
from tests.ui import floor, hostile
from tests.ui.browser import signed_in
from tests.ui.controls import reasons, tree
from tests.ui.floor import sent, shop_template
from tests.ui.hostile import CORPUS, PLACES
from tests.ui.test_frame import read

__all__ = ["sent", "shop_template"]
pytestmark = pytest.mark.slow
ALL = " | ".join(CORPUS)
"""The corpus as one text."""
MADE_OF_TEXT = "script, img, svg[onload], [onerror], [onmouseover], [onfocus]"
"""What would be there, had a text become elements."""


@pytest.fixture
def app(context: Context, shop_template: Path, sent: list[Message]) -> FastAPI:
    """As its server has it, of a shop whose events were filled with the corpus."""
    made = floor.app_of(context, shop_template, sent)
    assert context.root.folder is not None
    hostile.write_events(context.root.folder)
    return made


def headings(page: Element) -> list[str]:
    return ["".join(one.itertext()) for kind in ("h1", "h2") for one in page.iter(kind)]


def test_an_id_leads_to_what_it_names_whatever_it_holds(app: FastAPI, ann: Person) -> None:
    browser = Browser(app, "ann")
    rows = list(tree(read(browser, "/alerts").text).iter("tr"))
    for text in PLACES:
        [row] = [one for one in rows if "".join(one.itertext()).count(text) and _store(one) == text]
        links = {one.get("href", "") for one in row.iter("a")}
        of_text = {one for one in links if "/trace/h" not in one}
        assert len(of_text) == (1 if text in (".", "..") else 2), (text, links)
        for link in of_text:
            answer = read(browser, urljoin(ORIGIN, link).removeprefix(ORIGIN))
            page = tree(answer.text)
            assert (answer.status_code, reasons(page)) == (200, []), link
            assert any(text in heading for heading in headings(page)), link


@pytest.mark.parametrize("shelf", ["a/b/c", "//evil.example/x", "a?b=c#d"])
def test_the_stock_of_a_shelf_is_corrected_whatever_its_id_holds(
    app: FastAPI, ann: Person, sent: list[Message], shelf: str
) -> None:
    place = f"/api/v1/shelves/{quote(shelf, safe='')}"
    assert ann.get(f"{place}/books")["shelf_id"] == shelf
    ann.post(f"{place}/adjust", {"quantity": 1})
    assert [values["shelf_id"] for _, values in sent] == [shelf]


def _store(row: Element) -> str:
    return "".join(
        "".join(one.itertext()) for one in row.iter("td") if one.get("data-label") == "Store"
    )


def test_a_group_has_a_plain_name(context: Context) -> None:
    for text in set(CORPUS) - {"null", "undefined", "constructor"}:
        with pytest.raises(GovernanceError, match="is no id of a group"):
            projects.join(context, ANN, PROJECT, text, "vic")


@pytest.fixture
def page(browser: Chromium, context: Context, address: str) -> Iterator[Page]:
    with signed_in(browser, address, issue(context, "ann", "ann")) as shown:
        said: list[str] = []

        def hear(dialog: Dialog) -> None:
            said.append(dialog.message)
            dialog.dismiss()

        shown.on("dialog", hear)
        yield shown
        assert said == []


def shown_as_text(page: Page, place: str, *texts: str) -> None:
    """Open a page, which shows texts and has made nothing of them."""
    page.goto(place)
    main = page.locator("main")
    expect(main.locator("h1")).to_be_visible()
    words = str(main.text_content())
    assert [text for text in texts if visible(text) not in words] == [], place
    assert main.locator(MADE_OF_TEXT).count() == 0


def test_what_events_hold_is_text_and_is_acted_upon(page: Page, sent: list[Message]) -> None:
    for place in ("/alerts", "/plans", f"/shelves/{SHELF}", f"/trace/{SHELF}?limit=1000"):
        shown_as_text(page, place, *CORPUS)
    page.goto("/alerts?kind=near_expiry")
    page.locator("[data-all]").check()
    page.get_by_label("Reason").fill(CORPUS[0])
    page.get_by_role("button", name="Acknowledge the ticked").click()
    expect(page.locator("#said")).to_contain_text("Asked.")
    assert {f"h{n}" for n in range(len(CORPUS))} <= {str(one["target_id"]) for _, one in sent}


def test_what_people_type_is_text(page: Page, context: Context) -> None:
    admin = Caller("ann", admin=True)
    users.change(context, admin, "ann", admin=True)
    users.change(context, admin, "vic", label=ALL)
    users.issue(context, admin, "ann", label=ALL)
    projects.create(context, admin, "of_texts", title=ALL, description=ALL)
    shown_as_text(page, "/me", *CORPUS)
    shown_as_text(page, "/admin?project=of_texts&user=ann", *CORPUS)
    for text in hostile.MARKUP:
        name = f"{text}.csv"
        upload = uploading.receive(context, ANN, PROJECT, DATASET, name, [b"x"])
        shown_as_text(page, f"/imports/{PROJECT}/{upload.id}", uploading.shown_name(name))
