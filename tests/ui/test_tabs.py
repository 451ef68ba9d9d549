"""Who signs in anew, or as somebody else, in another tab, and what two tabs have not sent: none is lost or doubled."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from lakeshelf.governance.services.context import Context
from tests.governance.api.people import issue
from tests.governance.services.conftest import PROJECT
from tests.ui.browser import signed_in
from tests.ui.steward import Desk, made
from tests.ui.test_grid import EDITS

pytestmark = pytest.mark.slow
ROWS = 40
AGAIN_MS = 30_000
"""After which time at most edits that nobody took are sent again."""


@pytest.fixture
def desk(browser: Browser, context: Context, address: str) -> Iterator[Desk]:
    made(context, ROWS)
    issue(context, "ben", "ben")
    with signed_in(browser, address, issue(context, "ann", "ann")) as page:
        shown = Desk(page, context)
        shown.open()
        yield shown


def sign_in(desk: Desk, user: str, address: str) -> None:
    """Sign in as another tab of the browser does."""
    call = desk.page.context.request
    assert call.post(
        f"{address}/api/v1/sign_in", data={"token": user}, headers={"Origin": address}
    ).ok


def test_edits_are_sent_by_who_signs_in_anew_and_by_nobody_else(desk: Desk, address: str) -> None:
    state, again = (
        desk.page.locator(".grid-state"),
        desk.page.get_by_role("button", name="Try again"),
    )
    desk.page.context.clear_cookies()
    desk.go(2, "threshold_pct")
    desk.type("25")
    expect(state).to_contain_text("1 not saved: you are signed out")
    sign_in(desk, "ben", address)
    again.click()
    expect(state).to_contain_text("ben is signed in now, and this is ann's")
    sign_in(desk, "ann", address)
    again.click()
    desk.saved()
    assert desk.staged() == {("K000001", "threshold_pct"): 25}


def test_a_form_is_sent_by_who_signs_in_anew_and_keeps_what_was_typed(
    desk: Desk, context: Context, address: str
) -> None:
    page = desk.page
    page.goto("/admin")
    page.locator("form[action$=set-member] [name=user]").fill("vic")
    page.locator("form[action$=set-member] [name=role]").select_option("contributor")
    give = page.get_by_role("button", name="Give the role")
    page.context.clear_cookies()
    give.click()
    expect(page.get_by_text("You are signed out", exact=False)).to_be_visible()
    sign_in(desk, "ann", address)
    give.click()
    expect(page.get_by_role("status").filter(has_text="The member has this role.")).to_be_visible()
    with context.metadata.reading() as tx:
        roles = {one.user: one.role for one in tx.projects.members(PROJECT)}
    assert roles["vic"] == "contributor"


def test_what_two_tabs_have_not_sent_counts_once(desk: Desk) -> None:
    context = desk.page.context
    context.route(EDITS, lambda route: route.abort())
    desk.go(2, "threshold_pct")
    desk.type("25")
    waits = "not saved: the server does not answer"
    expect(desk.page.locator(".grid-state")).to_contain_text(waits)
    other = Desk(context.new_page(), desk.context)
    other.open()
    expect(other.cell(2, "threshold_pct")).to_have_text("25")
    desk.go(3, "threshold_pct")
    desk.type("26")
    other.go(4, "threshold_pct")
    other.type("27")
    context.unroute(EDITS)
    for one in (desk, other):
        expect(one.page.locator(".grid-state")).to_have_text("saved", timeout=2 * AGAIN_MS)
    values = {f"K00000{row - 1}": 23 + row for row in (2, 3, 4)}
    assert desk.staged() == {(row, "threshold_pct"): value for row, value in values.items()}
    for number in (2, 3):
        expect(desk.cell(number, "threshold_pct")).to_have_text(str(23 + number))


def test_what_was_taken_back_is_not_shown_after_a_reload(desk: Desk) -> None:
    desk.go(2, "threshold_pct")
    desk.type("25")
    desk.saved()
    desk.page.route("**/live_sessions/*/*", lambda route: route.abort())
    desk.press("Control+z")
    desk.go(3, "threshold_pct")
    desk.type("26")
    desk.press("Control+z")
    expect(desk.page.locator(".grid-state")).to_contain_text("not saved: the server")
    desk.page.unroute("**/live_sessions/*/*")
    desk.open()
    for number in (2, 3):
        expect(desk.cell(number, "threshold_pct")).to_have_text("30")
    desk.saved()
    assert desk.staged() == {}


def test_a_call_that_nobody_answers_is_given_up_and_made_again(desk: Desk) -> None:
    page = desk.page
    page.add_init_script(
        "AbortSignal.timeout = (ms) => { const stop = new AbortController();"
        " setTimeout(() => stop.abort(), window.isQuick ? 200 : ms); return stop.signal; }"
    )
    desk.open()
    page.route(EDITS, lambda route: None)
    page.evaluate("() => { window.isQuick = true; }")
    desk.go(2, "threshold_pct")
    desk.type("25")
    expect(page.locator(".grid-state")).to_contain_text("1 not saved: the server does not answer")
    page.evaluate("() => { window.isQuick = false; }")
    page.unroute(EDITS)
    desk.saved()
    assert desk.staged() == {("K000001", "threshold_pct"): 25}
