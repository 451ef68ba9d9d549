"""What pages weigh, as they are sent: whole in a browser, their styles and scripts without one.

`python -m tests.ui.tools` holds the latter to `BUDGETS`.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from jinja2 import meta
from playwright.sync_api import Page

from lakeshelf.ui import files, rendering
from lakeshelf.ui.pages import PAGES

NAMED = re.compile(r"""static\(["']([^"']+)["']\)""")
"""A file that a template names."""
AT_ONCE = re.compile(r"""\b(?:from|import)\s*"(\.[^"]+)\"""")
LATER = re.compile(r"""\bimport\(\s*"(\.[^"]+)"\s*\)""")
"""A module that a script imports as it begins, and once somebody needs it."""
SENT = """
() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .filter((one) => one.entryType === "navigation" || one.name.includes("/static/"))
  .reduce((sum, one) => sum + one.encodedBodySize, 0)
"""


@dataclass(frozen=True)
class Budget:
    """What files may weigh together, compressed.

    Attributes:
        what: In words.
        goal: Bytes to reach.
        most: Bytes that they may weigh: where the goal is missed, they do not grow.
        weigh: Bytes that they weigh.
    """

    what: str
    goal: int
    most: int
    weigh: Callable[[], int]

    @property
    def line(self) -> str:
        """What became of it."""
        weight = self.weigh()
        state = "within the goal" if weight <= self.goal else "over the goal"
        held = f"budget {self.most:,}{': exceeded' if self.is_exceeded else ''}"
        return f"{self.what}: {weight:,} bytes, {state} of {self.goal:,}, {held}"

    @property
    def is_exceeded(self) -> bool:
        """Whether they weigh more than they may."""
        return self.weigh() > self.most


def sent(page: Page) -> int:
    """Bytes of a page that is open, with its styles and scripts, as they came."""
    return int(page.evaluate(SENT))


def heaviest() -> int:
    """Bytes of the styles and scripts of the page that has most of them, whatever is done there."""
    templates = {page.template for page in PAGES}
    return max(_packed(_reached(_named(one), AT_ONCE, LATER)) for one in templates)


def grid() -> int:
    """Bytes of the scripts of the grid that show it and edit cells."""
    reached = _reached(["grid/main.js"], AT_ONCE)
    return _packed(one for one in reached if one.startswith("grid/"))


BUDGETS = (
    Budget("styles and scripts of the heaviest page", 120_000, 45_000, heaviest),
    Budget("scripts of the grid, before somebody asks for more", 15_000, 25_000, grid),
)


def _named(template: str) -> Iterator[str]:
    """Files that a template and all that it is made of name."""
    made = rendering.environment()
    assert made.loader is not None
    source, _, _ = made.loader.get_source(made, template)
    yield from NAMED.findall(source)
    for other in meta.find_referenced_templates(made.parse(source)):
        if other is not None:
            yield from _named(other)


def _reached(names: Iterable[str], *imports: re.Pattern[str]) -> set[str]:
    """Files, and all that they import, and so on."""
    contents, reached, waiting = files.assets().contents, set[str](), list(names)
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            found = (one for form in imports for one in form.findall(contents[name].decode()))
            waiting += [
                posixpath.normpath(f"{posixpath.dirname(name)}/{one}").lstrip("/") for one in found
            ]
    return reached


def _packed(names: Iterable[str]) -> int:
    packed = files.assets().packed
    return sum(len(packed[name]) for name in names)
