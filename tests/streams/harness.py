"""Steps 2 to 4 of the batch protocol on a lake of the test's own, without Kafka and Spark.

Records stand in one log a topic, as Kafka would hold them; the processors are those of the runtime, on
the driver committer, and only taking a batch from Spark and publishing to Kafka are left out.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, cast

import orjson
import pyarrow as pa

from lakeshelf.contracts import CATALOG, Topic
from lakeshelf.lake.form.commits import Commit
from lakeshelf.lake.rows import tables
from lakeshelf.settings import project_home
from lakeshelf.streams.commit.committers.driver import DriverCommitter
from lakeshelf.streams.commit.ledger import Counts, Offsets
from lakeshelf.streams.commit.outbox import Sendable
from lakeshelf.streams.commit.publisher import Publisher
from lakeshelf.streams.commit.sink import Sink
from lakeshelf.streams.commit.updates import TableChange
from lakeshelf.streams.declare import intake, registry
from lakeshelf.streams.declare.job import Fold, Job, Update
from lakeshelf.streams.declare.plan import QueryPlan, plan
from lakeshelf.streams.run.batch import BatchProcessor
from lakeshelf.streams.run.clock import BusinessTime
from lakeshelf.streams.run.intermediate import Batch

from .model import Rows

NOW = datetime(2017, 6, 1, tzinfo=UTC)
FOLDING = (
    "shelf-aggregator",
    "wh-aggregator",
    "batch-state-updater",
    "wh-batch-state-updater",
    "stock-discrepancies",
)
DISCREPANCIES = "ops/stock_discrepancies"
STATE = tuple(
    f"cleansed/{n}" for n in ("shelf_state", "wh_state", "shelf_batch_state", "wh_batch_state")
)
UNCOMPARED = frozenset({"updated_at", "version", "first_event_time", "first_event_id"})

Log = dict[str, list[dict[str, Any]]]
"""Topic → records, each with its position."""


@cache
def jobs() -> dict[str, Job]:
    """The jobs of the checkout."""
    return registry.discover(project_home())


def folding() -> QueryPlan:
    """The query of all jobs that fold events into state, and of the one that reads that state."""
    (found,) = plan(jobs()[name] for name in FOLDING)
    return found


def deciding() -> QueryPlan:
    """The query of all jobs that know the stock and decide."""
    return next(found for found in plan(jobs().values()) if found.name == FOLDING[0])


def watching() -> QueryPlan:
    """The query that looks for discrepancies alone, and reads the state from Kafka."""
    (found,) = plan([jobs()["stock-discrepancies"]])
    return found


def with_fold(found: QueryPlan, table: str, change: Callable[[Fold], Fold]) -> QueryPlan:
    """The plan with the fold of one table changed."""

    def changed(update: Update) -> Update:
        return change(update) if isinstance(update, Fold) and update.table == table else update

    return QueryPlan(
        tuple(replace(job, updates=tuple(map(changed, job.updates))) for job in found.jobs)
    )


def make(root: Path, *plans: QueryPlan) -> Path:
    """A lake with the tables of plans."""
    for found in plans:
        for name in found.tables:
            tables.ensure(root, CATALOG.tables[name])
    return root


class Crash(Exception):
    """A process that ends here."""


class CrashingSink(Sink[pa.Table]):
    """Ends the process after so many commits.

    Args:
        commits: How many are made before; None never ends it.
        arguments: Those of a sink.
    """

    def __init__(self, commits: int | None, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._left = commits

    def _route(self, *arguments: Any) -> Future[Commit]:
        if self._left == 0:
            self.settle()
            raise Crash
        self._left = None if self._left is None else self._left - 1
        return super()._route(*arguments)


class Runner:
    """Processes batches of records.

    Args:
        root: Lake with the tables of the plan.
        found: The query, declared or spoiled on purpose.
        app_id: Identity of its checkpoint.
        ledger: Whether batches end with their ledger row, of which the lake needs the table.
        committer: Makes the committer.

    Attributes:
        ends: Offsets that a process which starts reads up to before it decides.
        batch: Records of the last batch, each with its position.
    """

    def __init__(
        self,
        root: Path,
        found: QueryPlan | None = None,
        app_id: str = "query",
        *,
        ledger: bool = False,
        committer: type[DriverCommitter] = DriverCommitter,
    ) -> None:
        self.root = root
        self._plan = found or folding()
        self._committer = committer
        self._log: Log = {}
        self.state_log: Log = {}
        self._app_id = app_id
        self._ledger = ledger
        self._tick: dict[str, Any] | None = None
        self.batch: list[tuple[str, dict[str, Any]]] = []
        self.ends: Mapping[str, Mapping[str, int]] = {}
        self.restart()

    def restart(self, commits: int | None = None) -> None:
        """Forget everything but the lake, as a new process does; it may end after some commits."""
        sink = CrashingSink(
            commits, self._committer(self.root, 1000), DriverCommitter(self.root, 0, shared=True)
        )
        time = BusinessTime(self._tick, self.ends)
        self._processor = processor(self._plan, sink, self._app_id, self._offsets, time)

    def run(
        self,
        number: int,
        records: Sequence[tuple[str, Mapping[str, Any]]],
        crash_after: int | None = None,
    ) -> list[tuple[str, dict[str, Any]]]:
        """Process one batch; again by a new process when the first one crashes. The events that follow."""
        self._tick = (self._log.get("clock") or [None])[-1]
        self.batch = [(topic, place(self._log, topic, record)) for topic, record in records]
        if crash_after is None:
            return self._process(number)
        self.restart(crash_after)
        with contextlib.suppress(Crash):
            self._process(number)
        return self.again(number)

    def as_new_query(self, app_id: str) -> None:
        """Go on under another identity, as a query with a new checkpoint does."""
        self._app_id = app_id

    def again(self, number: int) -> list[tuple[str, dict[str, Any]]]:
        """Process the last batch again in a new process, with the same records and offsets."""
        self.restart()
        return self._process(number)

    def _process(self, number: int) -> list[tuple[str, dict[str, Any]]]:
        batch = process(self._processor, self._plan, number, self.batch)
        for topic, message in _published(batch):
            place(self.state_log, topic, message)
        if self._ledger:
            self._processor._enter(number, batch.counts, batch.versions(), batch.started)
        self._processor._time.decided()
        return [
            (emission.topic, row)
            for change in batch.changes
            for emission, events in change.events
            for row in events.to_pylist()
        ]

    def _offsets(self, _: int) -> Offsets:
        found: dict[str, dict[str, tuple[int, int]]] = {}
        for topic, record in self.batch:
            partition, offset = str(record["kafka_partition"]), record["kafka_offset"]
            low, high = found.setdefault(topic, {}).get(partition, (offset, offset + 1))
            found[topic][partition] = (min(low, offset), max(high, offset + 1))
        return found


def process(
    processor: BatchProcessor[pa.Table],
    found: QueryPlan,
    number: int,
    records: Iterable[tuple[str, dict[str, Any]]],
) -> Batch[pa.Table]:
    """Steps 2 to 5 of one batch of records that have a position."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for topic, record in records:
        rows.setdefault(topic, []).append(record)
    batch: Batch[pa.Table] = Batch(
        batch_id=number,
        frame=cast("Any", None),
        taken=pa.table({}),
        started=time.perf_counter(),
        appended_at=NOW,
        counts={topic: Counts(len(held), valid=len(held)) for topic, held in rows.items()},
    )
    for topic in found.topics:
        batch.relations[topic.name] = relation(topic, rows.get(topic.name, []))
    try:
        processor._sort_out(batch)
        processor._commit_others(batch, processor._commit_awaited(batch))
        processor._sink.settle()
    finally:
        processor._sink.end()  # who ended commits nothing beside the one that follows
    return batch


