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
from typing import Any

import pyarrow as pa

from lakeshelf.errors import StreamError
from lakeshelf.lake import reading
from lakeshelf.lake.location import Place as Lake
from lakeshelf.streams import ledger, topics
from lakeshelf.streams.continuity import Standing
from lakeshelf.streams.duplicates import PLACE
from lakeshelf.streams.plan import QueryPlan
from lakeshelf.streams.refusal import QUARANTINE

Ends = Mapping[str, int]


@dataclass
class Place:
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


def place(
    found: QueryPlan, root: Lake, standing: Standing, client: Mapping[str, str] | None
) -> Place:
    """Where a query goes on after a rebuild.

    Raises:
        StreamError: `raw` lacks rows that Kafka no longer has.
    """
    chosen = Place()
    first, ends = _bounds(found, client)
    broken = {b.about for b in standing.breaks}
    for topic in found.mirrors:
        known = _known(standing, topic)
        earlier = dict(known.get("earlier", {}))
        reached = standing.account.reached.get(topic, {})
        if client is None:
            starting = dict(reached)
        elif _is_replaced(standing, topic):
            starting, earlier = {}, earlier | _latest(standing, topic)
        elif broken & {f"raw/{topic}", QUARANTINE}:
            starting = first[topic]
            _require_kept(found, root, standing, topic, starting)
        else:
            starting = {
                p: min(reached.get(p, first[topic].get(p, 0)), ends[topic].get(p, 0))
                for p in {*reached, *first[topic]}
            }
            back = {p for p, offset in reached.items() if offset > ends[topic].get(p, 0)}
            times = _latest(standing, topic) if back else {}
            earlier |= {p: at for p, at in times.items() if p in back}
        chosen.starting[topic], chosen.earlier[topic] = starting, earlier
    return chosen


def _bounds(
    found: QueryPlan, client: Mapping[str, str] | None
) -> tuple[topics.Offsets, topics.Offsets]:
    if client is None:
        return {}, {}
    return topics.first_offsets(client, found.mirrors), topics.end_offsets(client, found.mirrors)


def _known(standing: Standing, topic: str) -> Mapping[str, Any]:
    """What the ledger knows of a topic; nothing if it is the ledger of another lake, whose raw is another table."""
    raw = f"raw/{topic}"
    told, held = standing.account.table_ids.get(raw), standing.table_ids.get(raw)
    if held is not None and told not in (None, held):
        return {}
    return dict(standing.account.sources.get(topic, {}))


def _is_replaced(standing: Standing, topic: str) -> bool:
    known = _known(standing, topic).get("id")
    present = standing.topic_ids.get(topic)
    return present is None or known not in (None, present)


def _latest(standing: Standing, topic: str) -> dict[str, str]:
    """Partition → time of append of the last record that raw holds."""
    handle = standing.handles.get(f"raw/{topic}")
    if handle is None:
        return {}
    rows = reading.rows(handle, f"raw/{topic}", list(PLACE))
    latest = rows.group_by("kafka_partition").aggregate([("kafka_timestamp", "max")]).to_pylist()
    return {
        str(row["kafka_partition"]): row["kafka_timestamp_max"].astimezone(UTC).isoformat()
        for row in latest
    }


def _require_kept(
    found: QueryPlan, root: Lake, standing: Standing, topic: str, first: Ends
) -> None:
    """Refuse where rows are lacking whose records retention has taken."""
    wanted = sum(_valid(root, found.name, topic, first))
    handle = standing.handles.get(f"raw/{topic}")
    held = 0 if handle is None else _below(reading.rows(handle, f"raw/{topic}", list(PLACE)), first)
    if held < wanted:
        raise StreamError(
            f"raw/{topic} lacks {wanted - held} rows whose records Kafka no longer has",
            hint="put a copy of the table back that has them, then rebuild",
        )


def _valid(root: Lake, query: str, topic: str, first: Ends) -> Iterator[int]:
    """Valid records of each batch that lies below the first records that Kafka has."""
    for row in ledger.entries(root, query):
        parts = row["offsets"].get(topic, {})
        if parts and all(end <= first.get(p, 0) for p, (_, end) in parts.items()):
            yield int(row["topics"].get(topic, {}).get("valid", 0))


def _below(rows: pa.Table, first: Ends) -> int:
    held = rows.group_by(list(PLACE)).aggregate([])
    partitions, offsets = (held[name].to_pylist() for name in PLACE[:2])
    return sum(o < first.get(str(p), 0) for p, o in zip(partitions, offsets, strict=True))
