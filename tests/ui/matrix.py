"""Who may read which page and send which form, derived from what they ask of the API and from its matrix.

`python -m tests.ui.matrix` writes the table into docs/pages.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from lakeshelf.ui.asking import API
from lakeshelf.ui.page import Form, Page
from lakeshelf.ui.pages import FORMS, PAGES
from tests.governance.api.operations import EVERYBODY, OK, TABLE, WRITERS

FILE = Path(__file__).parents[2] / "docs" / "pages.md"
COLUMNS = {
    "viewer": "viewer",
    "named": "viewer named as a reviewer",
    "contributor": "contributor",
    "owner": "owner",
    "service": "service",
    "admin": "admin",
    "outsider": "no member",
}
YES, OWN, PART, NO = "yes", "own", "part", "no"
FRAME = ("/me", "/projects")
"""What pages ask to know who reads, which tells nobody apart."""
_BLOCK = re.compile(r"(<!-- permissions: [^\n]*-->\n).*?(<!-- end -->)", re.DOTALL)


def asked(page: Page) -> list[str]:
    """Paths of all that a page asks for."""
    return [*(ask.path for ask in page.asks.values()), *page.also]


def template(place: str) -> str:
    """The path of the matrix that a call is one of; the call itself where there is none."""
    called = place.removeprefix(API)
    fitting = [path for method, path in TABLE if method == "GET" and _is(path, called)]
    return min(fitting, key=lambda path: path.count("{"), default=called)


def _is(path: str, called: str) -> bool:
    return re.fullmatch(re.sub(r"\\{.*?\\}", "[^/]+", re.escape(path)), called) is not None


def may(form: Form, role: str) -> bool:
    """Whether somebody of a role may send a form about what the matrix is about."""
    rule = TABLE[form.method, form.path]
    is_theirs = rule.own in ("", role) or role == "admin"
    return is_theirs and rule.expected(role, form.method) == OK


def right(role: str, method: str, path: str) -> str:
    """What a role may of an operation: all of it, of what is their own, or nothing."""
    rule = TABLE[method, path]
    if rule.own and not (role == "admin" and role in rule.who):
        can_own = role in WRITERS or not path.startswith("/projects/")
        return OWN if can_own else NO
    return YES if rule.expected(role, method) == OK else NO


def of_page(page: Page, role: str) -> str:
    """How much of a page somebody of a role reads."""
    rights = {right(role, "GET", path) for path in asked(page) if path not in FRAME} or {YES}
    if NO in rights:
        return PART if len(rights) > 1 else NO
    return YES if YES in rights else OWN


def is_for_all(page: Page) -> bool:
    """Whether all that a page asks is for everybody."""
    return all(TABLE["GET", path] == EVERYBODY for path in asked(page))


def address(page: Page) -> str:
    """Its path for people: what a router is told of a name is left out."""
    return page.path.replace(":path}", "}")


def rows() -> Iterator[tuple[str, ...]]:
    """Pages, then acts: those that are for the same, and how much by column."""
    yield from _grouped({f"`{address(one)}`": partial(of_page, one) for one in PAGES})
    yield from _grouped(
        {
            one.name.replace("-", " "): partial(right, method=one.method, path=one.path)
            for one in FORMS
        }
    )


def _grouped(rights: Mapping[str, Callable[[str], str]]) -> Iterator[tuple[str, ...]]:
    kept: dict[tuple[str, ...], list[str]] = {}
    for name, of in rights.items():
        kept.setdefault(tuple(of(role) for role in COLUMNS), []).append(name)
    return ((", ".join(names), *cells) for cells, names in kept.items())


def table() -> str:
    """The table, as Markdown."""
    head = (("", *COLUMNS.values()), ("---",) * (len(COLUMNS) + 1))
    return "\n".join(f"| {' | '.join(line)} |" for line in (*head, *rows()))


def written(page: str) -> str:
    """The page with the table as the declarations have it."""
    return _BLOCK.sub(lambda block: f"{block[1]}\n{table()}\n\n{block[2]}", page)


if __name__ == "__main__":
    FILE.write_text(written(FILE.read_text(encoding="utf-8")), encoding="utf-8")
