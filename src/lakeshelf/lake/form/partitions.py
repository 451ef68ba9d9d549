"""Partitions: which columns and values can be one.

Delta keeps the values of partitions as text in its log. delta-rs writes some of them so that no reader takes them
back, and has committed by then: so they are refused before a file is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.lake.place.errors import SchemaError

LONGEST_NAME = 255
"""Bytes of the longest name that a folder can have."""
HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
"""The name of the folder of null, with which delta-rs mixes the same text up."""
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896
"""0001-01-01 and 9999-12-31 in days since 1970."""
_DAY_US = 86_400_000_000


def require_columns(name: str, schema: pa.Schema, columns: Sequence[str]) -> None:
    """Raise `SchemaError` for columns that a table cannot be partitioned by."""
    for column in columns:
        if column not in schema.names:
            raise _refused(name, column, "no such column", f"it has {', '.join(schema.names)}")
        kind = schema.field(column).type
        if pa.types.is_nested(kind) or is_binary(kind):
            raise _refused(name, column, f"which is {kind}", "choose a text, a number or a date")
    if columns and set(schema.names) <= set(columns):
        raise SchemaError(
            f"{name} has no column beside those that it is partitioned by",
            hint="partition it by fewer columns",
        )


def is_binary(kind: pa.DataType) -> bool:
    """Whether values of a type are bytes."""
    return any(
        of(kind) for of in (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)
    )


def require_values(name: str, rows: pa.RecordBatch | pa.Table, columns: Iterable[str]) -> None:
    """Raise `SchemaError` for rows with values that cannot name a partition."""
    for column in columns:
        values = pc.unique(rows[column]).drop_null()
        kind = values.type
        if pa.types.is_decimal(kind) or is_binary(kind):
            _require_plain(name, column, values.to_pylist())
        elif pa.types.is_date(kind):
            _require_years(name, column, values.cast(pa.int32()), 1)
        elif pa.types.is_timestamp(kind):
            _require_years(name, column, values.cast(pa.int64()), _DAY_US)
        elif pa.types.is_string(kind) or pa.types.is_floating(kind):
            _require_no_null(name, rows.schema.field(column), values.to_pylist())
            _require_short(name, column, values.to_pylist())


def is_garbled(values: Mapping[str, Any]) -> bool:
    r"""Whether delta-rs writes a value of a partition so that others read another, or none.

    -1.50 becomes `-1.-50`, and bytes become `\u0061`, which the protocol wants and Spark takes for a text.
    """
    return any(map(_is_garbled, values.values()))


def _is_garbled(value: Any) -> bool:
    if isinstance(value, Decimal):
        return value < 0 and value != value.to_integral_value()
    return isinstance(value, bytes)


def _require_plain(name: str, column: str, values: Iterable[Any]) -> None:
    for value in values:
        if _is_garbled(value):
            shown = f"{value:f}" if isinstance(value, Decimal) else f"the bytes {value[:20].hex()}"
            hint = "partition it by a whole number or a text, or write it with Spark"
            raise _refused(name, column, f"it has {shown}", hint)


def _require_years(name: str, column: str, values: pa.Array, unit: int) -> None:
    outside = pc.or_(
        pc.less(values, _FIRST_DAY * unit), pc.greater_equal(values, (_LAST_DAY + 1) * unit)
    )
    if pc.any(outside).as_py():
        raise _refused(
            name,
            column,
            "it has times outside the years 1 to 9999",
            "partition it by another column",
        )


def _require_no_null(name: str, field: pa.Field, values: Iterable[str | float]) -> None:
    if HIVE_NULL in values:
        raise _refused(name, field.name, f"{HIVE_NULL} means null there", "use another text")
    if "" in values and not field.nullable:
        why = "an empty text means null there, and the column is required"
        raise _refused(name, field.name, why, "use another text, or let the column be null")


def _require_short(name: str, column: str, values: Iterable[str | float]) -> None:
    for value in values:
        text = value if isinstance(value, str) else f"{Decimal(repr(value)):f}"
        if len(quote(f"{column}={text}", safe="")) > LONGEST_NAME:
            raise _refused(
                name,
                column,
                f"{text[:20]}… makes a name of more than {LONGEST_NAME} bytes",
                "partition it by a shorter text",
            )


def _refused(name: str, column: str, why: str, hint: str) -> SchemaError:
    return SchemaError(f"{name} cannot be partitioned by {column}: {why}", hint=hint)
