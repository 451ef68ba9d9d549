"""Read-only SQL over the tables of a lake: pinned before it runs, closed in, limited."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from lakeshelf.errors import LakeshelfError
from lakeshelf.lake.form.conforming import conformed
from lakeshelf.lake.place import names
from lakeshelf.lake.place.errors import NameRefused, NotFound, explained
from lakeshelf.lake.rows import tables, traits
from lakeshelf.lake.rows.predicates import literal, quoted
from lakeshelf.lake.rows.quiet import quiet
from lakeshelf.query import duck, engines, views
from lakeshelf.query.errors import LimitReached, TooLong, translated
from lakeshelf.query.serving import Rows
from lakeshelf.query.statement import Reference, Statement, parse

if TYPE_CHECKING:
    import duckdb

    from lakeshelf.lake.lake import Lake
    from lakeshelf.lake.rows.snapshot import At, Snapshot

BATCH_ROWS = 10_240
CONFIG: Mapping[str, Any] = {"errors_as_json": True}
"""What a connection has to be made with that statements are run on."""
SPILL = "10GB"
"""What a statement may write to temporary files where its memory does not suffice."""


@dataclass(frozen=True)
class Limits:
    """What a statement may take.

    Attributes:
        seconds: Time, from its parsing to its last row.
        memory: Memory of the engine, as DuckDB writes it.
    """

    seconds: float = 60.0
    memory: str = "1GB"


@dataclass(frozen=True)
class Pin:
    """A table of a statement, as it was read.

    Attributes:
        name: The dataset.
        version: Its version.
        route: `delta_scan`, or `scan` (delta-rs, handed over as Arrow).
    """

    name: str
    version: int
    route: str


@dataclass
class Result:
    """What a statement gives; a context, which ends the statement.

    Attributes:
        schema: Columns.
        pins: Tables that it read, each at one version for the whole statement.
    """

    schema: pa.Schema
    pins: tuple[Pin, ...]
    _reader: pa.RecordBatchReader
    _run: _Run

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows as a stream.

        Raises:
            SqlError: A row cannot be computed.
            LimitReached: Time or memory is used up.
        """
        with self._run.watched():
            for batch in self._reader:
                self._run.require_time()
                yield conformed(batch, self.schema)

    def read_all(self) -> pa.Table:
        """The rows in memory."""
        return pa.Table.from_batches(self.batches(), self.schema)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._run.close()


def run(
    lake: Lake,
    text: str,
    at: At | None = None,
    limits: Limits | None = None,
    connection: duckdb.DuckDBPyConnection | None = None,
) -> Result:
    """Run a statement that only reads.

    Args:
        lake: The lake; its tables are `layer.name`.
        text: One statement; `FROM t AT (VERSION => 3)` and `AT (TIMESTAMP => '…')` are understood.
        at: Version, time or run at which tables are read that have no `AT`; None: the latest.
        limits: What it may take; None: the defaults.
        connection: A fresh one of `duck.connected(**CONFIG)`, which is closed at the end; None: one is made.

    Raises:
        SqlError: It is refused or wrong.
        NotFound: A table that is not there; its neighbours are listed.
        VersionNotFound: A version or run that a table does not have.
        TimeOutOfRange: A time that no version belongs to.
        LimitReached: Time or memory is used up.
    """
    made = connection or duck.connected(**CONFIG)
    process = _Run(made, limits or Limits())
    try:
        return process.begin(lake, text, at)
    except BaseException:
        process.close()
        raise


