"""DuckDB as the engine of small batches: the Spark SQL of the declarations over Arrow tables in memory."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from types import FunctionType

import duckdb
import pyarrow as pa
import sqlglot

from lakeshelf.streams.job import RELATION


class Duck:
    """Runs Spark SQL over Arrow tables; one a query, so that queries do not wait for each other.

    Args:
        threads: Most threads of one statement.
    """

    def __init__(self, threads: int = 2) -> None:
        self._connection = duckdb.connect(":memory:", config={"threads": threads})
        self._connection.execute("SET TimeZone = 'UTC'")

    def query(self, text: str, **given: pa.Table | datetime) -> pa.Table:
        """Rows of a query in Spark SQL.

        Args:
            text: The query; relations and points in time stand in braces. What changes from one batch to
                the next is given and not written into it, because each text is translated once.
            given: Relation → rows, or name → point in time; names that the query does not use are ignored.
        """
        used = {name: given[name] for name in RELATION.findall(text)}
        times = {name: at for name, at in used.items() if isinstance(at, datetime)}
        return self.native(to_duckdb(text, frozenset(times)), times, **used)

    def native(
        self, text: str, parameters: Mapping[str, datetime] | None = None, **relations: pa.Table
    ) -> pa.Table:
        """Rows of a query in DuckDB's own SQL, in which relations are plain names."""
        with self._connection.cursor() as cursor:
            # DuckDB finds tables among the variables of who calls it, in half the time that views take.
            known = {**relations, "__builtins__": builtins, "cursor": cursor, "text": text}
            rows: pa.Table = FunctionType(_run.__code__, known | {"parameters": parameters})()
        return rows

    def use_threads(self, number: int) -> None:
        """Bound the threads of later statements; small ones are faster with one."""
        self._connection.execute(f"SET threads = {number}")

    def read_parquet(self, paths: list[str], columns: str, wanted: pa.Table | None) -> pa.Table:
        """Columns of Parquet files below a table, hive partitions included, of rows with a wanted `event_id`."""
        cursor = self._connection.cursor()
        try:
            condition = ""
            if wanted is not None:
                cursor.register("wanted", wanted)
                condition = "WHERE event_id IN (SELECT event_id FROM wanted)"
            text = f"SELECT {columns} FROM read_parquet(?, hive_partitioning = true, union_by_name = true) {condition}"
            return cursor.execute(text, [paths]).to_arrow_table()
        finally:
            cursor.close()


def _run() -> pa.Table:
    return cursor.execute(text, parameters).to_arrow_table()  # type: ignore[name-defined]  # noqa: F821


@cache
def to_duckdb(text: str, parameters: frozenset[str] = frozenset()) -> str:
    """The DuckDB form of a query in Spark SQL whose relations and parameters stand in braces."""
    plain = RELATION.sub(lambda m: f":{m[1]}" if m[1] in parameters else m[1], text)
    return sqlglot.transpile(plain, read="spark", write="duckdb")[0]
