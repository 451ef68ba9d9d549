"""What a feed comes to: the net effect on each key.

Most keys change once. Their rows pass as they come, batch by batch; only rows of keys that changed several times, and
what cannot be told apart at once, are held back, and counted by their content.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.lake.rows.diff import AFTER, BEFORE, CHANGE_TYPE, DELETE, INSERT
from lakeshelf.lake.rows.fingerprints import encoded

CLOSE = 32
"""Places for each number, up to which they are marked instead of grouped."""
_RANK = (DELETE, BEFORE, AFTER, INSERT)
_SIDES = (BEFORE, AFTER)


def repeated(
    feed: Iterable[pa.RecordBatch], key: Sequence[str], schema: pa.Schema
) -> pa.Table | None:
    """Keys that changed more than once, or of which one update did not keep the key.

    Args:
        feed: Its kinds and at least its key columns.
        key: Key columns.
        schema: Of the feed.

    Returns:
        The keys, each once; None: they cannot be told apart quickly, floats for example, and all may have.
    """
    if any(is_intricate(schema.field(column).type) for column in key):
        return None
    held = _sided(feed, key, schema)
    changed = held.filter(pc.invert(held[AFTER])).select(list(key))
    if _keep_keys(held, key) and len(key) == 1 and _are_distinct(changed[key[0]]):
        return changed.slice(0, 0)
    counted = held.group_by(list(key), use_threads=False).aggregate(
        [(BEFORE, "sum"), (AFTER, "sum"), ([], "count_all")]
    )
    came, went = counted[f"{AFTER}_sum"], counted[f"{BEFORE}_sum"]
    often = pc.greater(pc.subtract(counted["count_all"], came), 1)
    return counted.filter(pc.or_(often, pc.not_equal(came, went))).select(list(key))


def _sided(feed: Iterable[pa.RecordBatch], key: Sequence[str], schema: pa.Schema) -> pa.Table:
    """The keys, with a bit each for whether a row is a preimage or a postimage: their names would take more room."""
    kept = pa.schema(
        [*(schema.field(column) for column in key), (BEFORE, pa.bool_()), (AFTER, pa.bool_())]
    )
    sided = (
        [*(batch[column] for column in key), *(pc.equal(batch[CHANGE_TYPE], k) for k in _SIDES)]
        for batch in feed
    )
    return pa.Table.from_batches(
        (pa.RecordBatch.from_arrays(arrays, schema=kept) for arrays in sided), kept
    )


def _keep_keys(held: pa.Table, key: Sequence[str]) -> bool:
    """Whether preimages and postimages follow each other with the same keys."""
    before, after = (held.filter(held[side]).select(list(key)) for side in _SIDES)
    return bool(before.equals(after))


def netted(
    batches: Iterable[pa.RecordBatch], key: Sequence[str], several: pa.Table | None
) -> Iterator[pa.RecordBatch]:
    """The net effect of a feed: what passes at once, and at last what comes of the rest.

    Args:
        batches: The feed, its kinds first; an `update_preimage` stands before its `update_postimage` wherever the
            writer wrote them so, which need not be.
        key: Key columns.
        several: Keys that changed more than once (`repeated`).
    """
    held: list[pa.RecordBatch] = []
    for batch in _uncut(batches):
        passes = _passes(batch, key, several)
        if pc.all(passes).as_py():
            yield batch
            continue
        yield batch.filter(passes)
        held.append(batch.filter(pc.invert(passes)))
    if held:
        yield from net(pa.Table.from_batches(held), key).to_batches()


def _uncut(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The batches, without an end between a preimage and what follows."""
    before: list[pa.RecordBatch] = []
    for batch in batches:
        whole = pa.concat_batches([*before, batch]) if before else batch
        ends = whole.num_rows and whole.column(0)[-1].as_py() == BEFORE
        kept = whole.num_rows - 1 if ends else whole.num_rows
        before = [whole.slice(kept)] if ends else []
        if kept:
            yield whole.slice(0, kept)
    yield from before


