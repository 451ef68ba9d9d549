"""What a component reads and writes: what it declares, and the tables that its code names.

A job's tables are known by its SQL; a component's by the names of tables in its folder, so nobody keeps a list.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

from lakeshelf.components.component import Component
from lakeshelf.components.registry import CLOCK, App
from lakeshelf.contracts import CATALOG, layers


def reads(app: App) -> tuple[str, ...]:
    """The clock and topics that it hears, then tables of others."""
    topics = (CLOCK, *app.hears) if issubclass(app, Component) else ()
    return (*topics, *sorted(_named(app) - own(app)))


def writes(app: App) -> tuple[str, ...]:
    """Topics that it publishes, and its own tables."""
    return tuple(sorted({*app.publishes, *own(app)}))


def own(app: App) -> frozenset[str]:
    """Its journal and the tables of which it is the owner."""
    owned = {table.name for table in CATALOG.tables.values() if table.owner == app.name}
    return frozenset({app.journal, *owned})


def _named(app: App) -> frozenset[str]:
    files = Path(inspect.getfile(app)).parent.glob("*.py")
    names = {name for file in files for name in _names(file)}
    return frozenset(names & CATALOG.tables.keys())


def _names(file: Path) -> Iterator[str]:
    """Texts of a module, and what it names by `lakeshelf.contracts.layers`."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            layer = getattr(layers, node.value.id, None)
            yield str(getattr(layer, node.attr, ""))
