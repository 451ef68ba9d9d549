"""Sources: anything that holds rows, as one stream of Arrow batches that can be begun again.

A stream that was read once is empty the second time, and a write of it succeeds with no rows; so a write that
may have to be repeated takes a source, never a stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable
from weakref import WeakSet

import pyarrow as pa

from lakeshelf.errors import LakeError
from lakeshelf.lake.form import partitions
from lakeshelf.lake.form.schemas import cast
from lakeshelf.lake.place import names
from lakeshelf.lake.place.errors import Conflict, SchemaError

BATCH_ROWS = 131_072
"""Rows of a batch where the source leaves it open."""


@runtime_checkable
class ArrowStream(Protocol):
    """What has Arrow's stream interface: tables, readers, relations and frames of most libraries."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The stream as a capsule."""


@dataclass
class Source:
    """A source of rows.

    Attributes:
        what: What was given.
        once: Whether it can be read only once.
    """

    what: Any
    once: bool
    _read: bool = field(default=False, init=False)
    _had_rows: bool = field(default=False, init=False)
    _first: pa.RecordBatchReader | None = field(default=None, init=False)

    @classmethod
    def of(cls, rows: Any, schema: pa.Schema | None = None) -> Source:
        """A source of rows; a `Source` is returned as it is.

        Args:
            rows: An Arrow table or reader, a frame, a relation, a callable or a list of records.
            schema: Columns of records, where `rows` is a list of them.

        Raises:
            SchemaError: It holds no rows that could be read.
        """
        if isinstance(rows, Source):
            return rows
        if isinstance(rows, list | tuple):
            return cls(_from_records(rows, schema), once=False)
        if callable(rows) and not hasattr(rows, "__arrow_c_stream__"):
            return cls(rows, once=False)
        return cls(rows, once=_is_one_shot(rows))

    @property
    def schema(self) -> pa.Schema:
        """Its columns."""
        if self._first is None:
            self._first = self._open()
        return self._first.schema

    def reader(self) -> pa.RecordBatchReader:
        """Its rows from the beginning.

        Raises:
            Conflict: It was read before and can be read only once.
        """
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return self._open()

    def table(self) -> pa.Table:
        """Its rows in memory."""
        return self.what if isinstance(self.what, pa.Table) else self.reader().read_all()

    def _open(self) -> pa.RecordBatchReader:
        if self.once and self._read:
            raise _read_before()
        self._read = True
        if isinstance(self.what, pa.RecordBatchReader):
            _require_unread(self.what)
        reader = _reader(self.what() if callable(self.what) else self.what)
        return reader if isinstance(self.what, pa.Table) else self._watched(reader)

    def _watched(self, reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(reader.schema, self._not_dry(reader))

    def _not_dry(self, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        """The batches; a source that had rows before and has none now could be read only once."""
        dry = True
        for batch in reader:
            if batch.num_rows:
                dry, self._had_rows = False, True
            yield batch
        if dry and self._had_rows:
            raise _read_before()


Rows = Source | ArrowStream | Iterable[Mapping[str, Any]] | Callable[[], Any]
"""A table, reader, relation, expression or frame; records; or a function that gives one of them each time."""


class CountedBatches:
    """Batches in the schema of a table; knows how many rows have passed.

    Args:
        reader: The rows.
        schema: Columns of the table.
        name: The dataset, for errors.
        partition_by: Columns whose values have to be able to name a partition.
    """

    def __init__(
        self,
        reader: pa.RecordBatchReader,
        schema: pa.Schema,
        name: str,
        partition_by: Sequence[str] = (),
    ) -> None:
        self.rows = 0
        self._failure: Exception | None = None
        self._schema = schema
        self._name = name
        self._partition_by = partition_by
        self._batches = iter(reader)
        self._held = self._next_with_rows()

    @property
    def is_empty(self) -> bool:
        """Whether there are no rows at all."""
        return self._held is None

    def reader(self) -> pa.RecordBatchReader:
        """The stream."""
        return pa.RecordBatchReader.from_batches(self._schema, self._all())

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Raise what stopped the rows, of which a writer that reads them knows only the text."""
        try:
            yield
        except LakeError as error:
            if self._failure is not None:
                raise self._failure from error
            raise

    def _all(self) -> Iterator[pa.RecordBatch]:
        batch, self._held = self._held, None
        try:
            while batch is not None:
                self.rows += batch.num_rows
                fitted = cast(batch, self._schema, self._name)
                partitions.require_values(self._name, fitted, self._partition_by)
                yield fitted
                batch = self._next_with_rows()
        except Exception as error:
            self._failure = error
            raise

    def _next_with_rows(self) -> pa.RecordBatch | None:
        return next((batch for batch in self._batches if batch.num_rows), None)


_READ: WeakSet[pa.RecordBatchReader] = WeakSet()


def _require_unread(reader: pa.RecordBatchReader) -> None:
    if reader in _READ:
        raise _read_before()
    _READ.add(reader)


def _read_before() -> Conflict:
    return Conflict(
        "the rows could be read only once, and they were",
        hint="give a table, or a function that returns a new stream",
    )


def _reader(rows: Any) -> pa.RecordBatchReader:
    if isinstance(rows, pa.RecordBatchReader):
        return rows
    if isinstance(rows, pa.Table):
        return rows.to_reader(max_chunksize=BATCH_ROWS)
    if isinstance(rows, pa.RecordBatch):
        return pa.Table.from_batches([rows]).to_reader()
    opened = next((way(rows) for such, way in _WAYS if hasattr(rows, such)), None)
    if opened is not None:
        return opened
    raise SchemaError(
        f"{type(rows).__name__} holds no rows that can be read",
        hint="give an Arrow table or reader, a frame, a relation, or a list of records",
    )


def _relation(relation: Any) -> pa.RecordBatchReader:
    # A relation that was looked at gives only the rest of that; its projection begins anew.
    fresh = relation.project("*") if hasattr(relation, "project") else relation
    return fresh.to_arrow_reader(BATCH_ROWS)


def _frames(lazy_frame: Any) -> pa.RecordBatchReader:
    empty = pa.table(lazy_frame.collect_schema().to_frame())
    frames = lazy_frame.collect_batches(chunk_size=BATCH_ROWS, lazy=True)
    batches = (batch for frame in frames for batch in pa.table(frame).to_batches())
    return pa.RecordBatchReader.from_batches(empty.schema, batches)


_WAYS: tuple[tuple[str, Callable[[Any], pa.RecordBatchReader]], ...] = (
    ("to_pyarrow_batches", lambda table: table.to_pyarrow_batches(chunk_size=BATCH_ROWS)),  # Ibis
    ("to_arrow_reader", _relation),  # DuckDB, whose Arrow interface holds all rows at once
    ("collect_batches", _frames),  # Polars, lazy
    ("toArrow", lambda frame: frame.toArrow().to_reader(BATCH_ROWS)),  # Spark
    ("scanner", lambda dataset: dataset.scanner(batch_size=BATCH_ROWS).to_reader()),  # pyarrow
    ("scan", lambda table: pa.RecordBatchReader.from_stream(table.scan())),  # Delta
    ("__arrow_c_stream__", pa.RecordBatchReader.from_stream),
)
"""Method of a library's rows → how they are read without all of them in memory. The first that exists counts."""


def _is_one_shot(rows: Any) -> bool:
    if isinstance(rows, pa.RecordBatchReader):
        return True
    return type(rows).__name__ in ("RecordBatchReader", "RecordBatchStream", "DuckDBPyConnection")


def _from_records(records: Sequence[Mapping[str, Any]], schema: pa.Schema | None) -> pa.Table:
    odd = next((record for record in records if not isinstance(record, Mapping)), None)
    if odd is not None:
        raise SchemaError(
            f"records are no mappings: {odd!r} ({type(odd).__name__})", hint="give {column: value}"
        )
    columns = dict.fromkeys(name for record in records for name in record)
    if (unnamed := next((name for name in columns if not isinstance(name, str)), None)) is not None:
        raise SchemaError(
            f"records have a column {names.shown(unnamed)}", hint="name columns by a text"
        )
    if not columns:
        return pa.table({}) if schema is None else schema.empty_table()
    table = pa.table({n: _column(n, [record.get(n) for record in records]) for n in columns})
    try:
        return table if schema is None else _with_exact_numbers(table, schema)
    except _UNFIT as error:
        raise SchemaError(f"records do not fit: {error}", hint="compare their values") from error


def _column(name: str, values: Sequence[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except _UNFIT as error:
        wrong = next((value for value in values if not _is_value(value)), None)
        if wrong is None:
            raise SchemaError(
                f"records do not fit: column {name} has values of several types: {error}",
                hint="compare their values",
            ) from error
        raise SchemaError(
            f"records do not fit: column {name} has {names.shown(wrong)}, which Arrow cannot hold: {error}",
            hint="give whole numbers beyond 64 bits as Decimal"
            if isinstance(wrong, int)
            else "correct the value",
        ) from error


def _is_value(value: Any) -> bool:
    try:
        pa.array([value])
    except _UNFIT:
        return False
    return True


def _with_exact_numbers(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Whole numbers as the numbers that a schema has, where none of them is changed by it."""
    for name in set(table.column_names) & set(schema.names):
        column, kind = table[name], schema.field(name).type
        is_number = any(such(kind) for such in _NUMBERS)
        if is_number and pa.types.is_integer(column.type):
            table = table.set_column(table.column_names.index(name), name, column.cast(kind))
    return table


_UNFIT = (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, ValueError, OverflowError)
_NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
