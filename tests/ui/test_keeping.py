"""Where a browser keeps nothing the pages go on and say so, and what one tab or lake keeps no other throws away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Dialog, Page, Route, expect

from lakeshelf.governance.api.app import application, ended
from lakeshelf.governance.metadata import Metadata
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.validation.remote import Worker
from lakeshelf.ui import serving
from tests.governance.api.people import issue
from tests.governance.api.serving import listening
from tests.governance.services.conftest import Clock, services
from tests.support import eventually
from tests.ui.browser import signed_in
from tests.ui.keyboard import button
from tests.ui.steward import Desk, made
from tests.ui.test_grid import EDITS
from tests.ui.test_tabs import sign_in

pytestmark = pytest.mark.slow
ROWS = 40
FORBIDDEN = """
for (const name of ["localStorage", "indexedDB"]) Object.defineProperty(window, name, {
  get() { throw new DOMException("Access is denied for this document.", "SecurityError"); },
});
LockManager.prototype.request = () => Promise.reject(new DOMException("Access is denied", "SecurityError"));
window.BroadcastChannel = class { constructor() { throw new DOMException("It is insecure", "SecurityError"); } };
"""
"""As browsers do where site data are blocked."""
FULL = """() => {
    const { add, put } = IDBObjectStore.prototype;
    const { commit } = IDBTransaction.prototype;
    const full = new WeakSet();
    IDBObjectStore.prototype.add = function (...all) {
        full.add(this.transaction);
        return add.apply(this, all);
    };
    IDBObjectStore.prototype.put = function (...all) {
        const asked = put.apply(this, all);
        this.transaction.abort();
        return asked;
    };
    IDBTransaction.prototype.commit = function () {
        full.has(this) ? this.abort() : commit.call(this);
    };
}"""
"""As browsers do whose disk is full: what writes is called off, and what reads or removes is not."""
UNKEPT = "This browser keeps no edits over a reload: stay until they are saved."
SESSIONS = "**/live_sessions"


def unopened(route: Route) -> None:
    """No session is opened; which are open is told."""
    route.abort() if route.request.method == "POST" else route.continue_()


@pytest.fixture
def desk(browser: Browser, context: Context, address: str) -> Iterator[Desk]:
    made(context, ROWS)
    with signed_in(browser, address, issue(context, "ann", "ann")) as page:
        yield Desk(page, context)


@pytest.fixture
def other(tmp_path: Path, sqlite_template: Path, worker: Worker) -> Iterator[Context]:
    """A lake of another day with a dataset of the same name."""
    database, clock = tmp_path / "other.db", Clock()
    database.write_bytes(sqlite_template.read_bytes())
    clock.pass_(days=1)
    with Metadata.open(database) as metadata:
        context = services(metadata, tmp_path / "other", worker, clock)
        made(context, ROWS)
        yield context


def edit(desk: Desk, number: int, text: str) -> None:
    desk.go(number, "threshold_pct")
    desk.type(text)


def fill(page: Page) -> None:
    """Have the browser find no room for what the page keeps."""
    page.evaluate(FULL)


def stay(dialog: Dialog) -> None:
    assert dialog.type == "beforeunload"
    dialog.dismiss()


def is_asked_before_leaving(page: Page) -> None:
    page.once("dialog", stay)
    with page.expect_event("dialog"):
        page.evaluate("() => { setTimeout(() => location.assign('/data')); }")


def test_a_browser_that_keeps_nothing_edits_and_says_so(desk: Desk) -> None:
    desk.page.add_init_script(FORBIDDEN)
    desk.open()
    unkept = desk.page.get_by_text(UNKEPT)
    expect(unkept).to_be_visible()
    edit(desk, 2, "25")
    desk.saved()
    desk.page.route(EDITS, lambda route: route.abort())
    edit(desk, 3, "26")
    edit(desk, 4, "27")
    expect(desk.page.locator(".grid-state")).to_contain_text("2 not saved: the server does not")
    is_asked_before_leaving(desk.page)
    desk.page.unroute(EDITS)
    desk.saved()
    assert desk.staged() == {(f"K00000{row}", "threshold_pct"): 24 + row for row in (1, 2, 3)}


def test_choices_hold_for_a_page_whose_browser_keeps_nothing(desk: Desk) -> None:
    page = desk.page
    page.add_init_script(FORBIDDEN)
    with page.expect_request("**/api/v1/events?*"):
        page.goto("/")
    root = page.locator("html")
    for theme in ("dark", "light"):
        page.locator("[data-theme-switch]").click()
        expect(root).to_have_attribute("data-theme", theme)
    page.get_by_label("Rows").select_option("dense")
    expect(root).to_have_attribute("data-rows", "dense")
    page.goto("/explore")
    page.locator("#sql").fill("SELECT 1 AS one")
    page.locator("#sql").press("Control+Enter")
    expect(page.locator("#result")).to_be_visible()


def test_a_browser_without_room_edits_and_says_so_until_all_is_saved(
    desk: Desk,
) -> None:
    desk.open()
    desk.page.route(EDITS, lambda route: route.abort())
    edit(desk, 2, "25")
    waits = desk.page.locator(".grid-state")
    expect(waits).to_contain_text("1 not saved: the server")
    fill(desk.page)
    unkept = desk.page.get_by_text(UNKEPT)
    expect(unkept).to_be_hidden()
    edit(desk, 3, "26")
    expect(unkept).to_be_visible()
    expect(waits).to_contain_text("2 not saved: the server")
    is_asked_before_leaving(desk.page)
    desk.page.unroute(EDITS)
    desk.saved()
    expect(unkept).to_be_hidden()
    assert desk.staged() == {(f"K00000{row}", "threshold_pct"): 24 + row for row in (1, 2)}


def test_what_was_kept_is_sent_where_no_room_is_left(desk: Desk) -> None:
    desk.open()
    desk.page.route(SESSIONS, unopened)
    edit(desk, 2, "25")
    edit(desk, 3, "26")
    expect(desk.page.locator(".grid-state")).to_contain_text("2 not saved: the server")
    fill(desk.page)
    desk.page.unroute(SESSIONS)
    desk.saved()
    assert desk.staged() == {(f"K00000{row}", "threshold_pct"): 24 + row for row in (1, 2)}


def test_site_data_that_are_cleared_stop_nobody(desk: Desk, address: str) -> None:
    desk.open()
    desk.page.route(EDITS, lambda route: route.abort())
    edit(desk, 2, "25")
    expect(desk.page.locator(".grid-state")).to_contain_text("1 not saved: the server")
    devtools = desk.page.context.new_cdp_session(desk.page)
    cleared = {"origin": address, "storageTypes": "indexeddb"}
    devtools.send("Storage.clearDataForOrigin", cleared)
    edit(desk, 3, "26")
    expect(desk.page.get_by_text(UNKEPT)).to_be_visible()
    desk.page.unroute(EDITS)
    desk.saved()
    assert desk.staged() == {(f"K00000{row}", "threshold_pct"): 24 + row for row in (1, 2)}


def two_tabs(desk: Desk) -> Desk:
    """Another tab, which has taken up what this one has not sent."""
    context = desk.page.context
    context.route(SESSIONS, unopened)
    desk.open()
    edit(desk, 2, "25")
    expect(desk.page.locator(".grid-state")).to_contain_text("1 not saved: the server")
    other = Desk(context.new_page(), desk.context)
    other.open()
    expect(other.cell(2, "threshold_pct")).to_have_text("25")
    edit(desk, 3, "26")
    edit(other, 4, "27")
    return other


def test_tabs_that_join_what_both_keep_lose_nothing_of_each_other(desk: Desk) -> None:
    other = two_tabs(desk)
    for tab in (desk, other):
        expect(tab.page.locator(".grid-state")).to_contain_text("2 not saved: the server")
    context, held = desk.page.context, list[Route]()
    context.route(EDITS, lambda route: route.abort())
    other.page.route(
        SESSIONS,
        lambda route: held.append(route) if route.request.method == "POST" else route.continue_(),
    )
    other.try_again()
    eventually(lambda: other.page.wait_for_timeout(50) or held, "it opens a session")
    context.unroute(SESSIONS)  # not before: one tab opens a session, for both, and it is the other
    desk.try_again()
    expect(desk.page.locator(".grid-state")).to_have_text("2 not saved")
    with desk.page.expect_event("requestfailed"), other.page.expect_event("requestfailed"):
        held[0].continue_()
    desk.page.close()
    other.page.close()
    context.unroute(EDITS)
    after = Desk(context.new_page(), desk.context)
    after.open()
    after.saved()
    assert after.staged() == {(f"K00000{row}", "threshold_pct"): 24 + row for row in (1, 2, 3)}


def test_what_another_tab_discards_is_not_what_this_one_has_typed_since(desk: Desk) -> None:
    other = two_tabs(desk)
    context = desk.page.context
    button(other.page, "Discard…").click()
    with other.page.expect_navigation():
        button(other.page, "Go on").click()
    context.unroute(SESSIONS)
    desk.try_again()
    desk.saved()
    assert desk.staged() == {("K000002", "threshold_pct"): 26}


def test_edits_of_another_lake_at_the_same_address_are_not_shown(
    browser: Browser, app: FastAPI, context: Context, other: Context
) -> None:
    with ExitStack() as open_:
        first = ExitStack()
        address = first.enter_context(listening(app))
        made(context, ROWS)
        page = open_.enter_context(signed_in(browser, address, issue(context, "ann", "ann")))
        desk = Desk(page, context)
        desk.open()
        page.route(EDITS, lambda route: route.abort())
        edit(desk, 2, "25")
        expect(page.locator(".grid-state")).to_contain_text("1 not saved: the server")
        page.unroute(EDITS)
        page.goto("about:blank")
        first.close()
        second = application(other)
        serving.install(second)
        open_.enter_context(listening(second, urlsplit(address).port or 0))
        open_.callback(page.goto, "about:blank")
        sign_in(desk, issue(other, "ann", "ann"), address)
        moved = Desk(page, other)
        moved.open()
        expect(moved.cell(2, "threshold_pct")).to_have_text("30")
        edit(moved, 3, "26")
        moved.saved()
        assert moved.staged() == {("K000002", "threshold_pct"): 26}
    for one in (app, second):
        ended(one)
