"""The change feed of a table between two versions, and what it comes to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from lakeshelf.lake import netting, traits
from lakeshelf.lake.diff import CHANGE_TYPE
from lakeshelf.lake.errors import explained
from lakeshelf.lake.reading import schema_of

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
    feed = _Feed(handle, name, start, end)
    if end <= start or not key:
        rows = feed.schema.empty_table() if end <= start else feed.in_order()
        return partial(rows.to_reader, max_chunksize=BATCH_ROWS)
    several = netting.repeated(feed.rows((CHANGE_TYPE, *key)), key)

    def opened() -> pa.RecordBatchReader:
        batches = netting.netted(feed.batches(), key, several)
        return pa.RecordBatchReader.from_batches(feed.schema, batches)

    return opened


class _Feed:
    """The feed as the table has it, in the types of the table."""

    def __init__(self, handle: DeltaTable, name: str, start: int, end: int) -> None:
        self.schema = with_change_type(schema_of(handle))
        self._handle = handle
        self._versions = (start + 1, end)
        self._what = f"the change feed of {name} from version {start + 1} cannot be read"

    def rows(self, columns: Sequence[str]) -> pa.Table:
        """Some of its columns, in memory."""
        schema = pa.schema([self.schema.field(column) for column in columns])
        with explained(self._what):
            return self._opened(list(columns)).read_all().select(schema.names).cast(schema)

    def in_order(self) -> pa.Table:
        """All of it, in the order of the versions."""
        with explained(self._what):
            found = self._opened(None).read_all()
        rows = found.select(self.schema.names).cast(self.schema)
        order = pa.table({"version": found[_VERSION], "kind": rows[CHANGE_TYPE]})
        by = [("version", "ascending"), ("kind", "ascending")]
        return rows.take(pc.sort_indices(order, sort_keys=by))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All of it, as it comes."""
        gathered: list[pa.RecordBatch] = []
        with explained(self._what):
            for batch in self._opened(None):
                gathered.append(batch)
                if sum(part.num_rows for part in gathered) >= BATCH_ROWS:
                    yield self._plain(gathered)
                    gathered = []
        if gathered:
            yield self._plain(gathered)

    def _plain(self, batches: list[pa.RecordBatch]) -> pa.RecordBatch:
        rows = pa.concat_batches(batches).select(self.schema.names)
        return rows.cast(self.schema)

    def _opened(self, columns: list[str] | None) -> pa.RecordBatchReader:
        start, end = self._versions
        found = self._handle.load_cdf(starting_version=start, ending_version=end, columns=columns)
        return pa.RecordBatchReader.from_stream(found)
