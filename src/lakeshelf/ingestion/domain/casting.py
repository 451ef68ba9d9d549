"""Text becomes typed values; what does not is told, value by value, without leaving Arrow."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.ingestion.declared.dialect import Dialect
from lakeshelf.ingestion.declared.instants import from_local
from lakeshelf.lake.form.kinds import MOST_DIGITS

PLAIN_NUMBER = r"(0|-?[1-9]\d*|-?(0|[1-9]\d*)\.\d+)"
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
_DIGITS = {pa.float64(): 15, pa.float32(): 6}
"""Digits that a float of the type always keeps."""
AT_ONCE = 65_536
"""Texts of which Python's own objects are made at a time."""
_MOST_DIGITS = 800
"""Digits that any float has at most."""
_LIMITS = {
    pa.types.is_date: ("0001-01-01", "9999-12-31"),
    pa.types.is_timestamp: ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"),
}


def typed(
    text: pa.Array, kind: pa.DataType, zone: str = "UTC"
) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Text as values of a type.

    Spaces around anything but a string do not count, and empty text is no value of anything else.

    Args:
        text: Strings.
        kind: The type wanted.
        zone: Zone of times without an offset.

    Returns:
        The values, null where there is none; where the text has not the form of the type; where it has the
        form and no value of the type is meant: too large, too fine, more digits than a float has, no such day, a
        time that the zone skips or has twice.
    """
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
    values = _values(pc.if_else(formed, text, None), kind, zone)
    return values, malformed, pc.and_(formed, pc.is_null(values))


def with_point(text: pa.ChunkedArray, dialect: Dialect) -> pa.ChunkedArray:
    """Numbers as they are written everywhere: with a point and without groups; what is no such number stays none.

    Args:
        text: Strings.
        dialect: How its numbers are written.
    """
    if dialect.thousands:
        group, point = re.escape(dialect.thousands), re.escape(dialect.decimal)
        grouped = rf"^\s*[+-]?\d{{1,3}}({group}\d{{3}})+({point}\d*)?\s*$"
        whole = pc.replace_substring(text, dialect.thousands, "")
        text = pc.if_else(pc.match_substring_regex(text, grouped), whole, text)
    if dialect.decimal == ".":
        return text
    # A point is no part of such a number: what has one must not become another number.
    return pc.replace_substring(pc.replace_substring(text, ".", "?"), dialect.decimal, ".")


def only_plain(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """Numbers that would be written just so again; what may be an identifier, as `007` or `+1`, is made none."""
    plain = pc.match_substring_regex(text, rf"^\s*({PLAIN_NUMBER})?\s*$")
    return pc.if_else(plain, text, pc.binary_join_element_wise("?", text, ""))


def within_calendar(values: pa.Array) -> pa.Array:
    """Where a date or an instant lies in the years 1 to 9999, which all engines have; true of other types."""
    for fits, limits in _LIMITS.items():
        if fits(values.type):
            low, high = (pa.scalar(limit).cast(values.type) for limit in limits)
            inside = pc.and_(pc.greater_equal(values, low), pc.less_equal(values, high))
            return inside.fill_null(True)
    return pa.repeat(True, len(values))


def _values(text: pa.Array, kind: pa.DataType, zone: str) -> pa.Array:
    """Each distinct text is cast once; null where it cannot be."""
    encoded = text.dictionary_encode()
    distinct = _of_distinct(encoded.dictionary, kind, zone)
    distinct = pc.if_else(within_calendar(distinct), distinct, None)
    return distinct.take(encoded.indices)


def _of_distinct(text: pa.Array, kind: pa.DataType, zone: str) -> pa.Array:
    if pa.types.is_floating(kind):
        return _floats(text, kind)
    if pa.types.is_decimal(kind):
        return _decimals(text, kind)
    if not pa.types.is_timestamp(kind):
        return _cast_or_null(_normal(text, kind), kind)
    has_offset = pc.match_substring_regex(text, r":\d{2}.*" + _OFFSET)
    local = _cast_or_null(_timed(pc.if_else(has_offset, None, text)), pa.timestamp("us"))
    if kind.tz is None:
        return local
    instants = _cast_or_null(pc.if_else(has_offset, text, None), kind)
    return pc.coalesce(instants, from_local(local, zone))


def _decimals(text: pa.Array, kind: pa.DataType) -> pa.Array:
    """Decimals that are the numbers that stand there; null where there is none.

    Arrow overflows without a word where a number has an exponent or more digits than 38 on its way.
    """
    whole = kind.precision - kind.scale
    short = rf"^[+-]?\d{{0,{whole}}}(\.\d{{0,{MOST_DIGITS - whole}}})?$"
    is_short = pc.match_substring_regex(text, short)
    values = _cast_or_null(pc.if_else(is_short, text, None), kind)
    long = pc.if_else(is_short, None, text)
    if long.null_count == len(long):
        return values
    exact = [None if one is None else _decimal(Decimal(one), kind) for one in long.to_pylist()]
    return pc.coalesce(values, pa.array(exact, kind))


def _decimal(number: Decimal, kind: pa.DataType) -> Decimal | None:
    """A number that a type holds without loss, else None."""
    sign, digits, exponent = number.as_tuple()
    significant = "".join(map(str, digits)).rstrip("0")
    exponent = int(exponent) + len(digits) - len(significant)
    if not significant:
        return Decimal(0)
    fits = exponent >= -kind.scale and len(significant) + exponent <= kind.precision - kind.scale
    return Decimal(f"{'-' * sign}{significant.lstrip('0')}E{exponent}") if fits else None


def _floats(text: pa.Array, kind: pa.DataType) -> pa.Array:
    """Floats whose digits are those of the text, however many it gives; null where they would be others."""
    values = _cast_or_null(text, kind)
    values = pc.if_else(pc.is_finite(values), values, None)
    digits = pc.replace_substring_regex(text, r"[eE].*|[^0-9eE]", "")
    is_long = pc.greater(pc.utf8_length(digits), _DIGITS.get(kind, 0))
    is_tiny = pc.and_(pc.equal(values, 0), pc.match_substring_regex(digits, "[1-9]"))
    doubtful = pc.or_(is_long, is_tiny).fill_null(False)
    if not pc.any(doubtful).as_py():
        return values
    parts = [
        _kept(*(column.slice(start, AT_ONCE) for column in (values, text, doubtful)))
        for start in range(0, len(text), AT_ONCE)
    ]
    return pc.if_else(pa.concat_arrays(parts), values, None)


def _kept(values: pa.Array, text: pa.Array, doubtful: pa.Array) -> pa.BooleanArray:
    """Where a float is the number of its text; those that are not doubtful are."""
    pairs = zip(values.to_pylist(), text.to_pylist(), doubtful.to_pylist(), strict=True)
    kept = [value is not None and (not ask or _has_digits(value, t)) for value, t, ask in pairs]
    return pa.array(kept, pa.bool_())


def _has_digits(value: float, text: str) -> bool:
    """Whether a text is the number of a float: its own text, or its digits, as many as the text has."""
    number = Decimal(text)
    if Decimal(repr(value)) == number:
        return True
    digits = len(number.as_tuple().digits)
    return digits <= _MOST_DIGITS and Decimal(f"{value:.{max(digits, 1) - 1}e}") == number


def _normal(text: pa.Array, kind: pa.DataType) -> pa.Array:
    """Text in the words that Arrow reads."""
    if pa.types.is_integer(kind):
        return pc.replace_substring_regex(text, r"^\+", "")
    if pa.types.is_boolean(kind):
        return pc.utf8_lower(text)
    return text


def _timed(text: pa.Array) -> pa.Array:
    """A day as its first instant."""
    whole = pc.binary_join_element_wise(text, pa.scalar("T00:00:00"), "")
    return pc.if_else(pc.match_substring_regex(text, rf"^{_DATE}$"), whole, text)


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
