"""The driver committer: small batches as Arrow in the driver's process, committed by delta-rs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from confluent_kafka import KafkaException
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from lakeshelf.contracts import CATALOG, Topic
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.errors import BrokerError
from lakeshelf.kafka.follower import PartitionFollower
from lakeshelf.lake.form.commits import Commit, Txn, Write
from lakeshelf.lake.place.leases import Tenure
from lakeshelf.lake.place.location import Place
from lakeshelf.lake.rows import reading, tables
from lakeshelf.lake.upkeep import requests
from lakeshelf.lake.upkeep.maintenance import Maintenance
from lakeshelf.lake.write import rewriting, writing
from lakeshelf.logs import log
from lakeshelf.streams.commit.committers.base import LaneName
from lakeshelf.streams.commit.lane import Lane, done
from lakeshelf.streams.commit.ledger import Offsets, most_records
from lakeshelf.streams.declare import intake
from lakeshelf.streams.declare.duck import Duck
from lakeshelf.streams.declare.sql import REMOVED
from lakeshelf.streams.take import decode, fetched, parse
from lakeshelf.streams.take.duplicates import POSITION, REPEATS
from lakeshelf.streams.take.index import IdIndex

BETWEEN = "\x1f"
"""Stands between the parts of a key: keys that do not hold it differ from all others when they are joined."""
SMALL_ROWS = 20_000
"""Batches below it are over before a second thread has begun."""


class DriverCommitter:
    """Holds the tables of one query: their handles, state rows and indexes of ids.

    State rows are kept as immutable Arrow tables. They are replaced when their commit is given to the
    lane; after a failed batch the query begins again with a new committer, which reads the tables.

    Args:
        root: Lake root.
        window_rows: Newest event ids a topic that are kept in memory.
        shared: Whether others write its tables too.
        lane: What makes its commits; None: one of its own.
        tenure: The term under which the query may commit; None: nobody else could.
        follower: Fetches the records of small batches; None: Spark hands over those of all.
    """

    name = "driver"

    def __init__(
        self,
        root: Place,
        window_rows: int,
        *,
        shared: bool = False,
        lane: Lane | None = None,
        tenure: Tenure | None = None,
        follower: PartitionFollower | None = None,
    ) -> None:
        self._root = root
        self._follower = follower
        self._tenure = tenure
        self._shared = shared
        self._window_rows = window_rows
        self._duck = Duck()
        self._lane = Lane() if lane is None else lane
        self._maintenance = Maintenance()
        self._handles: dict[str, DeltaTable] = {}
        self._before: dict[tuple[str, str], int] = {}
        self._rows: dict[str, pa.Table] = {}
        self._indexes: dict[str, IdIndex] = {}

    def read(self, records: DataFrame, topics: Sequence[Topic]) -> DataFrame:
        """Records as they came."""
        return parse.received(records, topics)

    def attend(self, session: SparkSession) -> None:
        """Nothing here needs Spark's session."""

    def begin(
        self, frame: DataFrame, topics: Sequence[Topic], offsets: Offsets | None = None
    ) -> pa.Table:
        """The batch as one Arrow table."""
        rows = self._fetched(topics, offsets)
        if rows is None:
            rows = frame.toArrow()
        self._duck.use_threads(1 if rows.num_rows < SMALL_ROWS else 2)
        return decode.decode(rows, topics)

    def _fetched(self, topics: Sequence[Topic], offsets: Offsets | None) -> pa.Table | None:
        """Records of a small batch, without the hundred milliseconds of a job of Spark; None: it has to hand them over.

        Whatever keeps them from being fetched is left to Spark too, which fails for what is lasting and says why.
        """
        if self._follower is None or offsets is None or most_records(offsets) > SMALL_ROWS:
            return None
        ranges = {(t, int(p)): r for t, parts in offsets.items() for p, r in parts.items()}
        try:
            messages = self._follower.read(ranges)
            return fetched.table(messages, headers=any(topic.compacted for topic in topics))
        except (BrokerError, KafkaException) as error:
            log.warning("records not fetched", error=str(error))
            return None

    def summary(self, taken: pa.Table, topics: Sequence[Topic]) -> pa.Table:
        """What a batch has of each topic."""
        return self.query(intake.SUMMARY, batch=taken)

    def records_of(self, topic: Topic, taken: pa.Table, rescued: pa.Table | None) -> pa.Table:
        """Valid records of a topic, without a copy of what they hold."""
        records = decode.records_of(topic, taken)
        return records if rescued is None else pa.concat_tables([records, rescued])

    def raw_rows(self, topic: Topic, records: pa.Table, ingested_at: datetime) -> pa.Table:
        """Records with the columns that raw has besides."""
        return decode.raw_rows(records, ingested_at)

    def without(self, rows: pa.Table, places: pa.Table) -> pa.Table:
        """Those of `rows` that stand elsewhere than at some places."""
        return without(rows, places, POSITION)

    def end(self) -> None:
        """Nothing is held a batch; commits are waited for."""
        with suppress(Exception):
            self._lane.settle()

    def maintain(self) -> None:
        """Maintain tables before the next commits."""
        for handle in self._maintenance.take_due(self._handles.values()):
            self._lane.submit(partial(self._maintenance.maintain, handle))

    def serve(self, stack: Path, name: str) -> None:
        """Do what somebody asks of a table before the next commits."""
        self._lane.submit(partial(requests.serve, stack, name, partial(self.handle, name)))

    def query(self, text: str, **inputs: pa.Table | datetime) -> pa.Table:
        """Rows of a query, run by DuckDB."""
        return self._duck.query(text, **inputs)

    def freeze(self, rows: pa.Table) -> pa.Table:
        """Arrow tables never change."""
        return rows

    def parted(self, rows: pa.Table, column: str) -> tuple[pa.Table, pa.Table]:
        """Rows in which a column is true, and those in which it is false."""
        return rows.filter(rows[column]), rows.filter(pc.invert(rows[column]))

    def from_arrow(self, rows: pa.Table) -> pa.Table:
        """The same rows."""
        return rows

    def to_arrow(self, rows: pa.Table) -> pa.Table:
        """The same rows."""
        return rows

    def spread(self, rows: pa.Table, most: int) -> None:
        """The driver has all rows."""

    def count(self, rows: pa.Table) -> int:
        """How many rows there are."""
        return int(rows.num_rows)

    def is_empty(self, rows: pa.Table) -> bool:
        """Whether there are no rows."""
        return int(rows.num_rows) == 0

    def table(self, name: str) -> pa.Table:
        """All rows of a table, kept in memory once read."""
        if name not in self._rows:
            self._rows[name] = self._conform(name, reading.rows(self.handle(name), name))
        return self._rows[name]

    def seen(self, name: str, rows: pa.Table) -> pa.Table:
        """Rows of raw that share an id with `rows`."""
        return self._index(name).seen(rows["event_id"])

    def repeats(self, rows: pa.Table) -> bool:
        """Whether an id stands twice in `rows`."""
        return bool(self.query(REPEATS, records=rows)["repeats"][0].as_py())

    def is_committed(self, name: str, txn: Txn) -> bool:
        """Whether the write `txn` stands in the table, from before this committer began to write."""
        before = self._before.get((name, txn.app_id))
        if before is None:
            recorded = self.handle(name).transaction_version(txn.app_id)
            before = self._before[name, txn.app_id] = -1 if recorded is None else recorded
        return before >= txn.version

    def append(self, name: str, rows: pa.Table, txn: Txn) -> Future[Commit]:
        """Append rows once; ids of raw rows are remembered."""
        handle, conformed = self.handle(name), self._conform(name, rows)
        if name in self._indexes and not self.is_committed(name, txn):
            self._indexes[name].add(conformed["event_id"])
        return self._lane.submit(lambda: writing.append(handle, name, conformed, self.write(txn)))

    def upsert(self, name: str, rows: pa.Table, txn: Txn) -> Future[Commit]:
        """Merge rows once and keep the new state in memory."""
        handle, before = self.handle(name), self.table(name)
        if rows.num_rows == 0 or self.is_committed(name, txn):
            return done(Write.once(txn).skipped(name, "rewrite", "nothing to commit"))
        changed = kept = self._conform(name, rows)
        if REMOVED in changed.column_names:
            _, kept = self.parted(changed, REMOVED)
        kept = kept.select(before.column_names)
        after = without(before, changed, CATALOG.tables[name].key)
        self._rows[name] = rows_after = pa.concat_tables([after, kept]).combine_chunks()
        return self._lane.submit(
            lambda: rewriting.rewrite(handle, name, rows_after, kept, self.write(txn))
        )

    def then(self, work: Callable[[], None], lane: LaneName = "tables") -> None:
        """Do something behind the commits so far, which all have one lane."""
        self._lane.submit(work)

    def settle(self) -> None:
        """Wait for the commits."""
        self._lane.settle()

    def handle(self, name: str) -> DeltaTable:
        """The table's handle at its latest version, at which that of an only writer always is."""
        if name not in self._handles:
            self._handles[name] = tables.open_table(self._root, name)
        elif self._shared:
            self._handles[name].update_incremental()
        return self._handles[name]

    def write(self, txn: Txn) -> Write:
        """What a commit carries that is made now.

        Raises:
            LeaseLost: Another driver has taken over the query.
        """
        if self._tenure is None:
            return Write.once(txn)
        self._tenure.require()
        return Write.once(txn, fence=Txn(self._tenure.lease.app_id, self._tenure.term))

    def _index(self, name: str) -> IdIndex:
        if name not in self._indexes:
            self._indexes[name] = IdIndex(self.handle(name), self._window_rows, self._duck)
        return self._indexes[name]

    def _conform(self, name: str, rows: pa.Table) -> pa.Table:
        schema = arrow_contract.schema(CATALOG.tables[name].columns)
        if REMOVED in rows.column_names:
            schema = schema.append(pa.field(REMOVED, pa.bool_()))
        return rows.select(schema.names).cast(schema)


