"""Text becomes typed values; what does not is told, value by value, without leaving Arrow."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

_DATE = r"\d{4}-\d{2}-\d{2}"
_OFFSET = r"(Z|[+-]\d{2}(:?\d{2})?)$"
_FORMS: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (pa.types.is_integer, r"^[+-]?\d{1,30}$"),
    (pa.types.is_floating, r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?$"),
    (pa.types.is_decimal, r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?$"),
    (pa.types.is_boolean, r"^(?i:true|false)$"),
    (pa.types.is_date, rf"^{_DATE}$"),
    (pa.types.is_timestamp, rf"^{_DATE}([T ]\d{{2}}:\d{{2}}(:\d{{2}}(\.\d{{1,6}})?)?{_OFFSET[:-1]}?)?$"),
    (pa.types.is_binary, r"^[A-Za-z0-9+/]*={0,2}$"),
)  # fmt: skip
_LIMITS = {
    pa.types.is_date: ("0001-01-01", "9999-12-31"),
    pa.types.is_timestamp: ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"),
}


def typed(text: pa.Array, kind: pa.DataType) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Text as values of a type.

    A time without an offset is UTC; spaces around anything but a string do not count; empty text is null.

    Args:
        text: Strings.
        kind: The type wanted.

    Returns:
        The values, null where there is none; where the text has not the form of the type; where it has the
        form and no value of the type is meant (too large, too fine, no such day).
    """
    text = pc.if_else(pc.equal(text, ""), None, text)
    never = pa.nulls(len(text), pa.bool_()).fill_null(False)
    if pa.types.is_string(kind):
        return text, never, never
    text = pc.utf8_trim_whitespace(text)
    text = pc.if_else(pc.equal(text, ""), None, text)
    form = next((form for fits, form in _FORMS if fits(kind)), None)
    if form is None:
        return pa.nulls(len(text), kind), pc.is_valid(text), never
    formed = pc.match_substring_regex(text, form).fill_null(False)
    malformed = pc.and_(pc.is_valid(text), pc.invert(formed))
    values = _values(pc.if_else(formed, text, None), kind)
    return values, malformed, pc.and_(formed, pc.is_null(values))


def within_calendar(values: pa.Array) -> pa.Array:
    """Where a date or an instant lies in the years 1 to 9999, which all engines have; true of other types."""
    for fits, limits in _LIMITS.items():
        if fits(values.type):
            low, high = (pa.scalar(limit).cast(values.type) for limit in limits)
            inside = pc.and_(pc.greater_equal(values, low), pc.less_equal(values, high))
            return inside.fill_null(True)
    return pa.repeat(True, len(values))


def _values(text: pa.Array, kind: pa.DataType) -> pa.Array:
    """Each distinct text is cast once; null where it cannot be."""
    found = text.dictionary_encode()
    distinct = _cast_or_null(_normal(found.dictionary, kind), kind)
    if pa.types.is_floating(kind):
        distinct = pc.if_else(pc.is_finite(distinct), distinct, None)
    distinct = pc.if_else(within_calendar(distinct), distinct, None)
    return distinct.take(found.indices)


def _normal(text: pa.Array, kind: pa.DataType) -> pa.Array:
    """Text in the words that Arrow reads."""
    if pa.types.is_integer(kind):
        return pc.replace_substring_regex(text, r"^\+", "")
    if pa.types.is_boolean(kind):
        return pc.utf8_lower(text)
    if not pa.types.is_timestamp(kind):
        return text
    whole = pc.binary_join_element_wise(text, pa.scalar("T00:00:00Z"), "")
    utc = pc.binary_join_element_wise(text, pa.scalar("Z"), "")
    timed = pc.if_else(pc.match_substring_regex(text, r":\d{2}.*" + _OFFSET), text, utc)
    return pc.if_else(pc.match_substring_regex(text, rf"^{_DATE}$"), whole, timed)


def _cast_or_null(text: pa.Array, kind: pa.DataType) -> pa.Array:
    """Cast, halving what fails until the culprits stand alone."""
    if pa.types.is_binary(kind):
        return pa.array([_decoded(value) for value in text.to_pylist()], kind)
    try:
        return pc.cast(text, kind)
    except pa.ArrowInvalid:
        if len(text) == 1:
            return pa.nulls(1, kind)
        half = len(text) // 2
        halves = [_cast_or_null(part, kind) for part in (text[:half], text[half:])]
        return pa.concat_arrays(halves)


def _decoded(text: str | None) -> bytes | None:
    try:
        return None if text is None else base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
