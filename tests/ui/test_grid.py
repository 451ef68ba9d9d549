"""The grid in a real browser: a steward's work in a dataset of more rows than anybody draws."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Route, expect

from lakeshelf.governance.domain.editing.accepting import IncomingEdit
from lakeshelf.governance.services.changes import merging, requests, reviewing, sessions
from lakeshelf.governance.services.context import Context
from lakeshelf.ui import texts
from tests.governance.api.people import issue
from tests.governance.services.conftest import ANN, BEN, PROJECT
from tests.ui import tools
from tests.ui.browser import signed_in
from tests.ui.keyboard import button
from tests.ui.steward import BEYOND, DATASET, ROWS, Desk, frames_held, made

pytestmark = pytest.mark.slow
EDITS = "**/live_sessions/*/edits"
PAGES = "**/views/*/rows?*"


@pytest.fixture
def desk(browser: Browser, context: Context, address: str) -> Iterator[Desk]:
    made(context)
    with signed_in(browser, address, issue(context, "ann", "ann")) as page:
        shown = Desk(page, context)
        shown.open()
        yield shown


def test_every_row_is_reached_and_keys_move(desk: Desk) -> None:
    expect(desk.grid).to_have_attribute("aria-rowcount", str(ROWS + 1))
    desk.go(1, "sku")
    desk.press("Control+ArrowDown")
    expect(desk.cell(ROWS, "sku")).to_have_text(f"K{ROWS - 1:06}")
    desk.press("Control+ArrowRight", "Control+Home", "PageDown", "ArrowDown")
    active = desk.grid.get_attribute("aria-activedescendant")
    expect(desk.page.locator(f"#{active}")).to_be_visible()
    desk.press("Control+g")
    desk.type("60000")
    expect(desk.cell(60_000, "sku")).to_have_text("K059999")
    expect(desk.cell(60_000, "code")).to_have_text(str(BEYOND))
    assert desk.page.locator(".grid-line").count() < 100


def test_typing_leads_back_to_the_active_row(desk: Desk) -> None:
    desk.go(3, "note")
    desk.grid.evaluate("(grid) => { grid.scrollTop = grid.scrollHeight / 2; }")
    expect(desk.row(3)).to_have_count(0)
    desk.page.keyboard.type("mine")
    expect(desk.page.get_by_role("textbox", name="note, row 3")).to_be_in_viewport()
    desk.press("Enter")
    desk.saved()
    assert desk.staged() == {("K000002", "note"): "mine"}


def test_a_row_that_has_not_come_says_so_and_is_edited_once_it_is_here(desk: Desk) -> None:
    desk.page.route(PAGES, lambda route: None)
    desk.go(1, "note")
    desk.press("Control+ArrowDown", "x")
    desk.says(f"Row {ROWS} has not come yet: try again when it is here")
    desk.cell(ROWS - 1, "note").dblclick()
    desk.says(f"Row {ROWS - 1} has not come yet")
    desk.page.unroute(PAGES)
    desk.press("Control+ArrowUp")
    expect(desk.cell(1, "sku")).to_have_text("K000000")
    desk.press("Control+ArrowDown")
    expect(desk.cell(ROWS, "sku")).to_have_text(f"K{ROWS - 1:06}")
    desk.type("mine")
    desk.saved()
    assert desk.staged() == {(f"K{ROWS - 1:06}", "note"): "mine"}


def test_edits_by_keyboard_are_taken_and_what_is_no_value_is_named(desk: Desk) -> None:
    desk.go(3, "threshold_pct")
    desk.type("25", "Tab")
    desk.type("19.90")
    desk.go(4, "threshold_pct")
    desk.type("1,234")
    expect(desk.cell(4, "threshold_pct")).to_have_attribute("aria-invalid", "true")
    desk.go(5, "threshold_pct")
    desk.type("130")
    desk.saved()
    desk.go(4, "threshold_pct")
    desk.says("it could be two numbers, not 1,234")
    desk.go(5, "threshold_pct")
    desk.says("was 30")
    expect(desk.cell(5, "threshold_pct")).to_have_attribute("aria-invalid", "true")
    assert desk.staged() == {
        ("K000002", "threshold_pct"): 25,
        ("K000002", "price"): "19.90",
        ("K000004", "threshold_pct"): 130,
    }
    desk.press("F8")
    desk.says("it could be two numbers")
    assert desk.serious(str(tools.modules() / "axe-core" / "axe.min.js")) == []


def test_what_a_spreadsheet_copies_is_pasted_and_copied_back(desk: Desk) -> None:
    desk.go(10, "store")
    rows = ["00123\t10", '"two\nlines"\t1e400', "NA\tNA", "=1+1\t40", '"say ""hi"""', '"5\t""\t7']
    desk.paste("\r\n".join(rows) + "\r\n")
    desk.says("10 of 12 cells pasted. Refused: threshold_pct of K000010: a whole number, not 1e400")
    desk.saved()
    assert desk.staged() == {
        ("K000009", "store"): "00123",
        ("K000009", "threshold_pct"): 10,
        ("K000010", "store"): "two\nlines",
        ("K000011", "store"): "NA",
        ("K000012", "store"): "=1+1",
        ("K000012", "threshold_pct"): 40,
        ("K000013", "store"): 'say "hi"',
        ("K000014", "store"): '"5',
        ("K000014", "threshold_pct"): None,
        ("K000014", "price"): "7.00",
    }
    desk.press(*["Shift+ArrowDown"] * 4)
    assert desk.copied() == '00123\n"two\nlines"\nNA\n=1+1\n"say ""hi"""'


