"""How values look on a page."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache, partial
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from lakeshelf import __version__
from lakeshelf.counts import count_of
from lakeshelf.ui import files
from lakeshelf.ui.texts import Visible, seen, visible, words

THIN_SPACE = "\N{THIN SPACE}"
NOTHING = "\N{EN DASH}"
"""Shown where something is not known."""


@cache
def environment() -> Environment:
    """Templates of all pages: every value is escaped, and one that is not there is an error."""
    made = Environment(
        loader=PackageLoader("lakeshelf.ui"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[Visible],
    )
    made.globals |= {
        "static": files.address,
        "version": __version__,
        "url": url,
        "key": key,
        "nothing": NOTHING,
    }
    made.filters |= {
        "number": number,
        "counted": partial(count_of, apart=THIN_SPACE),
        "moment": moment,
        "day": day,
        "shown": shown,
        "seen": seen,
        "words": words,
        "exact": exact,
        "excerpt": excerpt,
        "trace": trace,
        "segment": segment,
        "place": place,
    }
    return made


def key() -> str:
    """Makes a form one that is done once: it is sent along, and the API knows it again."""
    return uuid.uuid4().hex


def render(template: str, values: Mapping[str, Any]) -> str:
    """A page as HTML."""
    return environment().get_template(template).render(values)


def number(value: float | Decimal | None, digits: int = 0) -> str:
    """A number with its thousands apart; a dash where it is not known."""
    if value is None:
        return NOTHING
    is_whole = isinstance(value, int) and not digits  # which a format of floats would round
    text = f"{value:,}" if is_whole else f"{value:,.{digits}f}"
    return text.replace(",", THIN_SPACE)


def moment(value: str | datetime | None) -> Markup:
    """A moment to the second, in UTC, as the tables have it."""
    if value is None:
        return Markup.escape(NOTHING)
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return Markup('<time datetime="{}">{}</time>').format(
        at.isoformat(), at.strftime("%Y-%m-%d %H:%M:%S")
    )


def day(value: str | date | None) -> str:
    """A day."""
    return NOTHING if value is None else str(value)[:10]


def shown(value: object) -> str:
    """Any value as people read it; a dash where there is none."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float, Decimal)):
        return number(value, 0 if value == int(value) else 2)
    return visible(value)


def exact(value: object) -> str:
    """A value of a cell, with each of its digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        return number(value)
    return repr(value).removesuffix(".0") if isinstance(value, float) else shown(value)


def excerpt(text: str, length: int = 400) -> str:
    """The beginning of a text, which says how long the whole is."""
    if len(text) <= length:
        return text
    return f"{text[:length]} … ({number(len(text))} characters)"


def segment(value: object) -> str:
    """A value as one segment of an address, whatever it holds."""
    return quote(str(value), safe="")


def place(value: object, of: str = "trace") -> str:
    """Where something is shown by its id; one that browsers take for a step in an address has its life shown.

    Args:
        value: Its id, whatever it holds.
        of: What such places begin with.
    """
    steps = (".", "..")
    return url("/trace", {}, id=value) if value in steps else f"/{of}/{segment(value)}"


def trace(value: object) -> Markup:
    """An id that leads to its life."""
    return Markup('<a class="id" href="{}">{}</a>').format(place(value), visible(value))


def url(path: str, query: Mapping[str, object], /, **changed: object) -> str:
    """An address with some parameters changed; those that are None or empty go.

    Args:
        path: Of the page.
        query: Its parameters as they are.
        changed: Parameter → new value.
    """
    kept = {name: value for name, value in ({**query} | changed).items() if value not in (None, "")}
    return f"{path}?{urlencode(kept, doseq=True)}" if kept else path
