"""Typed conditions: `[(column, op, value), …]`, all of which hold.

A condition never becomes SQL by pasting what somebody gave: the column is one of the table's, the operator one of
`OPERATORS`, and the value is written as a literal of the column's type.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import reduce
from operator import or_
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.lake.errors import PredicateError

Condition = tuple[str, str, Any]
Where = Sequence[Condition]

COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
"""Operator → what it makes of two terms, in any library that overloads Python's operators."""
_LISTS = ("in", "not in")
_NULLS = ("is null", "is not null")
OPERATORS = (*COMPARISONS, *_LISTS, *_NULLS)


def to_sql(where: Where | None, schema: pa.Schema) -> str | None:
    """The conditions as SQL of DataFusion; None: there are none.

    Raises:
        PredicateError: An unknown column or operator, or a value of another type.
    """
    if not where:
        return None
    return " AND ".join(f"({_sql(condition, schema)})" for condition in where)


def to_expression(where: Where | None, schema: pa.Schema) -> pc.Expression | None:
    """The conditions as an expression of pyarrow; None: there are none.

    Raises:
        PredicateError: As `to_sql`.
    """
    found: pc.Expression | None = None
    for condition in where or ():
        one = _expression(condition, schema)
        found = one if found is None else found & one
    return found


def apart(where: Where | None, schema: pa.Schema) -> tuple[list[Condition], list[Condition]]:
    """Conditions that may be decided by statistics of files, and those that have to look at each value.

    Statistics of floats leave NaN out, so delta-rs takes a file of NaN and 1.0 for one of 1.0 alone (and reads it
    as that), and other engines skip files that hold wanted rows. A float compares as IEEE 754 says: NaN is equal
    to nothing and neither less nor greater.

    Raises:
        PredicateError: As `to_sql`.
    """
    by_file: list[Condition] = []
    by_value: list[Condition] = []
    for condition in where or ():
        kind = checked(condition, schema)[2]
        (by_value if pa.types.is_floating(kind) else by_file).append(condition)
    return by_file, by_value


def _sql(condition: Condition, schema: pa.Schema) -> str:
    column, op, kind, values = checked(condition, schema)
    name = quoted(column)
    if op in _NULLS:
        return f"{name} {op.upper()}"
    literals = [literal(value, kind) for value in values]
    if op in COMPARISONS:
        return f"{name} {op} {literals[0]}"
    if not literals:
        return "FALSE" if op == "in" else f"{name} IS NOT NULL"
    return f"{name} {op.upper()} ({', '.join(literals)})"


def _expression(condition: Condition, schema: pa.Schema) -> pc.Expression:
    column, op, kind, values = checked(condition, schema)
    field = pc.field(column)
    if op in _NULLS:
        return field.is_null() if op == "is null" else field.is_valid()
    if op in COMPARISONS:
        return COMPARISONS[op](field, pc.scalar(pa.scalar(values[0], kind)))
    if pa.types.is_floating(kind):  # its hash knows two zeros
        among = reduce(or_, (field == pa.scalar(v, kind) for v in values), pc.scalar(False))
    else:
        among = field.isin(pa.array(values, kind))
    return among if op == "in" else ~among & field.is_valid()


def checked(
    condition: Condition, schema: pa.Schema
) -> tuple[str, str, pa.DataType, tuple[Any, ...]]:
    """Column, operator, type and values of a condition.

    Raises:
        PredicateError: As `to_sql`.
    """
    try:
        column, op, *rest = condition
    except (TypeError, ValueError):
        raise PredicateError(
            f"{condition!r} is no condition", hint="write (column, op, value)"
        ) from None
    if column not in schema.names:
        raise PredicateError(
            f"no column {column!r} for a condition", hint=f"there are {', '.join(schema.names)}"
        )
    op = str(op).lower()
    if op not in OPERATORS:
        raise PredicateError(f"no operator {op!r}", hint=f"there are {', '.join(OPERATORS)}")
    kind = schema.field(column).type
    return column, op, kind, _values(column, op, kind, rest)


