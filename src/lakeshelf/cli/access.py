"""What commands need from outside: settings with the global options applied."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakeshelf.addresses import is_address

if TYPE_CHECKING:
    from lakeshelf.settings import Settings


@dataclass(frozen=True)
class Options:
    """Options before the command.

    Attributes:
        debug: Show tracebacks.
        lake: Folder or address of the lake instead of the configured one.
    """

    debug: bool = False
    lake: str | None = None


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
    from lakeshelf.settings import load_settings  # noqa: PLC0415 - pydantic is slow to import

    lake = options().lake
    given = {name: value for name, value in overrides.items() if value is not None}
    return load_settings(**({"lake_root": absolute(lake)} if lake else {}), **given)


def absolute(lake: str) -> str:
    """Where a lake is, whatever folder a command is run in."""
    return lake if is_address(lake) else str(Path(lake).absolute())
