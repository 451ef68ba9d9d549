"""Times as INT96 that delta-rs would change while it copies their rows are written again before it does.

pyarrow reads them as microseconds, in which Delta keeps times. A file is written once more with them, column by column
as the table declares them, and takes the place of the old one in a commit of its own, which changes no row.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.transaction import AddAction, RemoveAction

from lakeshelf.lake.form.actions import added
from lakeshelf.lake.form.commits import HOOKS, Write
from lakeshelf.lake.form.conforming import conformed
from lakeshelf.lake.place import storage
from lakeshelf.lake.place.errors import explained
from lakeshelf.lake.rows import footers

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

BATCH_ROWS = 64 * 1024
PLAIN = (str, int, date, type(None))
"""Values of partitions whose text in the log is the one that they print as."""


def rewrite(handle: DeltaTable, name: str, expected: int | None = None) -> None:
    """Write files with such times again; those whose partition is no text, whole number or date stay as they are.

    Args:
        handle: The table, brought to the version that is made.
        name: Its name.
        expected: The version that the table has to be at; None: any.

    Raises:
        LakeError: A file cannot be read or written, or another writer was quicker.
    """
    far = footers.files_with_far_times(handle)
    known = {one["path"]: one for one in added(handle).to_pylist()} if far else {}
    chosen = [known[path] for path in far if _is_plain(known[path].get("partition") or {})]
    if not chosen:
        return
    write = Write(metadata={"rewritten": "INT96"}, expected=expected)
    root, place = storage.place_of(handle)
    files, base = storage.filesystem(root)
    with explained(f"times of {name} cannot be written again"):
        new = [_written(files, f"{base}/{place}", one, handle) for one in chosen]
        now = int(time.time() * 1000)
        gone = [RemoveAction(unquote(one["path"]), False, now) for one in chosen]
        handle.create_write_transaction(
            [*new, *gone],
            "append",
            handle.schema(),
            commit_properties=write.properties(),
            post_commithook_properties=HOOKS,
        )
    handle.update_incremental()


def _is_plain(partition: Mapping[str, Any]) -> bool:
    return all(type(value) in PLAIN for value in partition.values())


def _written(
    files: FileSystem, folder: str, known: Mapping[str, Any], handle: DeltaTable
) -> AddAction:
    """The file that takes the place of one, beside it."""
    from pyarrow import parquet  # noqa: PLC0415 - slow to import

    above, _, _ = known["path"].rpartition("/")
    path = f"{above}/{uuid.uuid4()}.parquet".lstrip("/")  # as the log writes paths: percent-encoded
    declared = pa.schema(handle.schema().to_arrow())
    with footers.opened(files, footers.path_of(folder, known["path"])) as old:
        schema = pa.schema([_declared(f, declared) for f in old.schema_arrow])
        target = footers.path_of(folder, path)
        with parquet.ParquetWriter(target, schema, filesystem=files) as writer:
            for batch in old.iter_batches(BATCH_ROWS):
                writer.write_batch(conformed(batch, schema))
        rows = old.metadata.num_rows
    partition = {key: _text(value) for key, value in (known.get("partition") or {}).items()}
    size = files.get_file_info(target).size
    stats = json.dumps({"numRecords": rows})
    return AddAction(unquote(path), size, partition, int(time.time() * 1000), False, stats)


def _declared(field: pa.Field, declared: pa.Schema) -> pa.Field:
    """A column of a file as the table declares it."""
    place = declared.get_field_index(field.name)
    return field if place < 0 else pa.field(field.name, declared.field(place).type, field.nullable)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
