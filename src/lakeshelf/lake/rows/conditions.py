"""Typed conditions: `[(column, op, value), …]`, all of which hold; `any_of`, `all_of` and `not_` put them together.

```python
[("store", "=", "S1"), any_of(("units", "<", 3), all_of(("units", "<", 10), ("price", ">=", Decimal("9.99"))))]
```

Null meets no comparison, as in SQL: it is chosen by `is null` alone, and `not_` of a comparison does not choose it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

import pyarrow as pa

from lakeshelf.lake.place import names
from lakeshelf.lake.place.errors import PredicateError
from lakeshelf.lake.rows import exact

COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
"""Operator → what it makes of two terms, in any library that overloads Python's operators."""
LISTS = ("in", "not in")
NULLS = ("is null", "is not null")
OPERATORS = (*COMPARISONS, *LISTS, *NULLS)
DEEPEST, MOST = 16, 1_000
"""Bounds of a condition, in levels and in comparisons; engines overflow their stack beyond much more."""
_OPPOSITES = (("=", "!="), ("<", ">="), (">", "<="), LISTS, NULLS)
_OPPOSITE = dict(_OPPOSITES) | {b: a for a, b in _OPPOSITES}
_ORDERED = ("<", "<=", ">", ">=")


@dataclass(frozen=True)
class Group:
    """Conditions put together.

    Attributes:
        kind: `any` or `all` of the parts, or `not` the only one.
        parts: The conditions.
    """

    kind: Literal["any", "all", "not"]
    parts: tuple[Any, ...]

    def __repr__(self) -> str:
        return f"{self.kind} of {len(self.parts)} conditions"


Condition = tuple[Any, ...] | Group
"""`(column, op, value)`, `(column, "is null")`, or conditions put together."""
Where = Sequence[Condition]
"""Conditions that all hold."""


def any_of(*conditions: Condition) -> Group:
    """The condition that one of them holds at least; none of none."""
    return Group("any", conditions)


def all_of(*conditions: Condition) -> Group:
    """The condition that all of them hold."""
    return Group("all", conditions)


def not_(condition: Condition) -> Group:
    """The condition that another does not hold; of null no comparison does, nor its opposite."""
    return Group("not", (condition,))


@dataclass(frozen=True)
class Comparison:
    """A condition on a column that was checked.

    Attributes:
        column: A column of the table.
        op: One of `OPERATORS`.
        kind: Type of the column.
        values: What it is compared with, as values of that type; of floats, of 64 bits.
        is_opposite: Whether rows are chosen that are there and do not meet it: NaN is neither less nor greater.
    """

    column: str
    op: str
    kind: pa.DataType
    values: tuple[Any, ...]
    is_opposite: bool = False


@dataclass(frozen=True)
class Junction:
    """Checked conditions, of which all or any hold."""

    kind: Literal["any", "all"]
    parts: tuple[Comparison | Junction, ...]


Checked = Comparison | Junction


def checked(where: Where | None, schema: pa.Schema) -> Junction:
    """Conditions on the columns of a schema, without `not`, with values that the columns can hold.

    Raises:
        PredicateError: An unknown column or operator, a value of another type, or conditions that are nested too
            deeply or are too many.
    """
    if where is None:
        return Junction("all", ())
    if isinstance(where, Group):
        where = [where]
    if isinstance(where, str | bytes) or not isinstance(where, Sequence):
        raise PredicateError(
            f"{where!r} is no list of conditions", hint="write [(column, op, value), …]"
        )
    if isinstance(where, tuple) and where and isinstance(where[0], str):
        raise PredicateError(f"{where!r} is no list of conditions", hint="put it into a list")
    tree = _junction("all", where, schema, negated=False, level=0)
    count = sum(1 for _ in comparisons(tree))
    if count > MOST:
        raise PredicateError(
            f"{count:,} comparisons are more than {MOST:,}", hint="use `in` with a list of values"
        )
    return tree


def comparisons(tree: Checked) -> Iterator[Comparison]:
    """The comparisons of a condition."""
    if isinstance(tree, Comparison):
        yield tree
        return
    for part in tree.parts:
        yield from comparisons(part)


def columns_of(where: Where | None, schema: pa.Schema) -> list[str]:
    """Columns that conditions look at, each once."""
    return list(
        dict.fromkeys(comparison.column for comparison in comparisons(checked(where, schema)))
    )


def _junction(
    kind: Literal["any", "all"],
    parts: Sequence[Any],
    schema: pa.Schema,
    *,
    negated: bool,
    level: int,
) -> Junction:
    if len(parts) > MOST:
        raise PredicateError(
            f"{len(parts):,} conditions are more than {MOST:,}",
            hint="use `in` with a list of values",
        )
    made = tuple(_node(part, schema, negated=negated, level=level + 1) for part in parts)
    return Junction(("any" if kind == "all" else "all") if negated else kind, made)


