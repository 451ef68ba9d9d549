"""What the batch protocol asks of a committer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol, TypeVar

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from lakeshelf.contracts import Topic
from lakeshelf.lake.form.commits import Commit, Txn
from lakeshelf.streams.commit.ledger import Offsets

Rows = TypeVar("Rows")
LaneName = Literal["tables", "raw"]
"""Commits of one lane follow one another; those of raw tables need not wait for those of the others."""


class Committer(Protocol[Rows]):
    """Holds the rows of a batch, runs queries over them and commits them once.

    `Rows` is an Arrow table for the driver committer and a DataFrame for the Spark committer; the
    protocol in `lakeshelf.streams.run.batch` never looks inside.
    """

    name: str

    def read(self, records: DataFrame, topics: Sequence[Topic]) -> DataFrame:
        """What the query does with records of Kafka before a batch begins. Called once, on the stream.

        The result has `topic`, `kafka_partition`, `kafka_offset`, `kafka_timestamp`, `original_key` and
        `original_value`.
        """

    def attend(self, session: SparkSession) -> None:
        """The session of the batch that begins, which is private to the query. Called once a batch."""

    def begin(
        self, frame: DataFrame, topics: Sequence[Topic], offsets: Offsets | None = None
    ) -> Rows:
        """Take a batch of what `read` gives, parsed as `lakeshelf.streams.take.parse.parse` says.

        Called once a batch, before any query.

        Args:
            frame: Its records.
            topics: Topics that may occur.
            offsets: Between which offsets they stand, if they are all that stand there.
        """

    def summary(self, taken: Rows, topics: Sequence[Topic]) -> pa.Table:
        """A row for each topic of which a batch has records, in the columns of `intake.SUMMARY` at least."""

    def records_of(self, topic: Topic, taken: Rows, rescued: pa.Table | None) -> Rows:
        """Valid records of a topic, in the columns of its relation (`lakeshelf.streams.declare.intake`).

        Args:
            topic: One of those that the batch was taken with.
            taken: What `begin` gave.
            rescued: Suspects that turned out valid, in those columns; None: there are none.
        """

    def raw_rows(self, topic: Topic, records: Rows, ingested_at: datetime) -> Rows:
        """Rows of the raw table of a topic for records of it."""

    def without(self, rows: Rows, places: pa.Table) -> Rows:
        """Those of `rows` that stand elsewhere than at some places (`duplicates.POSITION`), at least one."""

    def settle(self) -> None:
        """Wait until every commit is made, or none will be any more; raises what made one fail."""

    def end(self) -> None:
        """Let go of what `begin` and `freeze` hold. Called once a batch, also after a failure."""

    def maintain(self) -> None:
        """Maintain the tables whose turn has come. Called after a batch that was done."""

    def serve(self, stack: Path, name: str) -> None:
        """Do what somebody asks of a table (`lakeshelf.lake.upkeep.requests`). Called between batches."""

    def query(self, text: str, **inputs: Rows | datetime) -> Rows:
        """Rows of a query in Spark SQL over relations and points in time, whose names stand in braces."""

    def freeze(self, rows: Rows) -> Rows:
        """The same rows, independent of later commits to the tables they were computed from."""

    def parted(self, rows: Rows, column: str) -> tuple[Rows, Rows]:
        """Rows in which a boolean column is true, and those in which it is false."""

    def from_arrow(self, rows: pa.Table) -> Rows:
        """Rows that come from elsewhere."""

    def to_arrow(self, rows: Rows) -> pa.Table:
        """Rows for elsewhere; bounded by the size of the batch."""

    def spread(self, rows: Rows, most: int) -> tuple[DataFrame, int] | None:
        """Rows as executors hold them, and their number, where that is more than `most`; else None."""

    def count(self, rows: Rows) -> int:
        """How many rows there are."""

    def is_empty(self, rows: Rows) -> bool:
        """Whether it is known, without looking for it, that there are no rows."""

    def table(self, name: str) -> Rows:
        """All rows of a table at its latest version."""

    def seen(self, name: str, rows: Rows) -> Rows:
        """Rows of the raw table `name` that share an `event_id` with `rows`."""

    def repeats(self, rows: Rows) -> bool:
        """Whether an `event_id` stands twice in `rows`."""

    def is_committed(self, name: str, txn: Txn) -> bool:
        """Whether the write `txn` stands in the table."""

    def append(self, name: str, rows: Rows, txn: Txn) -> Future[Commit]:
        """Append rows of a raw table once, in the order of the calls, perhaps after their return."""

    def upsert(self, name: str, rows: Rows, txn: Txn) -> Future[Commit]:
        """Replace, insert or (true `removed`) remove rows by key once, as `append`; `table` has them at once."""

    def then(self, work: Callable[[], None], lane: LaneName = "tables") -> None:
        """Do something when the commits of a lane so far are made."""
