"""Finds the Kafka components of the checkout: a folder each below `kafka-components/`."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lakeshelf import modules
from lakeshelf.components.component import Component, Follower
from lakeshelf.errors import ConfigurationError
from lakeshelf.settings import Settings

ROOM = "kafka-components"
CLOCK = "clock"
"""The business clock, which runs beside the components."""
SALES = "sales"
"""Phase of the store simulation."""


def module(home: Path, name: str) -> Any:
    """The module of a component: `kafka-components/<name>/<name with underscores>.py`.

    Raises:
        ConfigurationError: There is no such component.
    """
    folder = home / ROOM / name
    file = folder / f"{name.replace('-', '_')}.py"
    if not file.is_file():
        raise ConfigurationError(
            f"no component {name} at {file}",
            hint="name the file as the folder, underscores for hyphens",
        )
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return modules.load(file)


App = type[Component] | type[Follower]


def discover(home: Path, *projects: Path) -> dict[str, App]:
    """The components but the clock, by name: folders whose module declares a `COMPONENT`.

    Args:
        home: The checkout.
        projects: Folders whose components are there beside the product's.

    Raises:
        ConfigurationError: No `kafka-components/` in the checkout, one that cannot be loaded, or two of a name.
    """
    if not (home / ROOM).is_dir():
        raise ConfigurationError(
            f"no kafka-components/ in {home}", hint="set LAKESHELF_HOME to the checkout"
        )
    known: dict[str, App] = {}
    for component in (one for folder in (home, *projects) for one in _components(folder)):
        if component.name in known or component.name == CLOCK:
            raise ConfigurationError(
                f"there are two components {component.name}", hint="rename yours"
            )
        known[component.name] = component
    return known


def _components(home: Path) -> Iterator[App]:
    names = sorted(file.parent.name for file in (home / ROOM).glob("*/*.py"))
    apps = (module(home, name) for name in dict.fromkeys(names))
    yield from (app.COMPONENT for app in apps if hasattr(app, "COMPONENT"))


def ticking(home: Path) -> tuple[str, ...]:
    """Names of the checkout's components that act on ticks, which are all that stepped mode has."""
    known = discover(home).items()
    return tuple(name for name, component in known if issubclass(component, Component))


def chosen(settings: Settings) -> tuple[str, ...]:
    """The components that a stack of these settings runs: all, or all but the store simulation."""
    known = discover(*settings.homes)
    simulated = {name for name, component in known.items() if component.phase == SALES}
    left_out = frozenset() if settings.simulation else simulated
    return tuple(name for name in (CLOCK, *known) if name not in left_out)


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