def _values(column: str, op: str, kind: pa.DataType, rest: Sequence[Any]) -> tuple[Any, ...]:
    if op in _NULLS:
        return ()
    if len(rest) != 1:
        raise PredicateError(f"{column} {op} needs one value", hint="write (column, op, value)")
    if op in _LISTS and (isinstance(rest[0], str | bytes) or not isinstance(rest[0], Iterable)):
        raise PredicateError(f"{column} {op} {rest[0]!r}: no list", hint="give a list of values")
    values = tuple(rest[0]) if op in _LISTS else (rest[0],)
    for value in values:
        _require_type(column, kind, value)
    return values


def _require_type(column: str, kind: pa.DataType, value: Any) -> None:
    if value is None:
        raise PredicateError(
            f"a condition compares {column} with null", hint="use `is null` or `is not null`"
        )
    if isinstance(value, float) and math.isnan(value):
        raise PredicateError(
            f"a condition compares {column} with NaN",
            hint="NaN is equal to nothing; use SQL's isnan",
        )
    if not any(fits(kind) and _is_a(value, python) for fits, python in _PYTHON):
        raise PredicateError(
            f"column {column} is {kind}, the condition has {value!r} ({type(value).__name__})",
            hint="give a value of that type",
        )
    if isinstance(value, datetime) and (value.tzinfo is None) != (kind.tz is None):
        raise PredicateError(
            f"column {column} is {kind}, the condition has {value.isoformat()}",
            hint="give the time with its zone" if kind.tz else "give the time without a zone",
        )


_PYTHON: tuple[tuple[Callable[[pa.DataType], bool], tuple[type, ...]], ...] = (
    (pa.types.is_boolean, (bool,)),
    (pa.types.is_integer, (int,)),
    (pa.types.is_floating, (int, float)),
    (pa.types.is_decimal, (int, Decimal)),
    (pa.types.is_string, (str,)),
    (pa.types.is_large_string, (str,)),
    (pa.types.is_string_view, (str,)),
    (pa.types.is_binary, (bytes,)),
    (pa.types.is_binary_view, (bytes,)),
    (pa.types.is_timestamp, (datetime,)),
    (pa.types.is_date, (date,)),
)


def _is_a(value: Any, kinds: tuple[type, ...]) -> bool:
    exact = type(value) in kinds
    return exact or (isinstance(value, kinds) and not isinstance(value, bool | datetime))


def literal(value: Any, kind: pa.DataType) -> str:
    """A value as a literal of DataFusion's SQL."""
    return next(write(value, kind) for python, write in _LITERALS if isinstance(value, python))


def quoted(name: str) -> str:
    """A column as an identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _number(value: int | float | Decimal, kind: pa.DataType) -> str:
    if pa.types.is_decimal(kind):
        return f"CAST('{value}' AS DECIMAL({kind.precision}, {kind.scale}))"
    if isinstance(value, float) and not math.isfinite(value):
        return f"CAST('{value}' AS DOUBLE)"
    return repr(value)


def _time(value: datetime, kind: pa.DataType) -> str:
    if value.tzinfo is None:
        return f"arrow_cast('{value.isoformat()}', 'Timestamp(Microsecond, None)')"
    utc = value.astimezone(UTC).replace(tzinfo=None).isoformat()
    return f"arrow_cast('{utc}Z', 'Timestamp(Microsecond, Some(\"{kind.tz}\"))')"


_LITERALS: tuple[tuple[Any, Callable[[Any, pa.DataType], str]], ...] = (
    (bool, lambda value, _: "TRUE" if value else "FALSE"),
    (str, lambda value, _: _text(value)),
    (bytes, lambda value, _: f"X'{value.hex()}'"),
    (datetime, _time),
    (date, lambda value, _: f"CAST('{value.isoformat()}' AS DATE)"),
    (object, _number),
)
