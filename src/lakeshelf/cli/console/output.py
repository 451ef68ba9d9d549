"""What commands print: JSON for programs, tables and lines for people, progress on stderr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from lakeshelf.cli.console.terminal import Grid, console, errors, inert
from lakeshelf.errors import ConfigurationError

__all__ = ["AsJson", "Limit", "Steps", "add", "console", "errors", "grid", "print_json", "rows"]

SECONDS_BETWEEN_LINES = 5.0
MOST_ROWS = 1_000_000_000

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=MOST_ROWS, help="Most rows to print.")]
ROWS = 50
Most = Annotated[
    int | None,
    typer.Option(
        "--limit",
        min=1,
        max=MOST_ROWS,
        help=f"Most rows; unset: {ROWS} on the screen, all as JSON.",
    ),
]
All = Annotated[bool, typer.Option("--all", help="All rows.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def print_json(value: object) -> None:
    """Print a value as JSON on stdout; what a terminal would obey is escaped as JSON does it."""
    typer.echo(as_json(value, indent=1))


def as_json(value: object, indent: int | None = None) -> str:
    """A value as JSON; letters beyond ASCII as they are, what a terminal would obey escaped."""
    text = json.dumps(value, indent=indent, default=str, ensure_ascii=False)
    return "".join(map(_escaped, text)) if not text.isprintable() else text


def _escaped(character: str) -> str:
    seen = character in "\n" or inert(character) == character
    return character if seen else json.dumps(character)[1:-1]


def grid(*titles: str, right: Sequence[str] = ()) -> Grid:
    """An empty table of plain text; `right` names the columns of numbers."""
    table = Grid(box=None, pad_edge=False, header_style="bold", show_header=any(titles))
    for title in titles:
        justify: Any = "right" if title in right else "left"
        table.add_column(Text(inert(title)), justify=justify, overflow="fold")
    return table


def add(table: Grid, *cells: object, style: str = "") -> None:
    """Add a row; numbers get separators, None is a dash, a list is a line each, nothing is read as markup."""
    table.add_row(*(Text(_text(cell)) for cell in cells), style=style)


def plain(value: object) -> str:
    """A value for people: times in whole seconds, numbers without noughts behind the point, lists as words."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return " ".join(map(str, value))
    return str(value)


def moment(text: str) -> str:
    """A time of an answer, for people."""
    return plain(datetime.fromisoformat(text))


def rows(values: Sequence[Mapping[str, Any]], *, right: Sequence[str] = ()) -> Grid:
    """A table of records that have the same names."""
    table = grid(*(values[0] if values else ()), right=right)
    for value in values:
        add(table, *value.values())
    return table


def most(limit: int | None, every: bool, as_json: bool) -> int | None:
    """How many rows are printed; None: all."""
    if limit is not None and every:
        raise ConfigurationError("--limit and --all", hint="give one of them")
    return limit if limit is not None or every or as_json else ROWS


def print_list(
    records: Sequence[Mapping[str, Any]],
    total: int,
    what: str,
    as_json: bool,
    *,
    columns: Sequence[str] | None = None,
    right: Sequence[str] = (),
) -> None:
    """Print the first rows of a list and, where others are left, how many there are.

    Args:
        records: Rows to print.
        total: How many there are in all.
        what: What they are, in the plural.
        as_json: Print them as JSON, with all columns.
        columns: Columns that people see; None: all.
        right: Columns of numbers.
    """
    if as_json:
        print_json(records)
        return
    if not records:
        console().print(f"No {what}.")
        return
    shown = [{name: row[name] for name in columns or row} for row in records]
    console().print(rows(shown, right=right))
    if len(records) < total:
        console().print(f"{len(records):,} of {total:,} {what}; --all shows them")


def agreed(question: str, yes: bool, hint: str = "nothing was sent; give --yes to agree") -> None:
    """Go on only if somebody agrees.

    Args:
        question: What is asked on the terminal.
        yes: Whether it was agreed to already.
        hint: What to do where there is no terminal to ask on.

    Raises:
        ConfigurationError: There is no terminal to ask on, or the answer was no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigurationError(f"nobody is there to answer {question!r}", hint=hint)
    if not typer.confirm(question, err=True):
        raise ConfigurationError("nothing was sent", hint="the answer was no")


class Steps:
    """Shows which step a long command is at: a bar on a terminal, else a line each five seconds.

    Args:
        names: Step → what the user reads.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        self._console = errors()
        self._step, self._shown, self._since = "", 0.0, time.monotonic()
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description:32}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        self._bar = Progress(*columns, console=self._console, transient=True)
        self._task = self._bar.add_task("", total=None)

    def __call__(self, step: str, done: int = 0, total: int = 0) -> None:
        """Show that `step` has done so much; (0, 0) tells that it has begun."""
        if step != self._step:
            self._finish()
            self._step, self._since, self._shown = step, time.monotonic(), 0.0
        if self._console.is_terminal:
            name = self._name(step)
            self._bar.update(self._task, description=name, completed=done, total=total or None)
        elif time.monotonic() - self._shown >= SECONDS_BETWEEN_LINES:
            self._shown = time.monotonic()
            self._line(f"{done:,} of {total:,}" if total else "…")

    def _finish(self) -> None:
        if self._step:
            self._line(f"{time.monotonic() - self._since:.1f} s")

    def _line(self, text: str) -> None:
        self._console.print(f"{self._name(self._step):32} {text}")

    def _name(self, step: str) -> str:
        return inert(self._names.get(step, step))

    @contextmanager
    def shown(self) -> Iterator[Steps]:
        """Show progress while the block runs."""
        if self._console.is_terminal:
            with self._bar:
                yield self
                self._finish()
        else:
            yield self
            self._finish()


def _text(cell: object) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, list | tuple):
        return "\n".join(map(_text, cell))
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return f"{cell:,}"
    return inert(as_json(cell) if isinstance(cell, dict) else str(cell))


def checks_table(checks: Sequence[Mapping[str, Any]]) -> Any:
    """Checks of a reconciliation, each difference with samples."""
    table = grid(
        "check",
        "what is compared",
        "expected",
        "found",
        "differences",
        right=("expected", "found", "differences"),
    )
    for check in checks:
        style = "" if check["ok"] else "red"
        add(
            table,
            check["name"],
            check["title"],
            check["expected"],
            check["found"],
            check["differences"],
            style=style,
        )
        for sample in check["sample"]:
            add(table, "", sample, "", "", "", style="red")
    return table
