"""One streaming query: its source, its batches, its restart after a failure."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery
from structlog.contextvars import bound_contextvars

from lakeshelf.errors import BrokerError, LakeError, StreamError
from lakeshelf.kafka import topics
from lakeshelf.kafka.authentication import java_client
from lakeshelf.lake.place.leases import QueryLease, Tenure
from lakeshelf.lake.upkeep import requests
from lakeshelf.logs import log
from lakeshelf.settings import Settings
from lakeshelf.streams.commit import ledger
from lakeshelf.streams.commit.publisher import Publisher
from lakeshelf.streams.commit.sink import BOOKS
from lakeshelf.streams.declare.described import described as described_query
from lakeshelf.streams.declare.job import CLOCK
from lakeshelf.streams.declare.plan import QueryPlan
from lakeshelf.streams.resume import checkpoint, continuity, leasing, starting
from lakeshelf.streams.resume.checkpoint import EARLIEST, Checkpoint
from lakeshelf.streams.run import measuring
from lakeshelf.streams.run.clock import BusinessTime, tick_before
from lakeshelf.streams.run.committing import Committing
from lakeshelf.streams.run.failure import describe, lost_records, no_room
from lakeshelf.streams.run.isolation import Isolation
from lakeshelf.streams.run.parted import PartedProcessor
from lakeshelf.streams.run.trials import Trials
from lakeshelf.telemetry import lineage, metrics, tracing
from lakeshelf.telemetry.lineage import QueryRun

STOP_SECONDS = 60.0
WATCHES = 10
"""Looks at a lease that another driver has, within the time that it lasts."""
READ = {
    "kafka.isolation.level": "read_committed",
    "kafka.fetch.max.wait.ms": "50",
    # Catching up, 500 records a poll would cost as much as parsing them.
    "kafka.max.poll.records": "5000",
    "kafka.max.partition.fetch.bytes": str(4 * 1024 * 1024),
}


@dataclass
class QueryProgress:
    """How far a query is, for `status`.

    Attributes:
        state: starting, running, waiting (another driver has its lease), failed or stopped.
        batch_id: Last batch that was done.
        offsets: Topic → partition → offset up to which everything is folded.
        error: First line of the last failure.
        restarts: How often it was started again.
        lag: Records that it had not folded when that was measured last; None: not known.
        lag_s: The same in seconds, as `measuring.Lag` has them.
    """

    state: str = "starting"
    batch_id: int | None = None
    offsets: dict[str, dict[str, int]] = field(default_factory=dict)
    duration_ms: int = 0
    done_at: float = 0.0
    error: str = ""
    restarts: int = 0
    lag: int | None = None
    lag_s: float | None = None


class RunningQuery:
    """Runs one plan; restarts after a failure with growing pauses while other queries go on.

    Args:
        plan: What it reads and keeps.
        settings: Lake, committer, bounds.
        session: The driver's session.
        client: librdkafka settings that reach the broker.
        delay_ms: Pause before the first start, so that queries do not fire together.
        lease: Its lease, which it has to have; None: nobody else could run it.
    """

    def __init__(
        self,
        plan: QueryPlan,
        settings: Settings,
        session: SparkSession,
        client: Mapping[str, str],
        delay_ms: int = 0,
        lease: QueryLease | None = None,
    ) -> None:
        self.plan = plan
        self._lease = lease
        self._tenure: Tenure | None = None
        self._tables = (*plan.tables, *BOOKS)
        self.progress = QueryProgress()
        self._settings = settings
        self._session = session
        self._client = client
        self._boundary = threading.Lock()
        self._stopping = threading.Event()
        self._running: StreamingQuery | None = None
        self._checkpoint: Checkpoint | None = None
        self._last_done: int | None = None
        self._isolation: Isolation | None = None
        self._committing = Committing(plan, settings, client)
        self._backoff = settings.backoff()
        self._backoff.due = time.monotonic() + delay_ms / 1000
        measuring.begun(plan.name)

    def tend(self) -> None:
        """Start the query when it is due, and notice when it has failed. Called again and again."""
        if self._stopping.is_set():
            return
        if self._running is None:
            if self._backoff.is_due(time.monotonic()) and self._has_lease():
                self._start()
        elif self._tenure is not None and not self._tenure.holds and self._is_idle():
            self._running.stop()
            self._fail(f"the lease of query {self.plan.name} is lost")
        elif not self._running.isActive:
            error = self._running.exception()
            self._fail(str(error) if error else "the query ended by itself")
        elif requests.asked(self._settings.stack_dir, self._tables):
            self._serve_idle()

    def measure(self, ends: Mapping[str, Mapping[str, int]]) -> None:
        """Tell how the query is in metrics; how far one is that another driver runs, that driver tells.

        Args:
            ends: Offsets behind the last records of its topics.
        """
        name, isolation = self.plan.name, self._isolation
        metrics.QUERY_UP.take(self.progress.state == "running", query=name)
        metrics.TRIGGER.take(self.plan.trigger_ms / 1000, query=name)
        appended_at = {} if isolation is None else isolation.appended_at
        is_elsewhere = self.progress.state == "waiting"
        reached = ends if is_elsewhere else self.progress.offsets
        lag = measuring.lag(self.plan, reached, ends, appended_at)
        self.progress.lag, self.progress.lag_s = (None, None) if is_elsewhere else lag

    def stop(self) -> None:
        """Stop at a batch boundary: a batch that has begun is finished, offsets included."""
        self._stopping.set()
        if self._boundary.acquire(timeout=STOP_SECONDS):
            self._boundary.release()  # a batch that waits for it has to end too, or Spark waits for ever
            self._await_offsets()
        if self._running is not None:
            self._running.stop()
            self._sink.end()
        self._committing.close()
        self.progress.state = "stopped"
        lineage.ended(self.plan.name)

    def _serve_idle(self) -> None:
        """Do what is asked of the query's tables, unless a batch runs, which does it at its end."""
        if self._boundary.acquire(blocking=False):
            try:
                self._serve()
            finally:
                self._boundary.release()

    def _serve(self) -> None:
        for name in requests.asked(self._settings.stack_dir, self._tables):
            self._sink.serve(self._settings.stack_dir, name)

    def _has_lease(self) -> bool:
        """Whether the query may run here; where another driver has the lease, it is asked for again later."""
        lease = self._lease
        if lease is None or lease.is_held:
            return True
        try:
            if lease.try_to_take():
                return True
        except LakeError as error:
            self._fail(str(error))
            return False
        self._backoff.due = time.monotonic() + self._settings.lease_seconds / WATCHES
        self.progress.state, self.progress.error = "waiting", f"{lease.holder} runs it"
        return False

    def _is_idle(self) -> bool:
        """Whether no batch runs; one that does ends by itself without its lease."""
        idle = self._boundary.acquire(blocking=False)
        if idle:
            self._boundary.release()
        return idle

    def _place(self) -> Checkpoint:
        """Where the query goes on: at its checkpoint, or behind its ledger under a new term of its lease."""
        lease = self._lease
        is_new = self._tenure is None or not self._tenure.holds
        if lease is None or not is_new:
            standing = continuity.examine(self.plan, self._settings, self._client)
            self._standing = continuity.require(self.plan.name, standing)
            return checkpoint.current(self._settings.checkpoint_dir, self.plan.name)
        if starting.rebuild_marker(self._settings).exists():
            lease.release()  # whoever repeats the rebuild needs it
            raise StreamError(
                "a rebuild of the lake has not ended",
                hint="let it end, or run `lakeshelf rebuild` again",
            )
        tenure = leasing.fence(self.plan, self._settings, lease)
        standing = continuity.examine(self.plan, self._settings, self._client)
        standing = starting.but_for_checkpoint(standing)
        self._standing = continuity.require(self.plan.name, standing)
        why = "another term of its lease"
        start = starting.behind_ledger(self.plan, standing, self._client, why)
        tenure.require()  # however long it took to get here
        begun = start.begin(self._settings)
        self._tenure = tenure  # until then the checkpoint in force is that of an earlier term
        return begun

    def _start(self) -> None:
        self._backoff.start(time.monotonic())
        try:
            self._checkpoint = self._place()
            self._sink, self._sink_is_used = self._committing.sink(self._tenure), False
            current = self._checkpoint
            trials = Trials(self._settings.stack_dir, self.plan.name)
            self._isolation = Isolation(
                trials, current.offsets_of, self._new_processor, self._stopping
            )
            stream = self._sink.read(self._source(), self.plan.topics)
            writer = stream.writeStream.foreachBatch(self._batch).queryName(self.plan.name)
            writer = writer.option("checkpointLocation", str(self._checkpoint.path))
            lineage.started(self._described)
            self._running = writer.trigger(
                processingTime=f"{self.plan.trigger_ms} milliseconds"
            ).start()
            self.progress.state, self.progress.error = "running", ""
            self.progress.offsets = {t: dict(ends) for t, ends in current.reached().items()}
            log.info("query started", query=self.plan.name, checkpoint=current.path.name)
        except Exception as error:  # noqa: BLE001 - whatever stops one query must not stop the others
            self._fail(str(error))

    def _described(self) -> QueryRun:
        servers = self._client["bootstrap.servers"]
        return described_query(self.plan, self._settings.lake_root, servers)

    def _fail(self, error: str) -> None:
        self._running = None
        self.progress.state = "failed"
        lost = lost_records(error, self.plan.name)
        self.progress.error = lost or describe(error) + no_room(error, self._settings.state_dir)
        self.progress.restarts += 1
        metrics.QUERY_RESTARTS.add(query=self.plan.name)
        metrics.BATCHES.add(query=self.plan.name, outcome="failed")
        lineage.ended(self.plan.name, self.progress.error)
        log.error("query failed", query=self.plan.name, error=self.progress.error, exception=error)
        self._backoff.end(time.monotonic())

    def _batch(self, frame: DataFrame, batch_id: int) -> None:
        with self._boundary:
            if self._stopping.is_set():
                raise InterruptedError("the query is stopping")
            assert self._checkpoint is not None
            number = self._checkpoint.base + batch_id
            place: dict[str, Any] = {"query": self.plan.name, "batch_id": number}
            with bound_contextvars(**place), tracing.span("batch", **place):
                self._process(frame, batch_id, number)

    def _process(self, frame: DataFrame, batch_id: int, number: int) -> None:
        started = time.monotonic()
        assert self._isolation is not None
        assert self._checkpoint is not None
        if self._committing.choose(self._checkpoint.offsets(batch_id)):
            self._isolation.begin_anew()
            self._sink_is_used = True  # a sink goes with its committer
        self._isolation.process(frame, number)
        self._done(batch_id, started)
        self._serve()

    def _done(self, batch_id: int, started: float) -> None:
        progress, current = self.progress, self._checkpoint
        self._last_done = batch_id
        progress.batch_id = batch_id + (current.base if current else 0)
        progress.duration_ms = round(1000 * (time.monotonic() - started))
        progress.done_at = time.time()
        metrics.BATCHES.add(query=self.plan.name, outcome="done")
        metrics.BATCH_DONE.take(progress.done_at, query=self.plan.name)
        metrics.BATCH_DURATION.take(time.monotonic() - started, query=self.plan.name, step="whole")
        log.debug("batch done", duration_ms=progress.duration_ms)
        progress.error = ""
        if current is not None:
            progress.offsets = {
                topic: dict(ends) for topic, ends in current.until(batch_id).items()
            }

    def _new_processor(self, number: int) -> PartedProcessor[Any]:
        assert self._checkpoint is not None
        if self._sink_is_used:
            self._sink.end()
            self._sink = self._committing.sink(self._tenure)
        self._sink_is_used = True
        publisher, current = Publisher(self._client), self._checkpoint
        return PartedProcessor(
            self.plan,
            self._sink,
            publisher,
            current.identity(),
            current.offsets_of,
            time=self._business_time(number - current.base),
            sources=self._asked_sources,
            known=ledger.KnownIds.new(
                self._standing.account, self._standing.sources(), self._standing.table_ids
            ),
            driver_rows=self._settings.publish_driver_rows,
        )

    def _asked_sources(self) -> Callable[[], None]:
        """Ask whether the topics are those that the query began with; the answer raises when they are not."""
        asked = topics.asked_ids(self._client, self._standing.topic_ids)

        def confirm() -> None:
            topic_ids = asked()
            for name, known in self._standing.topic_ids.items():
                if topic_ids.get(name) != known:
                    raise BrokerError(
                        f"topic {name} was deleted while it was read", hint="see `lakeshelf status`"
                    )

        return confirm

    def _business_time(self, batch_id: int) -> BusinessTime | None:
        """Business time before a batch; None for a query that does not follow it."""
        assert self._checkpoint is not None
        if CLOCK not in {topic.name for topic in self.plan.topics}:
            return None
        begins = self._checkpoint.offsets(batch_id).get(CLOCK, {}).get("0", (0, 0))[0]
        ends = topics.end_offsets(self._client, [topic.name for topic in self.plan.topics])
        return BusinessTime(tick_before(self._client, begins), ends)

    def _source(self) -> DataFrame:
        reader = self._session.readStream.format("kafka")
        for key, value in self._source_options().items():
            reader = reader.option(key, value)
        return reader.load()

    def _source_options(self) -> dict[str, str]:
        assert self._checkpoint is not None
        subscribed = [topic.name for topic in self.plan.topics]
        starting = self._checkpoint.starting
        explicit = {
            name: {p: starting.get(name, {}).get(p, EARLIEST) for p in parts}
            for name, parts in topics.end_offsets(self._client, subscribed).items()
        }
        return {
            **{f"kafka.{key}": value for key, value in java_client(self._client).items()},
            **READ,
            "subscribe": ",".join(subscribed),
            "startingOffsets": json.dumps(explicit) if starting else "earliest",
            "failOnDataLoss": "true",
            "maxOffsetsPerTrigger": str(self._settings.max_batch_rows),
            "includeHeaders": str(any(topic.compacted for topic in self.plan.topics)).lower(),
        }

    def _await_offsets(self) -> None:
        """Wait until Spark has written the commit of the batch that was done last."""
        deadline = time.monotonic() + 5
        while self._running is not None and self._running.isActive and time.monotonic() < deadline:
            committed = self._checkpoint.last_committed() if self._checkpoint else None
            done = -1 if committed is None else committed
            if self._last_done is None or done >= self._last_done:
                return
            time.sleep(0.02)
