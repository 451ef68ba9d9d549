"""What commands need from outside: settings with the global options applied."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakeshelf.settings import Settings, load_settings


@dataclass(frozen=True)
class Options:
    """Options before the command.

    Attributes:
        debug: Show tracebacks.
        lake: Folder of the lake instead of the configured one.
    """

    debug: bool = False
    lake: Path | None = None


_OPTIONS = ContextVar("options", default=Options())  # noqa: B039 - frozen


def use(given: Options) -> None:
    """Make the options those of the running command."""
    _OPTIONS.set(given)


def options() -> Options:
    """The options of the running command."""
    return _OPTIONS.get()


def settings(**overrides: Any) -> Settings:
    """The settings in force; an override that is None counts as not given.

    Raises:
        ConfigurationError: A setting that cannot be.
    """
    lake = options().lake
    given = {name: value for name, value in overrides.items() if value is not None}
    return load_settings(**({"lake_root": lake.absolute()} if lake else {}), **given)
