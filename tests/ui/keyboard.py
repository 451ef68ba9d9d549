"""A page without a mouse: what is pressed has the focus, and Tab leads there."""

from __future__ import annotations

from playwright.sync_api import Locator, Page

MOST_STEPS = 400
"""Presses of Tab that may lead to something."""
FOCUSED = "(one) => one === document.activeElement"


def reach(page: Page, target: Locator, most: int = MOST_STEPS) -> None:
    """Press Tab until something has the focus.

    Args:
        page: The page.
        target: What is to have it.
        most: Presses that may lead there.
    """
    element = target.element_handle()
    for _ in range(most + 1):
        if element.evaluate(FOCUSED):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{most} presses of Tab do not lead to {target}")


def press(page: Page, target: Locator, key: str = "Enter", most: int = MOST_STEPS) -> None:
    """Press a key on something, once Tab has led there."""
    reach(page, target, most)
    page.keyboard.press(key)


def button(page: Page, name: str) -> Locator:
    """A button by its words."""
    return page.get_by_role("button", name=name, exact=True)
