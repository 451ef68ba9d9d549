"""Keys that were touched: whatever was written, changed or deleted, and whatever that nets to.

Who sends each touched key on, at its newest version, cannot leave out one that went from A to B and back: B may have
been sent meanwhile. Keys alone are held, each once, however often it was touched and however wide its rows are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from lakeshelf.lake.history import netting
from lakeshelf.lake.history.feed import BATCH_ROWS, Feed
from lakeshelf.lake.place.errors import (
    FeatureRefused,
    SchemaError,
    Vacuumed,
    VersionNotFound,
    explained,
)
from lakeshelf.lake.rows import traits
from lakeshelf.lake.rows.diff import BEFORE, CHANGE_TYPE, DELETE
from lakeshelf.lake.rows.reading import schema_of
from lakeshelf.lake.rows.snapshot import Snapshot

AT_ONCE = 100
"""Versions whose feed is read together, backwards, as far as it can be."""
_UNTOLD = (FeatureRefused, SchemaError, Vacuumed, VersionNotFound)


class Keys:
    """Distinct keys, gathered from batches.

    Args:
        schema: Key columns.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self._distinct = schema.empty_table()
        self._new: list[pa.RecordBatch] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """Add the keys of a batch."""
        self._new.append(batch)
        if sum(map(len, self._new)) > max(BATCH_ROWS, self._distinct.num_rows):
            self._distinct, self._new = self.table(), []

    def table(self) -> pa.Table:
        """Each key once."""
        known = self._distinct
        return _distinct(pa.concat_tables([known, pa.Table.from_batches(self._new, known.schema)]))


def between(
    handle: DeltaTable, name: str, start: int, end: int, key: Sequence[str]
) -> Callable[[], pa.RecordBatchReader]:
    """Keys that were touched after version `start` up to version `end`, each once, from the beginning at each call.

    Raises:
        SchemaError: Rows have no key.
        Vacuumed: Files of the feed are gone.
        FeatureRefused: A version in between kept no feed, or a column is one that delta-rs would read wrong.
    """
    keys = Keys(schema_of_key(handle, name, key))
    traits.require_readable(handle, name)
    if end > start:
        for batch in Feed(handle, name, start, end).batches((CHANGE_TYPE, *key)):
            keys.add(batch.select(list(key)))
    return partial(keys.table().to_reader, max_chunksize=BATCH_ROWS)


def known(source: Snapshot) -> pa.RecordBatchReader:
    """All keys of a snapshot, and those of rows that were deleted before, as far back as the feed can be read."""
    name, key = source.dataset.name, source.dataset.key
    keys = Keys(schema_of_key(source.handle, name, key))
    for batch in source.scan(list(key)):
        keys.add(batch)
    for batch in gone(source.handle, name, key):
        keys.add(batch)
    return keys.table().to_reader(max_chunksize=BATCH_ROWS)


def schema_of_key(handle: DeltaTable, name: str, key: Sequence[str]) -> pa.Schema:
    """Columns of a key.

    Raises:
        SchemaError: Rows have no key.
    """
    if not key:
        raise SchemaError(f"{name} has no key that could be named", hint="read its changes as rows")
    schema = schema_of(handle)
    return pa.schema([schema.field(column) for column in key])


def gone(
    handle: DeltaTable, name: str, key: Sequence[str], after: int | None = None
) -> Iterator[pa.RecordBatch]:
    """Keys of rows that went or changed, the latest first; what cannot be told any more ends them.

    Args:
        handle: The table.
        name: Its name, for errors.
        key: Key columns.
        after: Version after which they begin; None: as far back as the feed can be read.
    """
    first = _first(handle, name) if after is None else after + 1
    end, at_once = int(handle.version()), AT_ONCE
    while end >= first:
        start = max(end - at_once, first - 1)
        try:
            yield from _went(handle, name, start, end, key)
        except _UNTOLD:
            if end - start == 1:
                return
            at_once = 1
        else:
            end = start


def _first(handle: DeltaTable, name: str) -> int:
    with explained(f"the history of {name} cannot be read"):
        return max(1, min(int(entry["version"]) for entry in handle.history()))


def _went(
    handle: DeltaTable, name: str, start: int, end: int, key: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    kinds = pa.array([DELETE, BEFORE])
    for batch in Feed(handle, name, start, end).batches((CHANGE_TYPE, *key)):
        yield batch.filter(pc.is_in(batch.column(0), kinds)).select(list(key))


def _distinct(keys: pa.Table) -> pa.Table:
    columns = keys.column_names
    if not any(netting.is_intricate(field.type) for field in keys.schema):
        grouped = keys.group_by(columns, use_threads=False).aggregate([])
        return grouped.select(columns).cast(keys.schema)
    return netting.first_of_each(keys)