class HeldProcessor(BatchProcessor[pa.Table]):
    """Knows records as they came without Spark: each is told again from its fields."""

    def _originals(
        self, batch: Batch[pa.Table], topic: str, positions: Iterable[tuple[int, int]]
    ) -> list[dict[str, Any]]:
        wanted = set(positions)
        records = [
            row
            for row in batch.relations[topic].to_pylist()
            if (row["kafka_partition"], row["kafka_offset"]) in wanted
        ]
        assert len(records) == len(wanted)
        return [{**row, "topic": topic, **_told(topic, row)} for row in records]

    def _outgoing(self, change: TableChange[pa.Table]) -> list[Sendable]:
        """Changes are read from the batch itself."""
        return []


def _told(topic: str, row: dict[str, Any]) -> dict[str, bytes]:
    key = CATALOG.topics[topic].key_of(row).encode()
    named = {f.name: row[f.name] for f in CATALOG.topics[topic].fields}
    return {"key": key, "value": orjson.dumps(named, default=str)}


def relation(topic: Topic, rows: list[dict[str, Any]]) -> pa.Table:
    """Typed records of a topic in the shape in which the runtime holds them."""
    return pa.Table.from_pylist(rows, schema=intake.schema(topic))


def processor(
    found: QueryPlan,
    sink: Sink[pa.Table],
    app_id: str,
    offsets: Callable[[int], Offsets] = lambda _: {},
    time: BusinessTime | None = None,
) -> BatchProcessor[pa.Table]:
    """A processor of the runtime that publishes nothing."""
    publisher = cast("Publisher", None)
    return HeldProcessor(found, sink, publisher, app_id, offsets, lambda: NOW, time)


