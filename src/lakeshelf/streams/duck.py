"""DuckDB as the engine of small batches: the Spark SQL of the declarations over Arrow tables in memory.

A small batch costs what its statements cost to plan, not what they compute. So each is translated and
prepared once, and gets other rows when it runs again.
"""

from __future__ import annotations

import builtins
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from types import FunctionType

import duckdb
import pyarrow as pa
import sqlglot

from lakeshelf.streams.job import RELATION

STATEMENTS = 1000
"""Most prepared statements; those not used for longest are forgotten."""


class Input:
    """A relation of a prepared statement, which has other rows each time that the statement runs.

    Attributes:
        schema: Columns, always the same.
        rows: What it holds while the statement runs.
    """

    def __init__(self, rows: pa.Table) -> None:
        self.schema = rows.schema
        self.rows: pa.Table | None = rows

    def __arrow_c_schema__(self) -> object:
        return self.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        assert self.rows is not None
        return self.rows.__arrow_c_stream__(requested_schema)


@dataclass(frozen=True)
class Statement:
    """A prepared statement.

    Attributes:
        name: Its name in the connection.
        inputs: Relation → what gives its rows.
    """

    name: str
    inputs: Mapping[str, Input]

    def takes(self, relations: Mapping[str, pa.Table]) -> bool:
        """Whether the relations have the columns for which it was prepared."""
        return all(given.schema.equals(relations[n].schema) for n, given in self.inputs.items())

    def put(self, relations: Mapping[str, pa.Table | None]) -> None:
        """Give the inputs rows, or take them away."""
        for name, given in self.inputs.items():
            given.rows = relations.get(name)


class Duck:
    """Runs Spark SQL over Arrow tables; one a query and thread, so that queries do not wait for each other.

    Args:
        threads: Most threads of one statement.
    """

    def __init__(self, threads: int = 2) -> None:
        self._connection = duckdb.connect(":memory:", config={"threads": threads})
        self._connection.execute("SET TimeZone = 'UTC'")
        self._statements: OrderedDict[str, Statement] = OrderedDict()
        self._prepared = 0

    def query(self, text: str, **given: pa.Table | datetime) -> pa.Table:
        """Rows of a query in Spark SQL.

        Args:
            text: The query; relations and points in time stand in braces. What changes from one batch to
                the next is given and not written into it, because each text is prepared once.
            given: Relation → rows, or name → point in time; names that the query does not use are ignored.
        """
        used = {name: given[name] for name in RELATION.findall(text)}
        times = {name: at for name, at in used.items() if isinstance(at, datetime)}
        relations = {name: rows for name, rows in used.items() if name not in times}
        return self._run(to_duckdb(text, frozenset(times)), relations, times)

    def native(self, text: str, **relations: pa.Table) -> pa.Table:
        """Rows of a query in DuckDB's own SQL, in which relations are plain names."""
        return self._run(text, relations, {})

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

    def _run(
        self, text: str, relations: Mapping[str, pa.Table], times: Mapping[str, datetime]
    ) -> pa.Table:
        statement = self._statements.get(text)
        if statement is None or not statement.takes(relations):
            self._forget(text)
            statement = self._statements[text] = self._prepare(text, relations)
        self._statements.move_to_end(text)
        values = ", ".join(
            f"{n} := TIMESTAMPTZ '{at.isoformat(sep=' ')}'" for n, at in times.items()
        )
        statement.put(relations)
        try:
            call = f"EXECUTE {statement.name}" + (f"({values})" if values else "")
            return self._execute(call, statement.inputs).to_arrow_table()
        finally:
            statement.put({})

    def _prepare(self, text: str, relations: Mapping[str, pa.Table]) -> Statement:
        if len(self._statements) >= STATEMENTS:
            self._forget(next(iter(self._statements)))
        self._prepared += 1
        inputs = {name: Input(rows) for name, rows in relations.items()}
        statement = Statement(f"statement_{self._prepared}", inputs)
        self._execute(f"PREPARE {statement.name} AS {text}", inputs)
        return statement

    def _forget(self, text: str) -> None:
        statement = self._statements.pop(text, None)
        if statement is not None:
            self._connection.execute(f"DEALLOCATE {statement.name}")

    def _execute(self, text: str, inputs: Mapping[str, Input]) -> duckdb.DuckDBPyConnection:
        # DuckDB finds relations among the variables of who calls it.
        known = {**inputs, "__builtins__": builtins, "connection": self._connection, "text": text}
        result: duckdb.DuckDBPyConnection = FunctionType(_call.__code__, known)()
        return result


def _call() -> duckdb.DuckDBPyConnection:
    return connection.execute(text)  # type: ignore[name-defined, no-any-return]  # noqa: F821


@cache
def to_duckdb(text: str, parameters: frozenset[str] = frozenset()) -> str:
    """The DuckDB form of a query in Spark SQL whose relations and parameters stand in braces."""
    plain = RELATION.sub(lambda m: f":{m[1]}" if m[1] in parameters else m[1], text)
    return sqlglot.transpile(plain, read="spark", write="duckdb")[0]
