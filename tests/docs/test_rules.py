"""A stranger finds the rule behind every job and component, and the room of every duty, from the pages alone."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from lakeshelf.components import registry as components
from lakeshelf.settings import load_settings
from lakeshelf.streams.declare import registry as jobs

HOME = load_settings().home
RULE = re.compile(r"docs/design/\w[\w-]*\.md#[\w-]+")
APPS = sorted(
    {
        *jobs.discover(HOME),
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


def test_every_room_of_the_library_stands_on_the_page_of_the_architecture() -> None:
    page = (HOME / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = {file.parent.name for file in (HOME / "src" / "lakeshelf").glob("*/__init__.py")}
    assert set(re.findall(r"^\| `src/lakeshelf/(\w+)` \|", page, re.MULTILINE)) == rooms
