"""Rows of the files: converted, to be written, and as they are, to be compared with what was written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lakeshelf.counts import count_of
from lakeshelf.errors import LakeError, first_line
from lakeshelf.lake.place.errors import Damaged, SchemaError
from lakeshelf.lake.rows.fingerprints import RowSums
from lakeshelf.migration.plan import Footer

BATCH_ROWS = 65_536
_NANOS = 2**63 // 1000
"""Microseconds around 1970 that nanoseconds reach: 1677 to 2262."""


def converted(footer: Footer, schema: pa.Schema) -> pa.RecordBatchReader:
    """Rows of a file in the schema of the target.

    Raises:
        Damaged: While rows are read: the file is corrupt.
        SchemaError: While rows are read: a value that its column does not hold.
    """
    batches = (_conformed(batch, footer, schema) for batch in original(footer))
    return pa.RecordBatchReader.from_batches(schema, batches)


def original(footer: Footer) -> Iterator[pa.RecordBatch]:
    """Rows of a file as they are.

    Raises:
        Damaged: While rows are read: the file is corrupt.
    """
    name = footer.file.name
    with _readable(name), _opened(footer, "us" if footer.int96 else "ns") as opened:
        seen = 0
        for batch in opened.iter_batches(BATCH_ROWS):
            seen += batch.num_rows
            yield batch
        if seen != footer.rows:
            raise Damaged(
                f"{name} has {count_of(seen, 'row')}, its footer says {footer.rows:,}",
                hint="restore it",
            )


def content(
    footers: Iterable[Footer], schema: pa.Schema, seen: Callable[[], None] = lambda: None
) -> RowSums:
    """Checksums of the rows of files, from the values as pyarrow reads them, without what converts them.

    Args:
        footers: The files.
        schema: Columns of the target.
        seen: Called after each file.
    """
    content = RowSums(schema, by_column=True)
    for footer in footers:
        _require_exact_int96(footer)
        for batch in original(footer):
            columns = [_column(batch, footer, column) for column in schema]
            content.add(pa.RecordBatch.from_arrays(columns, names=schema.names))
        seen()
    return content


def _conformed(batch: pa.RecordBatch, footer: Footer, schema: pa.Schema) -> pa.RecordBatch:
    columns = []
    for field in schema:
        column = _column(batch, footer, field)
        try:
            columns.append(_cast(column, field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise SchemaError(
                f"{footer.file.name}: a value of column {field.name} ({column.type}) is no {field.type}: "
                f"{first_line(error)}",
                hint="round or cast it in the file; nothing was written",
            ) from error
        if not field.nullable and columns[-1].null_count:
            raise SchemaError(
                f"{footer.file.name}: column {field.name} has nulls, the table allows none",
                hint="fill them in the file; nothing was written",
            )
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _cast(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), kind)
    return pc.cast(column.storage if isinstance(column, pa.ExtensionArray) else column, kind)


def _column(batch: pa.RecordBatch, footer: Footer, field: pa.Field) -> pa.Array:
    if field.name in footer.file.partition:
        text = pa.scalar(footer.file.partition[field.name], pa.string())
        return pa.repeat(text.cast(field.type), batch.num_rows)
    if field.name in batch.schema.names:
        return batch.column(field.name)
    return pa.nulls(batch.num_rows)


def _require_exact_int96(footer: Footer) -> None:
    """Raise `SchemaError` for times of 96 bits between microseconds, which reading cuts off without a word."""
    if not footer.int96:
        return
    name, columns = footer.file.name, sorted(footer.int96)
    with _readable(name), _opened(footer, "us") as cut, _opened(footer, "ns") as whole:
        pairs = zip(
            cut.iter_batches(BATCH_ROWS, columns=columns),
            whole.iter_batches(BATCH_ROWS, columns=columns),
            strict=True,
        )
        for a, b in pairs:
            for column in columns:
                for micros, nanos in zip(
                    _leaves(a.column(column)), _leaves(b.column(column)), strict=True
                ):
                    if _differs(micros, nanos):
                        raise SchemaError(
                            f"{name}: column {column} has times between microseconds",
                            hint="round them in the file; nothing was written",
                        )


def _differs(micros: pa.Array, nanos: pa.Array) -> bool:
    if not pa.types.is_timestamp(micros.type):
        return False
    whole, exact = micros.cast(pa.int64()), nanos.cast(pa.int64())
    # Nanoseconds do not reach the year 9999, which old tables like: what they wrap around to says nothing.
    reached = pc.and_(pc.greater(whole, -_NANOS), pc.less(whole, _NANOS))
    same = pc.equal(pc.multiply(whole, 1000), exact)
    return bool(pc.any(pc.and_(reached, pc.invert(same))).as_py())


def _leaves(column: pa.Array) -> Iterator[pa.Array]:
    if pa.types.is_map(column.type):
        yield from (*_leaves(column.keys), *_leaves(column.items))
    elif pa.types.is_struct(column.type):
        for inner in column.flatten():
            yield from _leaves(inner)
    elif pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        yield from _leaves(column.flatten())
    else:
        yield column


def _opened(footer: Footer, unit: str) -> pq.ParquetFile:
    return pq.ParquetFile(footer.file.path, coerce_int96_timestamp_unit=unit)


@contextmanager
def _readable(name: str) -> Iterator[None]:
    try:
        yield
    except LakeError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Damaged(
            f"{name} cannot be read: {first_line(error)}",
            hint="restore it, or take it out of the source; nothing was written",
        ) from error
