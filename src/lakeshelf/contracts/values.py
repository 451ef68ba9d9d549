"""JSON values of each contract type: what is accepted, and what it means.

Strict, with nothing converted: `2.0` and `"2"` are no integers, `5` is no string, and a time
without a zone is no time.
"""

from __future__ import annotations

import base64
import binascii
import decimal
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from lakeshelf.contracts.types import (
    BINARY,
    BOOLEAN,
    DATE,
    DOUBLE,
    LONG,
    STRING,
    TIMESTAMP,
    Decimal,
    ListOf,
    Scalar,
    Struct,
    Type,
)

MIN_LONG = -(2**63)
MAX_LONG = 2**63 - 1
FIRST_TIME = datetime.min.replace(tzinfo=UTC)
LAST_TIME = datetime.max.replace(tzinfo=UTC)
"""What a time outside the calendar in UTC is read as."""

DATE_PATTERN = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"


def time_pattern(digits: int) -> str:
    """What a time has behind its date, with at most so many digits of a second's fraction."""
    return (
        rf"T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{{1,{digits}}})?)?"
        r"(Z|[+-](0[0-9]|1[0-7])(:?[0-5][0-9])?|[+-]18(:?00)?)"
    )


TIME_PATTERN = time_pattern(digits=9)

_DATE = re.compile(DATE_PATTERN)
_TIME = re.compile(DATE_PATTERN + TIME_PATTERN)


def read(type_: Type, value: Any) -> Any:
    """The Python value that a decoded JSON value stands for.

    Returns:
        `str`, `int`, `float`, `bool`, `date`, `datetime` (UTC), `bytes`, `decimal.Decimal`
        (rounded half up to the type's scale), or a list of these or of dicts. Fractions of a
        second beyond microseconds are cut off.

    Raises:
        ValueError: The value is not of the type.
    """
    if isinstance(type_, ListOf):
        return [read(type_.element, element) for element in _of(list, value)]
    if isinstance(type_, Struct):
        return read_fields(type_, _of(dict, value))
    if isinstance(type_, Decimal):
        return _decimal(type_, value)
    return _SCALARS[type_](value)


def read_fields(struct: Struct, value: dict[str, Any]) -> dict[str, Any]:
    """The declared fields of an object, None where absent; undeclared ones are left out."""
    return {
        field.name: None if value.get(field.name) is None else read(field.type, value[field.name])
        for field in struct.fields
    }


def is_of(type_: Type, value: Any) -> bool:
    """Whether a decoded JSON value is of the type."""
    try:
        read(type_, value)
    except ValueError:
        return False
    return True


def _of(class_: type, value: Any) -> Any:
    if type(value) is not class_:
        raise ValueError(f"not a {class_.__name__}")
    return value


def _long(value: Any) -> int:
    number: int = _of(int, value)
    if not MIN_LONG <= number <= MAX_LONG:
        raise ValueError("not a 64 bit integer")
    return number


def _number(value: Any) -> int | float:
    if type(value) not in (int, float):
        raise ValueError("not a number")
    number: int | float = value
    return number


def _decimal(type_: Decimal, value: Any) -> decimal.Decimal:
    step = decimal.Decimal(1).scaleb(-type_.scale)
    exact = decimal.Decimal(repr(_number(value)))
    context = decimal.Context(prec=400, rounding=decimal.ROUND_HALF_UP)
    rounded = exact.quantize(step, context=context)
    if abs(rounded) >= decimal.Decimal(10) ** (type_.precision - type_.scale):
        raise ValueError(f"too large for {type_}")
    return rounded


def _date(value: Any) -> date:
    if not _DATE.fullmatch(_of(str, value)):
        raise ValueError("not a date")
    return date.fromisoformat(value)


def _timestamp(value: Any) -> datetime:
    if not _TIME.fullmatch(_of(str, value)):
        raise ValueError("not a time with a zone")
    time = datetime.fromisoformat(value)
    try:
        return time.astimezone(UTC)
    except OverflowError:
        return FIRST_TIME if time.year == FIRST_TIME.year else LAST_TIME


def _binary(value: Any) -> bytes:
    try:
        return base64.b64decode(_of(str, value), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


_SCALARS: dict[Scalar, Callable[[Any], Any]] = {
    STRING: lambda value: _of(str, value),
    LONG: _long,
    DOUBLE: lambda value: float(_number(value)),
    BOOLEAN: lambda value: _of(bool, value),
    DATE: _date,
    TIMESTAMP: _timestamp,
    BINARY: _binary,
}
