"""The streams driver: runs the queries of the named jobs in one process, owns their tables, tells how they are."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

from confluent_kafka import KafkaException
from pyspark.sql import SparkSession

from lakeshelf.choices import chosen
from lakeshelf.contracts import CATALOG
from lakeshelf.errors import BrokerError, StreamError
from lakeshelf.kafka import topics
from lakeshelf.lake.place.leases import Tenure
from lakeshelf.lake.place.locks import FileLock
from lakeshelf.lake.rows import tables
from lakeshelf.settings import Settings
from lakeshelf.status_files import STREAMS
from lakeshelf.streams.declare.job import Job
from lakeshelf.streams.declare.plan import QueryPlan, plan
from lakeshelf.streams.resume import continuity, starting
from lakeshelf.streams.resume.leasing import QueryLeases
from lakeshelf.streams.run.query import RunningQuery

DRIVER = "streams"
"""Name of the lock that a driver holds while it runs."""
STAGGER_MS = 170
TEND_SECONDS = 0.1
STATUS_SECONDS = 0.5
MEASURE_SECONDS = 5.0


class Driver:
    """Owns the tables of its jobs and runs their queries until it is told to stop.

    Args:
        jobs: What to run.
        settings: Lake and runtime settings.
        client: librdkafka settings that reach the broker.

    Raises:
        ConfigurationError: The settings name a committer for a table that is not there.
    """

    def __init__(self, jobs: Iterable[Job], settings: Settings, client: Mapping[str, str]) -> None:
        for table in settings.table_committers:
            chosen("table for the setting table_committers:", table, CATALOG.tables)
        self.plans = plan(jobs)
        self._settings = settings
        self._client = client
        self._locks: list[FileLock] = []
        self._leases: QueryLeases | None = None
        self._stop = threading.Event()
        self.queries: list[RunningQuery] = []
        self.address = ""
        """Where the process tells its health; empty where it does not."""
        self.beat: Callable[[], None] = lambda: None
        """Called whenever the driver comes round."""

    def acquire(self, *, unfinished_rebuild: bool = False, alone: bool = True) -> None:
        """Take the locks of the lake's driver and of every table, before anything is written.

        They are files, which keep processes of one machine apart. A lake in a bucket has a lease for each query.

        Args:
            unfinished_rebuild: Whether the caller can cope with one.
            alone: Whether every lease is needed at once; else each query takes its own when it is free.

        Raises:
            LakeError: Another driver has one of them.
            StreamError: A rebuild was interrupted, so the tables are not what `raw` says.
        """
        stack = self._settings.stack_dir
        names = [
            DRIVER,
            *(f"locks/{table}" for query_plan in self.plans for table in query_plan.tables),
        ]
        try:
            for name in names:
                self._locks.append(FileLock(stack / f"{name}.lock", "the streams driver").acquire())
            if not isinstance(self._settings.lake_root, Path):
                self._leases = QueryLeases(self.plans, self._settings)
                if alone:
                    self._leases.take_all()
            if starting.rebuild_marker(self._settings).exists() and not unfinished_rebuild:
                raise StreamError(
                    "a rebuild of the lake was interrupted", hint="run `lakeshelf rebuild` again"
                )
        except Exception:
            self.release()
            raise

    def release(self) -> None:
        """Give all locks and leases back."""
        if self._leases is not None:
            self._leases.release()
            self._leases = None
        for lock in self._locks:
            lock.release()
        self._locks = []

    def tenure(self, query: str) -> Tenure | None:
        """The term under which a query may be changed, once its lease was taken alone; None: nobody else could."""
        return None if self._leases is None else self._leases.tenures[query]

    def require_terms(self) -> None:
        """Go on only while all terms last; errors as for `QueryLease.require`."""
        for tenure in () if self._leases is None else self._leases.tenures.values():
            tenure.require()

    def run(self, session: Callable[[], SparkSession]) -> None:
        """Run until `stop`; every query ends at a batch boundary.

        Args:
            session: Makes the Spark session; called once the leases are held.
        """
        for query_plan in self.plans:
            for table in query_plan.tables:
                tables.open_table(self._settings.lake_root, table)
            if self._leases is None:  # else another driver may be writing them
                self._require_continuity(query_plan)
        if self._leases is not None:
            self._leases.tell(self.address)
        spark = session()
        self.make_queries(spark)
        self._tend_all(spark)
        for query in self.queries:
            query.stop()
        self._write_status(spark)
        spark.stop()

    def make_queries(self, spark: SparkSession) -> None:
        """Make the queries in the order in which they start: soonest trigger first, each a little later."""
        soonest_first = sorted(self.plans, key=lambda query_plan: query_plan.trigger_ms)
        self.queries = [
            RunningQuery(
                query_plan,
                self._settings,
                spark,
                self._client,
                i * STAGGER_MS,
                None if self._leases is None else self._leases[query_plan.name],
            )
            for i, query_plan in enumerate(soonest_first)
        ]

    def _require_continuity(self, query_plan: QueryPlan) -> None:
        """Refuse before anything runs what each query would refuse for itself later on."""
        try:
            standing = continuity.examine(query_plan, self._settings, self._client)
        except (BrokerError, KafkaException):
            return  # the query tries again while others go on
        continuity.require(query_plan.name, standing)

    def stop(self) -> None:
        """Ask `run` to end."""
        self._stop.set()

    def stop_on_signals(self) -> None:
        """First SIGINT or SIGTERM stops at a batch boundary, a second one kills."""

        def handle(number: int, _: FrameType | None) -> None:
            if self._stop.is_set():
                os._exit(128 + number)
            self.stop()

        signal.signal(signal.SIGINT, handle)
        signal.signal(signal.SIGTERM, handle)

    def _tend_all(self, spark: SparkSession) -> None:
        written = measured = 0.0
        while not self._stop.wait(TEND_SECONDS):
            for query in self.queries:
                query.tend()
            self.beat()
            if time.monotonic() - measured >= MEASURE_SECONDS:
                self._measure()
                measured = time.monotonic()
            if time.monotonic() - written >= STATUS_SECONDS:
                self._write_status(spark)
                written = time.monotonic()

    def problems(self) -> list[str]:
        """What keeps the driver from folding, a line each; empty: nothing does."""
        if not self.queries:
            return ["the queries do not run yet"]
        states = [(query.plan.name, query.progress) for query in self.queries]
        return [
            f"query {name} is {progress.state}{f': {progress.error}' if progress.error else ''}"
            for name, progress in states
            if progress.state not in ("running", "waiting")
        ]

    def members(self) -> list[dict[str, Any]]:
        """What it runs, and how far each is."""
        return [{**describe(query.plan), **asdict(query.progress)} for query in self.queries]

    def _measure(self) -> None:
        """Tell how the queries are in metrics; where the broker does not answer, how far they are is not known."""
        names = sorted({topic.name for query in self.plans for topic in query.topics})
        ends: Mapping[str, Mapping[str, int]] = {}
        with suppress(BrokerError, KafkaException):
            ends = topics.end_offsets(self._client, names)
        for query in self.queries:
            query.measure({t.name: ends[t.name] for t in query.plan.topics if t.name in ends})

    def _write_status(self, spark: SparkSession) -> None:
        queries = self.members()
        committer = self._settings.committer
        address = self.address
        STREAMS.write(self._settings.stack_dir, queries, committer=committer, telemetry=address)


def describe(query_plan: QueryPlan) -> dict[str, object]:
    """What a query reads and writes, as data."""
    return {
        "query": query_plan.name,
        "jobs": [job.name for job in query_plan.jobs],
        "topics": [topic.name for topic in query_plan.topics],
        "tables": list(query_plan.tables),
        "trigger_ms": query_plan.trigger_ms,
    }
