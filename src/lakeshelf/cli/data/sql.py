# ruff: noqa: PLC0415 - what is heavy is imported while DuckDB is loaded
"""`lakeshelf sql`: read-only SQL over all tables of the lake."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from contextvars import copy_context
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakeshelf.cli.console import access
from lakeshelf.cli.console.output import add, as_json, console, errors, grid
from lakeshelf.cli.console.terminal import lines, screen
from lakeshelf.errors import ConfigurationError

if TYPE_CHECKING:
    import duckdb

    from lakeshelf.lake import Lake
    from lakeshelf.lake.rows.snapshot import At
    from lakeshelf.query.formats import Cut
    from lakeshelf.query.session import Limits, Result

INTERRUPT_AGAIN_S = 0.05
"""A statement that was told to stop before DuckDB had begun with it has to be told again."""
TABLE_ROWS, FILE_ROWS = 200, 1_000_000
"""Most rows of a table on the screen, and of the other formats."""


class Format(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def sql(
    statement: Annotated[
        str | None, typer.Argument(help="Statement; unset: from stdin, or a prompt.")
    ] = None,
    *,
    file: Annotated[Path | None, typer.Option("-f", "--file", help="Read it from a file.")] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", help="Version, time with its zone, or run of tables without AT."),
    ] = None,
    form: Annotated[
        Format | None, typer.Option("--format", help="Unset: by the suffix of --output, or table.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    parquet: Annotated[Path | None, typer.Option("--parquet", help="Write a Parquet file.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write a new file.")] = None,
    max_rows: Annotated[
        int | None,
        typer.Option(
            min=1, help=f"Most rows; {TABLE_ROWS} of a table, {FILE_ROWS:,} of other formats."
        ),
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds it may take.")] = 60.0,
    memory: Annotated[str, typer.Option(help="Memory it may take, such as 500MB.")] = "1GB",
) -> None:
    """Query all tables as `layer.name`, read-only, each at one version for the whole statement.

    `FROM t AT (VERSION => 3)` and `AT (TIMESTAMP => '2026-05-01T06:00:00Z')` read earlier versions. A cut result
    ends with exit code 2, except on the screen.
    """
    chosen = _format(form, as_csv, as_json, parquet, output)
    place = parquet or output
    _require_place(chosen, place)
    shell = Shell(chosen, place, max_rows, at, timeout, memory)
    text = _statement_text(statement, file)
    if text is None:
        shell.prompt()
    elif not shell.answer(text):
        raise typer.Exit(2)


class Shell:
    """Answers statements; DuckDB is loaded in the background, for it takes as long as all the rest."""

    def __init__(
        self,
        form: Format,
        place: Path | None,
        max_rows: int | None,
        at: str | None,
        timeout: float,
        memory: str,
    ) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._connection: Future[duckdb.DuckDBPyConnection] = self._pool.submit(_connected)
        self._form, self._place = form, place
        self._most = max_rows or (TABLE_ROWS if form is Format.TABLE else FILE_ROWS)
        self._lake, self._at = _lake(), _moment(at)
        self._limits = _limits(timeout, memory)

    def answer(self, text: str) -> bool:
        """Run a statement and print what it gives; whether that is all of it.

        Raises:
            KeyboardInterrupt: Ctrl-C; the statement has ended.
        """
        connection = self._connection.result()
        running = self._pool.submit(copy_context().run, self._run, text, connection)
        try:
            return running.result()
        except KeyboardInterrupt:
            _interrupt(connection, running)
            raise

    def prompt(self) -> None:
        """Answer statements, each up to its semicolon, until the input ends."""
        from lakeshelf.cli.data.prompt import Prompt

        history = access.settings().cache_dir / "sql_history"
        Prompt(self._lake, self._answer_one, history).run()

    def _answer_one(self, text: str) -> None:
        """Answer one of several statements; each has a connection of its own."""
        try:
            self.answer(text)
        finally:
            self._connection = self._pool.submit(_connected)

    def _run(self, text: str, connection: duckdb.DuckDBPyConnection) -> bool:
        from lakeshelf.query.formats import Cut
        from lakeshelf.query.session import run

        with run(self._lake, text, self._at, self._limits, connection) as result:
            cut = Cut(result.batches(), self._most)
            self._print(result, cut)
            for line in _notes(result, cut):
                errors().print(line)
            return not cut.others or self._form is Format.TABLE

    def _print(self, result: Result, cut: Cut) -> None:
        from lakeshelf.query import formats

        if self._form is Format.TABLE:
            _print_table(result, cut)
            return
        if self._form is Format.PARQUET:
            with _new_file(self._place) as path:
                formats.to_parquet(result.schema, cut, str(path))
            return
        write = formats.to_csv if self._form is Format.CSV else formats.to_json
        if self._place is None:
            write(result.schema, cut, screen())
            return
        with _new_file(self._place) as path, path.open("w", newline="", encoding="utf-8") as opened:
            write(result.schema, cut, opened)


def _interrupt(connection: duckdb.DuckDBPyConnection, running: Future[bool]) -> None:
    """Stop a statement, and wait until it has."""
    import duckdb

    while not wait([running], INTERRUPT_AGAIN_S).done:
        with suppress(duckdb.Error):  # it is closed already
            connection.interrupt()


def _connected() -> duckdb.DuckDBPyConnection:
    from lakeshelf.query import duck

    return duck.connected(errors_as_json=True)


def _lake() -> Lake:
    from lakeshelf.lake import Lake
    from lakeshelf.query.engines import engine_of

    engine_of("duckdb")
    return Lake(access.present().lake_root)


def _limits(timeout: float, memory: str) -> Limits:
    from lakeshelf.query.session import Limits

    return Limits(timeout, memory)


def _moment(at: str | None) -> At | None:
    from lakeshelf.cli.data.lake_options import moment

    return None if at is None else moment(at)


def _format(
    form: Format | None, as_csv: bool, as_json: bool, parquet: Path | None, output: Path | None
) -> Format:
    flags = [(as_csv, Format.CSV), (as_json, Format.JSON), (parquet is not None, Format.PARQUET)]
    formats = {flag for is_set, flag in flags if is_set} | ({form} if form else set())
    if len(formats) > 1:
        raise ConfigurationError(
            f"{len(formats)} formats: {', '.join(sorted(formats))}", hint="choose one"
        )
    return next(iter(formats), _by_suffix(output) if output else Format.TABLE)


def _by_suffix(output: Path) -> Format:
    suffix = output.suffix.lstrip(".").lower()
    known = [form.value for form in Format if form is not Format.TABLE]
    if suffix not in known:
        raise ConfigurationError(
            f"the ending of {output} says no format",
            hint=f"end it with .{', .'.join(known)}, or give --format",
        )
    return Format(suffix)


def _require_place(form: Format, place: Path | None) -> None:
    if form is Format.PARQUET and place is None:
        raise ConfigurationError("Parquet is not for the screen", hint="name a file with --output")
    if form is Format.TABLE and place is not None:
        raise ConfigurationError(
            "a table is for the screen", hint="use --format csv, json or parquet"
        )
    if place is not None and place.exists():
        raise ConfigurationError(f"{place} exists", hint="remove it, or name another file")


def _statement_text(statement: str | None, file: Path | None) -> str | None:
    """The statement; None: there is a terminal to ask for it."""
    if statement is not None and file is not None:
        raise ConfigurationError("a statement and a file", hint="give one of them")
    if file is not None:
        try:
            return file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{file} cannot be read: {error}") from error
    if statement is not None:
        return statement
    return None if sys.stdin.isatty() else sys.stdin.read()


@contextmanager
def _new_file(place: Path | None) -> Iterator[Path]:
    """A file that appears when it is whole."""
    assert place is not None
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f".{place.name}.part")
    try:
        yield part
        part.replace(place)
    except OSError as error:
        raise ConfigurationError(f"{place} cannot be written: {error}") from error
    finally:
        part.unlink(missing_ok=True)


def _print_table(result: Result, cut: Cut) -> None:
    from lakeshelf.query.formats import plain, rows

    if result.schema.names == ["explain_key", "explain_value"]:
        for batch in cut:
            for plan in batch.column(1).to_pylist():
                console().print(lines(plan), soft_wrap=True)
        return
    table = grid(*result.schema.names, right=_numbers(result))
    for row in rows(cut):
        add(table, *(_nested(plain(value)) for value in row))
    console().print(table)


def _nested(value: Any) -> Any:
    return as_json(value) if isinstance(value, dict | list) else value


def _numbers(result: Result) -> list[str]:
    from pyarrow import types

    numeric = (types.is_integer, types.is_floating, types.is_decimal)
    return [f.name for f in result.schema if any(is_such(f.type) for is_such in numeric)]


def _notes(result: Result, cut: Cut) -> Iterator[str]:
    """How much of the result was printed, and what was read."""
    from lakeshelf.query.errors import LimitReached

    try:
        total = f"{cut.total:,}"
    except LimitReached:
        total = f"more than {cut.passed + cut.others:,}"
    shown = f"{cut.passed:,} of {total} rows; --max-rows shows more"
    whole = "1 row" if cut.passed == 1 else total + " rows"
    yield shown if cut.others else whole
    for pin in result.pins:
        route = " through delta-rs, as Arrow" if pin.route == "scan" else ""
        yield f"{pin.name.replace('/', '.')} at version {pin.version}{route}"
