"""Keys of rows that are merged: each is there once, and whole."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.governance.storage.backends.port import whole
from lakeshelf.lake.place.errors import KeyViolation, SchemaError


def require_keys(
    name: str, schema: pa.Schema, key: Sequence[str], rows: pa.Table, deleted: pa.Table | None
) -> pa.Table:
    """The keys that go, once those of all rows are whole and there once.

    Args:
        name: The table.
        schema: Its columns.
        key: Its key.
        rows: Rows that are merged.
        deleted: Keys that go; None: none.

    Raises:
        SchemaError: The table has no key, or `deleted` other columns.
        KeyViolation: A key is null, or there twice.
    """
    if not key:
        raise SchemaError(f"{name} has no key", hint="append to it, or create it with a key")
    keys = pa.schema([schema.field(column) for column in key])
    gone = keys.empty_table() if deleted is None else whole(name, deleted, keys)
    everything = pa.concat_tables([rows.select(keys.names).cast(keys), gone])
    for column in keys.names:
        if everything[column].null_count:
            raise KeyViolation(f"{name}: {column} of a key is null", hint="give each row its key")
    counted = everything.group_by(keys.names).aggregate([([], "count_all")])
    if (pc.max(counted["count_all"]).as_py() or 0) > 1:
        twice = counted.filter(pc.greater(counted["count_all"], 1)).select(keys.names)
        raise KeyViolation(
            f"{name}: the key {twice.slice(0, 1).to_pylist()[0]} is there more than once",
            hint="give each key once",
        )
    return gone