def place(log: Log, topic: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """Append the record to the topic's log, in the partition of its key."""
    held = log.setdefault(topic, [])
    key = CATALOG.topics[topic].key_of(record)
    partition = sum(key.encode()) % CATALOG.topics[topic].partitions
    offset = sum(r["kafka_partition"] == partition for r in held)
    stamp = NOW + timedelta(seconds=len(held))
    place = {"kafka_partition": partition, "kafka_offset": offset, "kafka_timestamp": stamp}
    held.append({**record, **place})
    return held[-1]


def _published(batch: Batch[pa.Table]) -> Iterable[tuple[str, dict[str, Any]]]:
    """Messages of the batch's changes on the state topics, tombstones included."""
    for change in batch.changes:
        if change.update.topic is None:
            continue
        topic = CATALOG.topics[change.update.topic]
        for row in change.rows.to_pylist():
            yield topic.name, {**{f.name: row[f.name] for f in topic.fields}, "deleted": False}
        for row in change.removed.to_pylist() if change.removed is not None else ():
            empty = dict.fromkeys(f.name for f in topic.fields)
            held = {name: row[name] for name in (*topic.key, "version")}
            yield topic.name, {**empty, **held, "deleted": True}


def read(root: Path, name: str) -> Rows:
    """Compared columns of a table by key; of discrepancies the rows that are still missing something."""
    rows = keyed(root, name)
    if name == DISCREPANCIES:
        return {k: {"missing_qty": r["missing_qty"]} for k, r in rows.items() if r["missing_qty"]}
    return {k: {c: v for c, v in r.items() if c not in UNCOMPARED} for k, r in rows.items()}


def keyed(root: Path, name: str) -> Rows:
    """All columns but the key's of a table by key.

    Raises:
        AssertionError: Two rows have the same key.
    """
    key = CATALOG.tables[name].key
    rows = tables.open_table(root, name).to_pyarrow_table().to_pylist()
    found = {tuple(r[k] for k in key): {c: v for c, v in r.items() if c not in key} for r in rows}
    assert len(found) == len(rows), f"{name} has two rows of one key"
    return found


def state(root: Path) -> dict[str, Rows]:
    """Every compared table."""
    return {name: read(root, name) for name in (*STATE, DISCREPANCIES)}


def versions(root: Path) -> dict[tuple[str, ...], int]:
    """Version of every state row, by table and key."""
    return {(n, *key): row["version"] for n in STATE for key, row in keyed(root, n).items()}
