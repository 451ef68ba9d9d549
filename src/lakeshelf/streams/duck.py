"""DuckDB as the engine of small batches: the Spark SQL of the declarations over Arrow tables in memory."""

from __future__ import annotations

from functools import cache

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

    def query(self, text: str, **relations: pa.Table) -> pa.Table:
        """Rows of a query in Spark SQL.

        Args:
            text: The query; relations stand in braces.
            relations: Relation → rows; names that the query does not use are ignored.
        """
        used = {name: relations[name] for name in RELATION.findall(text)}
        return self.native(to_duckdb(text), **used)

    def native(self, text: str, **relations: pa.Table) -> pa.Table:
        """Rows of a query in DuckDB's own SQL, in which relations are plain names."""
        cursor = self._connection.cursor()
        try:
            for name, rows in relations.items():
                cursor.register(name, rows)
            return cursor.execute(text).to_arrow_table()
        finally:
            for name in relations:
                cursor.unregister(name)
            cursor.close()

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


@cache
def to_duckdb(text: str) -> str:
    """The DuckDB form of a query in Spark SQL whose relations stand in braces."""
    plain = RELATION.sub(lambda match: match[1], text)
    return sqlglot.transpile(plain, read="spark", write="duckdb")[0]
