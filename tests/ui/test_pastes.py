"""What spreadsheets put on the clipboard is pasted as it was there, and a paste that a reload cuts is whole or none."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Route, expect

from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.reading import listing
from tests.governance.services.conftest import ANN, PROJECT
from tests.support import eventually
from tests.ui.steward import DATASET, Desk, opened
from tests.ui.test_grid import EDITS

pytestmark = pytest.mark.slow
ROWS = 1_200
ROW = "S1\t7\t1.50\t5\t0.5\t2026-03-14\ttrue\tx\n"
CELLS = ROWS * len(ROW.split("\t"))
CALC = {
    "text/html": '<!DOCTYPE html PUBLIC "-//W3C//DTD HTML 4.0 Transitional//EN"><html><head><meta name="generator" '
    'content="LibreOffice 24.2 (Linux)"/></head><body><table cellspacing="0" border="0"><colgroup width="85">'
    "</colgroup>"
    '<tr><td height="32" align="left">two<br>lines</td><td align="right" sdval="10" sdnum="1033;">10</td></tr>'
    '<tr><td>say &quot;hi&quot;</td><td align="right" sdval="20" sdnum="1033;">20</td></tr>'
    "<tr><td>00123</td><td><br></td></tr></table></body></html>",
    "text/plain": '"two\nlines"\t10\n"say ""hi"""\t20\n00123\t\n',
}
EXCEL = {
    "text/html": '<html xmlns:x="urn:schemas-microsoft-com:office:excel">'
    "<head><meta name=Generator content='Microsoft Excel 15'>"
    "</head><body><!--StartFragment--><table border=0><tr height=40><td class=xl65>two<br>\n    lines</td>"
    "<td align=right>10</td></tr><tr><td>say &quot;hi&quot;</td><td align=right>20</td></tr>"
    "<tr><td>00123</td><td></td></tr></table><!--EndFragment--></body></html>",
    "text/plain": '"two\nlines"\t10\r\n"say ""hi"""\t20\r\n00123\t\r\n',
}
PASTE = """(grid, kinds) => {
    const clipboardData = new DataTransfer();
    for (const [kind, text] of Object.entries(kinds)) clipboardData.setData(kind, text);
    grid.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
}"""


@pytest.fixture
def desk(browser: Browser, context: Context, address: str) -> Iterator[Desk]:
    with opened(browser, context, address, ROWS) as shown:
        yield shown


@pytest.mark.parametrize("kinds", [CALC, EXCEL], ids=["calc", "excel"])
def test_what_a_spreadsheet_puts_on_the_clipboard_is_pasted(
    desk: Desk, kinds: dict[str, str]
) -> None:
    desk.go(2, "store")
    desk.grid.evaluate(PASTE, kinds)
    desk.says("6 of 6 cells pasted")
    desk.saved()
    texts = ("two\nlines", 10), ('say "hi"', 20), ("00123", None)
    assert desk.staged() == {
        (f"K00000{row}", column): value
        for row, values in enumerate(texts, 1)
        for column, value in zip(("store", "threshold_pct"), values, strict=True)
    }
    expect(desk.cell(5, "store")).to_be_empty()


def test_a_paste_that_a_reload_cuts_is_taken_as_a_whole(desk: Desk) -> None:
    held: list[Route] = []

    def take_the_first(route: Route) -> None:
        held.append(route)
        route.continue_() if len(held) == 1 else None

    desk.page.route(EDITS, take_the_first)
    desk.go(1, "store")
    desk.paste(ROW * ROWS)
    eventually(lambda: desk.page.wait_for_timeout(50) or len(held) > 1, "a part of it is sent")
    assert 0 < desk.session.edits < CELLS
    desk.page.unroute(EDITS)
    desk.open()
    desk.saved()
    assert desk.session.edits == CELLS
    assert len(desk.staged()) == CELLS


def test_a_paste_that_a_reload_cuts_as_it_begins_is_whole_or_none(desk: Desk) -> None:
    desk.go(1, "store")
    with desk.page.expect_navigation():  # else it would cut off the next one
        desk.grid.evaluate(
            """(grid, text) => {
                const clipboardData = new DataTransfer();
                clipboardData.setData("text/plain", text);
                grid.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
                new MutationObserver(() => location.reload()).observe(
                    document.querySelector(".grid-state"), { childList: true, subtree: true, characterData: true });
            }""",
            ROW * ROWS,
        )
    desk.open()
    expect(desk.page.locator(".grid-state")).to_have_text(re.compile("^(saved)?$"))
    assert sum(one.edits for one in listing.sessions(desk.context, ANN, PROJECT, DATASET)) in {
        0,
        CELLS,
    }
