"""Who signs in anew, or as somebody else, in another tab, and what two tabs have not sent: none is lost or doubled."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect

from lakeshelf.governance.domain.permissions import Role
from lakeshelf.governance.metadata.tables.projects import Membership
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.people import projects
from tests.governance.api.people import issue
from tests.governance.services.conftest import BEN, PROJECT, START
from tests.ui.browser import signed_in
from tests.ui.steward import Desk, made
from tests.ui.test_grid import EDITS, PAGES

pytestmark = pytest.mark.slow
ROWS = 40
TIMEOUT = """
AbortSignal.timeout = (ms) => {
  const stop = new AbortController();
  setTimeout(() => stop.abort(), window.isQuick ? 200 : ms);
  return stop.signal;
};
"""
UNREADABLE = (
    {"status": 500, "content_type": "text/html", "body": "<h1>Internal error</h1>"},
    {"status": 200, "content_type": "text/html", "body": "<h1>Sign in to this network</h1>"},
    {"status": 200, "content_type": "application/json", "body": '{"edits": [{"edit_id": "1'},
)
"""Answers of servers that fail, of networks between, and ones that were cut off."""
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


def change_role(desk: Desk, user: str, role: Role) -> None:
    with desk.context.metadata.transaction() as tx:
        tx.projects.set_role(Membership(PROJECT, user, role, "ann", START))


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


def test_a_form_says_that_its_answer_is_late_and_gives_up_one_that_never_comes(desk: Desk) -> None:
    page = desk.page
    page.clock.install()
    page.add_init_script(TIMEOUT)
    page.goto("/admin")
    form = page.locator("form[action$=set-member]")
    late, give = form.get_by_role("status"), form.get_by_role("button", name="Give the role")
    form.locator("[name=user]").fill("vic")
    form.evaluate(
        "(form) => form.append(Object.assign(document.createElement('button'), {disabled: true}))"
    )
    page.route("**/forms/set-member", lambda route: route.fetch() and None)
    give.click()
    expect(give).to_be_disabled()
    page.clock.fast_forward(3_000)
    expect(late).to_contain_text("It is sent.")
    page.clock.fast_forward(60_000)
    expect(form.get_by_role("alert")).to_contain_text("What you typed is still here")
    expect(late).to_be_hidden()
    assert form.locator("button:enabled").count() == 1  # what is not for the reader stays so
    page.unroute("**/forms/set-member")
    form.locator("[name=role]").select_option("contributor")
    give.click()
    expect(form.get_by_role("alert")).to_contain_text("What you sent before was taken")
    give.click()
    expect(page.get_by_role("status").filter(has_text="The member has this role.")).to_be_visible()


def test_rows_that_did_not_come_are_asked_for_again(desk: Desk) -> None:
    desk.page.route(PAGES, lambda route: route.fulfill(status=502, body="<h1>Bad gateway</h1>"))
    desk.page.reload()
    desk.says("the server answered 502")
    desk.page.unroute(PAGES)
    expect(desk.cell(5, "sku")).to_have_text("K000004")


def test_an_answer_that_cannot_be_read_loses_nothing_and_is_asked_for_again(desk: Desk) -> None:
    for row, answer in enumerate(UNREADABLE, 2):
        desk.page.route(EDITS, lambda route, _, answer=answer: route.fulfill(**answer))
        desk.go(row, "threshold_pct")
        desk.type("25")
        expect(desk.page.locator(".grid-state")).to_contain_text(
            f"1 not saved: the server answered {answer['status']} with something else"
        )
        desk.page.unroute(EDITS)
        desk.try_again()
        desk.saved()
    rows = range(1, 1 + len(UNREADABLE))
    assert desk.staged() == {(f"K00000{row}", "threshold_pct"): 25 for row in rows}

    desk.page.goto("/admin")
    form = desk.page.locator("form[action$=set-member]")
    form.locator("[name=user]").fill("vic")
    form.locator("[name=role]").select_option("contributor")
    for answer in UNREADABLE:
        desk.page.route(
            "**/forms/set-member", lambda route, _, answer=answer: route.fulfill(**answer)
        )
        form.get_by_role("button", name="Give the role").click()
        expect(form.get_by_role("alert")).to_contain_text("No answer came that could be read.")
        desk.page.unroute("**/forms/set-member")
    form.get_by_role("button", name="Give the role").click()
    expect(desk.page.locator("#said")).to_have_text("The member has this role.")


def test_a_double_click_asks_once(desk: Desk) -> None:
    desk.go(2, "threshold_pct")
    desk.type("25")
    desk.page.get_by_role("button", name="Submit…").dblclick()
    desk.page.get_by_role("button", name="Cancel").click()
    expect(desk.page.locator("dialog")).to_have_count(0)
    sent: list[str] = []
    desk.page.route("**/uploads?*", lambda route: sent.append(route.request.url))
    desk.page.locator("[type=file]").set_input_files(
        {"name": "new.csv", "mimeType": "text/csv", "buffer": b"sku\n"}
    )
    upload = desk.page.get_by_role("button", name="Upload")
    upload.dblclick()
    expect(desk.page.get_by_text("Sending new.csv")).to_be_visible()
    expect(upload).to_be_disabled()
    assert len(sent) == 1


def made_a_viewer(desk: Desk) -> None:
    change_role(desk, "ann", "viewer")


def shut_out(desk: Desk) -> None:
    projects.remove(desk.context, BEN, PROJECT, "ann")


@pytest.mark.parametrize("withdraw", [made_a_viewer, shut_out])
def test_who_may_no_longer_edit_is_told_and_loses_nothing(
    desk: Desk, withdraw: Callable[[Desk], None]
) -> None:
    change_role(desk, "ben", "owner")
    for row in (2, 3):  # before a session is open, and within it
        withdraw(desk)
        desk.go(row, "threshold_pct")
        desk.type("25")
        expect(desk.page.locator(".grid-state")).to_contain_text("1 not saved: ")
        change_role(desk, "ann", "owner")
        desk.page.get_by_role("button", name="Try again").click()
        desk.saved()
    assert desk.staged() == {(f"K00000{row}", "threshold_pct"): 25 for row in (1, 2)}


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
    page.add_init_script(TIMEOUT)
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
