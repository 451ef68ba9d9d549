"""What Delta has no type or name for, and the way out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa

FORBIDDEN = frozenset(" ,;{}()\n\t=")
"""Characters that Delta refuses in the name of a column."""
MOST_DIGITS = 38
DIGITS_OF_STATISTICS = 15
"""Digits of decimals in statistics of files, which delta-rs writes as doubles."""
_SQL_NAMES = {
    pa.int8(): "tinyint",
    pa.int16(): "smallint",
    pa.int32(): "int",
    pa.int64(): "bigint",
    pa.float32(): "float",
    pa.bool_(): "boolean",
    pa.date32(): "date",
}
"""Names of types in SQL, where Arrow has others."""
RESERVED = ("_change_type", "_commit_version", "_commit_timestamp")
"""Columns of the change feed."""


def refused(kind: pa.DataType) -> str | None:
    """Why Delta cannot keep values of a type, nested ones included; None: it can."""
    for part in (kind, *inner(kind)):
        for is_such, reason in _REFUSED:
            if is_such(part):
                return f"{part}: {reason}"
    return None


def has_untold(kind: pa.DataType) -> bool:
    """Whether a type, or one in it, is the null type, which says nothing of its values."""
    return any(pa.types.is_null(part) for part in (kind, *inner(kind)))


def has_no_exact_statistics(kind: pa.DataType) -> bool:
    """Whether statistics of files may say of values that are there that they are not, or have no place for them."""
    rounded = pa.types.is_decimal(kind) and kind.precision > DIGITS_OF_STATISTICS
    return bool(rounded or pa.types.is_nested(kind))


def bad_name(field: pa.Field) -> str | None:
    """What is wrong with the name of a column, or of a field in it; None: nothing."""
    name = field.name
    if name in RESERVED:
        return f"{name!r} is a column of the change feed; drop it, or rename it"
    if not name or set(name) & FORBIDDEN:
        return f"{name!r} has a character that Delta refuses in names"
    parts = list(field.type) if pa.types.is_struct(field.type) else []
    if pa.types.is_list(field.type):
        parts = [pa.field("element", field.type.value_type)]
    if pa.types.is_map(field.type):
        parts = [pa.field("k", field.type.key_type), pa.field("v", field.type.item_type)]
    folded = [f.name.lower() for f in parts]
    if len(set(folded)) < len(folded):
        return f"{name!r} has a field twice; capitals do not count"
    return next((reason for f in parts if (reason := bad_name(f))), None)


def sql_name(kind: pa.DataType) -> str:
    """The name of a type in SQL, as contracts and their documentation write it: `bigint`, `array<string>`."""
    if pa.types.is_list(kind):
        return f"array<{sql_name(kind.value_type)}>"
    if pa.types.is_map(kind):
        return f"map<{sql_name(kind.key_type)},{sql_name(kind.item_type)}>"
    if pa.types.is_struct(kind):
        return f"struct<{','.join(f'{field.name}:{sql_name(field.type)}' for field in kind)}>"
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if pa.types.is_timestamp(kind):
        return "timestamp" if kind.tz else "timestamp_ntz"
    return _SQL_NAMES.get(kind, str(kind))


def inner(kind: pa.DataType) -> Iterator[pa.DataType]:
    """Types that a type is made of, at any depth."""
    for place in range(kind.num_fields):
        part = kind.field(place).type
        yield part
        yield from inner(part)


def _has_too_many_digits(kind: pa.DataType) -> bool:
    return bool(pa.types.is_decimal(kind) and (kind.precision > MOST_DIGITS or kind.scale < 0))


def _is_hollow(kind: pa.DataType) -> bool:
    return bool(pa.types.is_struct(kind) and kind.num_fields == 0)


_REFUSED: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (pa.types.is_uint64, "Delta has no unsigned numbers; cast it to int64 or decimal(20, 0)"),
    (pa.types.is_time, "Delta has no time of day; cast it to text or to microseconds as int64"),
    (pa.types.is_duration, "Delta has no durations; cast it to microseconds as int64"),
    (pa.types.is_interval, "Delta has no intervals; cast it to text"),
    (pa.types.is_union, "Delta has no unions; split it into columns"),
    (_is_hollow, "files have no structs without fields; give it one, or leave it out"),
    (_has_too_many_digits, f"Delta has {MOST_DIGITS} digits; write it as text or double"),
)
