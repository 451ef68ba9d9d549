"""Rows, columns and texts that are called what every object of a script has: they are edited as any others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from lakeshelf.contracts.types import LONG, STRING, Field
from lakeshelf.governance.domain.definition import Column, Definition, RowRule
from lakeshelf.governance.domain.editing.accepting import IncomingEdit
from lakeshelf.governance.services import datasets
from lakeshelf.governance.services.changes import requests, sessions
from lakeshelf.governance.services.context import Context
from tests.governance.api.people import issue
from tests.governance.services import acting
from tests.governance.services.conftest import ANN, BEN, PROJECT
from tests.ui.browser import signed_in
from tests.ui.keyboard import button
from tests.ui.test_grid import EDITS

pytestmark = pytest.mark.slow
DATASET = "objects"
NAMES = ("__proto__", "constructor", "hasOwnProperty", "toString", "valueOf")
"""As the dataset sorts them."""
COLUMNS = ("name", "constructor", "length", "percent")
DEFINITION = Definition(
    1,
    (
        Column(Field("name", STRING, "The key.")),
        Column(Field("constructor", STRING, "Who made it.", required=False)),
        Column(Field("length", STRING, "How long it is.", required=False)),
        Column(Field("percent", LONG, "How much.", required=False)),
    ),
    ("name",),
    rules=(RowRule("few", "between", ("percent",), {"minimum": 0, "maximum": 100}),),
)


def insert(name: str, **cells: str) -> IncomingEdit:
    return IncomingEdit(f"of {name}", "insert", name, None, {"name": name, **cells})


@pytest.fixture
def desk(browser: Browser, context: Context, address: str) -> Iterator[Page]:
    datasets.create(context, ANN, PROJECT, DATASET, DEFINITION)
    session = sessions.open_session(context, BEN, PROJECT, DATASET)
    sessions.edit(context, BEN, session.id, [insert(name, length="1") for name in NAMES[:-1]])
    request = requests.submit_session(context, BEN, session.id, title="Rows")
    acting.merged(context, acting.approved(context, request, ANN))
    with signed_in(browser, address, issue(context, "ann", "ann")) as page:
        page.goto(f"/data/{PROJECT}/{DATASET}")
        expect(page.locator(".grid-line [role=gridcell]").first).to_have_text(NAMES[0])
        yield page


def cell(page: Page, number: int, column: str) -> Locator:
    place = COLUMNS.index(column) + 2
    return page.locator(f'[aria-rowindex="{number + 1}"] [aria-colindex="{place}"]')


def test_rows_and_columns_with_names_of_objects_own_things_are_edited(desk: Page) -> None:
    state = desk.locator(".grid-state")
    for number, name in enumerate(NAMES[:-1], 1):
        for column in ("constructor", "length"):
            expect(cell(desk, number, column)).not_to_contain_class("dirty")
        cell(desk, number, "constructor").click()
        desk.keyboard.type(name)
        desk.keyboard.press("Enter")
    expect(state).to_have_text("saved")
    cell(desk, 1, "percent").click()
    desk.keyboard.type("130")
    desk.keyboard.press("Enter")
    expect(cell(desk, 1, "percent")).to_contain_class("error")
    cell(desk, 1, "percent").click()
    desk.keyboard.type("30")
    desk.keyboard.press("Enter")
    expect(cell(desk, 1, "percent")).not_to_contain_class("error")
    expect(state).to_have_text("saved")
    desk.route(EDITS, lambda route: route.abort())
    button(desk, "Insert row").click()
    expect(cell(desk, len(NAMES), "constructor")).to_be_empty()
    desk.keyboard.type(NAMES[-1])
    desk.keyboard.press("Enter")
    expect(state).to_contain_text("1 not saved: the server")
    desk.unroute(EDITS)
    desk.reload()
    expect(state).to_have_text("saved")
    for number, name in enumerate(NAMES, 1):
        expect(cell(desk, number, "name")).to_have_text(name)
        expect(cell(desk, number, "constructor")).to_have_text(name if name != NAMES[-1] else "")
    expect(cell(desk, 2, "length")).to_have_text("1")
    expect(cell(desk, 1, "percent")).to_have_text("30")
