"""What a page lets somebody do: its forms with their controls, and the reasons of those that are disabled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from xml.etree.ElementTree import Element, TreeBuilder

PREFIX = "/forms/"
ALONE = frozenset(("input", "br", "meta", "link", "hr", "img"))
WHY = "data-why"
"""Marks a text that says why something is not for the reader."""


@dataclass(frozen=True)
class Control:
    """A form of a page.

    Attributes:
        form: Its name in `FORMS`.
        hidden: What it sends beside what is typed.
        is_enabled: Whether one of its buttons is.
        reasons: Of each button that is disabled, why; empty: it does not say.
    """

    form: str
    hidden: Mapping[str, str]
    is_enabled: bool
    reasons: tuple[str, ...]


class _Tree(HTMLParser):
    """Reads a page as a tree of elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self._made = TreeBuilder()
        self._made.start("page", {})
        self.feed(page)
        self._made.end("page")
        self.root: Element = self._made.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._made.start(tag, {name: value or "" for name, value in attrs})
        if tag in ALONE:
            self._made.end(tag)

    def handle_endtag(self, tag: str) -> None:
        self._made.end(tag)

    def handle_data(self, data: str) -> None:
        self._made.data(data)


def tree(page: str) -> Element:
    """A page as a tree of elements."""
    return _Tree(page).root


def text(element: Element) -> str:
    """The text of an element."""
    return " ".join("".join(element.itertext()).split())


def reasons(page: Element) -> list[str]:
    """Why parts and controls of a page are not for its reader."""
    refused = (one for one in page.iter("div") if one.get("class") == "refusal")
    told = (one for one in page.iter() if one.get(WHY) is not None)
    return [said for one in (*refused, *told) if (said := text(one))]


def controls(page: Element) -> Iterator[Control]:
    """The forms of a page."""
    named = {one.get("id"): one for one in page.iter() if one.get("id")}
    for form in page.iter("form"):
        name = form.get("action", "")
        if not name.startswith(PREFIX):
            continue
        inside = [one for one in form.iter("button") if one.get("type") != "button"]
        beside = [one for one in page.iter("button") if one.get("form") == (form.get("id") or name)]
        buttons = [*inside, *beside]
        shut = [one for one in buttons if one.get("disabled") is not None]
        whys = (named.get(one.get("aria-describedby", "")) for one in shut)
        hidden = {
            one.get("name", ""): one.get("value", "")
            for one in form.iter("input")
            if one.get("type") == "hidden"
        }
        yield Control(
            name.removeprefix(PREFIX),
            hidden,
            len(shut) < len(buttons),
            tuple("" if one is None else text(one) for one in whys),
        )