def _passes(batch: pa.RecordBatch, key: Sequence[str], several: pa.Table | None) -> pa.Array:
    """Rows that are the whole net effect on their key: one that came or went, or a pair that differs."""
    before, after = (pc.equal(batch.column(0), kind) for kind in (BEFORE, AFTER))
    pairs = reduce(
        pc.and_,
        [
            before.slice(0, len(before) - 1),
            after.slice(1),
            *(_adjacent(batch.column(column), pc.equal) for column in key),
            _differ(batch),
        ],
    )
    pairs = pc.fill_null(pairs, False)
    alone, no = pc.invert(pc.or_(before, after)), pa.array([False])
    mask = pc.or_(alone, pc.or_(_joined(pairs, no), _joined(no, pairs)))
    return pc.and_(mask, pc.invert(_among(batch, key, several)))


def _joined(first: pa.Array, second: pa.Array) -> pa.Array:
    return pa.concat_arrays([first, second])


def _adjacent(column: pa.Array, compare: Callable[[pa.Array, pa.Array], pa.Array]) -> pa.Array:
    """Each value but the last, compared with the next."""
    return compare(column.slice(0, len(column) - 1), column.slice(1))


def _differ(batch: pa.RecordBatch) -> pa.Array:
    """Whether each row but the last differs from the next for certain."""
    compared = [c for c in batch.columns[1:] if not pa.types.is_nested(c.type)]
    return reduce(pc.or_, (_adjacent(column, _unlike) for column in compared))


def _unlike(one: pa.Array, other: pa.Array) -> pa.Array:
    different = pc.fill_null(pc.not_equal(one, other), False)
    if pa.types.is_floating(one.type):
        same = pc.and_(pc.is_nan(one), pc.is_nan(other))
        different = pc.and_(different, pc.invert(pc.fill_null(same, False)))
    return pc.or_(different, pc.xor(one.is_valid(), other.is_valid()))


def _among(batch: pa.RecordBatch, key: Sequence[str], several: pa.Table | None) -> pa.Array:
    """Rows whose key is null in part or one of several keys; all, where these are not known."""
    if several is None:
        return pa.repeat(True, batch.num_rows)
    mask = reduce(pc.or_, (batch.column(column).is_null() for column in key))
    if not several.num_rows:
        return mask
    if len(key) == 1:
        values = several[key[0]].combine_chunks()
        return pc.or_(mask, pc.is_in(batch.column(key[0]), values))
    row_keys, several_keys = _encoded(batch, key), _encoded(_one_batch(several), key)
    return pc.or_(mask, pc.is_in(row_keys, several_keys))


def _are_distinct(column: pa.ChunkedArray) -> bool:
    """Whether all are different numbers that lie close together: each marks its place, quicker than grouping."""
    if not pa.types.is_integer(column.type) or column.null_count or not len(column):
        return False
    least, most = pc.min_max(column).values()
    span = most.as_py() - least.as_py()
    if span > CLOSE * len(column):
        return False
    places = pc.subtract(column.combine_chunks(), least)
    marked = pc.inverse_permutation(places, max_index=span, output_type=pa.int32())
    return int(marked.null_count) + len(column) == len(marked)


def is_intricate(kind: pa.DataType) -> bool:
    """Whether equal values need not be equal bytes, or cannot be grouped."""
    return bool(pa.types.is_floating(kind) or pa.types.is_nested(kind))


def first_of_each(rows: pa.Table) -> pa.Table:
    """Of equal rows the first, whatever the types of their columns."""
    groups = pa.table({"row": _ids(_one_batch(rows), rows.column_names)})
    groups = groups.append_column("place", _places(rows.num_rows))
    firsts = groups.group_by("row", use_threads=False).aggregate([("place", "min")])
    return rows.take(firsts["place_min"])


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
    return _encoded(batch, columns).dictionary_encode().indices


def _ranks(batch: pa.RecordBatch, columns: Sequence[str]) -> pa.Array:
    """The same, in the order of the values as they are encoded."""
    encoded = _encoded(batch, columns).dictionary_encode()
    ranks = pc.inverse_permutation(pc.sort_indices(encoded.dictionary).cast("int64"))
    return ranks.take(encoded.indices)


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


def _encoded(batch: pa.RecordBatch, columns: Sequence[str]) -> pa.Array:

    return encoded(batch.select(list(columns)))
