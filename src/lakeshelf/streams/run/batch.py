"""One micro-batch, exactly once (docs/design/exactly-once.md#batch).

1. Take the batch; the contract judges what the fast path was not sure of.
2. Tell new records from repeats: by position in `raw` for events, by version for compacted topics.
3. Commit what the tables become that somebody waits for (`lakeshelf.streams.declare.urgency`).
4. Commit raw tables, then quarantine. A repeat of the batch finds its own rows and counts them again.
5. Commit what the other tables become; then quarantine what the jobs refuse for what their tables say now.
   What changed is published, each table after its commit: absolute, versioned, keyed; after a repeat as the
   tables say.
6. Commit the ledger row. Spark notes the batch as done when this returns.

Every commit carries (application id, batch id) and is made at most once; steps 1 and 2 give the same
rows for the same offsets, so it does not matter where a crash falls. Commits are made while the batch computes
what comes next: those of tables one after another, those of raw tables perhaps beside them.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Generic

import pyarrow as pa
from pyspark.sql import DataFrame

from lakeshelf import crash
from lakeshelf.contracts import CATALOG, Topic
from lakeshelf.lake.form.commits import Txn
from lakeshelf.streams.commit import ledger
from lakeshelf.streams.commit.committers.base import Rows
from lakeshelf.streams.commit.ledger import Counts, Offsets
from lakeshelf.streams.commit.outbox import DRIVER_ROWS, Outbox, Sendable
from lakeshelf.streams.commit.publisher import Publisher
from lakeshelf.streams.commit.sink import Sink
from lakeshelf.streams.commit.updates import TableChange, Updater
from lakeshelf.streams.declare import intake
from lakeshelf.streams.declare.job import CLOCK, TIME, Objection, Update, contract
from lakeshelf.streams.declare.plan import QueryPlan
from lakeshelf.streams.resume.continuity import BATCH
from lakeshelf.streams.run import measuring
from lakeshelf.streams.run.clock import BusinessTime
from lakeshelf.streams.run.intermediate import Batch, Places, Record, place, recount
from lakeshelf.streams.run.parts import PART, BatchPart
from lakeshelf.streams.take import duplicates, refusal


class BatchProcessor(Generic[Rows]):
    """Runs the protocol for the batches of one query.

    Args:
        plan: What the query reads, mirrors and keeps.
        sink: Holds and commits rows.
        publisher: Sends what changed.
        app_id: Prefix of application ids, that of the query on this lake.
        offsets: Offsets of a batch, as the checkpoint has them.
        clock: The time, for `ingested_at` and the ledger.
        time: Business time before the first batch.
        sources: Asks whether the topics are still those that were begun with; the answer raises when not.
        known: Topics and tables by their ids, for the next row of the ledger.
        driver_rows: Most rows of a change that come to the driver to be published.
    """

    def __init__(
        self,
        plan: QueryPlan,
        sink: Sink[Rows],
        publisher: Publisher,
        app_id: str,
        offsets: Callable[[int], Offsets],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        time: BusinessTime | None = None,
        sources: Callable[[], Callable[[], None]] = lambda: lambda: None,
        known: ledger.KnownIds | None = None,
        driver_rows: int = DRIVER_ROWS,
    ) -> None:
        self._plan = plan
        self._sink = sink
        self._publisher = publisher
        self._outbox = Outbox(sink, publisher, driver_rows)
        self.app_id = app_id
        self._offsets = offsets
        self._time = time or BusinessTime(None, {})
        self._clock = clock
        self._sources = sources
        self._known = known or ledger.KnownIds()
        self._metadata: tuple[int, dict[str, Any]] = (-1, {})
        self._step = partial(measuring.step, plan.name)
        self.appended_at: dict[str, datetime] = {}

    def __call__(self, frame: DataFrame, batch_id: int) -> dict[str, Counts]:
        """Process one parsed batch. Called at least once for every batch id, in order.

        Returns:
            Topic → what became of its records.
        """
        try:
            with self._step("take"):
                batch = self._take(frame, batch_id, self._offsets(batch_id))
            self._fold(batch)
            with self._step("ledger"):
                self._enter(batch_id, batch.counts, batch.versions(), batch.started)
            self._time.decided()
        finally:
            self._sink.end()
        measuring.done(self._plan.name, batch, self._batch_metadata(batch_id)[BATCH]["offsets"])
        self.appended_at |= batch.latest
        self._sink.maintain()
        return batch.counts

    def _fold(self, batch: Batch[Rows]) -> None:
        """Steps 2 to 5."""
        self._point("before_raw", batch)
        confirm = self._sources()
        with self._step("awaited"):
            self._sort_out(batch)
            confirm()
            updater = self._commit_awaited(batch)
        with self._step("tables"):
            self._commit_others(batch, updater)
        with self._step("publish"):
            self._publish(batch)

    def _take(self, frame: DataFrame, batch_id: int, offsets: Offsets | None = None) -> Batch[Rows]:
        """Step 1."""
        started = time.perf_counter()
        taken = self._sink.begin(frame, self._plan.topics, offsets)
        summary = self._sink.summary(taken, self._plan.topics).to_pylist()
        counts = {
            row["topic"]: Counts(row["rows_in"], valid=row["rows_in"] - row["suspects"])
            for row in summary
        }
        latest = {row["topic"]: row["latest"] for row in summary}
        at = max(latest.values(), default=self._clock())
        batch = Batch(batch_id, frame, taken, started, at, counts, latest=latest)
        suspects = any(row["suspects"] for row in summary)
        self._relate(batch, self._judged(batch) if suspects else refusal.Judgement())
        return batch

    def _judged(self, batch: Batch[Rows]) -> refusal.Judgement:
        suspects = self._sink.query(intake.SUSPECTS, batch=batch.taken)
        return refusal.judge(self._sink.to_arrow(suspects))

    def _relate(self, batch: Batch[Rows], judgement: refusal.Judgement) -> None:
        for topic in self._plan.topics:
            if topic.name not in batch.counts:
                nothing = intake.schema(topic).empty_table()
                batch.relations[topic.name] = self._sink.from_arrow(nothing)
                continue
            rescued = judgement.rows(topic) if topic.name in judgement.valid else None
            batch.counts[topic.name].valid += 0 if rescued is None else rescued.num_rows
            batch.relations[topic.name] = self._sink.records_of(topic, batch.taken, rescued)
        batch.refused += judgement.refused

    def _sort_out(self, batch: Batch[Rows]) -> None:
        """Step 2."""
        for name in batch.counts:
            topic = CATALOG.topics[name]
            fates = self._fates(topic, batch)
            if fates is not None:
                batch.fates[name] = fates
                self._tell_apart(batch, topic, fates)
        for refused in batch.refused:
            batch.counts[refused.topic].quarantined += 1

    def _tell_apart(self, batch: Batch[Rows], topic: Topic, fates: pa.Table) -> None:
        """Count, refuse and leave out what is not new."""
        by_fate = Counter(fates["fate"].to_pylist())
        counts = batch.counts[topic.name]
        counts.duplicate = by_fate[duplicates.DUPLICATE]
        counts.valid -= sum(n for fate, n in by_fate.items() if fate not in duplicates.FIRST)
        if duplicates.HELD in by_fate:
            batch.held[topic.name] = duplicates.of_fates(fates, {duplicates.HELD})
        if not by_fate.keys() <= duplicates.HARMLESS:
            batch.refused += self._contradictions(batch, topic, fates)
        if gone := by_fate.keys() - duplicates.going_on(topic):
            places = duplicates.of_fates(fates, gone)
            batch.relations[topic.name] = self._sink.without(batch.relations[topic.name], places)

    def _fates(self, topic: Topic, batch: Batch[Rows]) -> pa.Table | None:
        """What becomes of records; those of which nothing is said, or of all that, are certainly new."""
        records = batch.relations[topic.name]
        if topic.compacted:
            held = self._plan.latest(topic.name)
            if held is None:
                return None
            text = duplicates.version_fates(topic, contract(held))
            return self._not_new(text, records=records, current=self._sink.table(held.table))
        if topic.name not in self._plan.mirrors:
            return None
        seen = self._sink.seen(f"raw/{topic.name}", records)
        if self._sink.count(seen) == 0 and not self._sink.repeats(records):
            return None
        return self._not_new(duplicates.event_fates(topic), records=records, seen=seen)

    def _not_new(self, fates: str, **inputs: Rows) -> pa.Table:
        """What a query tells of records; of new ones, which are nearly all, nothing."""
        return self._sink.to_arrow(self._sink.query(duplicates.not_new(fates), **inputs))

    def _contradictions(
        self, batch: Batch[Rows], topic: Topic, fates: pa.Table
    ) -> list[refusal.Refused]:
        named = {duplicates.CONFLICT, duplicates.CONFLICTING_VERSION}
        conflicts = duplicates.of_fates(fates, named).to_pylist()
        reasons = {place(row): row["fate"] for row in conflicts}
        detail = "an earlier record has this id or version and other content"
        return [
            refusal.refuse(record, reasons[place(record)], detail)
            for record in self._originals(batch, topic.name, reasons)
        ]

    def _originals(self, batch: Batch[Rows], topic: str, places: Places) -> list[Record]:
        """Records of the batch as they came."""
        return batch.originals(topic, places)

    def _commit_raw(self, batch: Batch[Rows]) -> None:
        """Step 4."""
        for name in self._plan.mirrors:
            if name in batch.counts:
                records = batch.relations[name]
                if name in batch.held:
                    records = self._sink.without(records, batch.held[name])
                rows = self._sink.raw_rows(CATALOG.topics[name], records, self._clock())
                batch.commits.append(
                    self._sink.append(f"raw/{name}", rows, self._txn(f"raw/{name}", batch))
                )
        self._quarantine(batch, batch.refused, self._txn(refusal.QUARANTINE, batch))
        self._sink.then(partial(self._point, "after_raw", batch), lane="raw")

    def _commit_awaited(self, batch: Batch[Rows]) -> Updater[Rows]:
        """Step 3; what goes on with the tables."""
        time = self._business_time(batch)
        updater = Updater(
            self._sink,
            batch.relations,
            frozenset(batch.counts) | ({TIME} if time.moved else set()),
            batch.appended_at,
            lambda table: self._txn(table, batch),
            decides=time.decides,
            query=self._plan.name,
        )
        self._update(batch, updater, self._plan.ordered.now)
        return updater

    def _commit_others(self, batch: Batch[Rows], updater: Updater[Rows]) -> None:
        """Steps 4 and 5."""
        self._commit_raw(batch)
        self._update(batch, updater, self._plan.ordered.later)
        self._object(batch, updater, informed=self._time.informed)

    def _update(
        self, batch: Batch[Rows], updater: Updater[Rows], updates: Iterable[Update]
    ) -> None:
        for update in updates:
            change = updater.apply(update)
            if change is not None:
                batch.changes.append(change)
                self._sink.then(partial(self._point, "between_tables", batch))
                if outgoing := self._outgoing(change):
                    self._sink.then(partial(self._tell, batch, outgoing))

    def _object(self, batch: Batch[Rows], updater: Updater[Rows], *, informed: bool) -> None:
        """What the jobs refuse, now that their tables are what the batch makes them."""
        refused: list[refusal.Refused] = []
        for objection in self._plan.objections:
            rows = updater.refused(objection) if informed or not objection.informed else None
            if rows is not None and self._sink.count(rows):
                refused += self._objected(batch, objection, self._sink.to_arrow(rows))
        self._recount(batch, refused)
        self._quarantine(batch, refused, self._txn(f"{refusal.QUARANTINE}:objections", batch))
        batch.refused += refused

    def _objected(
        self, batch: Batch[Rows], objection: Objection, rows: pa.Table
    ) -> list[refusal.Refused]:
        details = {place(row): row["detail"] for row in rows.to_pylist()}
        return [
            refusal.refuse(record, objection.reason, details[place(record)])
            for record in self._originals(batch, objection.topic, details)
        ]

    def _recount(self, batch: Batch[Rows], refused: list[refusal.Refused]) -> None:
        """What is refused is neither valid nor a duplicate, whichever it was counted as."""
        repeats = {}
        for topic in {r.topic for r in refused} & batch.fates.keys():
            rows = duplicates.of_fates(batch.fates[topic], {duplicates.DUPLICATE})
            repeats[topic] = {place(row) for row in rows.to_pylist()}
        recount(batch.counts, refused, repeats)

    def _quarantine(self, batch: Batch[Rows], refused: list[refusal.Refused], txn: Txn) -> None:
        """Commit refusals behind the commits so far, each record once."""
        if not refused:
            return
        self._sink.settle()
        books = self._sink.books
        rows = refusal.without_held(
            refusal.quarantine_rows(refused, self._clock()), books.handle(refusal.QUARANTINE)
        )
        batch.commits.append(books.append(refusal.QUARANTINE, rows, txn))
        books.settle()

    def _business_time(self, batch: Batch[Rows]) -> BusinessTime:
        if CLOCK in batch.relations:
            ticks = self._sink.to_arrow(batch.relations[CLOCK])
            # A part reads up to nothing: what stands before it may come later.
            self._time.advance(ticks, self._offsets(batch.batch_id) if batch.part is None else {})
            batch.relations[TIME] = self._sink.from_arrow(self._time.relation())
        return self._time

    def _outgoing(self, change: TableChange[Rows]) -> list[Sendable]:
        """What a change leads to."""
        return list(self._outbox.of(change))

    def _tell(self, batch: Batch[Rows], outgoing: Iterable[Sendable]) -> None:
        """Send what a change leads to, behind its commit."""
        self._point("before_publish", batch)
        for messages in outgoing:
            self._outbox.send(messages)

    def _publish(self, batch: Batch[Rows]) -> None:
        with measuring.waiting(self._plan.name, "commits"):
            self._sink.settle()
        self._publisher.refusals(batch.refused)
        with measuring.waiting(self._plan.name, "broker"):
            self._publisher.flush()
        self._point("after_publish", batch)

    def _enter(
        self,
        batch_id: int,
        counts: Mapping[str, Counts],
        versions: Mapping[str, int],
        started: float,
    ) -> None:
        """Step 6."""
        offsets = self._offsets(batch_id)
        if not versions and ledger.moved(offsets) <= {CLOCK}:
            return
        entry = ledger.LedgerEntry(
            query_id=self.app_id,
            batch_id=batch_id,
            query=self._plan.name,
            kind="batch",
            offsets=offsets,
            counts=counts,
            table_versions=versions,
            duration_ms=round(1000 * (time.perf_counter() - started)),
            committer=self._sink.name,
            committed_at=self._clock(),
            **vars(self._known),
        )
        txn = self.identity(ledger.LEDGER, batch_id, None)
        self._sink.books.append(ledger.LEDGER, entry.row(), txn)
        self._sink.books.settle()
        self._known = ledger.KnownIds()
        crash.point("after_ledger", batch_id)

    def _txn(self, table: str, batch: Batch[Rows]) -> Txn:
        """Identity of the batch's write to a table: that of what a part was cut from, where that is committed."""
        if batch.part is None or table not in self._plan.tables:
            return self.identity(table, batch.batch_id, batch.part)
        chain = (*batch.part.above, batch.part)
        *wider, own = (self.identity(table, batch.batch_id, part) for part in chain)
        return next((txn for txn in wider if self._sink.is_committed(table, txn)), own)

    def identity(self, what: str, batch_id: int, part: BatchPart | None) -> Txn:
        """Identity of a write of a batch, or of a part of one."""
        if part is None or not part.name:
            return Txn(f"{self.app_id}:{what}", batch_id, metadata=self._batch_metadata(batch_id))
        name = f"{self.app_id}:{what}:{batch_id}:{part.name}"
        of_batch = self._batch_metadata(batch_id)[BATCH]
        return Txn(name, 0, metadata={BATCH: of_batch | {PART: part.spans[-1]}})

    def _batch_metadata(self, batch_id: int) -> dict[str, Any]:
        """Metadata of each commit of a batch, from which a query goes on whose checkpoint is lost."""
        if self._metadata[0] != batch_id:
            offsets = ledger.moved_ranges(self._offsets(batch_id))
            metadata = {"app_id": self.app_id, "number": batch_id, "offsets": offsets}
            self._metadata = (batch_id, {BATCH: metadata})
        return self._metadata[1]

    def _point(self, name: str, batch: Batch[Rows]) -> None:
        crash.point(name, batch.batch_id)
        if (event_id := crash.poison(name)) is not None and self._holds(batch, event_id):
            crash.spoil(event_id)

    def _holds(self, batch: Batch[Rows], event_id: str) -> bool:
        """Whether a batch has taken an event; asked by tests alone."""
        relations = (r for name, r in batch.relations.items() if name in self._plan.mirrors)
        return any(event_id in self._sink.to_arrow(r)["event_id"].to_pylist() for r in relations)
