# ruff: noqa: PLC0415 - what is heavy is imported by the completion that needs it
"""What a shell offers where a name is wanted; a lake or checkout that cannot be read offers nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from lakeshelf.cli.console import access
from lakeshelf.errors import LakeshelfError

Completion = Callable[[str], list[str]]


def lakes(incomplete: str) -> list[str]:
    """Folders that begin so."""
    typed = Path(incomplete)
    above, begun = (typed, "") if incomplete.endswith("/") else (typed.parent, typed.name)
    try:
        return sorted(str(p) for p in above.iterdir() if p.name.startswith(begun) and p.is_dir())
    except OSError:
        return []


def _names(known: Callable[[], Iterable[str]]) -> Completion:
    def offered(incomplete: str) -> list[str]:
        try:
            return sorted(name for name in known() if name.startswith(incomplete))
        except LakeshelfError:
            return []

    return offered


def _tables() -> Iterable[str]:
    from lakeshelf.contracts import CATALOG
    from lakeshelf.lake.rows import tables as lake_tables

    present = lake_tables.existing(access.settings().lake_root)
    return {*CATALOG.tables, *present}


def _contracts() -> Iterable[str]:
    from lakeshelf.contracts import CATALOG

    access.settings()  # a project declares more
    return [*CATALOG.topics, *CATALOG.tables, *CATALOG.views]


def _jobs() -> Iterable[str]:
    from lakeshelf.streams.declare import registry

    return registry.discover(*access.settings().homes)


def _components() -> Iterable[str]:
    from lakeshelf.components import registry

    return (registry.CLOCK, *registry.discover(*access.settings().homes))


def _file_states() -> Iterable[str]:
    from lakeshelf.ingestion.domain.manifest import ENDED, WAITING

    return (*WAITING, *ENDED)


tables = _names(_tables)
contracts = _names(_contracts)
jobs = _names(_jobs)
components = _names(_components)
file_states = _names(_file_states)
