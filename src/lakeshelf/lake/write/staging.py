"""Files of a table that are written first and committed afterwards.

The rows are written to a table of their own within the table; its files become the table's. Columns of partitions that
are decimals with fractions, whose values delta-rs garbles (`partitions`), are texts in it: the log keeps them as text
in any case.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from deltalake.transaction import AddAction

from lakeshelf.lake.form.commits import HOOKS
from lakeshelf.lake.place import storage

CONSTRAINT = "delta.constraints."


def columns(handle: DeltaTable, schema: pa.Schema) -> list[str]:
    """Columns of partitions for whose sake rows are staged; none where constraints would take texts for numbers."""
    metadata = handle.metadata()
    if any(key.startswith(CONSTRAINT) for key in metadata.configuration):
        return []
    by = [c for c in metadata.partition_columns if c in schema.names]
    return [column for column in by if _is_fraction(schema.field(column))]


@dataclass(frozen=True)
class Staged:
    """Files that are written and that nothing names yet.

    Attributes:
        folder: The folder of the table that they lie in.
        files: What a commit says of them.
    """

    folder: str
    files: tuple[AddAction, ...]

    def version(self, handle: DeltaTable, since: int) -> int:
        """The version that took them in, of those after `since`: others may have committed meanwhile."""
        root, place = storage.place_of(handle)
        files, base = storage.filesystem(root)
        for version in range(since + 1, int(handle.version())):
            log = f"{base}/{place}/{storage.LOG}/{version:020d}.json"
            with files.open_input_stream(log) as commit:
                if self.folder.encode() in bytes(commit.read()):
                    return version
        return int(handle.version())


def staged(
    handle: DeltaTable, rows: pa.RecordBatchReader, target_bytes: int | None = None
) -> Staged:
    """Write rows, in the schema of a table, into files of it, to be committed.

    Args:
        handle: The table.
        rows: The rows.
        target_bytes: Bytes at which a file is full; None: as delta-rs has it.
    """
    root, place = storage.place_of(handle)
    folder = f"staged-{uuid.uuid4()}"
    try:
        return Staged(folder, tuple(_written(handle, rows, folder, target_bytes)))
    except BaseException:  # whatever stopped the rows, a table within the table is not left behind
        storage.remove(root, f"{place}/{folder}")
        raise


def _written(
    handle: DeltaTable, rows: pa.RecordBatchReader, folder: str, target_bytes: int | None
) -> list[AddAction]:
    by = handle.metadata().partition_columns
    schema = pa.schema(
        [f.with_type(pa.string()) if f.name in by and _is_fraction(f) else f for f in rows.schema]
    )
    root, place = storage.place_of(handle)
    write_deltalake(
        f"{handle.table_uri.rstrip('/')}/{folder}",
        pa.RecordBatchReader.from_batches(schema, (_with_texts(batch, schema) for batch in rows)),
        partition_by=by,
        storage_options=root.options,
        target_file_size=target_bytes,
        post_commithook_properties=HOOKS,
    )
    files, base = storage.filesystem(root)
    log = f"{base}/{place}/{folder}/{storage.LOG}"
    with files.open_input_stream(f"{log}/{0:020d}.json") as commit:
        actions = [_action(folder, add) for add in _adds(bytes(commit.read()))]
    files.delete_dir(log)
    return actions


def _is_fraction(field: pa.Field) -> bool:
    return bool(pa.types.is_decimal(field.type) and field.type.scale > 0)


def _with_texts(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = [
        column if column.type.equals(field.type) else _texts(column)
        for column, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _texts(decimals: pa.Array) -> pa.Array:
    """Decimals as Delta keeps them; Arrow writes small ones with an exponent."""
    encoded = decimals.dictionary_encode()
    texts = pa.array([f"{value:f}" for value in encoded.dictionary.to_pylist()], pa.string())
    return texts.take(encoded.indices)


def _adds(commit: bytes) -> Iterator[dict[str, Any]]:
    for line in commit.splitlines():
        if (add := json.loads(line).get("add")) is not None:
            yield add


def _action(folder: str, add: dict[str, Any]) -> AddAction:
    return AddAction(
        f"{folder}/{unquote(add['path'])}",
        add["size"],
        add["partitionValues"],
        add["modificationTime"],
        data_change=True,
        stats=add.get("stats", "{}"),
    )
