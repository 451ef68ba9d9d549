"""The change feed of a table between two versions, and what it comes to."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from lakeshelf.lake.diff import AFTER, BEFORE, CHANGE_TYPE, DELETE, INSERT
from lakeshelf.lake.errors import explained
from lakeshelf.lake.fingerprints import encoded
from lakeshelf.lake.reading import schema_of

ENABLED = "delta.enableChangeDataFeed"
_VERSION = "_commit_version"
_RANK = (DELETE, BEFORE, AFTER, INSERT)


def is_enabled(handle: DeltaTable) -> bool:
    """Whether a table keeps a feed at the version of its handle."""
    return handle.metadata().configuration.get(ENABLED, "").lower() == "true"


def with_change_type(schema: pa.Schema) -> pa.Schema:
    """Columns of a feed: `_change_type` in front of the table's."""
    return pa.schema([pa.field(CHANGE_TYPE, pa.string()), *schema])


def between(handle: DeltaTable, name: str, start: int, end: int, key: Sequence[str]) -> pa.Table:
    """What changed after version `start` up to version `end`, in memory.

    With a key it is the net effect: an insert, a delete, an `update_preimage` with its `update_postimage`, or
    nothing. Without one it is the feed as the table has it, in the order of the versions.

    Raises:
        Vacuumed: Files of it are gone.
        FeatureRefused: A version in between kept no feed.
    """
    schema = with_change_type(schema_of(handle))
    if end <= start:
        return schema.empty_table()
    with explained(f"the change feed of {name} from version {start + 1} cannot be read"):
        stream = handle.load_cdf(starting_version=start + 1, ending_version=end)
        found = pa.RecordBatchReader.from_stream(stream).read_all()
    rows = found.select(schema.names).cast(schema)
    if key:
        return net(rows, key)
    order = pa.table({"version": found[_VERSION], "kind": rows[CHANGE_TYPE]})
    keys = [("version", "ascending"), ("kind", "ascending")]
    return rows.take(pc.sort_indices(order, sort_keys=keys))


def net(feed: pa.Table, key: Sequence[str]) -> pa.Table:
    """The net effect of a feed.

    Rows that came and rows that went are counted by their content, so that it depends neither on the order of the
    feed nor on keys being unique; a key with one row less and one row more is an update.
    """
    columns = feed.column_names[1:]
    batch = _one_batch(feed)
    groups = pa.table({"row": _ids(batch, columns), "sign": _signs(batch)})
    groups = groups.append_column("place", _places(feed.num_rows))
    counted = groups.group_by("row").aggregate([("sign", "sum"), ("place", "min")])
    left = counted.filter(pc.not_equal(counted["sign_sum"], 0)).sort_by("place_min")
    left = _as_often(left)
    rows = feed.select(columns).take(left["place_min"])
    kinds = pc.if_else(pc.greater(left["sign_sum"], 0), INSERT, DELETE)
    return _paired(rows.add_column(0, feed.schema.field(0), kinds), key)


def _paired(rows: pa.Table, key: Sequence[str]) -> pa.Table:
    batch = _one_batch(rows)
    keys = _ranks(batch, key)
    inserted = pc.equal(batch.column(0), INSERT)
    counted = pa.table({"key": keys, "more": inserted.cast("int64")}).group_by("key")
    groups = counted.aggregate([("more", "sum"), ("more", "count")])
    single = pc.and_(pc.equal(groups["more_sum"], 1), pc.equal(groups["more_count"], 2))
    paired = single.combine_chunks().take(pc.index_in(keys, groups["key"]))
    for column in key:
        paired = pc.and_(paired, pc.is_valid(batch.column(column)))
    kinds = pc.if_else(paired, pc.if_else(inserted, AFTER, BEFORE), batch.column(0))
    made = rows.set_column(0, rows.schema.field(0), kinds)
    order = pa.table({"key": keys, "rank": pc.index_in(kinds, pa.array(_RANK))})
    by_key = [("key", "ascending"), ("rank", "ascending")]
    return made.take(pc.sort_indices(order, sort_keys=by_key))


def _ids(batch: pa.RecordBatch, columns: Sequence[str]) -> pa.Array:
    """A number for each row, equal for equal values of the columns."""
    return encoded(batch.select(list(columns))).dictionary_encode().indices


def _ranks(batch: pa.RecordBatch, columns: Sequence[str]) -> pa.Array:
    """The same, in the order of the values as they are encoded."""
    found = encoded(batch.select(list(columns))).dictionary_encode()
    ranks = pc.inverse_permutation(pc.sort_indices(found.dictionary).cast("int64"))
    return ranks.take(found.indices)


def _as_often(counted: pa.Table) -> pa.Table:
    """Each row as often as it came more, or went more."""
    often = pc.abs(counted["sign_sum"])
    if not counted.num_rows or pc.max(often).as_py() == 1:
        return counted
    repeated = [place for place, n in enumerate(often.to_pylist()) for _ in range(n)]
    return counted.take(pa.array(repeated, pa.int64()))


def _places(count: int) -> pa.Array:
    return pc.subtract(pc.cumulative_sum(pa.repeat(pa.scalar(1, pa.int64()), count)), 1)


def _signs(batch: pa.RecordBatch) -> pa.Array:
    came = pc.is_in(batch.column(0), pa.array([INSERT, AFTER]))
    return pc.if_else(came, pa.scalar(1, pa.int64()), pa.scalar(-1, pa.int64()))


def _one_batch(rows: pa.Table) -> pa.RecordBatch:
    batches = rows.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=rows.schema)