@dataclass
class _Run:
    """One statement on a connection of its own."""

    connection: duckdb.DuckDBPyConnection
    limits: Limits
    _text: str | None = None
    _late: threading.Event = field(default_factory=threading.Event)
    _stack: ExitStack = field(default_factory=ExitStack)

    def begin(self, lake: Lake, text: str, at: At | None) -> Result:
        timer = threading.Timer(self.limits.seconds, self._stop)
        timer.daemon = True
        self._stack.callback(timer.cancel)
        timer.start()
        statement = parse(self.connection, text)
        if statement.lists_tables:
            statement = Statement(_listing(lake), False, ())
        self._text = text if statement.is_written else None
        resolved = views.resolved(lake, statement.references, at)
        snapshots = {r: _pinned(lake, r, at) for r in resolved.tables}
        pins = tuple(self._view(r, snapshot) for r, snapshot in snapshots.items())
        for reference, query in resolved.views.items():
            self._create(reference, query)
        with self.watched():
            self._close_in([duck.folder(s) for s in snapshots.values() if _is_local(s)])
            reader = self.connection.execute(statement.text).to_arrow_reader(BATCH_ROWS)
        return Result(_plain(reader.schema), tuple(dict.fromkeys(pins)), reader, self)

    def watched(self) -> _Watch:
        """A block in which DuckDB works, and its errors become ours."""
        return _Watch(self)

    def require_time(self) -> None:
        if self._late.is_set():
            raise self.too_late()

    def too_late(self) -> LimitReached:
        return TooLong(
            f"the statement takes longer than {self.limits.seconds:g} s",
            hint="ask for less, or give more with --timeout",
        )

    def explained(self, error: Exception) -> LakeshelfError:
        return self.too_late() if self._late.is_set() else translated(error, self._text)

    def close(self) -> None:
        self._stack.close()
        self.connection.close()

    def _stop(self) -> None:
        self._late.set()
        duck.interrupt(self.connection)

    def _view(self, reference: Reference, snapshot: Snapshot) -> Pin:
        """Make the view that the statement reads, and attach its table or hand it over as Arrow."""
        route = engines.ENGINES["duckdb"].route_for(engines.needs(snapshot))
        if route == engines.SCAN:
            traits.require_readable(snapshot.handle, reference.name)
            source = quoted(f"{reference.name}@{snapshot.version}")
            self.connection.register(source.strip('"'), Rows(snapshot))
        else:
            with explained(f"{reference.name} cannot be read by duckdb"):
                source = duck.attach(self.connection, snapshot)
        self._create(reference, f"FROM {source}")
        return Pin(reference.name, snapshot.version, route)

    def _create(self, reference: Reference, query: str) -> None:
        self.connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(reference.layer)}")
        with explained(f"{reference.name} cannot be read by duckdb"):  # it opens an attached table
            self.connection.execute(f"CREATE VIEW {reference.in_sql} AS {query}")

    def _close_in(self, folders: list[str]) -> None:
        """Leave the statement the folders of its tables, and nothing to configure."""
        quiet(self.connection)
        spill = self._stack.enter_context(TemporaryDirectory(prefix="lakeshelf-sql-"))
        listed = ", ".join(map(_literal, folders))
        for setting in (
            f"memory_limit = {_literal(self.limits.memory)}",
            f"temp_directory = {_literal(spill)}",
            f"max_temp_directory_size = {_literal(SPILL)}",
            f"allowed_directories = [{listed}]",
            "enable_external_access = false",
            "lock_configuration = true",
        ):
            self.connection.execute(f"SET {setting}")


@dataclass
class _Watch:
    """Turns what DuckDB raises into errors of one line."""

    run: _Run

    def __enter__(self) -> None:
        self.run.require_time()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        import duckdb  # noqa: PLC0415 - an extra

        if isinstance(error, duckdb.Error | pa.ArrowException | OSError) and not isinstance(
            error, LakeshelfError
        ):
            raise self.run.explained(error) from error


def _pinned(lake: Lake, reference: Reference, at: At | None) -> Snapshot:
    shown = f"{reference.layer}.{reference.table}" if reference.layer else reference.table
    try:
        if not tables.exists(lake.root, names.checked(reference.name)):
            raise _unknown(shown, lake)
    except NameRefused:
        raise _unknown(shown, lake) from None
    return lake.snapshot(reference.name, at if reference.at is None else reference.at)


def _unknown(shown: str, lake: Lake) -> NotFound:
    known = [names.in_sql(name) for name in views.readable(lake)]
    whole = [name for name in known if name.endswith(f".{shown}")]
    if whole:
        return NotFound(f"no table {shown!r}", hint=f"did you mean {', '.join(whole)}?")
    return NotFound(f"no table {shown!r}", hint=names.unknown(shown, known).hint)


def _listing(lake: Lake) -> str:
    listed = ", ".join(_literal(names.in_sql(name)) for name in views.readable(lake))
    return f"SELECT unnest([{listed}]::VARCHAR[]) AS name"


def _is_local(snapshot: Snapshot) -> bool:
    return engines.OBJECT_STORE not in engines.needs(snapshot)


def _literal(value: str) -> str:
    return literal(value, pa.string())


def _plain(schema: pa.Schema) -> pa.Schema:
    return schema.remove_metadata()
