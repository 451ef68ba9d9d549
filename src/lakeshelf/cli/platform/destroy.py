# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`destroy`: a lake and its local state removed, once its name was given."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from lakeshelf.cli.console import access
from lakeshelf.cli.console.output import AsJson, console, print_json
from lakeshelf.errors import ConfigurationError

if TYPE_CHECKING:
    from lakeshelf.stack.supervision.destroying import Doomed


def destroy(
    *,
    yes: Annotated[
        str | None,
        typer.Option("--yes", metavar="NAME", help="Name of the lake, instead of being asked."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Remove a lake with its tables, its files in bronze/ and its local state; nothing else, and nothing comes back."""
    from lakeshelf.stack.supervision import destroying

    settings = access.present()
    found = destroying.doomed(settings)
    _require_name(found, yes, settings.lake)
    left = destroying.destroy(settings, found)
    if as_json:
        removed = [*found.tables, *found.others, *map(str, found.state)]
        print_json({"lake": settings.lake, "removed": removed, "left": left})
        return
    console().print(f"{settings.lake} is removed: {len(found.tables)} tables, {_others(found)}")
    if left:
        console().print(f"left, because it is not the lake's: {', '.join(left)}", soft_wrap=True)


def _require_name(found: Doomed, given: str | None, lake: str) -> None:
    if given is None:
        if not sys.stdin.isatty():
            raise ConfigurationError(
                f"nobody can be asked whether to remove {lake}", hint=f"give --yes {found.name}"
            )
        console().print(f"{lake}: {len(found.tables)} tables, {_others(found)}", soft_wrap=True)
        given = input(f"This removes them for ever. Type the lake's name, {found.name}: ")
    if given != found.name:
        raise ConfigurationError(
            f"the lake is called {found.name!r}, not {given!r}; nothing was removed"
        )


def _others(found: Doomed) -> str:
    return ", ".join([*found.others, *(path.name for path in found.state)]) or "nothing else"
