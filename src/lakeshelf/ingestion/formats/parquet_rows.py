"""Parquet: typed rows, counted from 1."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.errors import first_line
from lakeshelf.ingestion.declared import instants
from lakeshelf.ingestion.declared.dialect import PLAIN, Dialect
from lakeshelf.ingestion.declared.parsed import MAX_BYTES, Parsed, RowRefusal, as_json
from lakeshelf.ingestion.declared.spec import Spec
from lakeshelf.ingestion.errors import FileRefused
from lakeshelf.ingestion.formats.headers import require_names
from lakeshelf.lake.form import kinds
from lakeshelf.lake.form.schemas import plain

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_NANOS = 2**63 // 1000
"""Microseconds around 1970 that nanoseconds reach: 1677 to 2262."""


def parse(content: bytes, spec: Spec | None = None, dialect: Dialect = PLAIN) -> Parsed:
    """The rows of a Parquet file, with types as Delta has them; times without a zone are those of a zone.

    Args:
        content: The file's content.
        spec: Columns that are known; None: none.
        dialect: Says the zone of times without one.

    Raises:
        FileRefused: It is damaged, too large, or has a column that Delta has no name or type for.
    """
    table = _read(content)
    _require_storable(table.schema)
    columns: dict[str, pa.Array] = {}
    wrong: dict[str, pa.Array] = {}
    for field in table.schema:
        values = table[field.name].combine_chunks()
        columns[field.name] = _plain(values, field.name, _keeps_local(field.name, spec), dialect)
        lost = pc.and_(pc.is_valid(values), pc.is_null(columns[field.name]))
        if pc.any(lost).as_py():
            wrong[field.name] = lost
    lines = pa.array(range(1, table.num_rows + 1), pa.int64())
    good = pc.invert(_any(wrong, table.num_rows))
    kept = pc.filter(lines, good)
    return Parsed(
        table=pa.table(columns).filter(good),
        lines=kept,
        row_text=lambda place: _row(table, kept[place].as_py() - 1),
        refused=tuple(_refusals(table, wrong)),
        tells="types",
    )


def _read(content: bytes) -> pa.Table:
    try:
        file = _opened(content, "us")
        if (unpacked := unpacked_bytes(content)) > MAX_BYTES:
            raise FileRefused(f"the file has {unpacked:,} bytes unpacked", hint="split it")
        if not file.schema_arrow.names:
            raise FileRefused("the file has no columns", hint="write it again")
        require_names(file.schema_arrow.names)
        table = file.read()
        return _with_exact_int96(table, file, content)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        if isinstance(error, FileRefused):
            raise
        raise FileRefused(
            f"the file is damaged or no Parquet: {first_line(error)}", hint="write it again"
        ) from error


def unpacked_bytes(content: bytes) -> int:
    """Bytes that the values of a file take, those of each row; a text that repeats is not unpacked for it.

    Raises:
        ArrowException, OSError: It is damaged or no Parquet.
    """
    import pyarrow.parquet as pq  # noqa: PLC0415 - slow to import

    with pq.ParquetFile(pa.BufferReader(content)) as file:
        groups = [file.metadata.row_group(n) for n in range(file.metadata.num_row_groups)]
        leaves = [file.schema.column(n) for n in range(len(file.schema))]
    names = [
        one.path for one in leaves if one.physical_type == "BYTE_ARRAY" and one.path == one.name
    ]
    size: int = sum(group.total_byte_size for group in groups)
    with pq.ParquetFile(pa.BufferReader(content), read_dictionary=names) as file:
        batches = file.iter_batches(columns=names) if names else ()
        return size + sum(_length(column) for batch in batches for column in batch.columns)


def _length(column: pa.Array) -> int:
    if pa.types.is_dictionary(column.type):
        lengths = pc.binary_length(column.dictionary).cast(pa.int64()).take(column.indices)
        return pc.sum(lengths).as_py() or 0
    return pc.sum(pc.binary_length(column)).as_py() or 0


def _opened(content: bytes, unit: str) -> pq.ParquetFile:
    import pyarrow.parquet as pq  # noqa: PLC0415 - slow to import

    return pq.ParquetFile(pa.BufferReader(content), coerce_int96_timestamp_unit=unit)


def _with_exact_int96(table: pa.Table, file: pq.ParquetFile, content: bytes) -> pa.Table:
    """Times of 96 bits in microseconds, which reach all years; in nanoseconds where a column has finer ones."""
    named = [file.schema.column(n) for n in range(len(file.schema))]
    old = {column.path.partition(".")[0] for column in named if column.physical_type == "INT96"}
    if not old:
        return table
    whole = _opened(content, "ns").read(columns=sorted(old))
    for place, name in enumerate(table.column_names):
        if name in old and not pa.types.is_timestamp(table.schema.field(name).type):
            raise FileRefused(
                f"column {name!r} has times of 96 bits inside {table.schema.field(name).type}",
                hint="write them as timestamps of microseconds",
            )
        if name in old and _is_finer(table[name], whole[name]):
            table = table.set_column(place, name, whole[name])
    return table


def _is_finer(micros: pa.ChunkedArray, nanos: pa.ChunkedArray) -> bool:
    cut, exact = micros.cast(pa.int64()), nanos.cast(pa.int64())
    # What nanoseconds do not reach wraps around, and says nothing.
    reached = pc.and_(pc.greater(cut, -_NANOS), pc.less(cut, _NANOS))
    return bool(pc.any(pc.and_(reached, pc.not_equal(pc.multiply(cut, 1000), exact))).as_py())


def _require_storable(schema: pa.Schema) -> None:
    for field in schema:
        if problem := kinds.bad_name(field) or kinds.refused(field.type):
            what, _, hint = problem.partition("; ")
            raise FileRefused(f"column {field.name!r} cannot be kept: {what}", hint=hint)
        if any(_is_naive(inner) for inner in kinds.inner(field.type)):
            raise FileRefused(
                f"column {field.name!r} has times without a zone inside {field.type}",
                hint="write them with a zone, or in a column of their own",
            )


def _is_naive(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) and kind.tz is None)


def _plain(values: pa.Array, name: str, keeps_local: bool, dialect: Dialect) -> pa.Array:
    """Values as Delta has them; null where a time is too fine, too large, or none of its zone."""
    if isinstance(values, pa.ExtensionArray):
        return _plain(values.storage, name, keeps_local, dialect)
    if pa.types.is_timestamp(values.type):
        if keeps_local and values.type.tz is None:
            return instants.from_stored(values, "UTC").cast(pa.int64()).cast(pa.timestamp("us"))
        return instants.from_stored(values, dialect.assume_zone)
    try:
        return values.cast(plain(values.type))
    except pa.ArrowException as error:
        raise FileRefused(
            f"column {name!r} is {values.type}, and a value of it is no {plain(values.type)}: {first_line(error)}",
            hint="round or cast it where the file is written",
        ) from error


def _keeps_local(name: str, spec: Spec | None) -> bool:
    column = spec.column(name) if spec else None
    return column is not None and column.type == pa.timestamp("us")


def _refusals(table: pa.Table, wrong: dict[str, pa.Array]) -> Iterator[RowRefusal]:
    for name, rows in wrong.items():
        for row in pc.indices_nonzero(rows).to_pylist():
            value = pc.cast(table[name].slice(row, 1), pa.string())[0].as_py()
            yield RowRefusal(row + 1, "range", name, value, _row(table, row))


def _row(table: pa.Table, row: int) -> str:
    return as_json({name: _shown(table[name].slice(row, 1)) for name in table.column_names})


def _shown(one: pa.ChunkedArray) -> object:
    try:
        return one[0].as_py()
    except (ValueError, OverflowError):  # a time that Python has not
        return pc.cast(one, pa.string())[0].as_py()


def _any(masks: dict[str, pa.Array], length: int) -> pa.Array:
    combined = pa.repeat(False, length)
    for mask in masks.values():
        combined = pc.or_(combined, mask)
    return combined
