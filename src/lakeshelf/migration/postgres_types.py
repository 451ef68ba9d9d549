"""Types of PostgreSQL and of Arrow that keep each other's values."""

from __future__ import annotations

import pyarrow as pa

MOST_DIGITS = 38
"""Digits of a decimal in Delta."""
ARROW: dict[str, pa.DataType] = {
    "bool": pa.bool_(),
    "int2": pa.int16(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "float4": pa.float32(),
    "float8": pa.float64(),
    "text": pa.string(),
    "varchar": pa.string(),
    "bpchar": pa.string(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", tz="UTC"),
    "bytea": pa.binary(),
}
"""Type of PostgreSQL, by its name in `pg_type`, → that of Arrow."""
_POSTGRES: dict[pa.DataType, str] = {pa.int8(): "int2"} | {
    kind: name for name, kind in ARROW.items() if name not in ("varchar", "bpchar")
}


def arrow_type(kind: str, modifier: int) -> pa.DataType | None:
    """The type of Arrow that keeps every value of a column; None: there is none.

    Args:
        kind: Name of the type in `pg_type`.
        modifier: `atttypmod` of the column, which has the digits of `numeric`.
    """
    if kind != "numeric" or modifier <= 0:
        return ARROW.get(kind)
    precision, scale = (modifier - 4) >> 16 & 0xFFFF, (modifier - 4) & 0x7FF
    fits = precision <= MOST_DIGITS and scale <= precision
    return pa.decimal128(precision, scale) if fits else None


def postgres_type(kind: pa.DataType) -> str | None:
    """The type of PostgreSQL that keeps every value of a type of Arrow; None: there is none."""
    if pa.types.is_decimal128(kind):
        return f"numeric({kind.precision}, {kind.scale})"
    return _POSTGRES.get(kind)
