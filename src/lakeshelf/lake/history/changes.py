"""Changes of a dataset since a consumer last read it.

1. The cursor is read from the consumer's output, and the feed from the version after it.
2. The consumer writes its output with `txn=changes.txns`, which moves the cursor in the same commit.
3. Where the feed cannot be told, all rows are given, with the reason; the consumer then overwrites its output.

Who asks for what was touched gets keys by the same rules: after a full refresh all of the dataset, and of deleted rows
those that the feed still tells of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa

from lakeshelf.lake.form.commits import Txn
from lakeshelf.lake.history import cursors, feed, touching
from lakeshelf.lake.history.cursors import Consumer, Cursor
from lakeshelf.lake.place.errors import FeatureRefused, Vacuumed, VersionNotFound
from lakeshelf.lake.rows.diff import INSERT
from lakeshelf.lake.rows.port import Tables
from lakeshelf.lake.rows.reading import schema_of
from lakeshelf.lake.rows.snapshot import Snapshot
from lakeshelf.lake.rows.versions import opened_at


@dataclass(frozen=True)
class Changes:
    """What changed in a dataset since a consumer last read it.

    Attributes:
        dataset: The dataset.
        start: Version that was read up to before; None: all rows are given.
        end: Version up to which the changes reach.
        full_refresh: Why all rows are given, as inserts; None: they are changes. The output is then overwritten.
        txns: What moves the cursor; given as `txn` to the write of the output, and to one write only.
        touched: Whether keys are given of what was touched, instead of rows that changed.
    """

    dataset: str
    start: int | None
    end: int
    full_refresh: str | None
    txns: tuple[Txn, ...]
    _open: Callable[[], pa.RecordBatchReader] = field(repr=False)
    touched: bool = False

    @property
    def rows(self) -> pa.RecordBatchReader:
        """The rows from the beginning, each time: `_change_type`, then the dataset's columns.

        With a key they are the net effect, one key after the other in no order: `insert`, `delete`, or
        `update_preimage` and `update_postimage`. Without one they are the feed, in the order of the versions.

        What was touched are its key columns alone, each key once, in no order: of every row that was written, changed
        or deleted, also where nothing of that is left. Which of them are there, and how, a snapshot at `end` says.
        """
        return self._open()


def changes(lake: Tables, name: str, consumer: Consumer, *, touched: bool = False) -> Changes:
    """Changes of a dataset since a consumer last read it; at its first time it is registered.

    What `lakeshelf.lake.history.feed` and, of what was touched, `lakeshelf.lake.history.touching` says is held in
    memory; rows are a stream.

    Args:
        lake: The lake.
        name: The dataset.
        consumer: Who reads them.
        touched: Whether to give keys of what was touched, instead of rows that changed.

    Raises:
        SchemaError: What was touched is asked for, and the dataset has no key.
    """
    source = lake.snapshot(name)
    if touched:
        touching.schema_of_key(source.handle, name, source.dataset.key)
    cursor = cursors.of(lake.root, consumer, name, source.table_id)
    if cursor.epoch == 0:
        cursors.register(lake, consumer, name)
    rows_or_reason = _since(cursor, source, touched)
    if isinstance(rows_or_reason, str):
        return Changes(
            name,
            None,
            source.version,
            rows_or_reason,
            cursor.begun(source.version),
            partial(touching.known if touched else _all, source),
            touched,
        )
    txns = cursor.moved(source.version) if cursor.position != source.version else ()
    return Changes(name, cursor.position, source.version, None, txns, rows_or_reason, touched)


def _since(
    cursor: Cursor, source: Snapshot, touched: bool
) -> Callable[[], pa.RecordBatchReader] | str:
    """The changes after a cursor, or why they cannot be told."""
    name, position, latest = source.dataset.name, cursor.position, source.version
    if cursor.epoch == 0:
        return f"{cursor.consumer.id} reads {name} for the first time"
    if position is None:
        return f"{name} was created again, or the output put back to before its first changes"
    if position > latest:
        return (
            f"{name} was put back: its latest version is {latest}, the cursor stands at {position}"
        )
    try:
        read = touching.between if touched else feed.between
        return _unlike(cursor, source) or read(
            source.handle, name, position, latest, source.dataset.key
        )
    except (Vacuumed, VersionNotFound, FeatureRefused) as error:
        return error.message


def _unlike(cursor: Cursor, source: Snapshot) -> str | None:
    """Why versions at both ends do not share a feed."""
    name, position, handle = source.dataset.name, cursor.position, source.handle
    assert position is not None
    before = opened_at(handle.table_uri, position, handle, name)
    for end in (before, handle):
        if not feed.is_enabled(end):
            return f"{name} keeps no change feed at version {end.version()}"
    had, has = schema_of(before), schema_of(handle)
    for column in had:
        if column.name not in has.names or has.field(column.name).type != column.type:
            return f"column {column.name} of {name} changed since version {position}"
    return None


def _all(source: Snapshot) -> pa.RecordBatchReader:
    schema = feed.with_change_type(source.schema)

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in source.scan():
            kinds = pa.array([INSERT] * batch.num_rows, pa.string())
            yield pa.RecordBatch.from_arrays([kinds, *batch.columns], schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())
