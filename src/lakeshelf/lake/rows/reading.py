"""The reader: rows of a table at one version, always through delta-rs's `scan`.

`to_pyarrow_*` gives nulls on tables with column mapping and `count()` ignores deletion vectors; `scan` is right
on both (docs/design/pitfalls.md#trap-28).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from lakeshelf.lake.form.conforming import conformed
from lakeshelf.lake.form.schemas import plain_schema
from lakeshelf.lake.place import names
from lakeshelf.lake.place.errors import SchemaError, explained
from lakeshelf.lake.rows import traits
from lakeshelf.lake.rows.conditions import Where, columns_of, comparisons
from lakeshelf.lake.rows.predicates import apart, expression, sql


def schema_of(handle: DeltaTable) -> pa.Schema:
    """Columns of a table, as they are read and written."""
    return plain_schema(pa.schema(handle.schema().to_arrow()))


def scan(
    handle: DeltaTable,
    name: str,
    columns: Sequence[str] | None = None,
    where: Where | None = None,
) -> pa.RecordBatchReader:
    """Rows of a table at the version of its handle, in no order.

    Args:
        handle: The table.
        name: The dataset, for errors.
        columns: Columns that are wanted, in that order; None: all.
        where: Conditions that all hold.

    Raises:
        SchemaError: A column that the table does not have.
        PredicateError: A condition that cannot be.
        FeatureRefused: A column that delta-rs would read wrong (`lakeshelf.lake.rows.traits`).
        Vacuumed: While rows are read: a file of the version is gone.
    """
    schema = schema_of(handle)
    requested = schema if columns is None else selected(schema, columns, name)
    by_file, by_value = apart(where, schema)
    needed = _with(requested, [comparison.column for comparison in comparisons(by_value)], schema)
    read = [*needed.names, *columns_of(where, schema)]
    traits.require_readable(handle, name, read)
    with explained(f"{name} cannot be read"):
        stream = handle.scan(columns=needed.names, predicate=sql(by_file))
        reader = pa.RecordBatchReader.from_stream(stream)
    batches = _cast(reader, needed, name)
    if (condition := expression(by_value)) is not None:
        batches = _chosen(batches, condition, requested.names)
    return pa.RecordBatchReader.from_batches(requested, batches)


def rows(
    handle: DeltaTable,
    name: str,
    columns: Sequence[str] | None = None,
    where: Where | None = None,
) -> pa.Table:
    """Rows of a table in memory; arguments and errors as for `scan`."""
    return scan(handle, name, columns, where).read_all()


def count(handle: DeltaTable, name: str) -> int:
    """How many rows a table has; delta-rs's own count ignores deletion vectors."""
    if "deletionVectors" in (handle.protocol().reader_features or ()):
        first = schema_of(handle).names[:1]
        return sum(batch.num_rows for batch in scan(handle, name, first))
    return int(handle.count())


def _cast(reader: pa.RecordBatchReader, schema: pa.Schema, name: str) -> Iterator[pa.RecordBatch]:
    with explained(f"{name} cannot be read"):
        for batch in reader:
            yield conformed(batch, schema)


def _chosen(
    batches: Iterator[pa.RecordBatch], condition: pc.Expression, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield batch.filter(condition).select(columns)


def _with(requested: pa.Schema, columns: Sequence[str], schema: pa.Schema) -> pa.Schema:
    """The requested columns, then those that conditions need."""
    more = [column for column in dict.fromkeys(columns) if column not in requested.names]
    return pa.schema([*requested, *(schema.field(column) for column in more)])


def selected(schema: pa.Schema, columns: Sequence[str], name: str) -> pa.Schema:
    """The wanted columns of a schema.

    Raises:
        SchemaError: A column that it does not have.
    """
    columns = names.columns(columns, f"a reading of {name}")
    unknown = [column for column in columns if column not in schema.names]
    if unknown:
        raise SchemaError(
            f"{name} has no column {', '.join(map(repr, unknown))}",
            hint=names.suggestion(str(unknown[0]), schema.names),
        )
    return pa.schema([schema.field(column) for column in columns])
