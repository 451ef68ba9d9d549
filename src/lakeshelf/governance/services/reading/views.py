"""Views: rows of a snapshot in an order and under a filter, page by page at any depth.

docs/design/governance.md#views
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.contracts.types import STRING
from lakeshelf.governance.domain.definition import Column
from lakeshelf.governance.domain.values import read, shown
from lakeshelf.governance.errors import refused
from lakeshelf.governance.services.reading.tables import HeldTable, Ranks, plain, stable_order

LONGEST_PAGE = 1_000
MOST_FACETS = 200


@dataclass(frozen=True)
class Filter:
    """A condition on a column.

    Attributes:
        column: The column.
        op: One of `OPERATORS`.
        value: JSON value of the column; a list for `in`, where null is no value; nothing for `is_null` and `not_null`.
    """

    column: str
    op: str
    value: Any = None


@dataclass(frozen=True)
class Sort:
    """A column to sort by; nulls come last."""

    column: str
    descending: bool = False


@dataclass(frozen=True)
class ViewQuery:
    """What a view shows.

    Attributes:
        filters: Conditions that all hold.
        sort: Columns, the most important first; rows that are equal in them are in the order of their keys.
    """

    filters: tuple[Filter, ...] = ()
    sort: tuple[Sort, ...] = ()


@dataclass(frozen=True)
class OrderedView:
    """Places of a held table in the order of a query.

    Attributes:
        held: The rows.
        order: Places, int32.
    """

    held: HeldTable
    order: np.ndarray

    def __len__(self) -> int:
        return len(self.order)

    def page(self, offset: int, limit: int) -> pa.Table:
        """Rows from an offset on.

        Raises:
            GovernanceError: `request_invalid`: a negative offset, or more than `LONGEST_PAGE` rows.
        """
        if offset < 0 or not 0 < limit <= LONGEST_PAGE:
            raise refused(
                "request_invalid",
                f"no page of {limit} rows from {offset} on",
                hint=f"ask for 1 to {LONGEST_PAGE} rows from 0 on",
            )
        return self.held.take(self.order[offset : offset + limit])

    def position(self, row_id: str) -> int | None:
        """Where a row is in the view; None: it is not in it."""
        place = self.held.place(row_id)
        if place is None:
            return None
        offsets = np.flatnonzero(self.order == place)
        return int(offsets[0]) if len(offsets) else None

    def facets(self, column: str, limit: int = MOST_FACETS) -> tuple[list[tuple[Any, int]], int]:
        """Values of a column with how often each is there, the most frequent first, and how many values there are."""
        described = self.held.definition[column]
        counted = pc.value_counts(self.held.columns[column].take(pa.array(self.order)))
        values, counts = plain(counted.field("values")), counted.field("counts")
        order = pc.sort_indices(counts, sort_keys=[("", "descending")])[: min(limit, MOST_FACETS)]
        listed = zip(values.take(order).to_pylist(), counts.take(order).to_pylist(), strict=True)
        return [(shown(described, value), count) for value, count in listed], len(counted)


def ordered(
    held: HeldTable, query: ViewQuery, ranks: Callable[[str], Ranks] | None = None
) -> np.ndarray:
    """Places of the rows of a query, in its order.

    Args:
        held: All rows, in the order of their keys, which rows keep that are equal in the order asked for.
        query: Filter and order.
        ranks: Gives the ranks of a column; None: they are made.

    Raises:
        GovernanceError: `request_invalid`, `value_invalid`: no such column, operator or value.
    """
    by = [(held.definition[one.column].name, one.descending) for one in query.sort]
    places = _chosen(held, query.filters)
    for name, descending in reversed(by):
        of_column = Ranks.of(held.columns[name]) if ranks is None else ranks(name)
        places = places[stable_order(of_column.keys(descending=descending)[places])]
    return places


def _chosen(held: HeldTable, filters: Sequence[Filter]) -> np.ndarray:
    """Places of the rows that pass."""
    mask = None
    for one in filters:
        passed = pc.fill_null(_passes(held, one), False)
        mask = passed if mask is None else pc.and_(mask, passed)
    if mask is None:
        return np.arange(held.rows, dtype=np.int32)
    return np.flatnonzero(mask.to_numpy(zero_copy_only=False)).astype(np.int32)


def _passes(held: HeldTable, one: Filter) -> pa.BooleanArray:
    column = held.definition[one.column]
    values = held.columns[one.column]
    if one.op not in OPERATORS:
        raise refused(
            "request_invalid",
            f"no operator {str(one.op)[:80]!r}",
            hint=f"there are {', '.join(OPERATORS)}",
        )
    passes = OPERATORS[one.op]
    if not pa.types.is_dictionary(values.type):
        return passes(column, values, one.value)
    [of_nothing] = passes(column, pa.nulls(1, values.type.value_type), one.value).to_pylist()
    of_values = passes(column, values.dictionary, one.value)
    return pc.fill_null(of_values.take(values.indices), bool(of_nothing))


def _compared(function: Callable[..., Any]) -> Callable[[Column, pa.Array, Any], pa.BooleanArray]:
    def passes(column: Column, values: pa.Array, value: Any) -> pa.BooleanArray:
        return function(values, pa.scalar(read(column, value), values.type))

    return passes


def _texted(function: Callable[..., Any]) -> Callable[[Column, pa.Array, Any], pa.BooleanArray]:
    def passes(column: Column, values: pa.Array, value: Any) -> pa.BooleanArray:
        if column.field.type != STRING:
            raise refused("request_invalid", f"{column.name} is {column.field.type}, not a text")
        return function(values, str(read(column, value)), ignore_case=True)

    return passes


def _is_in(column: Column, values: pa.Array, listed: Any) -> pa.BooleanArray:
    if not isinstance(listed, list | tuple):
        raise refused("request_invalid", f"`in` takes a list of values of {column.name}")
    return pc.is_in(values, pa.array([read(column, one) for one in listed], values.type))


def _equals(column: Column, values: pa.Array, value: Any) -> pa.BooleanArray:
    equal = read(column, value)
    if isinstance(equal, float) and math.isnan(equal):  # which equals itself here
        return pc.is_nan(values)
    return pc.equal(values, pa.scalar(equal, values.type))


OPERATORS: Mapping[str, Callable[[Column, pa.Array, Any], pa.BooleanArray]] = {
    "=": _equals,
    "!=": lambda column, values, value: pc.invert(_equals(column, values, value)),
    "<": _compared(pc.less),
    "<=": _compared(pc.less_equal),
    ">": _compared(pc.greater),
    ">=": _compared(pc.greater_equal),
    "in": _is_in,
    "contains": _texted(pc.match_substring),
    "starts_with": _texted(pc.starts_with),
    "is_null": lambda _, values, __: pc.is_null(values),
    "not_null": lambda _, values, __: pc.is_valid(values),
}
"""What a filter may ask; texts are compared without regard to case by `contains` and `starts_with`."""