def without(rows: pa.Table, others: pa.Table, keys: Sequence[str]) -> pa.Table:
    """Those of `rows` whose key `others` do not have; no part of a key is null.

    Whole keys are compared as texts, which is slow: only those that share their last part are.
    """
    last = keys[-1]
    held = pc.is_in(rows[last], value_set=others[last]).combine_chunks()
    if len(keys) > 1 and held.true_count:
        exact = any(pc.any(pc.match_substring(_text(others, key), BETWEEN)).as_py() for key in keys)
        mine, theirs = (_key(some, keys, exact=exact) for some in (rows.filter(held), others))
        held = pc.replace_with_mask(held, held, pc.is_in(mine, value_set=theirs).combine_chunks())
    return rows.filter(pc.invert(held))


def _key(rows: pa.Table, keys: Sequence[str], *, exact: bool) -> pa.ChunkedArray:
    """Keys as one text each; `exact` ones differ whatever they hold, which takes twice as long."""
    columns = [_text(rows, key) for key in keys]
    lengths = [pc.binary_length(column).cast(pa.string()) for column in columns] if exact else []
    return pc.binary_join_element_wise(*lengths, *columns, BETWEEN)


def _text(rows: pa.Table, key: str) -> pa.ChunkedArray:
    return rows[key].cast(pa.string())
