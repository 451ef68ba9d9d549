"""What commands print: JSON for programs, tables and lines for people, progress on stderr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

SECONDS_BETWEEN_LINES = 5.0
PLAIN_WIDTH = 160

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="Most rows to print.")]


def console() -> Console:
    """The console of stdout; wide where no terminal sets a width, so that no line is cut."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)


def errors() -> Console:
    """The console of stderr."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(value: object) -> None:
    """Print a value as JSON on stdout."""
    typer.echo(json.dumps(value, indent=1, default=str, ensure_ascii=False))


def grid(*titles: str, right: Sequence[str] = ()) -> Table:
    """An empty table of plain text; `right` names the columns of numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=any(titles))
    for title in titles:
        table.add_column(title, justify="right" if title in right else "left", overflow="fold")
    return table


def add(table: Table, *cells: object, style: str = "") -> None:
    """Add a row; numbers get separators, None is a dash, nothing is read as markup."""
    table.add_row(*(Text(_text(cell)) for cell in cells), style=style)


def rows(values: Sequence[Mapping[str, Any]], *, right: Sequence[str] = ()) -> Table:
    """A table of records that have the same names."""
    table = grid(*(values[0] if values else ()), right=right)
    for value in values:
        add(table, *value.values())
    return table


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
            name = self._names.get(step, step)
            self._bar.update(self._task, description=name, completed=done, total=total or None)
        elif time.monotonic() - self._shown >= SECONDS_BETWEEN_LINES:
            self._shown = time.monotonic()
            self._line(f"{done:,} of {total:,}" if total else "…")

    def _finish(self) -> None:
        if self._step:
            self._line(f"{time.monotonic() - self._since:.1f} s")

    def _line(self, text: str) -> None:
        self._console.print(f"{self._names.get(self._step, self._step):32} {text}", markup=False)

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
    return (
        f"{cell:,}" if isinstance(cell, int | float) and not isinstance(cell, bool) else str(cell)
    )
