"""What a project declares of its own, beside the jobs and components that keep it.

Each folder below one of `ROOMS` of a project may have a file `contract.py` with `TOPICS`, `TABLES` and `VIEWS`.
They join the catalogue in force; the product's own declarations stay as they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lakeshelf import lean, modules
from lakeshelf.contracts import CATALOG, PRODUCT, Table, Topic, View
from lakeshelf.contracts.catalog import Catalog
from lakeshelf.contracts.retail.shared import ANY
from lakeshelf.errors import ConfigurationError, ContractError
from lakeshelf.settings import Settings, load_settings

FILE = "contract.py"
JOBS = "spark-apps"
COMPONENTS = ("kafka-components", "ml-model")
"""Rooms of components."""
ROOMS = (JOBS, *COMPONENTS)
LAYER = "own"
"""Layer that is proposed to projects; any does that the product has not."""
KINDS: dict[str, Any] = {"TOPICS": Topic, "TABLES": Table, "VIEWS": View}


@dataclass
class Declarations:
    """What the files of a project declare, by kind, as `KINDS` has them."""

    topics: list[Topic] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    views: list[View] = field(default_factory=list)


def load(**overrides: Any) -> Settings:
    """The settings of this process, as `load_settings`, and in the catalogue what their project declares.

    Raises:
        ConfigurationError: As for `load_settings` and `include`.
    """
    settings = load_settings(**overrides)
    include(settings.project)
    return settings


def include(project: Path | None) -> None:
    """Have the catalogue in force hold what the product declares, and what a project does.

    Args:
        project: Folder of the project; None: there is none.

    Raises:
        ConfigurationError: The folder is not there, a file cannot be run, or it declares what cannot be.
    """
    CATALOG.hold(PRODUCT)
    if project is not None:
        lean.admit(lean.PANDAS)  # its own code may read frames
        CATALOG.hold(_joined(project))


def declared(project: Path) -> Declarations:
    """What the files of a project declare.

    Raises:
        ConfigurationError: As for `include`.
    """
    if not project.is_dir():
        raise ConfigurationError(
            f"no project at {project}", hint="correct the setting `project`, or leave it out"
        )
    own = Declarations()
    for file in files(project):
        module = modules.run(file)
        for name in KINDS:
            getattr(own, name.lower()).extend(_entries(file, name, getattr(module, name, ())))
    return own


def files(project: Path) -> list[Path]:
    """The files of a project that declare something."""
    return sorted(file for room in ROOMS for file in (project / room).glob(f"*/{FILE}"))


def _joined(project: Path) -> Catalog:
    own = declared(project)
    try:
        joined = PRODUCT.with_also(own.topics, own.tables, own.views)
    except ContractError as error:
        raise ConfigurationError(f"project {project}: {error.message}", hint=error.hint) from error
    names = Counter(name.replace("/", "_") for name in (*joined.topics, *joined.tables))
    if twice := [name for name, count in names.items() if count > 1]:
        raise ConfigurationError(
            f"project {project}: {{{twice[0]}}} would mean two things in SQL", hint="rename one"
        )
    return joined


def _entries(file: Path, name: str, entries: Any) -> Iterator[Any]:
    if not isinstance(entries, tuple | list):
        raise ConfigurationError(f"{file}: {name} is no tuple", hint=f"write {name} = (…,)")
    for entry in entries:
        if not isinstance(entry, (kind := KINDS[name])):
            raise ConfigurationError(
                f"{file}: {name} holds {entry!r}", hint=f"declare a {kind.__name__}"
            )
        _require_own(file, entry)
        yield entry


def _require_own(file: Path, entry: Topic | Table | View) -> None:
    """Refuse names that are or may become the product's, and an owner that is another app."""
    what = f"{file}: {type(entry).__name__.lower()} {entry.name}"
    if not isinstance(entry, Topic) and _is_products(entry):
        raise ConfigurationError(
            f"{what} is in a layer of the product",
            hint=f"name it {LAYER}/{entry.name.partition('/')[2]}",
        )
    if isinstance(entry, Topic) and entry.name in PRODUCT.topics:
        raise ConfigurationError(f"{what} is the product's", hint="give yours another name")
    owners = (ANY, file.parent.name) if isinstance(entry, Topic) else (file.parent.name,)
    if not isinstance(entry, View) and entry.owner not in owners:
        raise ConfigurationError(
            f"{what} has the owner {entry.owner}", hint=f"declare it where it is kept: {owners[-1]}"
        )


def _is_products(entry: Table | View) -> bool:
    """Whether the name lies in one of the product's layers; mirrors of own topics may."""
    if isinstance(entry, Table) and entry.name == f"raw/{entry.topic}":
        return entry.topic in PRODUCT.topics
    layers = {name.partition("/")[0] for name in (*PRODUCT.tables, *PRODUCT.views)}
    return entry.name.partition("/")[0] in layers
