"""The change feed of a table between two versions, and what it comes to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from lakeshelf.lake.form.conforming import conformed, conformed_table
from lakeshelf.lake.history import netting
from lakeshelf.lake.place.errors import explained
from lakeshelf.lake.rows import traits
from lakeshelf.lake.rows.diff import CHANGE_TYPE
from lakeshelf.lake.rows.reading import schema_of

ENABLED = "delta.enableChangeDataFeed"
BATCH_ROWS = 65_536
"""Rows that are netted together; the feed comes in batches of some thousand."""
_VERSION = "_commit_version"


def is_enabled(handle: DeltaTable) -> bool:
    """Whether a table keeps a feed at the version of its handle."""
    return handle.metadata().configuration.get(ENABLED, "").lower() == "true"


def with_change_type(schema: pa.Schema) -> pa.Schema:
    """Columns of a feed: `_change_type` in front of the table's."""
    return pa.schema([pa.field(CHANGE_TYPE, pa.string()), *schema])


def between(
    handle: DeltaTable, name: str, start: int, end: int, key: Sequence[str]
) -> Callable[[], pa.RecordBatchReader]:
    """What changed after version `start` up to version `end`, from the beginning each time that it is called.

    With a key it is the net effect: an insert, a delete, an `update_preimage` with its `update_postimage`, or
    nothing; a stream, of which keys and the rows of keys that changed several times are held in memory. Without one
    it is the feed as the table has it, in the order of the versions, in memory.

    Raises:
        Vacuumed: Files of it are gone.
        FeatureRefused: A version in between kept no feed, or a column is one that delta-rs would read wrong.
    """
    traits.require_readable(handle, name)
    feed = Feed(handle, name, start, end)
    if end <= start or not key:
        rows = feed.schema.empty_table() if end <= start else feed.in_order()
        return partial(rows.to_reader, max_chunksize=BATCH_ROWS)
    several = netting.repeated(feed.batches((CHANGE_TYPE, *key)), key, feed.schema)

    def opened() -> pa.RecordBatchReader:
        batches = netting.netted(feed.batches(), key, several)
        return pa.RecordBatchReader.from_batches(feed.schema, batches)

    return opened


class Feed:
    """The feed as the table has it, in the types of the table.

    Args:
        handle: The table.
        name: Its name, for errors.
        start: Version after which it begins.
        end: Version with which it ends.
    """

    def __init__(self, handle: DeltaTable, name: str, start: int, end: int) -> None:
        self.schema = with_change_type(schema_of(handle))
        self._handle = handle
        self._versions = (start + 1, end)
        self._what = f"the change feed of {name} from version {start + 1} cannot be read"

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """All of it as it comes, or some of its columns; copied, which lets go of what else was read with them."""
        chosen = self.schema.names if columns is None else list(columns)
        schema = pa.schema([self.schema.field(column) for column in chosen])
        with explained(self._what):
            for batch in _gathered(self._opened(None if columns is None else chosen)):
                yield conformed(batch.select(chosen), schema)

    def in_order(self) -> pa.Table:
        """All of it, in the order of the versions."""
        with explained(self._what):
            changes = self._opened(None).read_all()
        rows = conformed_table(changes.select(self.schema.names), self.schema)
        order = pa.table({"version": changes[_VERSION], "kind": rows[CHANGE_TYPE]})
        by = [("version", "ascending"), ("kind", "ascending")]
        return rows.take(pc.sort_indices(order, sort_keys=by))

    def _opened(self, columns: list[str] | None) -> pa.RecordBatchReader:
        start, end = self._versions
        stream = self._handle.load_cdf(starting_version=start, ending_version=end, columns=columns)
        return pa.RecordBatchReader.from_stream(stream)


def _gathered(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Small batches as copies of some size."""
    gathered: list[pa.RecordBatch] = []
    for batch in batches:
        gathered.append(batch)
        if sum(map(len, gathered)) >= BATCH_ROWS:
            yield pa.concat_batches(gathered)
            gathered = []
    if gathered:
        yield pa.concat_batches(gathered)
