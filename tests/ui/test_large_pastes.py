"""Pastes as large as people make them: taken in one step and taken back in one, and in calls that the server takes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from lakeshelf.governance.services.context import Context
from tests.ui.steward import Desk, opened

pytestmark = [pytest.mark.slow, pytest.mark.nightly]
ROWS = 25_000
ROW = "S1\t7\t1.50\t5\t0.5\t2026-03-14\ttrue\tx\n"
CELLS = ROWS * len(ROW.split("\t"))
PATIENCE_MS = 1_800_000


@pytest.fixture
def desk(browser: Browser, context: Context, address: str) -> Iterator[Desk]:
    with opened(browser, context, address, ROWS) as shown:
        yield shown


def saved(desk: Desk) -> None:
    """Wait until the server has all, however long it takes."""
    expect(desk.page.locator(".grid-state")).to_have_text("saved", timeout=PATIENCE_MS)


def test_200_000_cells_are_one_step_while_others_are_typed(desk: Desk) -> None:
    desk.go(1, "store")
    desk.paste(ROW * ROWS)
    desk.page.get_by_role("button", name="Go on").click()
    desk.says(f"{CELLS} of {CELLS} cells pasted")
    desk.go(2, "note")
    desk.type("mine")
    expect(desk.cell(2, "note")).to_have_text("mine")
    saved(desk)
    assert desk.session.edits == CELLS + 1
    assert desk.staged()["K000001", "note"] == "mine"
    desk.press("Control+z", "Control+z")
    saved(desk)
    assert desk.staged() == {}
    expect(desk.cell(1, "threshold_pct")).to_have_text("30")


def test_long_texts_are_sent_in_as_many_calls_as_they_need(desk: Desk) -> None:
    desk.go(1, "note")
    desk.paste(f"{'x' * 3_500}\n" * 5_000)
    desk.says("5000 of 5000 cells pasted")
    saved(desk)
    assert desk.session.edits == 5_000
