"""A stranger finds the rule behind every job and component, and the room of every duty, from the pages alone."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from lakeshelf.components import registry as components
from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.retail.shared import OWNERS
from lakeshelf.settings import load_settings
from lakeshelf.streams.declare import registry as jobs

HOME = load_settings().home
JOBS = jobs.discover(HOME)
FLOWS = re.compile(r"^\*\*Reads\*\*(.*)\*\*Keeps\*\*(.*)$", re.MULTILINE)
RULE = re.compile(r"docs/design/\w[\w-]*\.md#[\w-]+")
APPS = sorted(
    {
        *JOBS,
        *(name for name in components.discover(HOME) if name != components.CLOCK),
    }
)


LIBRARY = HOME / "src" / "lakeshelf"
MAY_USE = {
    room: {*re.findall(r"\w+", others)}
    for room, others in re.findall(
        r"^\| `src/lakeshelf/(\w+)` \|.*\| ([^|]+) \|$",
        (HOME / "docs" / "architecture.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
}
"""Room of the library → rooms that it may use, as the page of the architecture says."""
USED = re.compile(r"^\s*(?:from|import) lakeshelf(?:\.(\w+)| import (.+))", re.MULTILINE)


def lacking(home: Path, name: str) -> str | None:
    """What module or page of an app do not say of its rule; None: they name one and the same."""
    (folder,) = (folder for folder in home.glob(f"*/{name}") if (folder / "README.md").exists())
    module = ast.parse((folder / f"{name.replace('-', '_')}.py").read_text(encoding="utf-8"))
    rules = RULE.findall(ast.get_docstring(module) or "")
    page = (folder / "README.md").read_text(encoding="utf-8")
    if not rules:
        return f"the docstring of {name} names no rule"
    named = any(re.search(rf"{re.escape(rule)}\b(?!-)", page) for rule in rules)
    return None if named else f"the page of {name} names no rule of its docstring"


@pytest.mark.parametrize("name", APPS)
def test_module_and_page_of_an_app_name_the_rule_that_it_follows(name: str) -> None:
    assert lacking(HOME, name) is None


@pytest.mark.parametrize("name", sorted(JOBS))
def test_the_page_of_a_job_says_what_it_reads_what_it_keeps_and_where_it_publishes(
    name: str,
) -> None:
    page = (HOME / jobs.ROOM / name / "README.md").read_text(encoding="utf-8")
    (said,) = FLOWS.findall(page)
    known = {*CATALOG.tables, *CATALOG.topics}
    reads, keeps = (known.intersection(re.findall(r"`([^`]+)`", part)) for part in said)
    assert reads == {*JOBS[name].reads}
    assert keeps == {*JOBS[name].tables, *JOBS[name].publishes}


def test_every_owner_of_the_contract_is_an_app_or_is_told_in_the_reference() -> None:
    owners = {one.owner for one in (*CATALOG.tables.values(), *CATALOG.topics.values())}
    assert owners - {*APPS} == {*OWNERS}


def test_every_room_of_the_library_stands_on_the_page_of_the_architecture() -> None:
    assert MAY_USE.keys() == {file.parent.name for file in LIBRARY.glob("*/__init__.py")}


@pytest.mark.parametrize("room", sorted(MAY_USE.keys() - {"cli"}))
def test_a_room_uses_what_the_page_of_the_architecture_lets_it_use(room: str) -> None:
    texts = (file.read_text(encoding="utf-8") for file in (LIBRARY / room).rglob("*.py"))
    named = [dotted or names for text in texts for dotted, names in USED.findall(text)]
    used = {*re.findall(r"\w+", " ".join(named))}
    assert (used & MAY_USE.keys()) - {room} <= reached(room)


def reached(room: str) -> set[str]:
    """What a room may use, and what these may."""
    return MAY_USE[room].union(*map(reached, MAY_USE[room]))
