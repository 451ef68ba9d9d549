"""Where a rebuild lets a query go on, and which rows of `raw` it therefore folds.

A record is either folded from `raw` or read again from Kafka:

1. What the ledger covers is folded.
2. What `raw` lacks, because the table was lost or is an older copy, or of which the ledger knows nothing, is read
   again from the first record that Kafka still has. What `raw` holds of it is not appended twice.
3. Of a topic that was made again, or that has lost its end, `raw` holds records that will never be read again: all of
   them are folded, and reading goes on at the beginning of the new topic, or at the end that is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pyarrow as pa

from lakeshelf.contracts import CATALOG
from lakeshelf.counts import count_of
from lakeshelf.errors import StreamError
from lakeshelf.kafka import topics
from lakeshelf.lake.place.location import Place as Lake
from lakeshelf.lake.rows import reading
from lakeshelf.streams.commit import ledger
from lakeshelf.streams.declare import intake
from lakeshelf.streams.declare.plan import QueryPlan
from lakeshelf.streams.resume.continuity import Standing
from lakeshelf.streams.take.duplicates import PLACE
from lakeshelf.streams.take.refusal import QUARANTINE

Ends = Mapping[str, int]


@dataclass
class RestartPlace:
    """Where a query goes on.

    Attributes:
        starting: Mirrored topic → partition → offset; partitions left out begin at their beginning.
        earlier: Topic → partition → time of append up to which records of `raw` are of topics before the present one.
    """

    starting: dict[str, dict[str, int]] = field(default_factory=dict)
    earlier: dict[str, dict[str, str]] = field(default_factory=dict)

    def covers(self, topic: str, partition: int, offset: int, at: datetime) -> bool:
        """Whether a record that stood there is not read again."""
        p = str(partition)
        if offset < self.starting.get(topic, {}).get(p, 0):
            return True
        until = self.earlier.get(topic, {}).get(p)
        return until is not None and at <= datetime.fromisoformat(until)


@dataclass(frozen=True)
class TopicBounds:
    """What Kafka has of the mirrored topics: first and end offsets; None: nobody asked."""

    first: topics.Offsets
    ends: topics.Offsets

    @classmethod
    def asked(cls, plan: QueryPlan, client: Mapping[str, str] | None) -> TopicBounds | None:
        """Ask Kafka, given a client."""
        if client is None:
            return None
        first = topics.first_offsets(client, plan.mirrors)
        return cls(first, topics.end_offsets(client, plan.mirrors))


def place(
    plan: QueryPlan,
    root: Lake,
    standing: Standing,
    client: Mapping[str, str] | None,
    *,
    accept_loss: bool = False,
) -> RestartPlace:
    """Where a query goes on after a rebuild.

    Args:
        plan: The query.
        root: The lake.
        standing: Where the query stands.
        client: librdkafka settings that reach the broker; None: topics are as they were.
        accept_loss: Go on without rows that neither `raw` nor Kafka has any more.

    Raises:
        StreamError: `raw` lacks rows that Kafka no longer has.
    """
    chosen = RestartPlace()
    bounds = TopicBounds.asked(plan, client)
    for topic in plan.mirrors:
        starting, earlier = _of_topic(standing, topic, bounds)
        chosen.starting[topic], chosen.earlier[topic] = starting, earlier
        if not accept_loss and not standing.has_foreign_ledger and _is_broken(standing, topic):
            _require_kept(plan, root, standing, topic, bounds)
    return chosen


def _of_topic(
    standing: Standing, topic: str, bounds: TopicBounds | None
) -> tuple[dict[str, int], dict[str, str]]:
    """Where reading of a topic begins, and what `raw` holds of topics before it, as in `Place`."""
    known = {} if standing.has_foreign_ledger else standing.account.sources.get(topic, {})
    earlier = dict(known.get("earlier", {}))
    reached = standing.account.reached.get(topic, {})
    if bounds is None:
        return dict(reached), earlier
    if _is_replaced(standing, topic):
        return {}, earlier | _latest(standing, topic)
    first, ends = bounds.first[topic], bounds.ends[topic]
    if _is_broken(standing, topic):
        return first, earlier
    back = {p for p, offset in reached.items() if offset > ends.get(p, 0)}
    times = _latest(standing, topic) if back else {}
    starting = {p: min(reached.get(p, first.get(p, 0)), ends.get(p, 0)) for p in {*reached, *first}}
    return starting, earlier | {p: at for p, at in times.items() if p in back}


def _is_broken(standing: Standing, topic: str) -> bool:
    """Whether `raw` is not what the ledger says of it."""
    about = {b.about for b in standing.breaks}
    return bool(about & {f"raw/{topic}", QUARANTINE, ledger.LEDGER})


def _is_replaced(standing: Standing, topic: str) -> bool:
    known = (
        None if standing.has_foreign_ledger else standing.account.sources.get(topic, {}).get("id")
    )
    present = standing.topic_ids.get(topic)
    return present is None or known not in (None, present)


def _latest(standing: Standing, topic: str) -> dict[str, str]:
    """Partition → time of append of the last record that raw holds."""
    latest = _places(standing, topic).group_by("kafka_partition")
    return {
        str(row["kafka_partition"]): row["kafka_timestamp_max"].astimezone(UTC).isoformat()
        for row in latest.aggregate([("kafka_timestamp", "max")]).to_pylist()
    }


def _places(standing: Standing, topic: str) -> pa.Table:
    """Where the records stood that raw holds; a table of another lake holds none of ours."""
    name = f"raw/{topic}"
    if name not in standing.handles or name in standing.foreign:
        return intake.schema(CATALOG.topics[topic]).empty_table().select(list(PLACE))
    return reading.rows(standing.handles[name], name, list(PLACE))


def _require_kept(
    plan: QueryPlan, root: Lake, standing: Standing, topic: str, bounds: TopicBounds | None
) -> None:
    """Refuse where rows are lacking whose records retention, or the end of a topic, has taken."""
    gone = bounds is None or _is_replaced(standing, topic)
    first = None if gone or bounds is None else bounds.first[topic]
    expected = sum(_valid(root, plan.name, topic, first))
    held = _below(_places(standing, topic), first)
    if held < expected:
        raise StreamError(
            f"raw/{topic} lacks {count_of(expected - held, 'row')} whose records Kafka no longer has",
            hint="put a copy of the table back that has them, then rebuild; "
            "without them it goes on with `lakeshelf rebuild --accept-loss`",
        )


def _valid(root: Lake, query: str, topic: str, first: Ends | None) -> Iterator[int]:
    """Valid records of each batch that lies below the first records that Kafka has; of all, where it has none.

    A batch whose records were read before, ahead of a rebuild, is left out.
    """
    seen: dict[str, int] = {}
    read = None
    for row in ledger.entries(root, query):
        source = (row.get("sources") or {}).get(topic, {}).get("id", read)
        read, seen = source, seen if source == read else {}
        parts = row["offsets"].get(topic, {})
        is_new = any(end > seen.get(p, 0) for p, (_, end) in parts.items())
        seen |= {p: max(end, seen.get(p, 0)) for p, (_, end) in parts.items()}
        if is_new and (
            first is None or all(end <= first.get(p, 0) for p, (_, end) in parts.items())
        ):
            yield int(row["topics"].get(topic, {}).get("valid", 0))


def _below(rows: pa.Table, first: Ends | None) -> int:
    held = rows.group_by(list(PLACE)).aggregate([])
    if first is None:
        return int(held.num_rows)
    partitions, offsets = (held[name].to_pylist() for name in PLACE[:2])
    return sum(o < first.get(str(p), 0) for p, o in zip(partitions, offsets, strict=True))
