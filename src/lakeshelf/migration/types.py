"""Types: which Delta type keeps every value of a parquet type, and which keeps those of two."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from lakeshelf.lake.form.kinds import MOST_DIGITS, refused
from lakeshelf.lake.form.schemas import is_lossless, plain

PARTITION_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "int8": pa.int8(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
}
"""Types that `--partition column:type` knows."""


class Unfit(Exception):  # noqa: N818 - no fault: an answer that the plan lists
    """A type or name that Delta does not have, and the way out."""


def delta_type(kind: pa.DataType, *, assume_utc: bool) -> pa.DataType:
    """The Delta type, as Arrow has it, that keeps every value of a type.

    Args:
        kind: The type.
        assume_utc: Whether times without a zone are UTC.

    Raises:
        Unfit: There is none.
    """
    if isinstance(kind, pa.BaseExtensionType):
        return delta_type(kind.storage_type, assume_utc=assume_utc)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return delta_type(kind.value_type, assume_utc=assume_utc)
    if reason := refused(kind):
        raise Unfit(reason)
    if pa.types.is_timestamp(kind):
        return _instant(kind, assume_utc)
    return _nested(kind, lambda inner: delta_type(inner, assume_utc=assume_utc)) or _simple(kind)


def unified(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """The Delta type that keeps every value of two Delta types; None: there is none."""
    for candidate in (a, b, *_wider(a, b)):
        if is_lossless(a, candidate) and is_lossless(b, candidate):
            return candidate
    if pa.types.is_list(a) and pa.types.is_list(b):
        inner = unified(a.value_type, b.value_type)
        return inner and _list(inner)
    if pa.types.is_struct(a) and pa.types.is_struct(b) and _names(a) == _names(b):
        kinds = [unified(x.type, y.type) for x, y in zip(a, b, strict=True)]
        return None if None in kinds else pa.struct(list(zip(_names(a), kinds, strict=True)))
    if pa.types.is_map(a) and pa.types.is_map(b):
        key, item = unified(a.key_type, b.key_type), unified(a.item_type, b.item_type)
        return key and item and pa.map_(key, item)
    return None


def without_null(kind: pa.DataType) -> pa.DataType:
    """The type, with text where no value was ever seen."""
    if pa.types.is_null(kind):
        return pa.string()
    return _nested(kind, without_null) or kind


def inferred(values: list[str | None]) -> pa.DataType:
    """The type of a partition column whose values say none: whole numbers, days, else text.

    `007` is text: as a number it would lose its zeros.
    """
    non_null = [value for value in values if value is not None]
    for kind in (pa.int64(), pa.date32()):
        if non_null and all(_is_written_as(kind, value) for value in non_null):
            return kind
    return pa.string()


def _is_written_as(kind: pa.DataType, text: str) -> bool:
    try:
        value = pa.scalar(text).cast(kind)
    except pa.ArrowInvalid:
        return False
    return str(value.as_py()) == text


def _instant(kind: pa.DataType, assume_utc: bool) -> pa.DataType:
    if kind.tz is None and not assume_utc:
        raise Unfit(f"{kind} has no zone; `--assume-utc` takes its times as UTC")
    return pa.timestamp("us", tz="UTC")


def _simple(kind: pa.DataType) -> pa.DataType:
    return plain(kind)


def _nested(kind: pa.DataType, made: Callable[[pa.DataType], pa.DataType]) -> pa.DataType | None:
    if pa.types.is_map(kind):
        return pa.map_(made(kind.key_type), made(kind.item_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(f.name, made(f.type)) for f in kind])
    if pa.types.is_list(plain(kind)):
        return _list(made(kind.value_type))
    return None


def _list(element: pa.DataType) -> pa.DataType:
    return pa.list_(pa.field("element", element))


def _names(kind: pa.DataType) -> list[str]:
    return [field.name for field in kind]


def _wider(a: pa.DataType, b: pa.DataType) -> list[pa.DataType]:
    decimals = [k for k in (a, b) if pa.types.is_decimal(k)]
    if not decimals:
        return [pa.float64()]
    scale = max(kind.scale for kind in decimals)
    whole = max(_whole_digits(kind) for kind in (a, b))
    return [pa.decimal128(whole + scale, scale)] if whole + scale <= MOST_DIGITS else []


def _whole_digits(kind: pa.DataType) -> int:
    if pa.types.is_decimal(kind):
        return int(kind.precision - kind.scale)
    return {8: 3, 16: 5, 32: 10, 64: 20}[kind.bit_width] if pa.types.is_integer(kind) else 99
