"""Traits of tables: what decides, beside the features of a protocol, who reads and who copies their rows right.

Most come of a combination: column mapping alone is read by DuckDB, and so are partitions, both together are not.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import chain
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable

from lakeshelf.lake.form import features, kinds, partitions
from lakeshelf.lake.form.actions import added
from lakeshelf.lake.form.features import Word
from lakeshelf.lake.form.schemas import plain_schema
from lakeshelf.lake.place import storage
from lakeshelf.lake.place.errors import FeatureRefused
from lakeshelf.lake.rows import footers

MAPPED_PARTITIONS = "partitions under column mapping"
TEXT_PARTITIONS = "partitions of empty texts"
BINARY_PARTITIONS = "binary partitions"
CHAR_PARTITIONS = "partitions of CHAR columns"
UNTYPED = "columns of nulls without a type"
SHORT_LISTS = "lists of two levels"
PARTIAL_STATISTICS = "statistics of some fields of a struct"
ROUNDED_STATISTICS = "statistics of decimals beyond 15 digits"
FAR_TIMES = "INT96 times beyond 1677 to 2262"

_NOT_DUCKDB: tuple[Word, ...] = ("works", "notyet", "works", "works", "works")
_NOT_DUCKDB_NOR_POLARS: tuple[Word, ...] = ("works", "notyet", "works", "notyet", "works")
READS: dict[str, tuple[Word, ...]] = {
    MAPPED_PARTITIONS: _NOT_DUCKDB_NOR_POLARS,
    TEXT_PARTITIONS: _NOT_DUCKDB_NOR_POLARS,
    BINARY_PARTITIONS: _NOT_DUCKDB_NOR_POLARS,
    # Spark fills such values up with blanks when it reads them.
    CHAR_PARTITIONS: ("notyet", "notyet", "notyet", "notyet", "works"),
    UNTYPED: _NOT_DUCKDB,
    SHORT_LISTS: _NOT_DUCKDB,
    # Conditions on such a column end Polars, also those that are put to its lazy frame later.
    PARTIAL_STATISTICS: ("works", "works", "works", "notyet", "works"),
    # delta-rs writes them as doubles; files are passed over that have the rows.
    ROUNDED_STATISTICS: _NOT_DUCKDB_NOR_POLARS,
    FAR_TIMES: ("notyet", "works", "notyet", "notyet", "works"),
}
"""Trait → words of `features.ENGINES`, in that order; tried with tables of Spark (`tests/matrix`)."""
_WAY_OUT = {
    FAR_TIMES: "`lakeshelf sql` and Spark read them; Spark writes them anew for all with "
    "`spark.sql.parquet.outputTimestampType=TIMESTAMP_MICROS`",
    CHAR_PARTITIONS: "read it with Spark, or make the column a STRING",
}
_CHAR = "__CHAR_VARCHAR_TYPE_STRING"
_KEPT: OrderedDict[tuple[str, str, int], tuple[tuple[str, frozenset[str]], ...]] = OrderedDict()
_MOST_KEPT = 256


def of(handle: DeltaTable, columns: Sequence[str] | None = None) -> list[str]:
    """Traits of a table at the version of its handle, or of some of its columns."""
    return [trait for trait, _ in _held(handle, columns)]


def scanned(trait: str) -> Word:
    """Whether delta-rs, and so the route `scan`, reads a trait right."""
    return READS[trait][features.ENGINES.index(features.READER)]


def require_readable(handle: DeltaTable, name: str, columns: Sequence[str] | None = None) -> None:
    """Raise `FeatureRefused` for columns that delta-rs, and so the route `scan`, would read wrong.

    Args:
        handle: The table.
        name: The dataset.
        columns: Columns that are read; None: all.
    """
    for trait, held in _held(handle, columns):
        if scanned(trait) != "works":
            raise FeatureRefused(
                f"{name} cannot be read through `scan` of delta-rs: {', '.join(sorted(held))} has {trait}",
                hint=_WAY_OUT[trait],
            )


def require_near_times(handle: DeltaTable, name: str) -> None:
    """Raise `FeatureRefused` for files with times that delta-rs would change while it only copies their rows."""
    if far := footers.far_times(handle):
        raise FeatureRefused(
            f"rows of {name} cannot be written again by delta-rs: {', '.join(sorted(far))} has {FAR_TIMES}",
            hint="change them with Spark; rows can be appended",
        )


def require_copyable(handle: DeltaTable, name: str) -> None:
    """Raise `FeatureRefused` for rows that delta-rs would change while it only copies them into another file."""
    require_near_times(handle, name)
    if any(partitions.is_garbled(one or {}) for one in _partitions(handle)):
        raise FeatureRefused(
            f"rows of {name} cannot be written again by delta-rs: a partition has bytes or a negative decimal",
            hint="change them with Spark; rows can be appended",
        )


def _held(
    handle: DeltaTable, columns: Sequence[str] | None
) -> Iterator[tuple[str, frozenset[str]]]:
    key = (handle.table_uri, str(handle.metadata().id), int(handle.version()))
    if key not in _KEPT:
        _KEPT[key] = tuple(_traits(handle))
        if len(_KEPT) > _MOST_KEPT:
            _KEPT.popitem(last=False)
    for trait, held in _KEPT[key]:
        among = held if columns is None else held & set(columns)
        if among:
            yield trait, among


def _traits(handle: DeltaTable) -> Iterator[tuple[str, frozenset[str]]]:
    schema = plain_schema(pa.schema(handle.schema().to_arrow()))
    by = handle.metadata().partition_columns
    yield UNTYPED, frozenset(f.name for f in schema if kinds.has_untold(f.type))
    if (
        storage.place_of(handle)[0].folder is not None
    ):  # in a bucket, nobody who reads them wrong reads them
        yield SHORT_LISTS, footers.short_lists(handle)
    yield FAR_TIMES, footers.far_times(handle)
    yield PARTIAL_STATISTICS, _partly_known(handle, schema)
    yield ROUNDED_STATISTICS, _rounded(handle, [f for f in schema if f.name not in by])
    if not by:
        return
    if "columnMapping" in features.in_force(handle):
        yield MAPPED_PARTITIONS, frozenset(by)
    texts = [c for c in by if pa.types.is_string(schema.field(c).type)]
    if texts and any(
        one[c] in ("", partitions.HIVE_NULL) for one in handle.partitions() for c in texts
    ):
        yield TEXT_PARTITIONS, frozenset(texts)
    yield BINARY_PARTITIONS, frozenset(c for c in by if partitions.is_binary(schema.field(c).type))
    chars = {f.name for f in handle.schema().fields if _is_char(f.metadata)}
    yield CHAR_PARTITIONS, frozenset(chars & set(by))


def _partly_known(handle: DeltaTable, schema: pa.Schema) -> frozenset[str]:
    """Structs of which statistics tell some fields, such as one of a number and a list."""
    structs = [field for field in schema if pa.types.is_struct(field.type)]
    if not structs:
        return frozenset()
    kind = pa.schema(handle.get_add_actions().schema)
    sides = [kind.field(side).type for side in ("min", "max") if side in kind.names]
    return frozenset(
        field.name
        for field in structs
        for side in sides
        if side.get_field_index(field.name) >= 0
        and _has_other_fields(side.field(field.name).type, field.type)
    )


def _has_other_fields(bounds: pa.DataType, kind: pa.DataType) -> bool:
    if not pa.types.is_struct(kind):
        return False
    if not pa.types.is_struct(bounds) or [f.name for f in bounds] != [f.name for f in kind]:
        return True
    return any(_has_other_fields(a.type, b.type) for a, b in zip(bounds, kind, strict=True))


def _rounded(handle: DeltaTable, fields: Sequence[pa.Field]) -> frozenset[str]:
    """Decimals of which statistics have more digits than a double keeps, or cannot be read as such decimals."""
    fine = [
        f for f in fields if pa.types.is_decimal(f.type) and kinds.has_no_exact_statistics(f.type)
    ]
    if not fine:
        return frozenset()
    actions = pa.table(handle.get_add_actions())
    sides = [actions[side].to_pylist() for side in ("min", "max") if side in actions.column_names]
    return frozenset(
        field.name
        for field in fine
        for one in chain(*sides)
        if field.name in one and not _is_exact(one[field.name], field.type)
    )


def _is_exact(value: Decimal | None, kind: pa.DataType) -> bool:
    limit = Decimal(10) ** (kinds.DIGITS_OF_STATISTICS - kind.scale)
    return value is not None and abs(value) < limit


def _partitions(handle: DeltaTable) -> list[dict[str, Any] | None]:
    """Values of the partition of each file, where decimals or bytes are among them."""
    schema, by = pa.schema(handle.schema().to_arrow()), handle.metadata().partition_columns
    kinds_of = [schema.field(column).type for column in by]
    if not any(pa.types.is_decimal(kind) or partitions.is_binary(kind) for kind in kinds_of):
        return []
    partition_values: list[dict[str, Any] | None] = added(handle)["partition"].to_pylist()
    return partition_values


def _is_char(metadata: dict[str, Any]) -> bool:
    return str(metadata.get(_CHAR, "")).startswith("char(")
