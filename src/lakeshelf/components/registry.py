"""Finds the components of the checkout: a folder each below `kafka-components/` or `ml-model/`."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lakeshelf import modules
from lakeshelf.components.component import Component, Follower
from lakeshelf.contracts.project import COMPONENTS as ROOMS
from lakeshelf.errors import ConfigurationError
from lakeshelf.settings import Settings

CLOCK = "clock"
"""The business clock, which runs beside the components."""
SALES = "sales"
"""Phase of the store simulation."""


def room(home: Path, name: str) -> str:
    """The room that has a folder of the name; the first one where none has."""
    return next((each for each in ROOMS if (home / each / name).is_dir()), ROOMS[0])


def module(home: Path, name: str) -> Any:
    """The module of a component: `<name with underscores>.py` in its folder.

    Raises:
        ConfigurationError: There is no such component.
    """
    file = _file(home, name)
    if not file.is_file():
        raise ConfigurationError(
            f"no component {name} at {file}",
            hint="name the file as the folder, underscores for hyphens",
        )
    if str(file.parent) not in sys.path:
        sys.path.insert(0, str(file.parent))
    return modules.load(file)


def _file(home: Path, name: str) -> Path:
    return home / room(home, name) / name / f"{name.replace('-', '_')}.py"


App = type[Component] | type[Follower]


def discover(home: Path, *projects: Path) -> dict[str, App]:
    """The components but the clock, by name: folders whose module declares a `COMPONENT`.

    Args:
        home: The checkout.
        projects: Folders whose components are there beside the product's.

    Raises:
        ConfigurationError: No `kafka-components/` in the checkout, a component that cannot be loaded, or two of a name.
    """
    if not (home / ROOMS[0]).is_dir():
        raise ConfigurationError(
            f"no {ROOMS[0]}/ in {home}", hint="set LAKESHELF_HOME to the checkout"
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
    folders = {file.parent for each in ROOMS for file in (home / each).glob("*/*.py")}
    names = sorted(folder.name for folder in folders)
    apps = (
        module(home, name)
        for name in names
        if not modules.is_program(_file(home, name), "COMPONENT")
    )
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
