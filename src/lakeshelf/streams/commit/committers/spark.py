"""The Spark committer: Spark's own Delta writer and MERGE, for large batches and clusters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from datetime import datetime
from functools import partial, reduce
from math import ceil
from pathlib import Path
from typing import Any, Literal, NamedTuple

import orjson
import pyarrow as pa
from delta.tables import DeltaTable as SparkDeltaTable
from deltalake import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from lakeshelf.contracts import CATALOG, Topic
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.contracts.derived.spark import data_type
from lakeshelf.lake.form import commits
from lakeshelf.lake.form.commits import Commit, Txn, Write
from lakeshelf.lake.place.leases import Tenure
from lakeshelf.lake.place.location import Place, Root
from lakeshelf.lake.rows import tables
from lakeshelf.lake.upkeep import requests
from lakeshelf.lake.upkeep.maintenance import Maintenance
from lakeshelf.streams.commit.committers.base import LaneName
from lakeshelf.streams.commit.lane import Lane, done
from lakeshelf.streams.commit.ledger import Offsets
from lakeshelf.streams.declare import intake
from lakeshelf.streams.declare.job import RELATION
from lakeshelf.streams.declare.sql import REMOVED
from lakeshelf.streams.take import duplicates
from lakeshelf.streams.take.index import may_hold
from lakeshelf.streams.take.parse import parse, parsed, received

TXN_CONF = "spark.databricks.delta.write"
LEASE_CONF, TERM_CONF = "io.lakeshelf.lease", "io.lakeshelf.term"
"""As in `infra/filesystem/ConditionalLogStore.java`."""
TOLD_CONF = "spark.databricks.delta.commitInfo.userMetadata"
MOST_SHUFFLE_PARTITIONS = 200
MESSAGE_BYTES = 64 * 1024 * 1024
"""Bytes of messages that one task appends to a raw table, in files that are several times smaller."""
FEW_PLACES = 1_000
"""So many places are named in a condition; Spark reads the text of one with many more for seconds."""
FROZEN = {"spark.databricks.delta.merge.materializeSource": "none"}
"""Rows that are merged are frozen, or come from Arrow: Delta need not keep them once more to read them twice alike."""


def shuffle_partitions(session: SparkSession) -> int:
    """As many as the executors that are there now have cores (docs/design/pitfalls.md#trap-20)."""
    return min(session.sparkContext.defaultParallelism, MOST_SHUFFLE_PARTITIONS)


def cut(name: str, rows: DataFrame, size: int) -> DataFrame:
    """Rows of a raw table in as many parts as tasks are to append them, those of a day together.

    Args:
        name: The table.
        rows: Its rows.
        size: Bytes of their messages.
    """
    parts = ceil(size / MESSAGE_BYTES)
    if parts <= 1:
        return rows.coalesce(1)
    table = CATALOG.tables[name]
    return rows.repartitionByRange(parts, *table.partition_by, *table.key)


class Ids(NamedTuple):
    """The event ids of some rows: the least, the greatest (None: there are no rows), and whether one stands twice."""

    low: str | None
    high: str | None
    repeats: bool


class SparkCommitter:
    """Commits DataFrames through the session of the running batch.

    MERGE takes its application id from the session's configuration, and only the batch's own session
    is private to the query (docs/design/pitfalls.md#trap-4); so one is made behind the other, in a lane. Raw tables,
    which an append tells its id itself, have another: Spark plans a commit for longer than it works on it.

    Args:
        root: Lake root.
        tenure: The term under which the query may commit; None: nobody else could. The log store asks for it.
        parses: When records are parsed: on the stream, or batch by batch, where the driver has others of them.
    """

    name = "spark"

    def __init__(
        self,
        root: Place,
        tenure: Tenure | None = None,
        *,
        parses: Literal["stream", "batch"] = "stream",
    ) -> None:
        self._root = root
        self._parses = parses
        self._tenure = tenure
        self._held: list[DataFrame] = []
        self._counts: dict[DataFrame, int] = {}
        self._bounds: dict[DataFrame, int] = {}
        self._ids: dict[DataFrame, Ids] = {}
        self._topics: dict[str, dict[str, Any]] = {}
        self._session: SparkSession | None = None
        self._maintenance = Maintenance()
        self._handles: dict[str, DeltaTable] = {}
        self._lanes: dict[LaneName, Lane] = {"tables": Lane(), "raw": Lane()}
        self._under_way: dict[str, Future[Commit]] = {}

    def read(self, records: DataFrame, topics: Sequence[Topic]) -> DataFrame:
        """Records, parsed by the executors, unless their batches are."""
        return (parse if self._parses == "stream" else received)(records, topics)

    def attend(self, session: SparkSession) -> None:
        """Commit through this session, whose checkpoint may be of a cluster of another size, under the term."""
        self._session = session
        session.conf.set("spark.sql.shuffle.partitions", shuffle_partitions(session))
        for key, value in FROZEN.items():
            session.conf.set(key, value)
        if self._tenure is not None:
            session.conf.set(LEASE_CONF, self._tenure.lease.address)
            session.conf.set(TERM_CONF, str(self._tenure.term))

    def begin(
        self, frame: DataFrame, topics: Sequence[Topic], offsets: Offsets | None = None
    ) -> DataFrame:
        """Keep the batch, so that it is read from Kafka once."""
        rows = frame if self._parses == "stream" else parsed(frame, topics)
        taken = rows.drop("original_key", "original_value").persist()
        self._held = [taken]
        return taken

    def summary(self, taken: DataFrame, topics: Sequence[Topic]) -> pa.Table:
        """What a batch has of each topic; the job that reads it also finds what is to be known of its ids."""
        rows = self.query(intake.summary(topics), batch=taken).toArrow()
        self._topics = {row["topic"]: row for row in rows.to_pylist()}
        return rows

    def records_of(self, topic: Topic, taken: DataFrame, rescued: pa.Table | None) -> DataFrame:
        """Valid records of a topic, read from its struct."""
        if rescued is None:
            rows = self.query(intake.relation(topic, rescued=False), batch=taken)
            if (row := self._topics.get(topic.name)) is not None:
                self._ids[rows] = Ids(*(row[name] for name in Ids._fields))
            return rows
        others = {intake.RESCUED: self.from_arrow(rescued)}
        return self.query(intake.relation(topic, rescued=True), batch=taken, **others)

    def raw_rows(self, topic: Topic, records: DataFrame, ingested_at: datetime) -> DataFrame:
        """Rows of a raw table."""
        return self.query(intake.raw_rows(topic), records=records, ingested_at=ingested_at)

    def without(self, rows: DataFrame, places: pa.Table) -> DataFrame:
        """Those of `rows` that stand elsewhere than at some places; a few of them take no job."""
        if places.num_rows <= FEW_PLACES:
            return rows.where(f"NOT ({duplicates.standing_at(places)})")
        position = list(duplicates.POSITION)
        return rows.join(self.from_arrow(places.select(position)), position, "left_anti")

    def settle(self) -> None:
        """Wait for both lanes, whichever fails."""
        try:
            self._lanes["tables"].settle()
        finally:
            self._lanes["raw"].settle()

    def then(self, work: Callable[[], None], lane: LaneName = "tables") -> None:
        """Do something behind the commits of a lane so far."""
        self._lanes[lane].submit(work)

    def end(self) -> None:
        """Release the batch and what was frozen in it, once no commit reads it any more."""
        with suppress(Exception):
            self.settle()
        held, self._held = self._held, []
        for known in (self._counts, self._bounds, self._ids, self._topics, self._under_way):
            known.clear()
        for frame in held:
            frame.unpersist()

    def maintain(self) -> None:
        """Maintain tables now."""
        self._maintenance.attend(self._handles.values())

    def serve(self, stack: Path, name: str) -> None:
        """Do what somebody asks of a table now."""
        requests.serve(stack, name, partial(tables.open_table, self._root, name))

    def query(self, text: str, **inputs: DataFrame | datetime) -> DataFrame:
        """Rows of a query, run by Spark."""
        used: dict[str, Any] = {name: _asked(inputs[name]) for name in RELATION.findall(text)}
        return self.session.sql(text, **used)

    def freeze(self, rows: DataFrame) -> DataFrame:
        """Compute the rows now, in the job that counts them."""
        frozen = rows.localCheckpoint(eager=False)
        self._held.append(frozen)
        self._counts[frozen] = frozen.count()
        return frozen

    def parted(self, rows: DataFrame, column: str) -> tuple[DataFrame, DataFrame]:
        """Rows in which a column is true, and those in which it is false."""
        parts = rows.where(F.col(column)), rows.where(~F.col(column))
        if rows in self._counts:
            self._bounds |= dict.fromkeys(parts, self._counts[rows])
        return parts

    def from_arrow(self, rows: pa.Table) -> DataFrame:
        """A DataFrame of Arrow rows; where there are none, Spark plans nothing for what reads it."""
        frame = self.session.createDataFrame(rows)
        if rows.num_rows:
            return frame
        nothing = frame.limit(0)
        self._counts[nothing] = 0
        return nothing

    def to_arrow(self, rows: DataFrame) -> pa.Table:
        """Rows in the driver."""
        return rows.toArrow()

    def spread(self, rows: DataFrame, most: int) -> tuple[DataFrame, int] | None:
        """Rows and their number, where that is more than `most`."""
        if self._bounds.get(rows, most + 1) <= most:
            return None
        number = self.count(rows)
        return (rows, number) if number > most else None

    def count(self, rows: DataFrame) -> int:
        """How many rows there are; of frozen ones that is known."""
        return self._counts[rows] if rows in self._counts else rows.count()

    def is_empty(self, rows: DataFrame) -> bool:
        """Whether it is known that there are no rows."""
        return self._counts.get(rows) == 0

    def table(self, name: str) -> DataFrame:
        """All rows of a table at its latest version, with what the batch commits to it."""
        if name in self._under_way:
            self._under_way[name].result()
        return self.session.read.format("delta").load(self._path(name))

    def seen(self, name: str, rows: DataFrame) -> DataFrame:
        """Rows of raw that share an id with `rows`; where no file can hold one, Spark is not asked."""
        low, high, _ = self._ids_in(rows)
        if low is None or high is None or not may_hold(self._handle(name), low, high):
            return self.from_arrow(
                arrow_contract.schema(CATALOG.tables[name].columns).empty_table()
            )
        within = self.table(name).where(F.col("event_id").between(low, high))
        return self.freeze(within.join(rows, "event_id", "left_semi"))

    def repeats(self, rows: DataFrame) -> bool:
        """Whether an id stands twice in `rows`."""
        return self._ids_in(rows).repeats

    def is_committed(self, name: str, txn: Txn) -> bool:
        """Whether the write `txn` stands in the table."""
        if self._tenure is not None:
            self._tenure.require()
        return commits.is_committed(self._handle(name), txn)

    def append(self, name: str, rows: DataFrame, txn: Txn) -> Future[Commit]:
        """Append rows once."""
        if self.is_committed(name, txn):
            return done(Write.once(txn).skipped(name, "append"))
        append = partial(self._append, name, self._conform(name, rows), txn)
        return self._commit("raw", name, "append", append)

    def upsert(self, name: str, rows: DataFrame, txn: Txn) -> Future[Commit]:
        """Merge rows once."""
        if self.is_committed(name, txn):
            return done(Write.once(txn).skipped(name, "merge"))
        merge = partial(self._merge, name, self._conform(name, rows), txn)
        return self._commit("tables", name, "merge", merge)

    @property
    def session(self) -> SparkSession:
        """The session of the running batch."""
        if self._session is None:
            self._session = SparkSession.active()
        return self._session

    def _ids_in(self, rows: DataFrame) -> Ids:
        """What is to be known of the ids of some rows: what the summary of the batch said, unless they are others."""
        if rows not in self._ids:
            (values,) = self.query(intake.IDS, records=rows).toArrow().to_pylist()
            self._ids[rows] = Ids(**values)
        return self._ids[rows]

    def _append(self, name: str, rows: DataFrame, txn: Txn) -> None:
        topic = self._topics.get(name.removeprefix("raw/"), {})
        parts = cut(name, rows, topic.get("bytes") or 0)
        writer = parts.write.format("delta").mode("append")
        writer.option("userMetadata", orjson.dumps(dict(txn.metadata)).decode())
        writer.option("txnAppId", txn.app_id).option("txnVersion", txn.version).save(
            self._path(name)
        )

    def _tell(self, txn: Txn) -> None:
        """Have the next MERGE of the session commit this write."""
        self.session.conf.set(f"{TXN_CONF}.txnAppId", txn.app_id)
        self.session.conf.set(f"{TXN_CONF}.txnVersion", txn.version)
        self.session.conf.set(f"{TXN_CONF}.txnVersion.autoReset.enabled", "true")
        self.session.conf.set(TOLD_CONF, orjson.dumps(dict(txn.metadata)).decode())

    def _merge(self, name: str, source: DataFrame, txn: Txn) -> None:
        self._tell(txn)
        keys = CATALOG.tables[name].key
        on = reduce(lambda a, b: a & b, (F.col(f"t.{key}") == F.col(f"s.{key}") for key in keys))
        values: dict[str, str | Column] = {
            column: F.col(f"s.{column}") for column in source.columns if column != REMOVED
        }
        merge = (
            SparkDeltaTable.forPath(self.session, self._path(name))
            .alias("t")
            .merge(source.alias("s"), on)
        )
        if REMOVED in source.columns:
            alive = ~F.col(f"s.{REMOVED}")
            merge = merge.whenMatchedDelete(F.col(f"s.{REMOVED}"))
            merge = merge.whenMatchedUpdate(set=values).whenNotMatchedInsert(
                condition=alive, values=values
            )
        else:
            merge = merge.whenMatchedUpdate(set=values).whenNotMatchedInsert(values=values)
        merge.execute()

    def _conform(self, name: str, rows: DataFrame) -> DataFrame:
        columns = [
            F.col(c.name).cast(data_type(c.type)).alias(c.name)
            for c in CATALOG.tables[name].columns
        ]
        return rows.select(*columns, *([F.col(REMOVED)] if REMOVED in rows.columns else []))

    def _path(self, name: str) -> str:
        return Root.at(self._root).for_spark(name)

    def _handle(self, name: str) -> DeltaTable:
        """The table at its latest version."""
        return tables.open_table(self._root, name)

    def _commit(
        self, lane: LaneName, name: str, operation: str, write: Callable[[], None]
    ) -> Future[Commit]:
        made = self._lanes[lane].submit(partial(self._committed, name, operation, write))
        self._under_way[name] = made
        return made

    def _committed(self, name: str, operation: str, write: Callable[[], None]) -> Commit:
        _act_in(self.session)
        write()
        self._handles[name] = handle = self._handle(name)
        return Commit(name, handle.version(), operation, 1)  # Spark counts rows too late


def _act_in(session: SparkSession) -> None:
    """Have what Spark and Delta do in this thread, which is not the stream's, done with the settings of a session."""
    classes = session._get_j_spark_session_class(session._jvm)  # noqa: SLF001
    classes.setActiveSession(session._jsparkSession)  # noqa: SLF001


def _asked(value: DataFrame | datetime) -> DataFrame | str:
    """An input of a query, as Spark takes it.

    Spark gives a frame that it is handed a name for as long as it reads the text, and with the name it forgets what was
    kept of this very frame; of one that is filtered it forgets nothing (docs/design/pitfalls.md#trap-58).
    """
    return value.isoformat(sep=" ") if isinstance(value, datetime) else value.where(F.lit(True))
