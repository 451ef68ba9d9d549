"""What others do while a page is open is said in one sentence with the next step, and costs nobody what they typed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Dialog, Page, Route, expect

from lakeshelf.contracts.types import STRING, Field
from lakeshelf.governance.domain.definition import Column, Definition, RowRule, made_key
from lakeshelf.governance.domain.editing.accepting import IncomingEdit
from lakeshelf.governance.services import datasets
from lakeshelf.governance.services.changes import defining, requests, sessions
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.reading import diffs, listing
from tests.governance.api.people import issue
from tests.governance.services import acting
from tests.governance.services.conftest import ANN, BEN, CAT, PROJECT
from tests.ui.browser import signed_in
from tests.ui.keyboard import button
from tests.ui.steward import DATASET, DEFINITION, Desk, frames_held, made
from tests.ui.test_grid import EDITS

pytestmark = pytest.mark.slow
FEW = RowRule("few", "between", ("threshold_pct",), {"minimum": 0, "maximum": 50})


@pytest.fixture
def desk(browser: Browser, context: Context, address: str) -> Iterator[Desk]:
    made(context, rows=40)
    with signed_in(browser, address, issue(context, "ann", "ann")) as page:
        shown = Desk(page, context)
        shown.open()
        yield shown


def define(context: Context, rule: RowRule = FEW) -> None:
    """Have a definition with one rule more in force, as others propose, approve and merge one."""
    changed = DEFINITION.next(rules=(*DEFINITION.rules, rule))
    request = defining.propose(context, BEN, PROJECT, DATASET, changed, title="At most 50")
    acting.merged(context, acting.approved(context, request, ANN))


def test_a_definition_that_changes_under_unsent_edits_is_said_and_judges_them(desk: Desk) -> None:
    desk.page.route(EDITS, lambda route: route.abort())
    for row, text in ((2, "25"), (3, "60")):
        desk.go(row, "threshold_pct")
        desk.type(text)
    expect(desk.page.locator(".grid-state")).to_contain_text("2 not saved")
    define(desk.context)
    news = desk.page.get_by_text("This dataset is defined anew.")
    expect(news).to_contain_text("what is not sent is kept")
    desk.page.unroute(EDITS)
    desk.page.get_by_role("link", name="Load this page anew").click()
    desk.saved()
    expect(news).to_be_hidden()
    expect(desk.cell(2, "threshold_pct")).to_have_text("25")
    expect(desk.cell(3, "threshold_pct")).to_have_attribute("aria-invalid", "true")
    assert desk.staged() == {("K000001", "threshold_pct"): 25, ("K000002", "threshold_pct"): 60}


def merge(context: Context) -> None:
    """Have others merge another threshold of the third row."""
    other = sessions.open_session(context, BEN, PROJECT, DATASET)
    theirs = IncomingEdit("e1", "set", "K000002", "threshold_pct", 5)
    sessions.edit(context, BEN, other.id, [theirs])
    request = requests.submit_session(context, BEN, other.id, title="theirs")
    acting.merged(context, acting.approved(context, request, ANN))


def test_what_others_merge_is_marked_while_the_page_is_open_and_edits_stay(desk: Desk) -> None:
    desk.go(2, "note")
    desk.type("mine")
    desk.saved()
    desk.page.route(EDITS, lambda route: route.abort())
    desk.go(4, "note")
    desk.type("unsent")
    desk.press("F2")
    desk.page.keyboard.type("is typed")
    merge(desk.context)
    expect(desk.cell(3, "threshold_pct")).to_contain_class("moved")
    desk.press("Enter")
    expect(desk.cell(4, "note")).to_have_text("unsent")
    expect(desk.cell(5, "note")).to_have_text("is typed")
    desk.page.unroute(EDITS)
    desk.saved()
    notes = {"K000001": "mine", "K000003": "unsent", "K000004": "is typed"}
    assert desk.staged() == {(row, "note"): text for row, text in notes.items()}


def test_rows_that_others_changed_are_offered_to_who_edits_none(desk: Desk) -> None:
    merge(desk.context)
    button(desk.page, "Show them").click()
    expect(desk.cell(3, "threshold_pct")).to_have_text("5")
    expect(desk.page.get_by_text("Others have changed rows.")).to_be_hidden()


def test_what_only_the_page_knows_is_not_left_unasked(desk: Desk) -> None:
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    desk.page.on("dialog", stay)
    desk.go(2, "threshold_pct")
    desk.type("25")
    desk.go(3, "threshold_pct")
    desk.type("many")
    desk.press("Insert")
    desk.saved()
    with desk.page.expect_event("dialog"):
        desk.page.evaluate("() => { setTimeout(() => location.assign('/data')); }")
    desk.press("Control+Home")
    expect(desk.cell(3, "threshold_pct")).to_have_text("many")
    assert asked == ["beforeunload"]
    button(desk.page, "Submit…").click()
    left = (
        "Not among them, and lost with this page: 1 refused cell and 1 new row without a whole key."
    )
    expect(desk.page.get_by_text(left)).to_be_visible()
    desk.page.get_by_label("Title").fill("The rest")
    button(desk.page, "Submit").click()
    desk.page.wait_for_url(f"**/reviews/{PROJECT}/1")  # who was told so is not asked again
    assert asked == ["beforeunload"]


NOTES = Definition(1, (made_key(), Column(Field("note", STRING, "A note.", required=False))))


def test_a_row_whose_key_the_server_makes_is_edited_before_it_has_one_and_taken_back(
    browser: Browser, context: Context, address: str
) -> None:
    datasets.create(context, ANN, PROJECT, "notes", NOTES)
    with signed_in(browser, address, issue(context, "ann", "ann")) as page:
        held: list[Route] = []
        page.route(EDITS, lambda route: held.append(route))  # noqa: PLW0108 - Playwright calls functions alone
        page.goto(f"/data/{PROJECT}/notes")
        grid, state = page.get_by_role("grid"), page.locator(".grid-state")
        expect(
            page.get_by_text("There is no row. Insert one, paste some, or upload a file.")
        ).to_be_visible()
        with frames_held(page):
            grid.press("Insert")
            page.keyboard.type("mine")
            page.keyboard.press("Enter")
            expect(state).to_have_text("2 not saved")
        expect(page.locator(".grid-found")).to_have_text("note: A note.")
        page.unroute(EDITS)
        for route in held:
            route.continue_()
        expect(state).to_have_text("saved")
        [session] = listing.sessions(context, ANN, PROJECT, "notes")

        def staged() -> list[diffs.CellDiff]:
            return diffs.first_rows(sessions.preview(context, ANN, session.id).merged.cells, 9)

        assert [row.staged["note"] for row in staged()] == ["mine"]
        page.keyboard.press("Control+z")
        page.keyboard.press("Control+z")
        expect(grid).to_have_attribute("aria-rowcount", "1")
        expect(state).to_have_text("saved")
        assert staged() == []


def test_a_request_that_moves_while_it_is_read_says_so_at_once(
    browser: Browser, context: Context, address: str
) -> None:
    request = acting.proposed(context, ANN, acting.insert("S1"))
    with signed_in(browser, address, issue(context, "ben", "ben")) as page:
        page.add_init_script(
            "window.setInterval = () => 0;"
        )  # nothing is looked at again by itself
        with page.expect_response("**/api/v1/events?*"):
            page.goto(f"/reviews/{PROJECT}/{request.number}")
        news = page.get_by_text("It moved while you read: it is approved")
        expect(news).to_be_hidden()
        acting.approved(context, request, CAT)
        expect(news).to_be_visible()
        page.get_by_role("link", name="See what moved").click()
        expect(page.locator("[data-moved]")).to_contain_text("cat_ approved it")


@contextmanager
def tab_of(page: Page, place: str) -> Iterator[Page]:
    """Another tab of the same browser, which hears nothing of what happens."""
    other = page.context.new_page()
    other.route("**/api/v1/events?*", lambda route: route.abort())
    other.goto(place)
    try:
        yield other
    finally:
        other.close()


def test_a_request_that_another_tab_decided_is_not_decided_twice(
    browser: Browser, context: Context, address: str
) -> None:
    request = acting.proposed(context, ANN, acting.insert("S1"))
    place = f"/reviews/{PROJECT}/{request.number}"
    with (
        signed_in(browser, address, issue(context, "ben", "ben")) as page,
        tab_of(page, place) as other,
    ):
        other.get_by_label("Comment, if there is one").fill("fine by me")
        page.goto(place)
        for name, said in (("Approve", "Your approval is given"), ("Merge", "It is merged.")):
            button(page, name).click()
            expect(page.locator("#said")).to_contain_text(said)
        button(other, "Approve").click()
        refusal = other.locator("form[action$=approve] .refused")
        expect(refusal).to_contain_text("so approve is not possible; nothing more is decided of it")
        expect(other.get_by_label("Comment, if there is one")).to_have_value("fine by me")
        expect(other.get_by_text("It moved while you read: it is")).to_be_visible()
        other.get_by_role("link", name="See what moved").click()
        expect(other.locator("main")).to_contain_text("ben merged")
    with context.metadata.reading() as tx:
        [review] = tx.reviews.all(PROJECT, request.number)
    assert review.user == "ben"
