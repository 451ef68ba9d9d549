"""Schemas: fingerprints, and which rows fit into which table.

delta-rs casts silently and lossily (5.7 becomes 5, "5" becomes 5), so names and types are compared here before a
file is written. Only what keeps every value is done implicitly.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Literal, get_args

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.counts import count_of
from lakeshelf.lake.form import conforming, kinds
from lakeshelf.lake.place.errors import KeyViolation, SchemaError

SchemaMode = Literal["merge", "overwrite"]
ADDING: tuple[SchemaMode, ...] = ("merge",)
"""Modes of a write that leaves rows as they are."""

_INTEGER_DIGITS = {8: 3, 16: 5, 32: 10, 64: 20}
_FIRST_DAY, _LAST_DAY = -96_465_293, 95_026_236
"""First and last day that delta-rs has statistics of; others stop it in the middle of a write."""


def require_mode(mode: object, known: Sequence[str] = get_args(SchemaMode)) -> None:
    """Raise `SchemaError` for a word that is no `SchemaMode`, or none where rows stay as they are."""
    if mode is None or mode in known:
        return
    if mode in get_args(SchemaMode):
        raise SchemaError(
            f"no schema mode {mode!r} where rows stay",
            hint="`schema_mode='merge'` adds columns; `overwrite` the dataset to replace them",
        )
    raise SchemaError(f"no schema mode {mode!r}", hint=f"there are {', '.join(known)}")


def fingerprint(schema: pa.Schema) -> str:
    """Hash of names and types, in order; nullability and comments do not count."""
    import hashlib  # noqa: PLC0415 - slow to import, and only commits need it

    listed = json.dumps([[field.name, str(plain(field.type))] for field in schema])
    return hashlib.sha256(listed.encode()).hexdigest()[:16]


def plain(kind: pa.DataType) -> pa.DataType:
    """The type as Delta has it: no views, no dictionaries, no large offsets, times in UTC microseconds."""
    return next((made(kind) for is_such, made in _PLAIN if is_such(kind)), kind)


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """The schema with plain types and without metadata."""
    return pa.schema([pa.field(f.name, plain(f.type), f.nullable) for f in schema])


def nullable(kind: pa.DataType) -> pa.DataType:
    """The type with every field in it nullable: libraries refuse nulls below what is null itself."""
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(f.name, nullable(f.type)) for f in kind])
    if pa.types.is_map(kind):
        return pa.map_(nullable(kind.key_type), nullable(kind.item_type))
    if _is_list(kind):
        return pa.list_(pa.field("element", nullable(kind.value_type)))
    return kind


def storable(name: str, field: pa.Field) -> pa.Field:
    """A column of a new table, or a new column of a table, as Delta keeps it.

    Raises:
        SchemaError: Delta has no such type or name; delta-rs would take another one silently.
    """
    if kinds.has_untold(field.type):
        raise SchemaError(
            f"column {field.name} for {name} has no value that would tell its type",
            hint="give rows with a schema, or create the dataset first",
        )
    if reason := kinds.bad_name(field) or kinds.refused(field.type):
        raise SchemaError(
            f"column {field.name} for {name} cannot be kept: {reason.partition('; ')[0]}",
            hint=reason.partition("; ")[2] or "rename it",
        )
    return pa.field(field.name, plain(field.type), field.nullable)


def require_unique(name: str, schema: pa.Schema) -> None:
    """Raise `SchemaError` for columns whose names are the same but for capitals."""
    folded = [column.lower() for column in schema.names]
    twice = sorted({column for column in schema.names if folded.count(column.lower()) > 1})
    if twice:
        raise SchemaError(
            f"columns for {name} have {', '.join(twice)} twice; capitals do not count",
            hint="rename one of them",
        )


def fitting(
    name: str, row_schema: pa.Schema, expected: pa.Schema, mode: SchemaMode | None = None
) -> pa.Schema:
    """The schema in which rows are written to a table: the table's types, and columns that `mode` adds.

    Args:
        name: The dataset.
        row_schema: Schema of the rows.
        expected: Schema of the table.
        mode: `merge`: new columns are added, and missing ones are null; `overwrite`: the rows' schema replaces
            the table's; None: the columns are the same.

    Raises:
        SchemaError: A column is missing, unknown, twice there, or has a type that would lose values.
    """
    require_unique(name, row_schema)
    if mode == "overwrite":
        return pa.schema([storable(name, field) for field in row_schema])
    known = set(expected.names)
    extra = [field for field in row_schema if field.name not in known]
    if mode is None:
        missing = [c for c in expected.names if c not in set(row_schema.names)]
        if extra or missing:
            raise _columns_differ(name, [field.name for field in extra], missing, expected)
    fields = []
    for field in row_schema:
        if field.name not in known:  # rows that are there have no value of it
            fields.append(storable(name, field).with_nullable(True))
            continue
        target = expected.field(field.name)
        if not is_lossless(field.type, target.type):
            raise SchemaError(
                f"column {field.name} of {name} is {target.type}, the rows have {field.type}",
                hint=f"to widen it, read all rows, cast the column and `overwrite` with `schema_mode='overwrite'`; "
                f"cast the rows to {target.type} where losing values is meant",
            )
        fields.append(target.remove_metadata())
    return pa.schema(fields)


def is_lossless(source: pa.DataType, target: pa.DataType) -> bool:
    """Whether every value of a type is a value of the other; times of nanoseconds are looked at one by one."""
    source, target = _decoded(source), _decoded(target)
    if source.equals(target) or pa.types.is_null(source) or plain(source).equals(target):
        return not _loses_zone(source, target)
    return any(rule(source, target) for rule in _RULES)


def cast(batch: pa.RecordBatch, schema: pa.Schema, name: str) -> pa.RecordBatch:
    """A batch in another schema of the same columns.

    Raises:
        SchemaError: A value does not survive it.
        KeyViolation: A column that needs values has a null.
    """
    _require_filled(batch, schema, name)
    _require_days(batch, name)
    if batch.schema.equals(schema):
        return batch
    try:
        columns = [conforming.array(batch.column(field.name), field.type) for field in schema]
    except pa.ArrowInvalid as error:
        raise SchemaError(
            f"a value for {name} does not fit its column: {error}", hint="round or cast it first"
        ) from error
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _require_filled(batch: pa.RecordBatch, schema: pa.Schema, name: str) -> None:
    for field in schema:
        if not field.nullable and (count := batch.column(field.name).null_count):
            raise KeyViolation(
                f"{count_of(count, 'row')} for {name} without {field.name}, which every row has to have",
                hint="fill it; nothing was committed",
            )


def _require_days(batch: pa.RecordBatch, name: str) -> None:
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if not pa.types.is_date32(field.type):
            continue
        bounds = pc.min_max(column.cast(pa.int32())).as_py()
        if (
            bounds["min"] is not None
            and not _FIRST_DAY <= bounds["min"] <= bounds["max"] <= _LAST_DAY
        ):
            raise SchemaError(
                f"rows for {name} have {bounds['min']} to {bounds['max']} days since 1970 in {field.name}",
                hint="delta-rs knows the days of the years -262143 to 262142; keep others as whole numbers",
            )


def _integers(source: pa.DataType, target: pa.DataType) -> bool:
    if not (pa.types.is_integer(source) and pa.types.is_integer(target)):
        return False
    if pa.types.is_signed_integer(source) == pa.types.is_signed_integer(target):
        return bool(source.bit_width <= target.bit_width)
    return bool(pa.types.is_signed_integer(target) and source.bit_width < target.bit_width)


def _floats(source: pa.DataType, target: pa.DataType) -> bool:
    if not pa.types.is_floating(target):
        return False
    exact = {16: 8, 32: 16, 64: 32}[target.bit_width]
    if pa.types.is_integer(source):
        return bool(source.bit_width <= exact)
    return bool(pa.types.is_floating(source) and source.bit_width <= target.bit_width)


def _decimals(source: pa.DataType, target: pa.DataType) -> bool:
    if not pa.types.is_decimal(target):
        return False
    room = target.precision - target.scale
    if pa.types.is_integer(source):
        return bool(room >= _INTEGER_DIGITS[source.bit_width])
    if not pa.types.is_decimal(source):
        return False
    return bool(source.scale <= target.scale and source.precision - source.scale <= room)


def _times(source: pa.DataType, target: pa.DataType) -> bool:
    both = pa.types.is_timestamp(source) and pa.types.is_timestamp(target)
    return bool(both and (source.tz is None) == (target.tz is None))


def _nested(source: pa.DataType, target: pa.DataType) -> bool:
    if _is_list(source) and _is_list(target):
        return is_lossless(source.value_type, target.value_type)
    if pa.types.is_map(source) and pa.types.is_map(target):
        return is_lossless(source.key_type, target.key_type) and is_lossless(
            source.item_type, target.item_type
        )
    if not (pa.types.is_struct(source) and pa.types.is_struct(target)):
        return False
    names = [field.name for field in source]
    return names == [field.name for field in target] and all(
        is_lossless(a.type, b.type) for a, b in zip(source, target, strict=True)
    )


def _loses_zone(source: pa.DataType, target: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(source) and (source.tz is None) != (target.tz is None))


def _decoded(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _element(kind: pa.DataType) -> pa.Field:
    return pa.field("element", plain(kind.value_type), kind.value_field.nullable)


def _is_short_decimal(kind: pa.DataType) -> bool:
    return bool(pa.types.is_decimal(kind) and kind.precision <= kinds.MOST_DIGITS)


def _is_list(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(kind)
        or pa.types.is_large_list(kind)
        or pa.types.is_fixed_size_list(kind)
        or pa.types.is_list_view(kind)
    )


def _columns_differ(
    name: str, extra: list[str], missing: list[str], expected: pa.Schema
) -> SchemaError:
    problems = [f"{name} has no column {', '.join(extra)}"] if extra else []
    problems += [f"rows for {name} lack {', '.join(missing)}"] if missing else []
    return SchemaError(
        "; ".join(problems),
        hint=f"its columns are {', '.join(expected.names)}; `schema_mode='merge'` adds and fills columns",
    )


_PLAIN: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.DataType], pa.DataType]], ...] = (
    (pa.types.is_dictionary, lambda kind: plain(kind.value_type)),
    (pa.types.is_run_end_encoded, lambda kind: plain(kind.value_type)),
    (pa.types.is_large_string, lambda _: pa.string()),
    (pa.types.is_string_view, lambda _: pa.string()),
    (pa.types.is_large_binary, lambda _: pa.binary()),
    (pa.types.is_binary_view, lambda _: pa.binary()),
    (pa.types.is_fixed_size_binary, lambda _: pa.binary()),
    (pa.types.is_uint8, lambda _: pa.int16()),
    (pa.types.is_uint16, lambda _: pa.int32()),
    (pa.types.is_uint32, lambda _: pa.int64()),
    (pa.types.is_float16, lambda _: pa.float32()),
    (_is_short_decimal, lambda kind: pa.decimal128(kind.precision, kind.scale)),
    (pa.types.is_date64, lambda _: pa.date32()),
    (pa.types.is_timestamp, lambda kind: pa.timestamp("us", tz="UTC" if kind.tz else None)),
    (_is_list, lambda kind: pa.list_(_element(kind))),
    (pa.types.is_struct, lambda kind: pa.struct([f.with_type(plain(f.type)) for f in kind])),
    (pa.types.is_map, lambda kind: pa.map_(plain(kind.key_type), plain(kind.item_type))),
)
_RULES: tuple[Callable[[pa.DataType, pa.DataType], bool], ...] = (
    _integers,
    _floats,
    _decimals,
    _times,
    _nested,
)