def test_what_nobody_would_see_is_named_and_kept(desk: Desk) -> None:
    text = "\u202egnp.exe\x07\r"
    desk.go(2, "note")
    desk.paste(f'"{text}"')
    expect(desk.cell(2, "note")).to_have_text(texts.visible(text))
    desk.press("F2", "Enter")
    desk.saved()
    assert desk.staged() == {("K000001", "note"): text}
    assert desk.session.edits == 1


@pytest.mark.nightly
def test_a_large_paste_asks_first_and_is_one_step(desk: Desk) -> None:
    desk.go(1, "threshold_pct")
    desk.paste("7\n" * 10_001)
    desk.page.get_by_role("button", name="Go on").click()
    desk.says("10001 of 10001 cells pasted")
    desk.saved()
    assert len(desk.staged()) == 10_001
    desk.go(1, "threshold_pct")
    desk.press("Control+z")
    desk.saved()
    assert desk.staged() == {}
    expect(desk.cell(1, "threshold_pct")).to_have_text("30")


def test_more_than_one_step_holds_changes_nothing_and_says_what_does(desk: Desk) -> None:
    desk.go(2, "note")
    desk.press("Control+a", "Delete")
    desk.says("Nothing is cleared: 1,080,000 cells are more than the 250,000 of one step")
    desk.paste("7\n" * 250_001)
    desk.says("Nothing is pasted: 250,001 cells are more than")
    desk.says("select fewer, or upload a file")
    expect(desk.page.locator("dialog")).to_have_count(0)
    desk.press("Control+Home")
    desk.go(2, "note")
    desk.type("mine")
    desk.saved()
    assert desk.staged() == {("K000001", "note"): "mine"}


def test_steps_are_taken_back_and_done_again(desk: Desk) -> None:
    desk.go(2, "threshold_pct")
    desk.type("25")
    desk.go(2, "note")
    desk.type('""')
    desk.saved()
    assert desk.staged() == {("K000001", "threshold_pct"): 25, ("K000001", "note"): ""}
    desk.press("Control+z", "Control+z")
    expect(desk.cell(2, "threshold_pct")).to_have_text("30")
    desk.saved()
    assert desk.staged() == {}
    desk.press("Control+y")
    expect(desk.cell(2, "threshold_pct")).to_have_text("25")
    desk.saved()
    assert desk.staged() == {("K000001", "threshold_pct"): 25}


