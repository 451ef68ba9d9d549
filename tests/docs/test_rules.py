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
    page = (HOME / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = {file.parent.name for file in (HOME / "src" / "lakeshelf").glob("*/__init__.py")}
    assert set(re.findall(r"^\| `src/lakeshelf/(\w+)` \|", page, re.MULTILINE)) == rooms
