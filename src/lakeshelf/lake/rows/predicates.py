"""Conditions as SQL of delta-rs and as expressions of pyarrow.

A condition never becomes SQL by pasting what somebody gave: the column is one of the table's, the operator one of
`conditions.OPERATORS`, and the value is written as a literal of the column's type, which the column can hold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import reduce
from operator import and_, or_
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.lake.form import kinds
from lakeshelf.lake.place.errors import PredicateError
from lakeshelf.lake.rows.conditions import (
    COMPARISONS,
    NULLS,
    Checked,
    Comparison,
    Junction,
    Where,
    checked,
    comparisons,
)

MOST_LITERALS = 1_000
"""Literals in one predicate of delta-rs; some ten thousand overflow its stack and end the process."""


def to_sql(where: Where | None, schema: pa.Schema) -> str | None:
    """The conditions as SQL of DataFusion; None: there are none.

    Raises:
        PredicateError: An unknown column or operator, a value of another type, or more values than it can take.
    """
    tree = checked(where, schema)
    count = _literals(tree)
    if count > MOST_LITERALS:
        raise PredicateError(
            f"conditions with {count:,} values choose no rows to be changed",
            hint=f"give at most {MOST_LITERALS:,} at once, or merge a table of the keys",
        )
    return sql(tree)


def apart(where: Where | None, schema: pa.Schema) -> tuple[Junction, Junction]:
    """Conditions that may be decided by statistics of files, and those that have to look at each value.

    Statistics of floats leave NaN out, so delta-rs takes a file of NaN and 1.0 for one of 1.0 alone (and reads it
    as that), and other engines skip files that hold wanted rows. A float compares as IEEE 754 says: NaN is equal
    to nothing and neither less nor greater. Of long lists only the bounds are compared with statistics.

    Raises:
        PredicateError: An unknown column or operator, or a value of another type.
    """
    by_file: list[Checked] = []
    by_value: list[Checked] = []
    room = MOST_LITERALS
    for part in checked(where, schema).parts:
        if needs_values(part, room):
            by_value.append(part)
            by_file += _bounds(part)
        else:
            by_file.append(part)
            room -= _literals(part)
    return Junction("all", tuple(by_file)), Junction("all", tuple(by_value))


def needs_values(tree: Checked, most_literals: int = MOST_LITERALS) -> bool:
    """Whether conditions have to look at each value: floats, and more literals than a predicate may have."""
    return _literals(tree) > most_literals or any(
        pa.types.is_floating(comparison.kind) for comparison in comparisons(tree)
    )


def sql(tree: Checked) -> str | None:
    """Checked conditions as SQL of DataFusion; None: there are none."""
    if isinstance(tree, Comparison):
        return _sql(tree)
    if not tree.parts:
        return None if tree.kind == "all" else "FALSE"
    parts = [f"({sql(part) or 'TRUE'})" for part in tree.parts]
    return (" AND " if tree.kind == "all" else " OR ").join(parts)


def expression(tree: Checked) -> pc.Expression | None:
    """Checked conditions as an expression of pyarrow; None: there are none."""
    if isinstance(tree, Comparison):
        return _expression(tree)
    if not tree.parts:
        return None if tree.kind == "all" else pc.scalar(False)
    always = pc.scalar(True)
    parts = [
        always if (converted := expression(part)) is None else converted for part in tree.parts
    ]
    return _joined(parts, and_ if tree.kind == "all" else or_)


def _joined(parts: Sequence[pc.Expression], operator: Callable[[Any, Any], Any]) -> pc.Expression:
    """The parts in a tree as flat as can be: a thousand one below the other would overflow a stack."""
    if len(parts) <= 2:
        return reduce(operator, parts)
    half = len(parts) // 2
    return operator(_joined(parts[:half], operator), _joined(parts[half:], operator))


def _literals(tree: Checked) -> int:
    return sum(len(comparison.values) for comparison in comparisons(tree))


def _bounds(tree: Checked) -> list[Checked]:
    """What is true of each row that one of a long list is chosen by."""
    if not isinstance(tree, Comparison) or tree.op != "in" or pa.types.is_floating(tree.kind):
        return []
    least, most = min(tree.values), max(tree.values)
    return [
        Comparison(tree.column, ">=", tree.kind, (least,)),
        Comparison(tree.column, "<=", tree.kind, (most,)),
    ]


def _sql(comparison: Comparison) -> str:
    text = _term(comparison)
    # delta-rs compares with statistics what is not wrapped, and takes a file for one that has all rows or none.
    return f"({text}) IS TRUE" if kinds.has_no_exact_statistics(comparison.kind) else text


def _term(comparison: Comparison) -> str:
    name = quoted(comparison.column)
    if comparison.op in NULLS:
        return f"{name} {comparison.op.upper()}"
    literals = [literal(value, comparison.kind) for value in comparison.values]
    if comparison.op in COMPARISONS:
        return f"{name} {comparison.op} {literals[0]}"
    if not literals:
        return "FALSE" if comparison.op == "in" else f"{name} IS NOT NULL"
    return f"{name} {comparison.op.upper()} ({', '.join(literals)})"


def _expression(comparison: Comparison) -> pc.Expression:
    field = pc.field(comparison.column)
    if comparison.op in NULLS:
        return field.is_null() if comparison.op == "is null" else field.is_valid()
    kind, values = comparison.kind, comparison.values
    if pa.types.is_floating(kind):
        kind, field = pa.float64(), field.cast(pa.float64())
    if comparison.op in COMPARISONS:
        one = COMPARISONS[comparison.op](field, pc.scalar(pa.scalar(values[0], kind)))
        return ~one if comparison.is_opposite else one
    if 0.0 in values and pa.types.is_floating(kind):
        values = (*values, 0.0, -0.0)  # its hash knows two zeros
    among = field.isin(pa.array(values, kind))
    return among if comparison.op == "in" else ~among & field.is_valid()


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
        return f"CAST('{value:f}' AS DECIMAL({kind.precision}, {kind.scale}))"
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