def test_rows_are_inserted_and_deleted(desk: Desk) -> None:
    desk.go(2, "sku")
    desk.press("Control+Delete")
    expect(desk.row(2)).to_contain_class("deleted")
    desk.press("Insert")
    desk.type("NEW", "Tab")
    desk.go(ROWS + 1, "threshold_pct")
    desk.type("12")
    desk.saved()
    staged = desk.staged()
    assert {key for key in staged if key[1] is None} == {("K000001", None), ("NEW", None)}
    assert staged["NEW", None]["threshold_pct"] == 12
    desk.open()
    expect(desk.row(2)).to_contain_class("deleted")
    expect(desk.grid).to_have_attribute("aria-rowcount", str(ROWS + 2))
    desk.go(1, "sku")
    desk.press("Control+g")
    desk.type(str(ROWS + 1))
    expect(desk.cell(ROWS + 1, "sku")).to_have_text("NEW")


def test_rows_of_a_spreadsheet_are_pasted_into_new_rows(desk: Desk) -> None:
    desk.go(1, "sku")
    desk.press("Insert")
    desk.go(ROWS + 1, "sku")
    desk.paste("N1\tS1\t5\nN2\tS2\t6\nN1\tS3\t7\n")
    desk.says(
        "9 of 9 cells pasted, 2 rows new. Refused: N1 is another new row already: give this one another key"
    )
    desk.saved()
    names = ("store", "threshold_pct")
    staged = {key: [row[name] for name in names] for (key, _), row in desk.staged().items()}
    assert staged == {"N1": ["S1", 5], "N2": ["S2", 6]}
    desk.press("Control+End")
    expect(desk.cell(ROWS + 3, "store")).to_have_text("S3")
    desk.go(ROWS + 3, "sku")
    desk.type("N3")
    desk.saved()
    assert desk.staged()["N3", None]["store"] == "S3"
    desk.go(ROWS + 3, "store")
    desk.paste("S4\t8\nS5\t9\n")
    desk.says("2 cells beyond the last row or column: new rows are pasted with their key")


def test_what_is_done_before_the_next_frame_is_done_to_what_was_seen(desk: Desk) -> None:
    desk.go(1, "sku")
    desk.press("Insert")
    expect(desk.cell(ROWS + 1, "sku")).to_be_visible()
    with frames_held(desk.page):
        desk.press("Insert", "Insert")
        desk.go(ROWS + 1, "sku")
        desk.paste("N1\nN2\nN3\n")
        desk.says("3 of 3 cells pasted")
        desk.press("Insert")
        desk.type("NEW")
    desk.saved()
    assert desk.staged().keys() == {(name, None) for name in ("N1", "N2", "N3", "NEW")}


def test_edits_that_were_not_sent_survive_a_reload(desk: Desk) -> None:
    desk.page.route(EDITS, lambda route: route.abort())
    desk.go(2, "threshold_pct")
    desk.type("25")
    expect(desk.page.locator(".grid-state")).to_contain_text(
        "1 not saved: the server does not answer"
    )
    desk.page.unroute(EDITS)
    desk.open()
    expect(desk.cell(2, "threshold_pct")).to_have_text("25")
    desk.saved()
    assert desk.staged() == {("K000001", "threshold_pct"): 25}


def test_a_lost_answer_is_asked_for_again_and_counts_once(desk: Desk) -> None:
    sent: list[str] = []

    def lose(route: Route) -> None:
        sent.append(route.request.headers["x-request-id"])
        answer = route.fetch()
        route.abort() if len(sent) == 1 else route.fulfill(response=answer)

    desk.page.route(EDITS, lose)
    desk.press("Tab")
    desk.go(2, "threshold_pct")
    desk.type("25")
    desk.saved()
    assert len(sent) == 2
    assert len(set(sent)) == 1
    assert desk.session.edits == 1
    assert desk.staged() == {("K000001", "threshold_pct"): 25}


def test_a_part_of_the_page_that_does_not_come_asks_for_a_reload(desk: Desk) -> None:
    desk.page.route("**/grid/dialogs.js", lambda route: route.abort())
    desk.go(1, "sku")
    desk.press("?")
    desk.says("reload the page")


