"""Rows in the types of a schema.

Arrow's own cast refuses a struct with required fields in a row where the struct itself is null, even when there is
nothing to change (`Can't view array … nulls in input cannot be viewed as non-nullable`, pyarrow 26).
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc


def conformed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """A batch with the types of a schema, column by column in its order.

    Raises:
        ArrowInvalid: A value that its type does not hold, or a null in a column that has to have values.
    """
    columns = [_column(column, field) for column, field in zip(batch, schema, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def conformed_table(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """As `conformed`, for rows in memory."""
    return pa.Table.from_batches([conformed(batch, schema) for batch in rows.to_batches()], schema)


def _column(values: pa.Array, field: pa.Field) -> pa.Array:
    if values.null_count and not field.nullable:
        raise pa.ArrowInvalid(f"{field.name} has a null, and has to have values")
    return array(values, field.type)


def array(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """Values in a type, safely.

    Raises:
        ArrowInvalid: A value that the type does not hold.
    """
    if values.type == kind:
        return values
    if pa.types.is_struct(kind) and _names(values.type) == _names(kind):
        children = [array(values.field(n), kind.field(n).type) for n in range(kind.num_fields)]
        return pa.StructArray.from_arrays(children, fields=list(kind), mask=values.is_null())
    if pa.types.is_list(kind) and pa.types.is_list(values.type):
        return _list(values, kind)
    return values.cast(kind)


def _list(values: pa.ListArray, kind: pa.ListType) -> pa.ListArray:
    lengths = pc.fill_null(pc.list_value_length(values), 0)
    ends = pc.cumulative_sum(lengths.cast(pa.int32()))
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends])
    elements = array(values.flatten(), kind.value_type)
    return pa.ListArray.from_arrays(offsets, elements, type=kind, mask=values.is_null())


def _names(kind: pa.DataType) -> list[str] | None:
    return [field.name for field in kind] if pa.types.is_struct(kind) else None
