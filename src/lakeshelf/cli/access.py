"""What commands need from outside: settings with the global options applied."""

from __future__ import annotations

import re
import shlex
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


_NAMED = re.compile(r"`lakeshelf (?!-)(?![^`]*--help)([^`]+)`")
"""A command that is named in a sentence."""
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


def completed(sentence: str) -> str:
    """A sentence whose commands work as they stand: `--lake` is added where it was given and is not the default.

    What the environment and the settings file say holds for the next command of the same shell as well.
    """
    if options().lake is None or not _NAMED.search(sentence):
        return sentence
    lake = _other_lake()
    if lake is None:
        return sentence
    return _NAMED.sub(lambda found: f"`lakeshelf --lake {lake} {found[1]}`", sentence)


def _other_lake() -> str | None:
    """The lake that was given, quoted for a shell; None when it is the one that no option would mean."""
    from lakeshelf.settings import default_lake  # noqa: PLC0415 - pydantic is slow to import

    given = absolute(options().lake or "")
    return None if given == default_lake() else shlex.quote(given)
