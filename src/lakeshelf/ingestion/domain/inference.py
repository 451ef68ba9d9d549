"""The spec of a dataset: from its declaration, the table that is there, or the first batch of its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from lakeshelf.ingestion.declared.parsed import Parsed
from lakeshelf.ingestion.declared.spec import DAY, ORIGIN, STORE, FileColumn, Spec, is_event
from lakeshelf.ingestion.domain import narrowest
from lakeshelf.ingestion.domain.casting import with_point
from lakeshelf.ingestion.domain.declaration import Declaration
from lakeshelf.ingestion.errors import DeclarationError
from lakeshelf.lake.form.dataset import Dataset


def spec_of(
    declared: Declaration, known: Dataset | None, files: Mapping[int, Parsed] | None = None
) -> Spec | None:
    """What rows of a dataset have to be; None: only its files can tell.

    Args:
        declared: What its folder says.
        known: The dataset of the catalogue, or of the table that is there; None: neither.
        files: The first batch of its files, where they are read already.

    Raises:
        DeclarationError: A key or partition that is no column.
    """
    if declared.columns is not None:
        return _spec(declared, declared.columns, declared.key, declared.partition_by)
    if known is not None and known.schema is not None:
        columns = tuple(
            FileColumn(f.name, f.type) for f in known.schema if f.name not in ORIGIN.names
        )
        key = declared.key or tuple(k for k in known.key if k not in ORIGIN.names)
        return _spec(declared, columns, key, known.partition_by)
    if columns := inferred_columns(files or {}, declared.dialect.assume_zone):
        return _spec(declared, columns, declared.key, declared.partition_by)
    return None


def _spec(
    declared: Declaration,
    columns: Sequence[FileColumn],
    key: tuple[str, ...],
    partition_by: tuple[str, ...] | None,
) -> Spec:
    events = is_event(columns, declared.time)
    default = (STORE, DAY) if events else ()
    partitions = default if partition_by is None else partition_by
    derived = events and DAY in partitions
    spec = Spec(
        dataset=declared.dataset,
        columns=tuple(c for c in columns if not (derived and c.name == DAY)),
        key=key,
        partition_by=partitions,
        time=declared.time if derived else "",
        zone=declared.zone,
        zones=declared.zones,
        dialect=declared.dialect,
        doc=declared.doc,
        is_declared=declared.columns is not None,
    )
    if unknown := [name for name in (*key, *partitions) if name not in spec.schema.names]:
        raise DeclarationError(
            f"{spec.dataset} has no column {', '.join(unknown)} for its key or partitions",
            hint=f"it has {', '.join(spec.schema.names)}",
        )
    _require_partitions(spec)
    return spec


def _require_partitions(spec: Spec) -> None:
    for name in spec.partition_by:
        kind = spec.schema.field(name).type
        if pa.types.is_binary(kind) or pa.types.is_floating(kind) or pa.types.is_nested(kind):
            raise DeclarationError(
                f"column {name} of {spec.dataset} is {kind}, which engines write differently in partitions",
                hint="partition by a text, a whole number or a day",
            )


def inferred_columns(files: Mapping[int, Parsed], zone: str) -> tuple[FileColumn, ...]:
    """Names from the first file that has columns, types from all files that have no others."""
    for first in files.values():
        if names := first.table.column_names:
            alike = [p for p in files.values() if set(p.table.column_names) <= set(names)]
            return tuple(FileColumn(name, _common_type(name, alike, zone)) for name in names)
    return ()


def _common_type(name: str, files: Sequence[Parsed], zone: str) -> pa.DataType:
    having = [
        parsed
        for parsed in files
        if name in parsed.table.column_names and not pa.types.is_null(parsed.table[name].type)
    ]
    file_type = next((p.table[name].type for p in having if p.tells == "types"), None)
    if file_type is not None:
        return file_type
    text = _concatenated([parsed.table[name] for parsed in having])
    if any(name in parsed.texts for parsed in having):
        return narrowest.of_text(text, zone)
    if all(parsed.tells == "numbers" for parsed in having):
        return narrowest.of_numbers(text, zone)
    numbers = _concatenated([with_point(p.table[name], p.dialect) for p in having])
    return narrowest.of_anything(text, numbers, zone)


def _concatenated(columns: Sequence[pa.ChunkedArray]) -> pa.Array:
    chunks = [chunk for column in columns for chunk in column.chunks]
    return pa.concat_arrays(chunks) if chunks else pa.array([], pa.string())
