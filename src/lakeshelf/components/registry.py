"""Finds the Kafka components of the checkout: a folder each below `kafka-components/`."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lakeshelf.components.component import Component
from lakeshelf.errors import ConfigurationError
from lakeshelf.settings import Settings
from lakeshelf.streams.declare.registry import load

CLOCK = "clock"
"""The business clock, which runs beside the components."""
SALES = "sales"
"""Phase of the store simulation."""


def module(home: Path, name: str) -> Any:
    """The module of a component: `kafka-components/<name>/<name with underscores>.py`.

    Raises:
        ConfigurationError: There is no such component.
    """
    folder = home / "kafka-components" / name
    file = folder / f"{name.replace('-', '_')}.py"
    if not file.is_file():
        raise ConfigurationError(
            f"no component {name} at {file}", hint="set LAKESHELF_HOME to the checkout"
        )
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return load(file)


def discover(home: Path) -> dict[str, type[Component]]:
    """The components that follow the clock, by name: folders whose module declares a `COMPONENT`.

    Raises:
        ConfigurationError: No `kafka-components/` there.
    """
    folder = home / "kafka-components"
    if not folder.is_dir():
        raise ConfigurationError(
            f"no kafka-components/ in {home}", hint="set LAKESHELF_HOME to the checkout"
        )
    names = sorted(entry.name for entry in folder.iterdir() if any(entry.glob("*.py")))
    modules = (module(home, name) for name in names)
    components = (m.COMPONENT for m in modules if hasattr(m, "COMPONENT"))
    return {component.name: component for component in components}


def chosen(settings: Settings) -> tuple[str, ...]:
    """The components that a stack of these settings runs: all, or all but the store simulation."""
    simulated = {
        name for name, component in discover(settings.home).items() if component.phase == SALES
    }
    left_out = frozenset() if settings.simulation else simulated
    return tuple(name for name in (CLOCK, *discover(settings.home)) if name not in left_out)


def select(known: Iterable[str], names: Iterable[str]) -> tuple[str, ...]:
    """The named components; all of them when none is named.

    Raises:
        ConfigurationError: An unknown name; its neighbours are listed.
    """
    components = tuple(known)
    selected = tuple(dict.fromkeys(names)) or components
    for name in selected:
        if name not in components:
            near = difflib.get_close_matches(name, components, n=3) or sorted(components)
            raise ConfigurationError(
                f"no component {name!r}",
                hint=f"did you mean {', '.join(near)}? see `lakeshelf components list`",
            )
    return selected
