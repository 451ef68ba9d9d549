"""Decoded messages as Arrow columns, and what must hold for them to say what was written.

Texts, whole numbers and the like are what they are. A time is read as text, since no reader takes
exactly the forms of the contract, and a decimal as a double, which counts only if it has no more
digits than the type.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from operator import attrgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.contracts import TIMESTAMP, Decimal, Field, ListOf, Struct
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.contracts.types import Type
from lakeshelf.contracts.values import DATE_PATTERN, FIRST_TIME, LAST_TIME, time_pattern

TIME = rf"\A{DATE_PATTERN}{time_pattern(digits=6)}\z"
EXACT_DIGITS = 15
"""Numbers of so many digits have a double each of their own."""
TIMES = arrow_contract.data_type(TIMESTAMP)
FIRST, LAST = (pa.scalar(time, TIMES) for time in (FIRST_TIME, LAST_TIME))


def columns(
    fields: Sequence[Field], objects: Sequence[Any]
) -> tuple[list[pa.Array], list[pa.Array]]:
    """A column a field, and truth values of the objects, all of which must hold.

    Args:
        fields: What to read.
        objects: Objects with an attribute a field.
    """
    read = [_column(field.type, list(map(attrgetter(field.name), objects))) for field in fields]
    return [values for values, _ in read], [one for _, held in read for one in held]


def _column(type_: Type, written: list[Any]) -> tuple[pa.Array, list[pa.Array]]:
    if isinstance(type_, ListOf):
        return _lists(type_, written)
    if isinstance(type_, Struct):
        arrays, held = columns(type_.fields, written)
        schema = arrow_contract.schema(type_.fields)
        return pa.StructArray.from_arrays(arrays, fields=list(schema)), held
    if isinstance(type_, Decimal):
        return _decimals(type_, pa.array(written, pa.float64()))
    if type_ == TIMESTAMP:
        return _times(pa.array(written, pa.string()))
    return pa.array(written, arrow_contract.data_type(type_)), []


def _lists(type_: ListOf, written: list[Any]) -> tuple[pa.Array, list[pa.Array]]:
    lists = [elements or () for elements in written]
    offsets = list(accumulate(map(len, lists), initial=0))
    flat, held = _column(type_.element, [element for elements in lists for element in elements])
    absent = pa.array([elements is None for elements in written], pa.bool_())
    values = pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()), flat, arrow_contract.data_type(type_), mask=absent
    )
    return values, [_in_all(offsets, one) for one in held if not pc.all(one).as_py()]


def _in_all(offsets: list[int], held: pa.Array) -> pa.Array:
    """Whether it holds for all elements of each list."""
    flags = held.to_pylist()
    return pa.array([all(flags[start:end]) for start, end in pairwise(offsets)], pa.bool_())


def _times(texts: pa.Array) -> tuple[pa.Array, list[pa.Array]]:
    absent, formed = pc.is_null(texts), pc.match_substring_regex(texts, TIME)
    times = _read(texts if pc.all(formed).as_py() else pc.if_else(formed, texts, None))
    within = pc.and_(pc.greater_equal(times, FIRST), pc.less_equal(times, LAST))
    return times, [pc.or_(absent, pc.fill_null(within, False))]


def _read(texts: pa.Array) -> pa.Array:
    """The times that texts name; null where there is no such day."""
    try:
        return texts.cast(TIMES)
    except pa.ArrowInvalid:
        if len(texts) == 1:
            return pa.nulls(1, TIMES)
    middle = len(texts) // 2
    return pa.concat_arrays([_read(texts[:middle]), _read(texts[middle:])])


def _decimals(type_: Decimal, numbers: pa.Array) -> tuple[pa.Array, list[pa.Array]]:
    unit = float(10**type_.scale)
    units = pc.round(pc.multiply(numbers, unit))
    exact = pc.and_(
        pc.equal(pc.divide(units, unit), numbers),
        pc.less(pc.abs(units), float(10 ** min(type_.precision, EXACT_DIGITS))),
    )
    values = pc.if_else(exact, numbers, None).cast(arrow_contract.data_type(type_))
    return values, [pc.fill_null(exact, True)]
