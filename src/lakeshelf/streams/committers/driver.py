"""The driver committer: small batches as Arrow in the driver's process, committed by delta-rs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from lakeshelf.contracts import CATALOG, Topic
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.lake import commits, tables
from lakeshelf.lake.commits import REMOVED, Commit, Txn
from lakeshelf.streams import parse
from lakeshelf.streams.decode import decode
from lakeshelf.streams.duck import Duck
from lakeshelf.streams.index import IdIndex


class DriverCommitter:
    """Holds the tables of one query: their handles, state rows and indexes of ids.

    State rows are kept as immutable Arrow tables, replaced only after their commit, so a failed batch
    leaves no trace here.

    Args:
        root: Lake root.
        window_rows: Newest event ids a topic that are kept in memory.
    """

    name = "driver"

    def __init__(self, root: Path, window_rows: int) -> None:
        self._root = root
        self._window_rows = window_rows
        self._duck = Duck()
        self._handles: dict[str, DeltaTable] = {}
        self._rows: dict[str, pa.Table] = {}
        self._indexes: dict[str, IdIndex] = {}

    def read(self, records: DataFrame, topics: Sequence[Topic]) -> DataFrame:
        """Records as they came."""
        return parse.received(records, topics)

    def attend(self, session: SparkSession) -> None:
        """Nothing here needs Spark's session."""

    def begin(self, frame: DataFrame, topics: Sequence[Topic]) -> pa.Table:
        """The batch as one Arrow table."""
        return decode(self._duck, frame.toArrow(), topics)

    def end(self) -> None:
        """Nothing is held a batch."""

    def query(self, text: str, **relations: pa.Table) -> pa.Table:
        """Rows of a query, run by DuckDB."""
        return self._duck.query(text, **relations)

    def freeze(self, rows: pa.Table) -> pa.Table:
        """Arrow tables never change."""
        return rows

    def from_arrow(self, rows: pa.Table) -> pa.Table:
        """The same rows."""
        return rows

    def to_arrow(self, rows: pa.Table) -> pa.Table:
        """The same rows."""
        return rows

    def count(self, rows: pa.Table) -> int:
        """How many rows there are."""
        return int(rows.num_rows)

    def table(self, name: str) -> pa.Table:
        """All rows of a table, kept in memory once read."""
        if name not in self._rows:
            self._rows[name] = self._conform(name, self.handle(name).to_pyarrow_table())
        return self._rows[name]

    def seen(self, name: str, rows: pa.Table) -> pa.Table:
        """Rows of raw that share an id with `rows`."""
        return self._index(name).seen(rows["event_id"])

    def is_committed(self, name: str, txn: Txn) -> bool:
        """Whether the write `txn` stands in the table."""
        return commits.is_committed(self.handle(name), txn)

    def append(self, name: str, rows: pa.Table, txn: Txn) -> Commit:
        """Append rows once; ids of raw rows are remembered."""
        conformed = self._conform(name, rows)
        commit = commits.append(self.handle(name), name, conformed, txn)
        if commit.rows and name in self._indexes:
            self._indexes[name].add(conformed["event_id"])
        return commit

    def upsert(self, name: str, rows: pa.Table, txn: Txn) -> Commit:
        """Merge rows once and keep the new state in memory."""
        keys = CATALOG.tables[name].key
        conformed = self._conform(name, rows)
        before = self.table(name)
        commit = commits.upsert(self.handle(name), name, conformed, keys, txn)
        if commit.rows:
            self._rows[name] = self._conform(
                name, self._replaced(before, conformed, ", ".join(keys))
            )
        return commit

    def handle(self, name: str) -> DeltaTable:
        """The table's handle, kept at its latest version by being the only writer."""
        if name not in self._handles:
            self._handles[name] = tables.open_table(self._root, name)
        return self._handles[name]

    def _index(self, name: str) -> IdIndex:
        if name not in self._indexes:
            self._indexes[name] = IdIndex(self.handle(name), self._window_rows, self._duck)
        return self._indexes[name]

    def _replaced(self, before: pa.Table, rows: pa.Table, keys: str) -> pa.Table:
        kept = f"SELECT * FROM {{before}} LEFT ANTI JOIN {{rows}} USING ({keys})"
        columns = ", ".join(before.column_names)
        alive = f"WHERE NOT {REMOVED}" if REMOVED in rows.column_names else ""
        text = f"SELECT {columns} FROM ({kept}) AS kept UNION ALL SELECT {columns} FROM {{rows}} {alive}"
        return self._duck.query(text, before=before, rows=rows)

    def _conform(self, name: str, rows: pa.Table) -> pa.Table:
        schema = arrow_contract.schema(CATALOG.tables[name].columns)
        if REMOVED in rows.column_names:
            schema = schema.append(pa.field(REMOVED, pa.bool_()))
        return rows.select(schema.names).cast(schema)
