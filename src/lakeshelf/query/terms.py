"""Conditions as expressions of the engines: objects, never text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import Any

import pyarrow as pa

from lakeshelf.lake.rows.conditions import COMPARISONS, Checked, Comparison, Where, checked


@dataclass(frozen=True)
class Terms:
    """How an engine writes what a condition is made of.

    Attributes:
        column: A column by its name.
        literal: A value of a type.
        is_null: Whether a column is null.
        is_in: Whether a column is one of literals.
        constant: What is true, or false, of every row.
    """

    column: Callable[[str], Any]
    literal: Callable[[Any, pa.DataType], Any]
    is_null: Callable[[Any], Any]
    is_in: Callable[[Any, Sequence[Any]], Any]
    constant: Callable[[bool], Any]


def expression(where: Where | None, schema: pa.Schema, terms: Terms) -> Any:
    """The conditions as one expression; None: there are none.

    Raises:
        PredicateError: As `lakeshelf.lake.rows.predicates.apart`.
    """
    tree = checked(where, schema)
    return _expression(tree, terms) if tree.parts else None


def _expression(tree: Checked, terms: Terms) -> Any:
    if isinstance(tree, Comparison):
        return _term(tree, terms)
    if not tree.parts:
        return terms.constant(tree.kind == "all")
    parts = [_expression(part, terms) for part in tree.parts]
    return reduce(and_ if tree.kind == "all" else or_, parts)


def _term(comparison: Comparison, terms: Terms) -> Any:
    op, column = comparison.op, terms.column(comparison.column)
    literals = [terms.literal(value, comparison.kind) for value in comparison.values]
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
