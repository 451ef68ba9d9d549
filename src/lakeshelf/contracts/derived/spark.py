"""Spark schemas of the contract; columns are nullable throughout, as in `arrow`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

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
    ListOf,
    Scalar,
    Struct,
    Type,
)

if TYPE_CHECKING:
    from pyspark.sql.types import DataType, StructType


def data_type(type_: Type) -> DataType:
    """The Spark type of a contract type."""
    from pyspark.sql import types as t  # noqa: PLC0415 (only Spark jobs have it)

    if isinstance(type_, Struct):
        return schema(type_.fields)
    if isinstance(type_, ListOf):
        return t.ArrayType(data_type(type_.element))
    if isinstance(type_, Decimal):
        return t.DecimalType(type_.precision, type_.scale)
    scalars: dict[Scalar, DataType] = {
        STRING: t.StringType(),
        LONG: t.LongType(),
        DOUBLE: t.DoubleType(),
        BOOLEAN: t.BooleanType(),
        DATE: t.DateType(),
        TIMESTAMP: t.TimestampType(),
        BINARY: t.BinaryType(),
    }
    return scalars[type_]


def schema(fields: Iterable[Field], *, comments: bool = False) -> StructType:
    """Spark schema of fields or columns.

    Args:
        fields: `topic.fields`, `table.columns` or `table.public`.
        comments: Carry each field's doc as the column's comment.
    """
    from pyspark.sql import types as t  # noqa: PLC0415 (only Spark jobs have it)

    return t.StructType(
        [
            t.StructField(f.name, data_type(f.type), True, {"comment": f.doc} if comments else None)
            for f in fields
        ]
    )
