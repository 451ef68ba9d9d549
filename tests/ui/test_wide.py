"""A dataset of 300 columns: its values to choose by come one by one, and long names and rows are not cut in silence."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from lakeshelf.contracts.types import LONG, STRING, Field
from lakeshelf.governance.domain.definition import Column, Definition
from lakeshelf.governance.domain.editing.accepting import IncomingEdit
from lakeshelf.governance.services import datasets
from lakeshelf.governance.services.changes import requests, sessions
from lakeshelf.governance.services.context import Context
from tests.governance.api.people import issue
from tests.governance.services import acting
from tests.governance.services.conftest import ANN, BEN, PROJECT
from tests.ui.browser import signed_in

pytestmark = pytest.mark.slow
DATASET = "measures"
LONG_NAME = "how_many_were_counted_on_the_day_before_the_last_delivery"
NAMES = (LONG_NAME, *(f"measure_{number:03}" for number in range(297)))
LAST = NAMES[-1]
DEFINITION = Definition(
    1,
    (
        Column(Field("store", STRING, "A part of the key.")),
        Column(Field("number", LONG, "The other part.")),
        *(Column(Field(name, STRING, "What was measured.", required=False)) for name in NAMES),
    ),
    ("store", "number"),
)
HERE = f"/data/{PROJECT}/{DATASET}"
FACETS = "**/facets?*"


@pytest.fixture
def page(browser: Browser, context: Context, address: str) -> Iterator[Page]:
    datasets.create(context, ANN, PROJECT, DATASET, DEFINITION)
    session = sessions.open_session(context, BEN, PROJECT, DATASET)
    cells = {"store": "S1", "number": 1, **dict.fromkeys(NAMES, "many")}
    sessions.edit(
        context, BEN, session.id, [IncomingEdit("first", "insert", '["S1",1]', None, cells)]
    )
    request = requests.submit_session(context, BEN, session.id, title="A row")
    acting.merged(context, acting.approved(context, request, ANN))
    with signed_in(browser, address, issue(context, "ann", "ann")) as shown:
        yield shown


def test_values_are_chosen_from_before_all_columns_are_counted(page: Page) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        is_third = "measure_001" in route.request.url
        held.append(route) if is_third else route.continue_()

    page.route(FACETS, hold)
    page.goto(f"{HERE}?facet.measure_005=%22many%22")
    choices = page.locator("[data-lists] fieldset")
    expect(choices).to_have_count(3)  # the long one, the first, and what was chosen
    expect(choices.filter(has_text="measure_005").get_by_role("checkbox")).to_be_checked()
    page.locator(f'[name="facet.{LONG_NAME}"]').check()
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile(f"facet.measure_005=.*facet.{LONG_NAME}="))


def test_a_name_that_is_longer_than_its_column_and_a_row_of_many_cells_say_so(page: Page) -> None:
    page.goto(HERE)
    name = page.get_by_role("columnheader", name=LONG_NAME).locator("button")
    assert name.evaluate("(one) => one.scrollWidth > one.clientWidth")
    expect(name).to_have_css("text-overflow", "ellipsis")
    page.goto(f"{HERE}/history?before=0&after=1")
    row = page.get_by_text("300 cells")
    expect(page.locator("main")).not_to_contain_text("{'store'")
    row.click()
    expect(page.get_by_text(LAST)).to_be_visible()


def test_a_page_whose_rows_have_not_come_says_what_it_waits_for(page: Page) -> None:
    page.route("**/grid/main.js", lambda route: route.abort())
    page.goto(HERE)
    waits = page.get_by_text("The rows are on their way.")
    expect(waits).to_be_visible()
    page.unroute("**/grid/main.js")
    page.reload()
    expect(page.locator(".grid-line [role=gridcell]").first).to_have_text("S1")
    expect(waits).to_be_hidden()


def test_who_is_signed_out_is_told_so_by_all_that_asks(page: Page) -> None:
    page.goto(HERE)
    expect(page.locator(".grid-line [role=gridcell]").first).to_have_text("S1")
    page.context.clear_cookies()
    page.get_by_role("columnheader", name="store").locator("button").click()
    expect(page.locator(".grid-found")).to_have_text("you are signed out")
    page.locator("[data-facets] summary").click()
    expect(page.locator("[data-said]")).to_have_text(
        "Values could not be counted: you are signed out"
    )
