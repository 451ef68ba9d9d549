"""Values of cells: what JSON stands for, how it is shown, and when two are the same.

docs/design/governance.md#values
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Context
from decimal import Decimal as Exact
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.contracts import values as contract_values
from lakeshelf.contracts.types import (
    BINARY,
    BOOLEAN,
    DATE,
    DOUBLE,
    LONG,
    STRING,
    TIMESTAMP,
    Decimal,
    Scalar,
    Type,
)
from lakeshelf.contracts.values import DATE_PATTERN, MAX_LONG, MIN_LONG, time_pattern
from lakeshelf.governance.domain.definition import Column
from lakeshelf.governance.errors import refused

SAFE_INTEGER = 2**53
"""Largest integer that every program reads digit by digit from JSON."""
_LONG = re.compile(r"-?(?:0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)(?:\.([0-9]+))?")
_TIME = re.compile(DATE_PATTERN + time_pattern(digits=6))
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_JSON = json.JSONEncoder(ensure_ascii=False).encode
_SHOWN = 80
_LONGEST_NUMBER = 100
_EXACT = Context(prec=2 * _LONGEST_NUMBER)
_HINTS: dict[Type, str] = {
    STRING: "give a text without NUL",
    LONG: f"give a whole number from {MIN_LONG} to {MAX_LONG}, as a text beyond {SAFE_INTEGER}",
    DOUBLE: 'give a number, "NaN", "Infinity" or "-Infinity"',
    BOOLEAN: "give true or false",
    DATE: "give a date such as 2017-01-31",
    TIMESTAMP: "give a time with its zone, such as 2017-01-31T08:00:00Z, of microseconds at most",
    BINARY: "give bytes as base64",
}


def read(column: Column, value: Any) -> Any:
    """The value that a JSON scalar stands for in a column.

    Returns:
        `str`, `int`, `float`, `bool`, `date`, `datetime` (UTC), `bytes`, `decimal.Decimal` (in the scale of the
        column) or None. Nothing is rounded; -0.0 is read as 0.0.

    Raises:
        GovernanceError: `value_invalid`.
    """
    if value is None:
        return None
    type_ = column.field.type
    try:
        return (
            _decimal(type_, value) if isinstance(type_, Decimal) else _READ[_scalar(type_)](value)
        )
    except ValueError as error:
        raise refused(
            "value_invalid",
            f"{column.name} = {_cut(value)} is not {type_}: {error}",
            hint=_HINTS.get(type_, f"give a text of digits that fits {type_}"),
            column=column.name,
            value=_cut(value),
        ) from error


def shown(column: Column, value: Any) -> Any:
    """The JSON scalar for a value of a column; `read` takes it back."""
    return None if value is None else _shown_as(column)(value)


def text_of(column: Column, value: Any) -> str:
    """The JSON text of a value: `null`, `""` and `"null"` are three."""
    return _JSON(shown(column, value))


def of_text(column: Column, text: str) -> Any:
    """The value of a JSON text that `text_of` made.

    Raises:
        GovernanceError: `value_invalid`.
    """
    return read(column, json.loads(text))


def texts(column: Column, values: pa.Array) -> list[str]:
    """The JSON texts of the values of a column."""
    show = _shown_as(column)
    return ["null" if value is None else _JSON(show(value)) for value in values.to_pylist()]


def whole(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece, which is not copied where it is one already."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def same(left: pa.Array, right: pa.Array) -> pa.BooleanArray:
    """Whether two arrays of one type are the same at each position: NaN equals NaN, and null only null; never null."""
    alike = pc.equal(left, right)
    if pa.types.is_floating(left.type):
        alike = pc.or_(alike, pc.and_(pc.is_nan(left), pc.is_nan(right)))
    both_null = pc.and_(left.is_null(), right.is_null())
    return pc.or_(pc.fill_null(alike, False), both_null)


def _scalar(type_: Type) -> Scalar:
    if not isinstance(type_, Scalar):
        raise ValueError("no type of a cell")
    return type_


def _text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError("no text")
    if "\0" in value:
        raise ValueError("it holds NUL")
    value.encode()  # half a surrogate pair is a UnicodeEncodeError, which is a ValueError
    return value


def _digits(value: Any, pattern: re.Pattern[str]) -> re.Match[str]:
    text = str(value) if type(value) is int else value
    if type(text) is not str or len(text) > _LONGEST_NUMBER:
        raise ValueError("neither a whole number nor a text of digits")
    if not (match := pattern.fullmatch(text)):
        raise ValueError("there is more than digits in it")
    return match


def _long(value: Any) -> int:
    number = int(_digits(value, _LONG)[0])
    if not MIN_LONG <= number <= MAX_LONG:
        raise ValueError("too large")
    return number


def _decimal(type_: Decimal, value: Any) -> Exact:
    match = _digits(value, _DECIMAL)
    whole, behind = match[1].lstrip("0"), (match[2] or "").rstrip("0")
    if len(behind) > type_.scale or len(whole) > type_.precision - type_.scale:
        raise ValueError("too many digits")
    number = Exact(match[0]).quantize(Exact(1).scaleb(-type_.scale), context=_EXACT)
    return number if number else abs(number)


def _double(value: Any) -> float:
    if type(value) is str and value in _NOT_FINITE:
        return _NOT_FINITE[value]
    if type(value) not in (int, float):
        raise ValueError("no number")
    try:
        number = float(value)
    except OverflowError as error:
        raise ValueError("too large") from error
    if not math.isfinite(number):
        raise ValueError("too large, or written otherwise than as a text")
    if number != value:
        raise ValueError("too many digits")
    return number + 0.0


def _timestamp(value: Any) -> datetime:
    if not _TIME.fullmatch(_text(value)):
        raise ValueError("no time with a zone and at most six digits of a second's fraction")
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("outside the calendar in UTC") from error


_READ: dict[Scalar, Callable[[Any], Any]] = {
    STRING: _text,
    LONG: _long,
    DOUBLE: _double,
    BOOLEAN: lambda value: contract_values.read(BOOLEAN, value),
    DATE: lambda value: contract_values.read(DATE, value),
    TIMESTAMP: _timestamp,
    BINARY: lambda value: contract_values.read(BINARY, value),
}


def _shown_as(column: Column) -> Callable[[Any], Any]:
    type_ = column.field.type
    if isinstance(type_, Decimal):
        return lambda value: format(value if value else abs(value), "f")
    return _SHOW[cast("Scalar", type_)]


def _shown_double(value: float) -> float | str:
    if math.isfinite(value):
        return value + 0.0
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _shown_binary(value: bytes) -> str:
    return base64.b64encode(value).decode()


_SHOW: dict[Scalar, Callable[[Any], Any]] = {
    STRING: lambda value: value,
    LONG: lambda value: value if abs(value) <= SAFE_INTEGER else str(value),
    DOUBLE: _shown_double,
    BOOLEAN: lambda value: value,
    DATE: lambda value: value.isoformat(),
    TIMESTAMP: lambda value: value.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    BINARY: _shown_binary,
}


def _cut(value: Any) -> str:
    """The value as JSON, cut; a number of very many digits by its length."""
    if type(value) is int and value.bit_length() > 8 * _SHOWN:
        return "a number of very many digits"
    text = json.dumps(value, ensure_ascii=True, default=repr)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
