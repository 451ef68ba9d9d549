"""The spec of a dataset: from its declaration, the table that is there, or the first batch of its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.ingestion.domain.casting import typed
from lakeshelf.ingestion.domain.declaration import Declaration
from lakeshelf.ingestion.domain.parsed import Parsed
from lakeshelf.ingestion.domain.spec import (
    DAY,
    INSTANT,
    ORIGIN,
    STORE,
    Column,
    Spec,
    is_event,
    require_header,
)
from lakeshelf.ingestion.errors import DeclarationError, FileRefused
from lakeshelf.lake.dataset import Dataset

_CANDIDATES = (pa.int64(), pa.float64(), pa.bool_(), pa.date32(), INSTANT)
_OF_TEXT = (pa.date32(), INSTANT)


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
        columns = tuple(Column(f.name, f.type) for f in known.schema if f.name not in ORIGIN.names)
        key = declared.key or tuple(k for k in known.key if k not in ORIGIN.names)
        return _spec(declared, columns, key, known.partition_by)
    if columns := _inferred_columns(files or {}):
        return _spec(declared, columns, declared.key, declared.partition_by)
    return None


def _spec(
    declared: Declaration,
    columns: Sequence[Column],
    key: tuple[str, ...],
    partition_by: tuple[str, ...] | None,
) -> Spec:
    events = is_event(columns, declared.time)
    default = (STORE, DAY) if events else ()
    partitions = default if partition_by is None else partition_by
    derived = events and DAY in partitions
    found = Spec(
        dataset=declared.dataset,
        columns=tuple(c for c in columns if not (derived and c.name == DAY)),
        key=key,
        partition_by=partitions,
        time=declared.time if derived else "",
        zone=declared.zone,
        zones=declared.zones,
        delimiter=declared.delimiter,
        doc=declared.doc,
    )
    if unknown := [name for name in (*key, *partitions) if name not in found.schema.names]:
        raise DeclarationError(
            f"{found.dataset} has no column {', '.join(unknown)} for its key or partitions",
            hint=f"it has {', '.join(found.schema.names)}",
        )
    return found


def _inferred_columns(files: Mapping[int, Parsed]) -> tuple[Column, ...]:
    """Names from the first file whose header can be one, types from all files that have its columns."""
    for first in files.values():
        names = first.table.column_names
        try:
            require_header(names, None, complete=True)
        except FileRefused:
            continue
        if names:
            alike = [p for p in files.values() if set(p.table.column_names) <= set(names)]
            return tuple(Column(name, _common_type(name, alike)) for name in names)
    return ()


def _common_type(name: str, files: Sequence[Parsed]) -> pa.DataType:
    having = [parsed for parsed in files if name in parsed.table.column_names]
    for parsed in having:
        kind = parsed.table[name].type
        if not (pa.types.is_string(kind) or pa.types.is_null(kind)):
            return kind
    chunks = [c for p in having for c in p.table[name].chunks if pa.types.is_string(c.type)]
    was_text = any(name in parsed.texts for parsed in having)
    return inferred(pa.concat_arrays(chunks) if chunks else pa.array([], pa.string()), was_text)


def inferred(text: pa.Array, was_text: bool) -> pa.DataType:
    """The narrowest type that all values have; string when there are none.

    Numbers with leading zeros are identifiers (`007`), and so stay text.

    Args:
        text: All values of the column as text.
        was_text: Whether the format told that they are text, as JSON does: `"5"` is no number then.
    """
    values = pc.unique(text).drop_null()
    values = values.filter(pc.not_equal(values, ""))
    if not len(values):
        return pa.string()
    if pc.any(pc.match_substring_regex(values, r"^\s*[+-]?0\d")).as_py():
        return pa.string()
    for kind in _OF_TEXT if was_text else _CANDIDATES:
        _, malformed, outside = typed(values, kind)
        if not pc.any(pc.or_(malformed, outside)).as_py():
            return kind
    return pa.string()
