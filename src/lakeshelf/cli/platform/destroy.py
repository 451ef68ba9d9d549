# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`destroy`: a lake and its local state removed, once its name was given."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from lakeshelf.cli.console import access
from lakeshelf.cli.console.output import AsJson, console, print_json
from lakeshelf.counts import count_of
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

    settings = access.present(access.plain())
    doomed = destroying.doomed(settings)
    _require_name(doomed, yes, settings.lake)
    left = destroying.destroy(settings, doomed)
    if as_json:
        removed = [*doomed.tables, *doomed.others, *map(str, doomed.state)]
        print_json({"lake": settings.lake, "removed": removed, "left": left})
        return
    console().print(
        f"{settings.lake} is removed: {count_of(len(doomed.tables), 'table')}, {_others(doomed)}"
    )
    if left:
        console().print(f"left, because it is not the lake's: {', '.join(left)}", soft_wrap=True)


def _require_name(doomed: Doomed, typed: str | None, lake: str) -> None:
    if typed is None:
        if not sys.stdin.isatty():
            raise ConfigurationError(
                f"nobody can be asked whether to remove {lake}", hint=f"give --yes {doomed.name}"
            )
        console().print(
            f"{lake}: {count_of(len(doomed.tables), 'table')}, {_others(doomed)}", soft_wrap=True
        )
        typed = input(f"This removes them for ever. Type the lake's name, {doomed.name}: ")
    if typed != doomed.name:
        raise ConfigurationError(
            f"the lake is called {doomed.name!r}, not {typed!r}; nothing was removed"
        )


def _others(doomed: Doomed) -> str:
    return ", ".join([*doomed.others, *(path.name for path in doomed.state)]) or "nothing else"
