"""What messages of others mean for a dataset: rows to adopt, keys to send again, a base to raise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.governance.domain.values import same
from lakeshelf.governance.publication.incoming import IncomingMessages


@dataclass(frozen=True)
class KnownKeys:
    """What a dataset has and says of the keys of messages.

    Attributes:
        rows: Its rows of these keys.
        gone: Keys that it had.
        base: Base of its binding.
        tombstones: Highest version of a tombstone of a key that it never had.
        next: Delta version that its next commit makes.
    """

    rows: pa.Table
    gone: pa.Array
    base: int
    tombstones: int
    next: int


@dataclass(frozen=True)
class ForeignMessage:
    """A message of somebody else about a key that is the dataset's.

    Attributes:
        key: Key of the message.
        version: Its version.
        deleted: Whether it is a tombstone.
        partition, offset: Its place in the topic.
    """

    key: str
    version: int
    deleted: bool
    partition: int
    offset: int


@dataclass(frozen=True)
class MessageVerdict:
    """What follows from messages.

    Attributes:
        adopted: Rows of new keys, as they stand.
        again: Keys whose row has to be sent again, although nobody touched it.
        foreign: What others sent about keys that are the dataset's, and that its row does not say.
        base: Base of the binding from now on.
        tombstones: As in `KnownKeys`, from now on.
    """

    adopted: pa.Table
    again: tuple[str, ...]
    foreign: tuple[ForeignMessage, ...]
    base: int
    tombstones: int


def judged(messages: IncomingMessages, key: str, known: KnownKeys) -> MessageVerdict:
    """Judge messages against what is known of their keys.

    A key that the dataset neither has nor had is adopted by its message of the highest version. What others say of any
    other key changes nothing, and its row is sent again: a topic keeps the last message of a key, whatever its
    version. A version that is as high as the next one to be sent raises the base.
    """
    keys, deleted = messages.rows[key].combine_chunks(), messages.facts["deleted"].combine_chunks()
    versions = messages.facts["version"].combine_chunks()
    owned = pc.or_(_among(keys, known.rows[key]), _among(keys, known.gone))
    latest = _latest(messages, key, pc.invert(owned))
    chosen = latest.filter(pc.invert(deleted.take(latest)))
    adopted = messages.rows.take(chosen)
    held = known.rows.select(adopted.column_names).cast(adopted.schema)
    rows = pa.concat_tables([held, adopted]).combine_chunks()
    differing = pc.and_(
        pc.invert(_says(messages, key, rows)), pc.or_(owned, _among(keys, adopted[key]))
    )
    doubtful = chosen.filter(pc.less_equal(versions.take(chosen), known.tombstones))
    again = pa.concat_arrays([keys.filter(differing), keys.take(doubtful)])
    passed = latest.filter(deleted.take(latest))
    return MessageVerdict(
        adopted,
        tuple(pc.unique(again).cast(pa.string()).to_pylist()),
        tuple(_foreign(messages, key, pc.and_(differing, owned))),
        _raised(known, _highest(versions)),
        max(known.tombstones, _highest(versions.take(passed))),
    )


def _raised(known: KnownKeys, highest: int) -> int:
    return highest if highest >= known.base + known.next else known.base


def _highest(versions: pa.Array) -> int:
    return pc.max(versions).as_py() or 0


def _among(keys: pa.Array, others: pa.Array | pa.ChunkedArray) -> pa.BooleanArray:
    return pc.is_in(keys, others)


def _latest(messages: IncomingMessages, key: str, where: pa.BooleanArray) -> pa.Array:
    """Positions of the message of the highest version of each key, the first of equal ones, as jobs take them."""
    places = pc.indices_nonzero(where)
    order = [
        ("version", "descending"),
        ("kafka_partition", "ascending"),
        ("kafka_offset", "ascending"),
    ]
    sorted_places = places.take(pc.sort_indices(messages.facts.take(places), sort_keys=order))
    keys = messages.rows[key].combine_chunks().take(sorted_places)
    ranked = pa.table({"key": keys, "rank": pa.array(range(len(keys)), pa.int64())})
    first = ranked.group_by("key", use_threads=False).aggregate([("rank", "min")])["rank_min"]
    return sorted_places.take(first.combine_chunks())


def _says(messages: IncomingMessages, key: str, rows: pa.Table) -> pa.BooleanArray:
    """Whether each message says what the rows say."""
    at = pc.index_in(messages.rows[key].combine_chunks(), rows[key])
    current = rows.take(at)
    alike = (
        same(messages.rows[name].combine_chunks(), current[name].combine_chunks())
        for name in rows.column_names
    )
    deleted = messages.facts["deleted"].combine_chunks()
    return pc.if_else(deleted, at.is_null(), reduce(pc.and_, alike))


def _foreign(messages: IncomingMessages, key: str, where: pa.BooleanArray) -> list[ForeignMessage]:
    keys = messages.rows[key].filter(where).cast(pa.string()).to_pylist()
    facts = messages.facts.filter(where).to_pylist()
    return [
        ForeignMessage(k, f["version"], f["deleted"], f["kafka_partition"], f["kafka_offset"])
        for k, f in zip(keys, facts, strict=True)
    ]
