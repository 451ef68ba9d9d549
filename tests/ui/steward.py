"""A large dataset that a steward edits in the grid, and what she finds on the page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from playwright.sync_api import Browser, Locator, Page, expect

from lakeshelf.contracts.types import BOOLEAN, DATE, DOUBLE, LONG, STRING, Decimal, Field
from lakeshelf.governance.domain.definition import Column, Definition, RowRule
from lakeshelf.governance.metadata.tables.datasets import LiveSession
from lakeshelf.governance.services import datasets
from lakeshelf.governance.services.changes import sessions
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.reading import diffs, listing
from tests.governance.api.people import issue
from tests.governance.services.conftest import ANN, PROJECT
from tests.ui.browser import signed_in

DATASET = "prices"
ROWS = 120_000
TYPES = {
    "store": STRING,
    "threshold_pct": LONG,
    "price": Decimal(9, 2),
    "code": LONG,
    "share": DOUBLE,
    "since": DATE,
    "active": BOOLEAN,
    "note": STRING,
}
COLUMNS = ("sku", *TYPES)
DEFINITION = Definition(
    1,
    (
        Column(Field("sku", STRING, "The key.")),
        *(
            Column(Field(name, type_, f"Its {name}.", required=False))
            for name, type_ in TYPES.items()
        ),
    ),
    ("sku",),
    rules=(RowRule("percent", "between", ("threshold_pct",), {"minimum": 0, "maximum": 100}),),
)
WORST = ("serious", "critical")
BEYOND = 2**53 + 1
"""A number that no number of JavaScript is."""


def made(context: Context, rows: int = ROWS) -> None:
    """The dataset with its rows, as an import that was merged leaves them."""
    datasets.create(context, ANN, PROJECT, DATASET, DEFINITION)
    table = context.table(PROJECT, DATASET, DEFINITION)
    keys = pa.array([f"K{number:06}" for number in range(rows)])
    columns = {
        "sku": keys,
        "threshold_pct": pa.array([30] * rows),
        "code": pa.array([BEYOND] * rows),
    }
    nothing = {name: pa.nulls(rows) for name in TYPES if name not in columns}
    content = pa.table(columns | nothing).select(list(COLUMNS)).cast(DEFINITION.schema)
    table.opened().insert(content, ("fill", 0), {"kind": "import"})
    with context.metadata.transaction() as tx:
        tx.datasets.stands(datasets.meta_of(context, table.opened(), "fill"))


@contextmanager
def frames_held(page: Page) -> Iterator[None]:
    """Nothing that waits for the next frame is drawn, as on a machine that is busy."""
    page.evaluate(
        """() => {
            const [frame, held] = [window.requestAnimationFrame, []];
            window.requestAnimationFrame = (act) => held.push(act);
            window.release = () => {
                window.requestAnimationFrame = frame;
                held.forEach((act) => frame(act));
            };
        }"""
    )
    try:
        yield
    finally:
        page.evaluate("release()")


@dataclass(frozen=True)
class Desk:
    """The page of the dataset.

    Attributes:
        page: In the browser.
        context: What the API stands on.
    """

    page: Page
    context: Context

    def open(self, query: str = "") -> None:
        self.page.goto(f"/data/{PROJECT}/{DATASET}{query}")
        expect(self.page.locator(".grid-line [role=gridcell]").first).not_to_be_empty()

    @property
    def grid(self) -> Locator:
        return self.page.get_by_role("grid")

    def row(self, number: int) -> Locator:
        """A row by its number, beginning with 1."""
        return self.page.locator(f'[role=row][aria-rowindex="{number + 1}"]')

    def cell(self, number: int, column: str) -> Locator:
        return self.row(number).locator(f'[aria-colindex="{COLUMNS.index(column) + 2}"]')

    def go(self, number: int, column: str) -> None:
        self.cell(number, column).click()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def type(self, text: str, end: str = "Enter") -> None:
        self.page.keyboard.type(text)
        self.press(end)

    def paste(self, text: str) -> None:
        """Paste what a spreadsheet left on the clipboard."""
        self.grid.evaluate(
            """(grid, text) => {
                const clipboardData = new DataTransfer();
                clipboardData.setData("text/plain", text);
                grid.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
            }""",
            text,
        )

    def copied(self) -> str:
        """What copying leaves on the clipboard."""
        return str(
            self.grid.evaluate(
                """(grid) => {
                    const clipboardData = new DataTransfer();
                    grid.dispatchEvent(new ClipboardEvent("copy", { clipboardData, bubbles: true, cancelable: true }));
                    return clipboardData.getData("text/plain");
                }"""
            )
        )

    def saved(self) -> None:
        expect(self.page.locator(".grid-state")).to_have_text("saved")

    def try_again(self) -> None:
        """Have what waits asked for now; where its own time came first, the button is hidden by then."""
        self.page.locator("button", has_text="Try again").dispatch_event("click")

    def says(self, text: str) -> None:
        expect(self.page.locator(".grid-found")).to_contain_text(text)

    def serious(self, axe: str) -> list[str]:
        """What axe calls serious or critical."""
        self.page.evaluate(Path(axe).read_text(encoding="utf-8"))
        found = self.page.evaluate("async () => (await axe.run({ exclude: [] })).violations")
        return [f"{one['id']}: {one['help']}" for one in found if one["impact"] in WORST]

    @property
    def session(self) -> LiveSession:
        """The one session that is open."""
        (session,) = listing.sessions(self.context, ANN, PROJECT, DATASET)
        return session

    def staged(self) -> dict[tuple[str, str | None], Any]:
        """What the session would make of cells, and of rows (no column)."""
        merged = sessions.preview(self.context, ANN, self.session.id).merged
        return {
            (one.row_id, one.column): one.staged for one in diffs.first_rows(merged.cells, ROWS)
        }


@contextmanager
def opened(browser: Browser, context: Context, address: str, rows: int = ROWS) -> Iterator[Desk]:
    """The desk of ann, who has opened the dataset, which has so many rows."""
    made(context, rows)
    with signed_in(browser, address, issue(context, "ann", "ann")) as page:
        shown = Desk(page, context)
        shown.open()
        yield shown
