# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""What the commands of `lakeshelf lake` have in common: their options, the lake, how records are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakeshelf.cli.console import access, completion
from lakeshelf.cli.console.output import print_list
from lakeshelf.cli.console.placing import LARGEST
from lakeshelf.errors import ConfigurationError

if TYPE_CHECKING:
    from lakeshelf.lake import Lake, Table
    from lakeshelf.lake.rows.snapshot import At

Name = Annotated[
    str,
    typer.Argument(help="Dataset: `layer/name` or `layer.name`.", autocompletion=completion.tables),
]
AtOption = Annotated[
    str | None, typer.Option("--at", help="Version, time with its zone, or run; unset: latest.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]


def opened(*, made: bool = False) -> Lake:
    """The lake that is configured.

    Args:
        made: Whether the command makes the lake where there is none.
    """
    from lakeshelf.lake import Lake

    return Lake((access.settings() if made else access.present()).lake_root)


def dataset(name: str) -> str:
    """A dataset's name as Python has it; SQL's form is understood."""
    return name.replace(".", "/", 1) if "/" not in name else name


def elsewhere(name: str) -> Table | None:
    """The table that a path or an address names, which is only read; None: it is the name of a dataset."""
    from lakeshelf.lake import open_table

    return open_table(name) if "://" in name or name.startswith((".", "/", "~")) else None


def moment(text: str) -> At:
    """What `--at` means: digits are a version, an ISO time a time, anything else a run."""
    from datetime import datetime

    if text.removeprefix("-").isdecimal():
        if not 0 <= int(text) < LARGEST:
            raise ConfigurationError(
                f"no version {text}: they begin at 0 and are numbers of 64 bits",
                hint="`lakeshelf lake history NAME` lists them",
            )
        return int(text)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text


def show(
    records: list[dict[str, Any]], as_json: bool, total: int | None = None, what: str = "rows"
) -> None:
    """Print records, and how many there are when not all are shown."""
    numbers = [k for k, v in (records[0] if records else {}).items() if isinstance(v, int)]
    print_list(records, len(records) if total is None else total, what, as_json, right=numbers)
