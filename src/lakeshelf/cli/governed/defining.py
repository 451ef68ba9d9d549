"""`data`: what a dataset is, and the next version of that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from lakeshelf.cli.console.output import AsJson, console
from lakeshelf.cli.governed.connecting import As, Name, dataset_of, next_command
from lakeshelf.cli.governed.printing import print_definition, print_proposed
from lakeshelf.errors import ConfigurationError, first_line


def definition(name: Name, *, user: As = None, as_json: AsJson = False) -> None:
    """Show what a dataset is: columns, rules, policy. As JSON it is what `data define` takes."""
    with dataset_of(user, name) as dataset:
        present = dataset.definition()["definition"]
    print_definition(present, as_json)
    if as_json:
        return
    file = f"{name.rpartition('/')[2]}.json"
    console().print(
        f"To change it: `{next_command(f'data definition {name} --json')} > {file}`, edit it, "
        f"`{next_command(f'data define {name} {file} --title …')}`",
        soft_wrap=True,
    )


def define(
    name: Name,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What `data definition --json` printed, edited.")
    ],
    *,
    title: Annotated[str, typer.Option(help="What it changes, in words.")],
    user: As = None,
    as_json: AsJson = False,
) -> None:
    """Propose the next version of a definition; open change requests need new approvals once it is merged."""
    with dataset_of(user, name) as dataset:
        edited = _read(file)
        request = dataset.propose_definition({**edited, "version": edited["version"] + 1}, title)
        print_proposed(request.get(), as_json)


def _read(file: Path) -> dict[str, Any]:
    try:
        edited = json.loads(file.read_bytes())
    except ValueError as error:
        raise ConfigurationError(f"{file} is no JSON: {first_line(error)}") from error
    if not isinstance(edited, dict) or type(edited.get("version")) is not int:
        raise ConfigurationError(
            f"{file} says no version that it was edited from",
            hint="begin with what `lakeshelf data definition DATASET --json` prints",
        )
    return edited
