"""Kinds of rules: what of a row is measured, and what Great Expectations expects of that.

Great Expectations compares bounds as floats, takes NaN as null and matches with Python's `re`. So Arrow and
DuckDB measure exactly, and what it judges are small numbers, which every one of its types holds.

docs/design/governance.md#validation
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.contracts.types import DATE, STRING, TIMESTAMP, is_numeric
from lakeshelf.governance.domain import values
from lakeshelf.governance.domain.definition import Column, RuleKind
from lakeshelf.governance.errors import GovernanceError

Columns = Sequence[Column]
Params = Mapping[str, Any]
Elsewhere = Callable[[str, str], Column | None]
"""The column of a dataset, by both names; None: there is none."""
Expectation = tuple[str, dict[str, Any]]
"""Name of an expectation of Great Expectations, and what it expects of the measure."""
SIGNS: Mapping[str, tuple[int, ...]] = {
    "<": (-1,),
    "<=": (-1, 0),
    "=": (0,),
    "!=": (-1, 1, 2),
    ">=": (0, 1),
    ">": (1,),
}
"""Operator of `compare` → signs of the first value against the second; 2: one of them alone is NaN."""
_EXPECT = "expect_column_values_to_"
_SHOWN = 10


class Kind(ABC):
    """What holds for all rules of a kind; a null is judged by `not_null` alone.

    Attributes:
        joint: Whether its columns are judged together, not each of them.
        whole: Whether it needs rows that are not in the change.
        params: What its rules may be told.
    """

    joint: ClassVar[bool] = False
    whole: ClassVar[bool] = False
    params: ClassVar[tuple[str, ...]] = ()

    def problems(self, columns: Columns, params: Params, elsewhere: Elsewhere) -> Iterator[str]:
        """Why such a rule cannot be; nothing where it can.

        Args:
            columns: Columns that are judged.
            params: What the rule is told.
            elsewhere: The column of a dataset, by both names; None: there is none.
        """
        yield from ()

    @abstractmethod
    def measure(self, columns: Columns, params: Params, cells: Sequence[pa.Array]) -> pa.Array:
        """What is judged, a number for each row; null: nothing is.

        Args:
            columns: Columns that are judged, one unless it is `joint`.
            params: What the rule is told.
            cells: Their values; of a rule that is `whole`, how often they are where they are looked for.
        """

    @abstractmethod
    def expectation(self, params: Params) -> Expectation:
        """What Great Expectations expects of the measure."""

    @abstractmethod
    def message(self, columns: Columns, params: Params) -> str:
        """The sentence that does not hold for a row that violates it."""


class _NotNull(Kind):
    """A value is there; "" is one."""

    def measure(self, columns: Columns, params: Params, cells: Sequence[pa.Array]) -> pa.Array:
        return _where(cells[0].is_valid(), pa.scalar(1.0))

    def expectation(self, params: Params) -> Expectation:
        return f"{_EXPECT}not_be_null", {}

    def message(self, columns: Columns, params: Params) -> str:
        return f"{columns[0].name} must have a value"


class _Between(Kind):
    """A number, date or time stands in a range, bounds included; NaN is in none."""

    params = ("minimum", "maximum")

    def problems(self, columns: Columns, params: Params, elsewhere: Elsewhere) -> Iterator[str]:
        for column in columns:
            if not _ordered(column):
                yield f"{column.name} ({column.field.type}) has no order"
                continue
            wrong = list(_wrong(column, [params.get(name) for name in self.params]))
            yield from wrong
            if not wrong:
                yield from _range([values.read(column, params.get(name)) for name in self.params])

    def measure(self, columns: Columns, params: Params, cells: Sequence[pa.Array]) -> pa.Array:
        """0 in the range, -1 below it, 1 above it."""
        column, value = columns[0], cells[0]
        below = _beyond(column, params.get("minimum"), value, pc.less)
        above = _beyond(column, params.get("maximum"), value, pc.greater)
        place = pc.subtract(above, below)
        if pa.types.is_floating(value.type):
            place = pc.if_else(pc.is_nan(value), pa.scalar(1.0), place)
        return place

    def expectation(self, params: Params) -> Expectation:
        return f"{_EXPECT}be_between", {"min_value": 0, "max_value": 0}

    def message(self, columns: Columns, params: Params) -> str:
        return f"{columns[0].name} must be {_range_text(params)}"


class _InSet(Kind):
    """A value is one of some."""

    params = ("values",)

    def problems(self, columns: Columns, params: Params, elsewhere: Elsewhere) -> Iterator[str]:
        allowed = params.get("values")
        if not isinstance(allowed, list | tuple) or not allowed:
            yield f"values = {_cut(allowed)} is no list of values"
            return
        if None in allowed:
            yield "null is no value of a set"
        for column in columns:
            yield from _wrong(column, allowed)

    def measure(self, columns: Columns, params: Params, cells: Sequence[pa.Array]) -> pa.Array:
        """Place in the set, -1 if it is not there."""
        allowed = [values.read(columns[0], value) for value in params["values"]]
        known = _plain(pa.array(allowed, cells[0].type))
        place = pc.fill_null(pc.index_in(_plain(cells[0]), known), -1)
        return _where(cells[0].is_valid(), place)

    def expectation(self, params: Params) -> Expectation:
        return f"{_EXPECT}be_between", {"min_value": 0}

    def message(self, columns: Columns, params: Params) -> str:
        shown = [str(value) for value in params["values"][:_SHOWN]]
        more = len(params["values"]) - len(shown)
        rest = f" or {more:,} more" if more else ""
        return f"{columns[0].name} must be one of {', '.join(shown)}{rest}"


class _Length(Kind):
    """A text has so many characters (code points)."""

    params = ("minimum", "maximum")

    def problems(self, columns: Columns, params: Params, elsewhere: Elsewhere) -> Iterator[str]:
        yield from _texts(columns)
        bounds = [params.get(name) for name in self.params]
        wrong = [b for b in bounds if b is not None and (type(b) is not int or b < 0)]
        yield from (f"{_cut(bound)} is no number of characters" for bound in wrong)
        if not wrong:
            yield from _range(bounds)

    def measure(self, columns: Columns, params: Params, cells: Sequence[pa.Array]) -> pa.Array:
        return pc.utf8_length(cells[0]).cast(pa.float64())

    def expectation(self, params: Params) -> Expectation:
        bounds = {"min_value": params.get("minimum"), "max_value": params.get("maximum")}
        return f"{_EXPECT}be_between", {k: v for k, v in bounds.items() if v is not None}

    def message(self, columns: Columns, params: Params) -> str:
        return f"{columns[0].name} must have {_range_text(params)} characters"


class _Regex(Kind):
    """A pattern of RE2 is found in a text; `^…$` has it match the whole of it."""

    params = ("pattern",)

    def problems(self, columns: Columns, params: Params, elsewhere: Elsewhere) -> Iterator[str]:
        yield from _texts(columns)
        pattern = params.get("pattern")
        if type(pattern) is not str:
            yield f"pattern = {_cut(pattern)} is no text"
            return
        try:
            pc.match_substring_regex(pa.array([""]), pattern)
        except (pa.ArrowInvalid, UnicodeEncodeError) as error:
            yield f"pattern {_cut(pattern)}: {error}"

    def measure(self, columns: Columns, params: Params, cells: Sequence[pa.Array]) -> pa.Array:
        return _number(pc.match_substring_regex(cells[0], params["pattern"]))

    def expectation(self, params: Params) -> Expectation:
        return f"{_EXPECT}be_in_set", {"value_set": [1]}

    def message(self, columns: Columns, params: Params) -> str:
        return f"{columns[0].name} must match {params['pattern']}"


class _Compare(Kind):
    """A value stands to another one of the row as an operator says."""

    joint = True
    params = ("operator",)

    def problems(self, columns: Columns, params: Params, elsewhere: Elsewhere) -> Iterator[str]:
        operator = params.get("operator")
        if operator not in [*SIGNS]:  # which may be no text
            yield f"operator = {_cut(operator)} is none of {', '.join(SIGNS)}"
        types = {str(column.field.type) for column in columns}
        if len(columns) != 2 or len(types) != 1:
            shown = ", ".join(f"{column.name} ({column.field.type})" for column in columns)
            yield f"{shown}: two columns of one type can be compared"
        elif operator not in ("=", "!=") and not _ordered(columns[0]):
            yield f"{columns[0].name} ({columns[0].field.type}) has no order"

    def measure(self, columns: Columns, params: Params, cells: Sequence[pa.Array]) -> pa.Array:
        """Sign of the first against the second, 2 where one of them alone is NaN."""
        first, second = (c.cast(pa.int8()) if pa.types.is_boolean(c.type) else c for c in cells)
        above, below = _number(pc.greater(first, second)), _number(pc.less(first, second))
        sign = pc.subtract(above, below)
        if not pa.types.is_floating(first.type):
            return sign
        return pc.if_else(pc.xor(pc.is_nan(first), pc.is_nan(second)), pa.scalar(2.0), sign)

    def expectation(self, params: Params) -> Expectation:
        return f"{_EXPECT}be_in_set", {"value_set": list(SIGNS[params["operator"]])}

    def message(self, columns: Columns, params: Params) -> str:
        return f"{columns[0].name} must be {params['operator']} {columns[1].name}"


class _Unique(Kind):
    """A value, or several together, is in one row of the table as it would be; where one is null, nothing is judged."""

    joint = True
    whole = True

    def measure(self, columns: Columns, params: Params, cells: Sequence[pa.Array]) -> pa.Array:
        return cells[0]

    def expectation(self, params: Params) -> Expectation:
        return f"{_EXPECT}be_between", {"max_value": 1}

    def message(self, columns: Columns, params: Params) -> str:
        names = " and ".join(column.name for column in columns)
        return f"{names} must be in one row only"


class _References(Kind):
    """A value is there in a column of another dataset."""

    whole = True
    params = ("dataset", "column")

    def problems(self, columns: Columns, params: Params, elsewhere: Elsewhere) -> Iterator[str]:
        dataset, name = (str(params.get(part)) for part in self.params)
        other = elsewhere(dataset, name)
        if other is None:
            yield f"there is no column {_cut(name)} in a dataset {_cut(dataset)}"
            return
        for column in columns:
            if column.field.type != other.field.type:
                types = f"{column.field.type}, {dataset}.{name} is {other.field.type}"
                yield f"{column.name} is {types}"

    def measure(self, columns: Columns, params: Params, cells: Sequence[pa.Array]) -> pa.Array:
        return cells[0]

    def expectation(self, params: Params) -> Expectation:
        return f"{_EXPECT}be_between", {"min_value": 1}

    def message(self, columns: Columns, params: Params) -> str:
        return f"{columns[0].name} must be a {params['column']} of {params['dataset']}"


KINDS: Mapping[RuleKind, Kind] = {
    "between": _Between(),
    "compare": _Compare(),
    "in_set": _InSet(),
    "length": _Length(),
    "not_null": _NotNull(),
    "references": _References(),
    "regex": _Regex(),
    "unique": _Unique(),
}


def _ordered(column: Column) -> bool:
    return is_numeric(column.field.type) or column.field.type in (DATE, TIMESTAMP)


def _texts(columns: Columns) -> Iterator[str]:
    for column in columns:
        if column.field.type != STRING:
            yield f"{column.name} ({column.field.type}) is no text"


def _wrong(column: Column, listed: Sequence[Any]) -> Iterator[str]:
    for value in listed:
        try:
            values.read(column, value)
        except GovernanceError as error:
            yield str(error)


def _range(bounds: Sequence[Any]) -> Iterator[str]:
    low, high = bounds
    if low is None and high is None:
        yield "neither minimum nor maximum is given"
    elif low is not None and high is not None and not low <= high:
        yield f"there is nothing from {low} to {high}"
    elif any(bound != bound for bound in bounds):  # noqa: PLR0124 - NaN
        yield "NaN is no bound"


def _beyond(column: Column, bound: Any, cells: pa.Array, is_beyond: Any) -> pa.Array:
    """1 where a value is beyond a bound, null where there is none."""
    if bound is None:
        return _where(cells.is_valid(), pa.scalar(0.0))
    return _number(is_beyond(cells, pa.scalar(values.read(column, bound), cells.type)))


def _number(holds: pa.Array) -> pa.Array:
    return pc.if_else(holds, pa.scalar(1.0), pa.scalar(0.0))


def _where(present: pa.Array, number: pa.Array | pa.Scalar) -> pa.Array:
    return pc.if_else(present, number, pa.scalar(None, pa.float64()))


def _plain(cells: pa.Array) -> pa.Array:
    """Without -0.0, which is 0.0."""
    return pc.add(cells, 0.0) if pa.types.is_floating(cells.type) else cells


def _range_text(params: Params) -> str:
    low, high = params.get("minimum"), params.get("maximum")
    if high is None:
        return f"at least {low}"
    return f"at most {high}" if low is None else f"from {low} to {high}"


def _cut(value: Any) -> str:
    shown = ascii(value)
    return shown if len(shown) <= 80 else f"{shown[:80]}…"
