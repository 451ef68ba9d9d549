"""Arrow schemas of the contract.

Columns are nullable throughout: what a contract requires is enforced where messages enter and by
the tables' constraints, and a column added later has no value in older rows. Times are
microseconds in UTC; a time without a zone would upgrade a Delta table.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from lakeshelf.contracts.types import (
    BINARY,
    BOOLEAN,
    DATE,
    DOUBLE,
    LONG,
    STRING,
    TIMESTAMP,
    Decimal,
    Field,
    Scalar,
    Struct,
    Type,
)

_SCALARS: dict[Scalar, pa.DataType] = {
    STRING: pa.string(),
    LONG: pa.int64(),
    DOUBLE: pa.float64(),
    BOOLEAN: pa.bool_(),
    DATE: pa.date32(),
    TIMESTAMP: pa.timestamp("us", tz="UTC"),
    BINARY: pa.binary(),
}


def data_type(type_: Type) -> pa.DataType:
    """The Arrow type of a contract type."""
    if isinstance(type_, Scalar):
        return _SCALARS[type_]
    if isinstance(type_, Decimal):
        return pa.decimal128(type_.precision, type_.scale)
    if isinstance(type_, Struct):
        return pa.struct([pa.field(f.name, data_type(f.type)) for f in type_.fields])
    return pa.list_(pa.field("element", data_type(type_.element)))


def schema(fields: Iterable[Field], *, comments: bool = False) -> pa.Schema:
    """Arrow schema of fields or columns.

    Args:
        fields: `topic.fields`, `table.columns` or `table.public`.
        comments: Carry each field's doc as metadata `comment`, which Delta takes as the column's.
    """
    return pa.schema(
        pa.field(f.name, data_type(f.type), metadata={"comment": f.doc} if comments else None)
        for f in fields
    )