def test_edits_wait_for_who_is_signed_out(desk: Desk) -> None:
    refusal = {"error": {"code": "unauthenticated", "message": "sign in", "details": {}}}
    desk.page.route(EDITS, lambda route: route.fulfill(status=401, json=refusal))
    desk.go(2, "threshold_pct")
    desk.type("25")
    expect(desk.page.locator(".grid-state")).to_contain_text("1 not saved: you are signed out")
    desk.page.unroute(EDITS)
    desk.page.get_by_role("button", name="Try again").click()
    desk.saved()
    assert desk.staged() == {("K000001", "threshold_pct"): 25}


def test_what_is_said_of_unsaved_edits_goes_once_they_are_saved(desk: Desk) -> None:
    desk.page.route(EDITS, lambda route: route.abort())
    desk.go(2, "threshold_pct")
    desk.type("25")
    expect(desk.page.locator(".grid-state")).to_contain_text("1 not saved: the server")
    button(desk.page, "Preview").click()
    desk.says("Not saved yet: 1 edit, since the server does not answer")
    desk.page.unroute(EDITS)
    desk.try_again()
    desk.saved()
    expect(desk.page.locator(".grid-found")).to_be_empty()


def test_edits_of_a_session_that_ended_go_into_another(desk: Desk) -> None:
    desk.go(2, "threshold_pct")
    desk.type("25")
    desk.saved()
    sessions.discard(desk.context, ANN, desk.session.id)
    desk.go(3, "threshold_pct")
    desk.type("26")
    expect(desk.page.locator(".grid-state")).to_contain_text("1 not saved")
    desk.page.get_by_role("button", name="Try again").click()
    desk.saved()
    assert desk.staged() == {("K000002", "threshold_pct"): 26}
    expect(desk.cell(2, "threshold_pct")).to_have_text("30")
    expect(desk.cell(3, "threshold_pct")).to_have_text("26")


def test_what_others_merged_meanwhile_is_marked(desk: Desk) -> None:
    desk.go(2, "note")
    desk.type("mine")
    desk.saved()
    other = sessions.open_session(desk.context, BEN, PROJECT, DATASET)
    theirs = IncomingEdit("e1", "set", "K000002", "threshold_pct", 5)
    sessions.edit(desk.context, BEN, other.id, [theirs])
    request = requests.submit_session(desk.context, BEN, other.id, title="theirs")
    seen = str(request.content_hash)
    reviewing.approve(desk.context, ANN, PROJECT, request.number, seen)
    merging.merge(desk.context, ANN, PROJECT, request.number, seen)
    desk.open()
    expect(desk.cell(3, "threshold_pct")).to_contain_class("moved")
    desk.go(3, "threshold_pct")
    desk.says("changed by others since you began")


def test_what_is_chosen_of_a_column_with_many_values_stays_chosen(desk: Desk) -> None:
    """Though its values are too many to be listed."""
    desk.open("?facet.sku=%22K000002%22")
    expect(desk.page.locator("[data-said]")).to_be_empty()
    expect(desk.page.locator("[data-lists] fieldset")).not_to_have_count(1)  # others are counted
    expect(desk.page.locator('[name="facet.sku"]')).to_be_checked()
    desk.page.get_by_role("button", name="Show", exact=True).click()
    desk.page.wait_for_url("**facet.sku=**")


def test_values_are_chosen_by_their_counts_and_stand_in_the_address(desk: Desk) -> None:
    page = desk.page
    desk.open("?filter=sku+<+K000010&facet.code=%22" + str(BEYOND) + "%22")
    group = page.get_by_role("group", name=re.compile("threshold", re.IGNORECASE))
    expect(group.get_by_role("checkbox")).to_have_count(1)
    expect(group).to_contain_text("30 10")
    expect(page.get_by_role("group", name=re.compile("sku", re.IGNORECASE))).to_have_count(0)
    group.get_by_role("checkbox").check()
    page.get_by_role("button", name="Show", exact=True).click()
    page.wait_for_url("**facet.threshold_pct=30**")
    expect(desk.grid).to_have_attribute("aria-rowcount", "11")
    expect(group.get_by_role("checkbox")).to_be_checked()
    assert "facet.code=" in page.url
    page.goto(page.url.replace("threshold_pct=30", "threshold_pct=31"))
    expect(desk.grid).to_have_attribute("aria-rowcount", "1")