def _node(condition: Any, schema: pa.Schema, *, negated: bool, level: int) -> Checked:
    if level > DEEPEST:
        raise PredicateError(
            f"conditions are nested more than {DEEPEST} levels deep", hint="write them flatter"
        )
    if not isinstance(condition, Group):
        return _comparison(condition, schema, negated=negated)
    if condition.kind == "not":
        return _node(condition.parts[0], schema, negated=not negated, level=level + 1)
    return _junction(condition.kind, condition.parts, schema, negated=negated, level=level)


def _comparison(condition: Any, schema: pa.Schema, *, negated: bool) -> Comparison:
    column, op, rest = _parts(condition)
    if column not in schema.names:
        raise PredicateError(
            f"no column {column!r} for a condition",
            hint=names.suggestion(str(column), schema.names),
        )
    if op not in OPERATORS:
        raise PredicateError(f"no operator {op!r}", hint=f"there are {', '.join(OPERATORS)}")
    kind = schema.field(column).type
    values = _values(column, op, kind, rest)
    is_opposite = negated and op in _ORDERED and pa.types.is_floating(kind)
    if negated and not is_opposite:
        op = _OPPOSITE[op]
    if op not in NULLS:
        op, values = exact.compared(op, values, kind)
    return Comparison(column, op, kind, values, is_opposite)


def _parts(condition: Any) -> tuple[Any, str, list[Any]]:
    if isinstance(condition, str | bytes) or not isinstance(condition, Sequence):
        raise PredicateError(f"{condition!r} is no condition", hint="write (column, op, value)")
    if len(condition) < 2:
        raise PredicateError(f"{condition!r} is no condition", hint="write (column, op, value)")
    column, op, *rest = condition
    return column, str(op).lower(), rest


def _values(column: str, op: str, kind: pa.DataType, rest: Sequence[Any]) -> tuple[Any, ...]:
    if op in NULLS:
        if rest not in ([], [None]):
            raise PredicateError(
                f"{column} {op} takes no value, it has {rest[0]!r}", hint="write (column, op)"
            )
        return ()
    if len(rest) != 1:
        raise PredicateError(f"{column} {op} needs one value", hint="write (column, op, value)")
    if op in LISTS and (isinstance(rest[0], str | bytes) or not isinstance(rest[0], Iterable)):
        raise PredicateError(f"{column} {op} {rest[0]!r}: no list", hint="give a list of values")
    values = tuple(rest[0]) if op in LISTS else (rest[0],)
    for value in values:
        _require_type(column, kind, value)
    return values


def _require_type(column: str, kind: pa.DataType, value: Any) -> None:
    if value is None:
        raise PredicateError(
            f"a condition compares {column} with null", hint="use `is null` or `is not null`"
        )
    if not _is_typed(value, kind):
        raise PredicateError(
            f"column {column} is {kind}, the condition has {value!r} ({type(value).__name__})",
            hint="give a value of that type",
        )
    if is_nan(value):
        raise PredicateError(
            f"a condition compares {column} with NaN",
            hint="NaN is equal to nothing; use SQL's isnan",
        )
    if not is_comparable(value, kind):
        raise PredicateError(
            f"column {column} is {kind}, the condition has {value.isoformat()}",
            hint="give the time with its zone" if kind.tz else "give the time without a zone",
        )


def is_comparable(value: Any, kind: pa.DataType) -> bool:
    """Whether a value is of a type that a column can be compared with; a time has a zone where the column has."""
    if isinstance(value, datetime) and pa.types.is_timestamp(kind):
        return _is_typed(value, kind) and (value.tzinfo is None) == (kind.tz is None)
    return _is_typed(value, kind)


def _is_typed(value: Any, kind: pa.DataType) -> bool:
    return any(fits(kind) and _is_a(value, python) for fits, python in _PYTHON)


def is_nan(value: Any) -> bool:
    """Whether a value is a number that is none."""
    if isinstance(value, Decimal):
        return value.is_nan()
    return isinstance(value, float) and math.isnan(value)


_NUMBERS = (int, float, Decimal)
_PYTHON: tuple[tuple[Callable[[pa.DataType], bool], tuple[type, ...]], ...] = (
    (pa.types.is_boolean, (bool,)),
    (pa.types.is_integer, _NUMBERS),
    (pa.types.is_floating, _NUMBERS),
    (pa.types.is_decimal, _NUMBERS),
    (pa.types.is_string, (str,)),
    (pa.types.is_large_string, (str,)),
    (pa.types.is_string_view, (str,)),
    (pa.types.is_binary, (bytes,)),
    (pa.types.is_binary_view, (bytes,)),
    (pa.types.is_timestamp, (datetime,)),
    (pa.types.is_date, (date,)),
)


def _is_a(value: Any, kinds: tuple[type, ...]) -> bool:
    exactly = type(value) in kinds
    return exactly or (isinstance(value, kinds) and not isinstance(value, bool | datetime))
