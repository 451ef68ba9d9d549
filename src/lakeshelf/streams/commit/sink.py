"""The sink of one query: its committer, other committers of single tables, and the books that all queries share."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Generic

import pyarrow as pa
from pyspark.sql import DataFrame

from lakeshelf.contracts import Topic
from lakeshelf.lake.form.commits import Commit, Txn
from lakeshelf.logs import log
from lakeshelf.streams.commit import lane
from lakeshelf.streams.commit.committers.base import Committer, LaneName, Rows
from lakeshelf.streams.commit.committers.driver import DriverCommitter
from lakeshelf.streams.commit.ledger import LEDGER, Offsets
from lakeshelf.streams.take.refusal import QUARANTINE
from lakeshelf.telemetry import metrics

BOOKS = (LEDGER, QUARANTINE)
"""Tables that all queries append to."""


class Sink(Generic[Rows]):
    """Routes commits to the committer that the configuration names for a table.

    Args:
        committer: Holds the rows of the batch, runs its queries and commits its tables.
        books: Commits ledger and quarantine: several queries append to them, which delta-rs alone may do
            from more than one place.
        others: Committers of single tables that differ.
    """

    def __init__(
        self,
        committer: Committer[Rows],
        books: DriverCommitter,
        others: Mapping[str, Committer[Any]] | None = None,
    ) -> None:
        self._committer = committer
        self._others = others or {}
        self.books = books

    @property
    def name(self) -> str:
        """Name of the committer that holds the rows."""
        return self._committer.name

    def read(self, records: DataFrame, topics: Sequence[Topic]) -> DataFrame:
        """What the query does with records of Kafka before a batch begins."""
        return self._committer.read(records, topics)

    def begin(
        self, frame: DataFrame, topics: Sequence[Topic], offsets: Offsets | None = None
    ) -> Rows:
        """Take a batch; see `Committer.begin`."""
        for committer in (self._committer, *self._others.values()):
            committer.attend(frame.sparkSession)
        return self._committer.begin(frame, topics, offsets)

    def summary(self, taken: Rows, topics: Sequence[Topic]) -> pa.Table:
        """A row for each topic of which a batch has records."""
        return self._committer.summary(taken, topics)

    def records_of(self, topic: Topic, taken: Rows, rescued: pa.Table | None) -> Rows:
        """Valid records of a topic, of a batch that was taken."""
        return self._committer.records_of(topic, taken, rescued)

    def raw_rows(self, topic: Topic, records: Rows, ingested_at: datetime) -> Rows:
        """Rows of the raw table of a topic for records of it."""
        return self._committer.raw_rows(topic, records, ingested_at)

    def without(self, rows: Rows, places: pa.Table) -> Rows:
        """Those of `rows` that stand elsewhere than at some places."""
        return self._committer.without(rows, places)

    def end(self) -> None:
        """Let go of a batch."""
        for committer in self._committers():
            committer.end()

    def maintain(self) -> None:
        """Maintain the tables whose turn has come."""
        for committer in self._committers():
            committer.maintain()

    def serve(self, stack: Path, name: str) -> None:
        """Do what somebody asks of a table of the query or of the books."""
        keeper = self.books if name in BOOKS else self._others.get(name, self._committer)
        keeper.serve(stack, name)

    def query(self, text: str, **inputs: Rows | datetime) -> Rows:
        """Rows of a query in Spark SQL over relations and points in time, whose names stand in braces."""
        return self._committer.query(text, **inputs)

    def freeze(self, rows: Rows) -> Rows:
        """Rows that later commits do not change."""
        return self._committer.freeze(rows)

    def parted(self, rows: Rows, column: str) -> tuple[Rows, Rows]:
        """Rows in which a boolean column is true, and those in which it is false."""
        return self._committer.parted(rows, column)

    def from_arrow(self, rows: pa.Table) -> Rows:
        """Rows that come from elsewhere."""
        return self._committer.from_arrow(rows)

    def to_arrow(self, rows: Rows) -> pa.Table:
        """Rows for elsewhere."""
        return self._committer.to_arrow(rows)

    def spread(self, rows: Rows, most: int) -> tuple[DataFrame, int] | None:
        """Rows as executors hold them, and their number, where that is more than `most`; else None."""
        return self._committer.spread(rows, most)

    def count(self, rows: Rows) -> int:
        """How many rows there are."""
        return self._committer.count(rows)

    def is_empty(self, rows: Rows) -> bool:
        """Whether it is known, without looking for it, that there are no rows."""
        return self._committer.is_empty(rows)

    def table(self, name: str) -> Rows:
        """All rows of a table."""
        if name in self._others:
            return self.from_arrow(self._others[name].to_arrow(self._others[name].table(name)))
        return self._committer.table(name)

    def seen(self, name: str, rows: Rows) -> Rows:
        """Rows of a raw table that share an id with `rows`."""
        if name in self._others:
            other = self._others[name]
            return self.from_arrow(
                other.to_arrow(other.seen(name, other.from_arrow(self.to_arrow(rows))))
            )
        return self._committer.seen(name, rows)

    def repeats(self, rows: Rows) -> bool:
        """Whether an `event_id` stands twice in `rows`."""
        return self._committer.repeats(rows)

    def is_committed(self, name: str, txn: Txn) -> bool:
        """Whether a write stands in a table."""
        return self._others.get(name, self._committer).is_committed(name, txn)

    def append(self, name: str, rows: Rows, txn: Txn) -> Future[Commit]:
        """Append rows of a raw table once."""
        return self._route(name, "append", rows, txn)

    def upsert(self, name: str, rows: Rows, txn: Txn) -> Future[Commit]:
        """Upsert rows once, after all upserts before."""
        return self._route(name, "upsert", rows, txn)

    def then(self, work: Callable[[], None], lane: LaneName = "tables") -> None:
        """Do something when the commits of a lane so far are made."""
        self._committer.then(work, lane)

    def settle(self) -> None:
        """Wait until all commits are made; raises what made one fail."""
        self._committer.settle()

    def _committers(self) -> tuple[Committer[Any], ...]:
        return (self._committer, *self._others.values(), self.books)

    def _route(self, name: str, operation: str, rows: Rows, txn: Txn) -> Future[Commit]:
        other, asked = self._others.get(name), time.perf_counter()
        if other is None:
            commit: Future[Commit] = getattr(self._committer, operation)(name, rows, txn)
            self._watch(commit, asked, txn, name, operation)
            return commit
        self.settle()
        commit = getattr(other, operation)(name, other.from_arrow(self.to_arrow(rows)), txn)
        other.settle()
        self._watch(commit, asked, txn, name, operation)
        return commit

    def _watch(
        self, commit: Future[Commit], asked: float, txn: Txn, name: str, operation: str
    ) -> None:
        committer = self._others.get(name, self._committer).name
        labels = {"table": name, "committer": committer, "operation": operation}
        commit.add_done_callback(partial(_logged, txn))
        commit.add_done_callback(partial(_measured, asked, labels))


def _logged(txn: Txn, made: Future[Commit]) -> None:
    if made.cancelled() or made.exception() is not None:
        return  # whoever waits for it hears of that
    commit = made.result()
    log.debug(
        "committed",
        query=txn.app_id.partition(":")[0],
        table=commit.table,
        version=commit.version,
        rows=commit.rows,
        batch_id=txn.version,
    )


def _measured(asked: float, labels: Mapping[str, str], made: Future[Commit]) -> None:
    if made.cancelled() or made.exception() is not None:
        return
    now = time.perf_counter()
    metrics.COMMIT_DURATION.take(now - asked, **labels)
    metrics.COMMIT_WORK.take(now - (lane.began() or asked), table=labels["table"])
    metrics.COMMIT_CONFLICTS.add(0, table=labels["table"])
    if (version := made.result().version) is not None:
        metrics.TABLE_VERSION.take(version, table=labels["table"])
