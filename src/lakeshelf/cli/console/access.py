"""What commands need from outside: settings with the global options applied."""

from __future__ import annotations

import difflib
import re
import shlex
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakeshelf.addresses import is_address
from lakeshelf.errors import ConfigurationError, LakeError

if TYPE_CHECKING:
    from lakeshelf.settings import Settings


@dataclass(frozen=True)
class GlobalOptions:
    """Options before the command.

    Attributes:
        debug: Show tracebacks.
        lake: Folder or address of the lake instead of the configured one.
    """

    debug: bool = False
    lake: str | None = None


_NAMED = re.compile(r"`lakeshelf (?!-)(?![^`]*--help)([^`]+)`")
"""A command that is named in a sentence."""
_OPTIONS = ContextVar("options", default=GlobalOptions())  # noqa: B039 - frozen


def use(options: GlobalOptions) -> None:
    """Make the options those of the running command."""
    _OPTIONS.set(options)


def options() -> GlobalOptions:
    """The options of the running command."""
    return _OPTIONS.get()


def settings(**overrides: Any) -> Settings:
    """The settings in force, and in the catalogue what their project declares.

    Raises:
        ConfigurationError: As for `plain`, or a project that declares what cannot be.
    """
    from lakeshelf.contracts import project  # noqa: PLC0415 - slow to import

    in_force = plain(**overrides)
    project.include(in_force.project)
    return in_force


def plain(**overrides: Any) -> Settings:
    """The settings in force, for what has to work whatever a project declares; an override of None does not count.

    Raises:
        ConfigurationError: A setting that cannot be, or a lake where a file is.
    """
    from lakeshelf.settings import load_settings  # noqa: PLC0415 - pydantic is slow to import

    lake = options().lake
    chosen = {name: value for name, value in overrides.items() if value is not None}
    in_force = load_settings(**({"lake_root": absolute(lake)} if lake else {}), **chosen)
    _require_no_file(in_force.lake_root, "no lake can be", "name a folder with --lake")
    _require_no_file(
        in_force.state_dir, "no state can be kept", "set LAKESHELF_STATE_DIR to a folder"
    )
    return in_force


def present(in_force: Settings | None = None) -> Settings:
    """The settings in force, or those named, of a lake that exists: for commands that create none.

    Raises:
        LakeError: Nothing is at its place.
    """
    in_force = in_force or settings()
    root = in_force.lake_root
    if _exists(root):
        return in_force
    near = _neighbours(root) if isinstance(root, Path) else []
    raise LakeError(
        f"no lake at {in_force.lake}",
        hint=f"did you mean {', '.join(near)}?"
        if near
        else "`lakeshelf up` makes a living one there, `lakeshelf bootstrap` an empty one",
    )


def _require_no_file(place: Path | str, problem: str, way: str) -> None:
    """Refuse a place at which, or above which, a file stands where a folder should be."""
    above = [place.absolute(), *place.absolute().parents] if isinstance(place, Path) else []
    file = next((path for path in above if path.exists() and not path.is_dir()), None)
    if file is not None:
        raise ConfigurationError(f"{problem} at {place}: {file} is a file", hint=way)


def _exists(root: Path | str) -> bool:
    if isinstance(root, Path):
        return root.is_dir()
    from lakeshelf.lake.place import storage  # noqa: PLC0415 - slow to import
    from lakeshelf.lake.place.location import Root  # noqa: PLC0415

    return not storage.is_empty(Root.at(root))


def require_supported(in_force: Settings) -> None:
    """Refuse a lake in an object store of a kind that no stack can be in, before each table is asked for in vain.

    Raises:
        StorageError: It is in one.
    """
    if isinstance(in_force.lake_root, str):
        from lakeshelf.lake.place import storage  # noqa: PLC0415 - slow to import
        from lakeshelf.lake.place.location import Root  # noqa: PLC0415

        storage.filesystem(Root.at(in_force.lake_root))


def _neighbours(missing: Path) -> list[str]:
    """Folders beside a missing one that have a name like it."""
    try:
        beside = {path.name: str(path) for path in missing.absolute().parent.iterdir()}
    except OSError:
        return []
    near = difflib.get_close_matches(missing.name, beside, n=3, cutoff=0.7)
    return [beside[name] for name in near if Path(beside[name]).is_dir()]


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
    return _NAMED.sub(lambda match: f"`lakeshelf --lake {lake} {match[1]}`", sentence)


def command(words: str) -> str:
    """A command of this program as it can be typed next, with its lake."""
    return completed(f"`lakeshelf {words}`").strip("`")


def _other_lake() -> str | None:
    """The lake of `--lake`, quoted for a shell; None when it is the default one."""
    from lakeshelf.settings import default_lake  # noqa: PLC0415 - pydantic is slow to import

    lake = absolute(options().lake or "")
    return None if lake == default_lake() else shlex.quote(lake)
