"""A rehearsal of a batch: what a query would refuse by the tables as they stand. Nothing is written or sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import pyarrow as pa

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.validate import parse
from lakeshelf.lake.place.location import Place
from lakeshelf.lake.rows import tables
from lakeshelf.streams.commit.committers.driver import DriverCommitter
from lakeshelf.streams.commit.lane import Lane, Result
from lakeshelf.streams.commit.ledger import Counts
from lakeshelf.streams.commit.outbox import Sendable
from lakeshelf.streams.commit.publisher import Publisher
from lakeshelf.streams.commit.sink import Sink
from lakeshelf.streams.commit.updates import TableChange
from lakeshelf.streams.declare import intake
from lakeshelf.streams.declare.plan import QueryPlan
from lakeshelf.streams.run.batch import BatchProcessor
from lakeshelf.streams.run.intermediate import Batch
from lakeshelf.streams.take.refusal import Refused

NOWHERE = -1
"""Partition of a record that is not on its topic yet."""


@dataclass(frozen=True)
class Candidate:
    """An event that may be sent, valid by its contract."""

    topic: str
    key: bytes | None
    value: bytes


class Unwritten(Lane):
    """Takes commits and makes none."""

    def submit(self, work: Callable[[], Result]) -> Future[Result]:
        """A future that never comes."""
        return Future()


class Rehearsal(BatchProcessor[pa.Table]):
    """Takes candidates through the steps of a batch that judge them.

    Args:
        root: Lake root.
        plan: The query.
    """

    def __init__(self, root: Place, plan: QueryPlan) -> None:
        committer = DriverCommitter(root, 0, lane=Unwritten())
        nobody = cast("Publisher", None)
        super().__init__(plan, Sink(committer, committer), nobody, "rehearsal", lambda _: {})
        self._candidates: Sequence[Candidate] = ()

    def refused(self, candidates: Sequence[Candidate]) -> list[tuple[int, Refused]]:
        """Candidates that would be refused: their place in the sequence, and the refusal."""
        self._candidates = candidates
        batch = self._batch()
        self._sort_out(batch)
        if any(objection.topic in batch.counts for objection in self._plan.objections):
            self._commit_others(batch, self._commit_awaited(batch))
        return [(refused.offset, refused) for refused in batch.refused]

    def _batch(self) -> Batch[pa.Table]:
        now = self._clock()
        rows: dict[str, list[dict[str, Any]]] = {}
        for n, c in enumerate(self._candidates):
            typed = parse(CATALOG.topics[c.topic], c.value)
            rows.setdefault(c.topic, []).append({**typed, **_place(n, now)})
        made: Batch[pa.Table] = Batch(
            batch_id=0,
            frame=cast("Any", None),
            taken=pa.table({}),
            started=time.perf_counter(),
            appended_at=now,
            counts={topic: Counts(len(held), valid=len(held)) for topic, held in rows.items()},
        )
        for topic in self._plan.topics:
            held = rows.get(topic.name, [])
            made.relations[topic.name] = pa.Table.from_pylist(held, schema=intake.schema(topic))
        return made

    def _originals(
        self, batch: Batch[pa.Table], topic: str, positions: Iterable[tuple[int, int]]
    ) -> list[dict[str, Any]]:
        candidates = [(n, self._candidates[n]) for _, n in positions]
        return [
            {"topic": topic, "key": c.key, "value": c.value, **_place(n, batch.appended_at)}
            for n, c in candidates
        ]

    def _commit_raw(self, batch: Batch[pa.Table]) -> None:
        """Nobody has sent what is rehearsed."""

    def _quarantine(self, *_: object) -> None:
        """What is refused here was never sent."""

    def _outgoing(self, change: TableChange[pa.Table]) -> list[Sendable]:
        """Nothing is sent."""
        return []


def refusals(
    root: Place, plans: Iterable[QueryPlan], candidates: Sequence[Candidate]
) -> list[tuple[int, Refused]]:
    """What the queries would refuse of events that the contract lets in.

    A query that lacks one of its tables has never run and refuses nothing.

    Args:
        root: Lake root.
        plans: The queries.
        candidates: The events, in the order in which they would be sent.

    Returns:
        Their places in `candidates`, and the refusals.
    """
    present = set(tables.existing(root))
    placed = []
    for plan in plans:
        read = {topic.name for topic in plan.topics}
        taken = [(n, c) for n, c in enumerate(candidates) if c.topic in read]
        if taken and present.issuperset(plan.tables):
            rehearsed = Rehearsal(root, plan).refused([c for _, c in taken])
            placed += [(taken[n][0], refused) for n, refused in rehearsed]
    return placed


def _place(number: int, now: datetime) -> dict[str, Any]:
    return {
        "kafka_partition": NOWHERE,
        "kafka_offset": number,
        "kafka_timestamp": now.astimezone(UTC),
    }
