"""What parameters of an address have to be, so that a page shows nothing else than what was asked for."""

from __future__ import annotations

from lakeshelf.ui.asking import ApiRefusal
from lakeshelf.ui.page import Page, Where

INVALID = 400
MOST = 2**53
LONGEST = 40
"""Characters that are said of a value."""


def wrong(page: Page, where: Where) -> tuple[str, ApiRefusal] | None:
    """The first parameter of an address that is none of its page, and why; None: all are.

    Args:
        page: The page.
        where: Its address.
    """
    for name in page.numbers:
        values = where.many(name)
        if len(values) > 1:
            return name, refusal(f"{name} stands {len(values)} times in the address: leave it once")
        if any(values) and not is_number(values[0]):
            said = values[0][:LONGEST]
            return name, refusal(
                f"{name} is {said!r} in the address, and no whole number: leave it out"
            )
    return None


def is_number(text: str) -> bool:
    """Whether a text is a whole number that the API takes."""
    return text.isascii() and text.isdigit() and len(text) <= len(str(MOST)) and int(text) <= MOST


def refusal(message: str, status: int = INVALID) -> ApiRefusal:
    """Why an address is none.

    Args:
        message: What is wrong and what to do next.
        status: HTTP status.
    """
    return ApiRefusal(status, "invalid" if status == INVALID else "not_found", message, {}, "")
