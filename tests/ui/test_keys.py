"""Keys of the grid do what `?` says of them, no other key is taken, and cells show what they are."""

from __future__ import annotations

import re
from itertools import product

import pytest
from playwright.sync_api import expect

from lakeshelf.governance.domain.definition import RowRule
from lakeshelf.governance.services.reading import listing
from tests.governance.services.conftest import ANN, PROJECT
from tests.ui.keyboard import button
from tests.ui.steward import COLUMNS, DATASET, Desk
from tests.ui.test_meanwhile import define, desk

__all__ = ["desk"]
pytestmark = pytest.mark.slow
ROWS = 40
MOVES = ("ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "PageUp", "PageDown", "Home", "End")
ALL: tuple[tuple[str, ...], ...] = ((), ("Ctrl",), ("Ctrl", "Shift"), ("Shift",))
"""Keys that are held with others."""
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
OTHERS = ("Enter", "Escape", "Tab", "Delete", "Backspace", "Insert", "?", " ")
OTHERS += tuple(f"F{number}" for number in range(1, 13))
WORDS = {
    "arrows": MOVES[:4],
    "Page Up": ("PageUp",),
    "Page Down": ("PageDown",),
    "Esc": ("Escape",),
    "a letter": (),
}
"""What `?` calls keys → their names in events; others are called by these. Letters are typed, so no command."""
OF_CLIPBOARD = {"Ctrl+C", "Ctrl+X", "Ctrl+V"}
"""Taken as what browsers make of them."""
TAKEN = """
(grid, keys) => keys.flatMap(([key, ctrlKey, shiftKey], number) => {
  const pressed = (of, name, more) => !of.dispatchEvent(
    new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true, ...more }));
  const isTaken = pressed(grid, key, { ctrlKey, shiftKey });
  pressed(document.querySelector(".grid-editor"), "Escape", {});
  return isTaken ? [number] : [];
})
"""


def named(key: str, *modifiers: str) -> str:
    return "+".join((*modifiers, key.upper() if len(key) == 1 else key))


def told(words: str) -> set[str]:
    """Keys that a line of `?` names; those that move do so with Ctrl and Shift, too."""
    keys: set[str] = set()
    for word in re.split("[,;] ", words):
        *modifiers, key = word.split("+")
        for one in WORDS.get(key, (key,)):
            keys |= {named(one, *more) for more in (ALL if one in MOVES else [modifiers])}
    return keys


def test_the_keys_that_are_told_are_those_that_are_taken(desk: Desk) -> None:
    desk.go(1, "note")
    desk.press("?")
    lines = desk.page.get_by_role("dialog", name="Keys").get_by_role("rowheader")
    expect(lines.last).to_be_visible()
    listed = set().union(*map(told, lines.all_inner_texts())) - OF_CLIPBOARD
    button(desk.page, "Close").click()
    pressed = [(key, *more) for key, more in product((*MOVES, *OTHERS), ALL[:2])]
    pressed += [(key, *more) for key, more in product((*MOVES, *LETTERS.upper()), ALL[2:])]
    pressed += [(key, "Ctrl") for key in LETTERS]
    events = [[key, "Ctrl" in more, "Shift" in more] for key, *more in pressed]
    taken = desk.grid.evaluate(TAKEN, events)
    assert {named(pressed[n][0], *pressed[n][1:]) for n in taken} == listed


def test_keys_lead_to_the_ends_and_by_pages(desk: Desk) -> None:
    desk.go(1, "store")
    for keys, row, column in (
        (["End"], 1, "note"),
        (["Home"], 1, "sku"),
        (["Control+End"], ROWS, "note"),
        (["PageUp"] * ROWS, 1, "note"),
        (["PageDown"] * ROWS, ROWS, "note"),
        (["Control+Home"], 1, "sku"),
        (["PageDown", "PageUp"], 1, "sku"),
    ):
        desk.press(*keys)
        expect(desk.cell(row, column)).to_contain_class("active")
    desk.press("PageDown")
    expect(desk.cell(1, "sku")).not_to_contain_class("active")
    expect(desk.grid.locator(".active")).to_be_in_viewport()
    desk.press("Control+Home", "ArrowDown", "Control+Shift+ArrowDown")
    assert desk.copied().split("\n") == [f"K{row:06}" for row in range(1, ROWS)]
    desk.press("Control+Shift+ArrowRight")
    assert {line.count("\t") for line in desk.copied().split("\n")} == {len(COLUMNS) - 1}
    expect(desk.cell(ROWS, "note")).to_contain_class("active")
    desk.press("Escape")
    expect(desk.grid.locator(".selected")).to_have_count(0)
    expect(desk.cell(ROWS, "note")).to_contain_class("active")


def test_cells_are_cleared_filled_cut_and_left_as_they_were(desk: Desk) -> None:
    desk.go(2, "threshold_pct")
    desk.press("Delete")
    expect(desk.cell(2, "threshold_pct")).to_have_text("")
    desk.go(3, "threshold_pct")
    desk.type("25")
    desk.go(3, "threshold_pct")
    desk.press("Shift+ArrowDown", "Shift+ArrowDown", "Control+d")
    desk.says("2 of 2 cells filled")
    desk.go(5, "threshold_pct")
    desk.press("Control+x")
    expect(desk.cell(5, "threshold_pct")).to_have_text("")
    desk.go(7, "threshold_pct")
    desk.press("Control+v")
    expect(desk.cell(7, "threshold_pct")).to_have_text("25")
    desk.go(8, "threshold_pct")
    editor = desk.page.locator(".grid-editor")
    for key, is_wrong in (("7", "false"), (",", "true"), ("7", "true")):  # judged as it is typed
        desk.press(key)
        expect(editor).to_have_attribute("aria-invalid", is_wrong)
    desk.press("Escape")
    expect(desk.cell(8, "threshold_pct")).to_have_text("30")
    desk.saved()
    left = {2: None, 3: 25, 4: 25, 5: None, 7: 25}
    assert desk.staged() == {
        (f"K{row - 1:06}", "threshold_pct"): value for row, value in left.items()
    }
    desk.press("Control+z")
    expect(desk.cell(7, "threshold_pct")).to_have_text("30")
    desk.press("Control+z", "Control+z")
    for row in (4, 5):
        expect(desk.cell(row, "threshold_pct")).to_have_text("30")
    desk.saved()


def test_a_cell_shows_what_is_edited_what_warns_and_what_is_read_only(desk: Desk) -> None:
    low = RowRule("low", "between", ("threshold_pct",), {"maximum": 50}, severity="warning")
    define(desk.context, low)
    desk.open()
    for row, text in ((2, "20"), (3, "60")):
        desk.go(row, "threshold_pct")
        desk.type(text)
    edited, warned, other = (desk.cell(row, "threshold_pct") for row in (2, 3, 5))
    expect(warned).to_contain_class("warning")
    for cell in (edited, warned):
        expect(cell).to_contain_class("dirty")
        expect(cell).not_to_have_attribute("aria-invalid", "true")
    for cell in (edited, other):
        expect(cell).not_to_contain_class("warning")
    expect(other).not_to_contain_class("dirty")
    desk.go(3, "threshold_pct")
    desk.says("Warning: ")
    desk.says("was 30")
    desk.go(4, "sku")
    expect(desk.cell(4, "sku")).to_contain_class("fixed")
    expect(desk.cell(4, "sku")).to_have_attribute("aria-readonly", "true")
    expect(other).to_have_attribute("aria-readonly", "false")
    desk.type("X")
    desk.says("is read only")
    expect(desk.cell(4, "sku")).to_have_text("K000003")
    desk.page.goto(f"/data/{PROJECT}/{DATASET}?version=1")
    expect(desk.cell(5, "threshold_pct")).to_have_attribute("aria-readonly", "true")


def test_edits_are_discarded_once_that_is_confirmed(desk: Desk) -> None:
    desk.go(2, "threshold_pct")
    desk.type("25")
    desk.saved()
    for answer, shown in (("Cancel", "25"), ("Go on", "30")):
        button(desk.page, "Discard…").click()
        button(desk.page, answer).click()
        expect(desk.page.locator("dialog")).to_have_count(0)
        expect(desk.cell(2, "threshold_pct")).to_have_text(shown)
    assert listing.sessions(desk.context, ANN, PROJECT, DATASET) == []


def test_who_wrote_a_row_is_a_button_away(desk: Desk) -> None:
    desk.go(3, "note")
    button(desk.page, "Who wrote this").click()
    desk.page.wait_for_url("**/blame?row_id=K000002")
    expect(desk.page.get_by_role("textbox", name="Row")).to_have_value("K000002")
    expect(desk.page.locator("tbody tr")).to_have_count(len(COLUMNS))
