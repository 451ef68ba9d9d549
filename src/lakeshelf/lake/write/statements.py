"""Prepared statements of DuckDB over Arrow tables in memory.

A statement over few rows costs what it costs to plan, not what it computes. So each is prepared once, and
gets other rows when it runs again.
"""

from __future__ import annotations

import builtins
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import FunctionType

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import dataset
from pyarrow.acero import Declaration, FilterNodeOptions, TableSourceNodeOptions

from lakeshelf.lake.rows.quiet import quiet

STATEMENTS = 1000
"""Most prepared statements; those not used for longest are forgotten."""


class Input(dataset.Dataset):  # type: ignore[misc] # pyarrow has no types of it
    """A relation of a prepared statement, which has other rows each time that the statement runs.

    For DuckDB it is a dataset, of which it asks for columns and a filter. Given a table, it would make a
    dataset of it each time and scan that with threads, which takes a millisecond for no rows at all.

    Args:
        rows: What it holds while the statement runs; the columns are always the same.
    """

    def __init__(self, rows: pa.Table) -> None:
        self._schema = rows.schema
        self.rows: pa.Table | None = rows

    @property
    def schema(self) -> pa.Schema:
        """Columns of the rows."""
        return self._schema

    def scanner(
        self,
        columns: list[str] | None = None,
        filter: pc.Expression | None = None,  # noqa: A002 - so DuckDB calls it
    ) -> Selection:
        """The wanted columns of those rows that the filter takes."""
        assert self.rows is not None
        rows = self.rows if filter is None else _filtered(self.rows, filter)
        return Selection(rows if columns is None else rows.select(columns))


@dataclass(frozen=True)
class Selection:
    """What is read of an input."""

    rows: pa.Table

    def to_reader(self) -> pa.RecordBatchReader:
        """The rows as a stream."""
        return self.rows.to_reader()


def _filtered(rows: pa.Table, condition: pc.Expression) -> pa.Table:
    source = Declaration("table_source", TableSourceNodeOptions(rows))
    kept = Declaration("filter", FilterNodeOptions(condition), [source])
    return kept.to_table(use_threads=False)


@dataclass(frozen=True)
class PreparedStatement:
    """A prepared statement.

    Attributes:
        name: Its name in the connection.
        inputs: Relation → what gives its rows.
    """

    name: str
    inputs: Mapping[str, Input]

    def takes(self, relations: Mapping[str, pa.Table]) -> bool:
        """Whether the relations have the columns for which it was prepared."""
        return all(
            relation.schema.equals(relations[n].schema) for n, relation in self.inputs.items()
        )

    def put(self, relations: Mapping[str, pa.Table | None]) -> None:
        """Give the inputs rows, or take them away."""
        for name, relation in self.inputs.items():
            relation.rows = relations.get(name)


class Statements:
    """Runs DuckDB's SQL over Arrow tables; not to be shared by threads.

    Args:
        threads: Most threads of one statement.
    """

    def __init__(self, threads: int = 2) -> None:
        self._connection = quiet(duckdb.connect(":memory:", config={"threads": threads}))
        self._connection.execute("SET TimeZone = 'UTC'")
        # What a join has seen of one side would be a filter for the other, at more than it saves.
        self._connection.execute("SET disabled_optimizers = 'join_filter_pushdown'")
        self._statements: OrderedDict[str, PreparedStatement] = OrderedDict()
        self._prepared = 0

    def native(self, text: str, **relations: pa.Table) -> pa.Table:
        """Rows of a query in DuckDB's own SQL, in which relations are plain names."""
        return self._run(text, relations, {})

    def use_threads(self, number: int) -> None:
        """Bound the threads of later statements; small ones are faster with one."""
        self._connection.execute(f"SET threads = {number}")

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

    def _prepare(self, text: str, relations: Mapping[str, pa.Table]) -> PreparedStatement:
        if len(self._statements) >= STATEMENTS:
            self._forget(next(iter(self._statements)))
        self._prepared += 1
        inputs = {name: Input(rows) for name, rows in relations.items()}
        statement = PreparedStatement(f"statement_{self._prepared}", inputs)
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
