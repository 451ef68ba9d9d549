"""DuckDB as the engine of small batches: the Spark SQL of the declarations over Arrow tables in memory."""

from __future__ import annotations

from datetime import datetime
from functools import cache

import pyarrow as pa

from lakeshelf.lake.write.statements import Statements
from lakeshelf.streams.declare.job import RELATION


class Duck(Statements):
    """Runs Spark SQL over Arrow tables; one a query and thread, so that queries do not wait for each other."""

    def query(self, text: str, **inputs: pa.Table | datetime) -> pa.Table:
        """Rows of a query in Spark SQL.

        Args:
            text: The query; relations and points in time stand in braces. What changes from one batch to
                the next is an input and not written into it, because each text is prepared once.
            inputs: Relation → rows, or name → point in time; names that the query does not use are ignored.
        """
        used = {name: inputs[name] for name in RELATION.findall(text)}
        times = {name: at for name, at in used.items() if isinstance(at, datetime)}
        relations = {name: rows for name, rows in used.items() if name not in times}
        return self._run(to_duckdb(text, frozenset(times)), relations, times)

    def read_parquet(self, paths: list[str], columns: str, ids: pa.Table | None) -> pa.Table:
        """Columns of Parquet files below a table, hive partitions included, of rows whose `event_id` is in `ids`."""
        cursor = self._connection.cursor()
        try:
            condition = ""
            if ids is not None:
                cursor.register("ids", ids)
                condition = "WHERE event_id IN (SELECT event_id FROM ids)"
            text = f"SELECT {columns} FROM read_parquet(?, hive_partitioning = true, union_by_name = true) {condition}"
            return cursor.execute(text, [paths]).to_arrow_table()
        finally:
            cursor.close()


@cache
def to_duckdb(text: str, parameters: frozenset[str] = frozenset()) -> str:
    """The DuckDB form of a query in Spark SQL whose relations and parameters stand in braces.

    Raises:
        sqlglot.errors.SqlglotError: It is no SQL, or not just one statement.
    """
    import sqlglot  # noqa: PLC0415 - slow to import, and components have no such text

    plain = RELATION.sub(lambda m: f":{m[1]}" if m[1] in parameters else m[1], text)
    statements = sqlglot.transpile(plain, read="spark", write="duckdb")
    if len(statements) != 1:
        raise sqlglot.ParseError(f"it is {len(statements)} statements, and one query is meant")
    return statements[0]
