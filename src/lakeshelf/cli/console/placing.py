"""Options that every command takes: before the command or after it, wherever they are given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Annotated, Any

import typer

from lakeshelf.cli.console import access, completion
from lakeshelf.errors import ConfigurationError

DEBUG = "--debug"
LARGEST = 2**63
Callback = Callable[[Any, Any, Any], Any]


def _set_debug(debug: bool) -> None:
    if debug:
        access.use(replace(access.options(), debug=True))


def _set_lake(lake: str | None) -> None:
    if lake == "":
        raise ConfigurationError(
            "--lake is empty", hint="name a folder or an address, or leave it out"
        )
    if lake is not None:
        access.use(replace(access.options(), lake=lake))


Debug = Annotated[
    bool,
    typer.Option(
        DEBUG, expose_value=False, callback=_set_debug, help="Show the traceback of an error."
    ),
]
Lake = Annotated[
    str | None,
    typer.Option(
        "--lake",
        expose_value=False,
        callback=_set_lake,
        autocompletion=completion.lakes,
        help="Folder or address of the lake; unset: setting lake_root.",
    ),
]


def everywhere(command: Any) -> Any:
    """The command, of which each command below it takes the options too; one with an option of that name keeps it."""
    for below in getattr(command, "commands", {}).values():
        everywhere(below)
    for parameter in command.params:
        parameter.callback = _bounded(parameter.callback)
    names = {option for parameter in command.params for option in parameter.opts}
    command.params += [p for p in _options() if names.isdisjoint(p.opts)]
    return command


def _bounded(then: Callback | None) -> Callback:
    """A parameter's callback that first refuses numbers that no column, version or clock can hold."""

    def check(context: Any, parameter: Any, value: Any) -> Any:
        for one in value if isinstance(value, list | tuple) else [value]:
            if isinstance(one, int | float) and not -LARGEST <= one < LARGEST:
                raise typer.BadParameter(f"{one} is beyond 64 bits", context, parameter)
        return value if then is None else then(context, parameter, value)

    return check


@cache
def _options() -> list[Any]:
    """The same options for all commands: to make them takes longer than to make a command."""
    holder = typer.Typer(add_completion=False)

    @holder.command()
    def _(*, debug: Debug = False, root: Lake = None) -> None: ...

    return [p for p in typer.main.get_command(holder).params if p.name != "help"]
