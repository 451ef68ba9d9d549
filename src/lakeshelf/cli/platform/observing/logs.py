# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`logs`: what the parts of a stack did."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lakeshelf.cli.console import access
from lakeshelf.cli.console.output import MOST_ROWS, AsJson, as_json, console, most, print_json
from lakeshelf.cli.console.terminal import errors, lines
from lakeshelf.errors import ConfigurationError

if TYPE_CHECKING:
    from lakeshelf.log_lines import LogLine

LINES = 100
STYLES = {"warning": "yellow", "error": "red", "debug": "dim"}
Level = Literal["debug", "info", "warning", "error"]


def logs(
    parts: Annotated[
        list[str] | None,
        typer.Argument(help="`supervisor`, `streams`, `components`, `broker`; none: all."),
    ] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
    level: Annotated[Level, typer.Option(help="Leave out what is less grave.")] = "info",
    limit: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_ROWS, help=f"Most lines, the latest ones ({LINES})."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All lines.")] = False,
    json_lines: AsJson = False,
) -> None:
    """Show what the parts of the stack did, the latest lines last; as JSON all of them, followed an object a line."""
    from lakeshelf import log_lines

    folder = access.present(access.plain()).stack_dir / "logs"
    known, selected = log_lines.parts(folder), parts or []
    if unknown := [part for part in selected if part not in known]:
        raise ConfigurationError(
            f"no log of {unknown[0]!r}",
            hint=f"there is {', '.join(known) or 'none yet; `lakeshelf up` begins one'}",
        )
    latest = most(limit, every, json_lines and not follow)
    latest = LINES if latest is not None and limit is None else latest
    tail = log_lines.Tail(folder, selected)
    total = _print_latest(
        (line for line in tail.lines(unfinished=not follow) if line.is_at_least(level)),
        latest,
        json_lines,
        as_document=json_lines and not follow,
    )
    if latest is not None and total > latest and (follow or not json_lines):
        to = errors() if json_lines else console()
        to.print(f"{latest:,} of {total:,} lines; --all shows them")
    if not known and not json_lines:
        console().print("No log yet; `lakeshelf up` begins one")
    if follow:
        with suppress(KeyboardInterrupt):
            for line in tail.follow():
                if line.is_at_least(level):
                    _print(line, json_lines)


def _print_latest(
    lines: Iterable[LogLine], latest: int | None, json_lines: bool, *, as_document: bool
) -> int:
    """Print the latest lines; how many there are."""
    total = 0
    kept: deque[LogLine] = deque(maxlen=latest)
    for line in lines:
        total += 1
        kept.append(line)
    if as_document:
        print_json([line.record() for line in kept])
        return total
    for line in kept:
        _print(line, json_lines)
    return total


def _print(line: LogLine, json_lines: bool) -> None:
    if json_lines:
        typer.echo(as_json(line.record()))
        return
    console().print(lines(line.text()), style=STYLES.get(line.level, ""), soft_wrap=True)
