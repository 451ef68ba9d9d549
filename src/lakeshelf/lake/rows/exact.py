"""Comparisons in values that a column can hold, with the same meaning: a price of two decimals is never 1.005.

An engine that is given another value casts it to the column's type first, or the column to the value's, and rounds.
So a value that the column cannot hold is replaced by its neighbours that it can: `< 1.005` becomes `<= 1.00`.
"""

from __future__ import annotations

import decimal
import math
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from lakeshelf.lake.place.errors import PredicateError

Number = int | float | Decimal
Around = tuple[Any, Any]
"""The greatest value of a column that is not above a value, and the least that is not below; None: there is none."""
NEVER: tuple[str, tuple[Any, ...]] = ("in", ())
IF_THERE: tuple[str, tuple[Any, ...]] = ("is not null", ())
_CONTEXT = decimal.Context(prec=100, Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX)


def compared(op: str, values: Sequence[Any], kind: pa.DataType) -> tuple[str, tuple[Any, ...]]:
    """Operator and values that choose the same rows of a column, the values being some that it can hold.

    Args:
        op: Operator.
        values: What a column is compared with; the type of each is one that it can be compared with.
        kind: Type of the column.

    Raises:
        PredicateError: A text that is no Unicode, or a time beyond the years 1 to 9999 in UTC.
    """
    places = [around(value, kind) for value in values]
    held = tuple(below for below, above in places if below is not None and below == above)
    if op in ("in", "not in"):
        return op, held
    return _nearest(op, *places[0])


def around(value: Any, kind: pa.DataType) -> Around:
    """The values of a column on both sides of a value; twice the same where it is one of them."""
    return next(neighbours(value, kind) for is_such, neighbours in _AROUND if is_such(kind))


def _nearest(op: str, below: Any, above: Any) -> tuple[str, tuple[Any, ...]]:
    if below is not None and below == above:
        return op, (below,)
    if op in ("=", "!="):
        return NEVER if op == "=" else IF_THERE
    bound, widened = (below, "<=") if op in ("<", "<=") else (above, ">=")
    return NEVER if bound is None else (widened, (bound,))


def _integer(value: Number, kind: pa.DataType) -> Around:
    most = 2 ** (kind.bit_width - 1) - 1
    outside = _outside(value, -most - 1, most)
    return outside or (math.floor(value), math.ceil(value))


def _decimal(value: Number, kind: pa.DataType) -> Around:
    most = Decimal((0, (9,) * kind.precision, -kind.scale))
    outside = _outside(value, most.copy_negate(), most)
    if outside:
        return outside
    number, unit = Decimal(value), Decimal((0, (1,), -kind.scale))
    return (
        _without_sign_of_zero(number.quantize(unit, decimal.ROUND_FLOOR, _CONTEXT)),
        _without_sign_of_zero(number.quantize(unit, decimal.ROUND_CEILING, _CONTEXT)),
    )


def _float(value: Number, _: pa.DataType) -> Around:
    try:
        near = float(value)
    except OverflowError:
        near = math.inf if value > 0 else -math.inf
    below = near if near <= value else math.nextafter(near, -math.inf)
    above = near if near >= value else math.nextafter(near, math.inf)
    return below, above


def _outside(value: Number, least: Number, most: Number) -> Around | None:
    if value < least:
        return None, least
    return (most, None) if value > most else None


def _without_sign_of_zero(number: Decimal) -> Decimal:
    return number if number else number.copy_abs()


def _text(value: str, _: pa.DataType) -> Around:
    plain = str.__str__(value)
    try:
        plain.encode()
    except UnicodeEncodeError:
        raise PredicateError(
            f"a condition has {value!r}, which is no text", hint="give text that is Unicode"
        ) from None
    return plain, plain


def _bytes(value: bytes, _: pa.DataType) -> Around:
    return bytes(value), bytes(value)


def _date(value: date, _: pa.DataType) -> Around:
    plain = date(value.year, value.month, value.day)
    return plain, plain


def _time(value: datetime, _: pa.DataType) -> Around:
    if value.tzinfo is None:
        return value, value
    try:
        instant = value.astimezone(UTC)
    except OverflowError:
        raise PredicateError(
            f"a condition has {value.isoformat()}, which lies beyond the years 1 to 9999 in UTC",
            hint="give a time within the years 1 to 9999 in UTC",
        ) from None
    return instant, instant


_AROUND: tuple[tuple[Callable[[pa.DataType], bool], Callable[[Any, pa.DataType], Around]], ...] = (
    (pa.types.is_boolean, lambda value, _: (value, value)),
    (pa.types.is_integer, _integer),
    (pa.types.is_decimal, _decimal),
    (pa.types.is_floating, _float),
    (pa.types.is_date, _date),
    (pa.types.is_timestamp, _time),
    (lambda kind: pa.types.is_binary(kind) or pa.types.is_binary_view(kind), _bytes),
    (lambda _: True, _text),
)
