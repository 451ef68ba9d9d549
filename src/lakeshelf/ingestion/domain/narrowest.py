"""The narrowest type that keeps every value of a column of text."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.ingestion.declared.instants import INSTANT
from lakeshelf.ingestion.domain.casting import PLAIN_NUMBER, typed
from lakeshelf.lake.form.kinds import MOST_DIGITS

_INTEGER = r"^(0|-?[1-9]\d*)$"
_FRACTION = rf"^{PLAIN_NUMBER}$"
_TRAILING_ZERO = r"\.\d*0$"
_SHORT = 15
"""Characters of a number that a double always shows again."""
_ANY_INTEGER = r"^-?\d+$"
_ANY_NUMBER = r"^-?\d+(\.\d+)?([eE][+-]?\d+)?$"

_BOUNDLESS = r"[eE][+-]?\d{5,}$"
"""Numbers that no type holds, which tell nothing of those beside them."""


def of_text(text: pa.Array, zone: str) -> pa.DataType:
    """Of values that the format told to be text: `"5"` is no number then, a day is a day.

    Args:
        text: The values.
        zone: Zone of times without an offset.
    """
    return _first_fitting(_distinct(text), (pa.date32(), INSTANT), zone)


def of_numbers(text: pa.Array, zone: str) -> pa.DataType:
    """Of values that the format told to be no text: numbers however they are written, or booleans."""
    values = _distinct(text)
    values = values.filter(pc.invert(pc.match_substring_regex(values, _BOUNDLESS)))
    if not len(values) or not _all(values, _ANY_NUMBER):
        return _first_fitting(values, (pa.bool_(), pa.date32(), INSTANT), zone)
    if _all(values, _ANY_INTEGER):
        return pa.int64() if _fits(values, pa.int64()) else pa.decimal128(MOST_DIGITS, 0)
    if _are_doubles(values):
        return pa.float64()
    numbers = [number for value in values.to_pylist() if (number := Decimal(value))]
    scale = max(-int(number.as_tuple().exponent) for number in numbers)
    whole = max(number.adjusted() + 1 for number in numbers)
    fits = max(scale, 0) + max(whole, 0) <= MOST_DIGITS
    return pa.decimal128(MOST_DIGITS, max(scale, 0) if fits else MOST_DIGITS // 2)


def of_anything(text: pa.Array, numbers: pa.Array, zone: str) -> pa.DataType:
    """Of values of which the format tells nothing: a number is what would be written just so again.

    Else it may be an identifier: `007`, `+49170`, `12E3` and what has more digits than a number keeps are text. So is
    a column in which two texts are one number, as `1.1` and `1.10`.

    Args:
        text: The values.
        numbers: The same, numbers with a point.
        zone: Zone of times without an offset.
    """
    values = _distinct(numbers)
    if len(values) and _all(values, _INTEGER):
        return pa.int64() if _fits(values, pa.int64()) else pa.string()
    if len(values) and _all(values, _FRACTION):
        return _fraction(values)
    return _first_fitting(_distinct(text), (pa.bool_(), pa.date32(), INSTANT), zone)


def _fraction(values: pa.Array) -> pa.DataType:
    if not _are_doubles(values):
        return pa.string()
    if not pc.any(pc.match_substring_regex(values, _TRAILING_ZERO)).as_py():
        return pa.float64()
    after = pc.replace_substring_regex(values, r"^[^.]*\.?", "")
    kind = pa.decimal128(MOST_DIGITS, min(pc.max(pc.utf8_length(after)).as_py(), MOST_DIGITS))
    decimals, _, _ = typed(values, kind)
    is_kept = not decimals.null_count and len(pc.unique(decimals)) == len(values)
    return kind if is_kept else pa.string()


def _are_doubles(values: pa.Array) -> bool:
    """Whether each number, as a double, is shown as the number that it was."""
    doubles, malformed, outside = typed(values, pa.float64())
    if pc.any(pc.or_(malformed, outside)).as_py():
        return False
    pairs = zip(doubles.to_pylist(), values.to_pylist(), strict=True)
    return all(
        len(text) <= _SHORT or Decimal(repr(value)) == Decimal(text) for value, text in pairs
    )


def _first_fitting(values: pa.Array, kinds: Sequence[pa.DataType], zone: str) -> pa.DataType:
    return next((k for k in kinds if len(values) and _fits(values, k, zone)), pa.string())


def _distinct(text: pa.Array) -> pa.Array:
    values = pc.unique(pc.utf8_trim_whitespace(text)).drop_null()
    return values.filter(pc.not_equal(values, ""))


def _all(values: pa.Array, form: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(values, form)).as_py())


def _fits(values: pa.Array, kind: pa.DataType, zone: str = "UTC") -> bool:
    _, malformed, outside = typed(values, kind, zone)
    return not pc.any(pc.or_(malformed, outside)).as_py()
