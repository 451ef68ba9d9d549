"""Conditions as expressions of the engines: objects, never text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from lakeshelf.lake.predicates import COMPARISONS, Where, checked


@dataclass(frozen=True)
class Terms:
    """How an engine writes what a condition is made of.

    Attributes:
        column: A column by its name.
        literal: A value of a type.
        is_null: Whether a column is null.
        is_in: Whether a column is one of literals.
    """

    column: Callable[[str], Any]
    literal: Callable[[Any, pa.DataType], Any]
    is_null: Callable[[Any], Any]
    is_in: Callable[[Any, Sequence[Any]], Any]


def expression(where: Where | None, schema: pa.Schema, terms: Terms) -> Any:
    """The conditions as one expression; None: there are none.

    Raises:
        PredicateError: As `lakeshelf.lake.predicates.to_sql`.
    """
    found: Any = None
    for condition in where or ():
        column, op, kind, values = checked(condition, schema)
        literals = [terms.literal(value, kind) for value in values]
        one = _term(terms.column(column), op, literals, terms)
        found = one if found is None else found & one
    return found


def _term(column: Any, op: str, literals: Sequence[Any], terms: Terms) -> Any:
    null = terms.is_null(column)
    if op in COMPARISONS:
        return COMPARISONS[op](column, literals[0])
    if op == "is null":
        return null
    if op == "is not null":
        return ~null
    if not literals:
        return null & ~null if op == "in" else ~null
    among = terms.is_in(column, literals)
    return among if op == "in" else ~among & ~null
