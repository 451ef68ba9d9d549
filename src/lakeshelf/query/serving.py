# ruff: noqa: PLC0415 - engines are extras, and slow to import
"""One pinned snapshot served to each engine: same version, same projection, same conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Any

import pyarrow as pa

from lakeshelf import lean
from lakeshelf.errors import ConfigurationError
from lakeshelf.lake.form.schemas import nullable
from lakeshelf.lake.place.errors import explained
from lakeshelf.lake.rows import traits
from lakeshelf.lake.rows.conditions import Where, columns_of
from lakeshelf.lake.rows.predicates import quoted, to_sql
from lakeshelf.lake.rows.reading import selected
from lakeshelf.lake.rows.snapshot import Snapshot
from lakeshelf.query import duck
from lakeshelf.query.engines import SCAN, engine_of, needs
from lakeshelf.query.terms import Terms, expression

_NUMBERS = count(1)
NEEDS_SESSION = ("spark",)
"""Engines that have no session of their own."""


@dataclass(frozen=True)
class Served:
    """A snapshot in an engine's own form.

    Attributes:
        engine: The engine.
        route: How it is read: the engine's own way, or `scan` (delta-rs, handed over as Arrow).
        version: The version.
        value: Arrow reader, pandas frame, DuckDB relation, Ibis table, DataFusion frame, lazy Polars frame or Spark
            frame.
    """

    engine: str
    route: str
    version: int
    value: Any


@dataclass(frozen=True)
class Rows:
    """Rows of a snapshot as Arrow, from the beginning each time that they are asked for.

    Attributes:
        snapshot: The snapshot.
        columns: Columns that are wanted; None: all.
        where: Conditions that all hold.
    """

    snapshot: Snapshot
    columns: Sequence[str] | None = None
    where: Where | None = None

    @property
    def schema(self) -> pa.Schema:
        """The wanted columns."""
        whole = self.snapshot.schema
        if self.columns is None:
            return whole
        return selected(whole, self.columns, self.snapshot.dataset.name)

    def reader(self) -> pa.RecordBatchReader:
        """A new stream."""
        return self.snapshot.scan(self.columns, self.where)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """A new stream as a capsule."""
        return self.reader().__arrow_c_stream__(requested_schema)


def serve(
    snapshot: Snapshot,
    engine: str = "arrow",
    columns: Sequence[str] | None = None,
    where: Where | None = None,
    session: Any = None,
) -> Served:
    """A snapshot in an engine.

    Args:
        snapshot: The dataset at its version.
        engine: One of `lakeshelf.query.ENGINES`.
        columns: Columns that are wanted, in that order; None: all.
        where: Conditions as in `Lake.read`.
        session: DuckDB connection, DataFusion context, Ibis backend (of DuckDB) or Spark session to serve into; None:
            one of its own.
            Spark needs one. One of DuckDB keeps each version attached, with four open files, until it is closed or
            the version is detached.

    Raises:
        ConfigurationError: No such engine, or no session where one is needed.
        MissingExtra: It is not installed.
        UntestedVersions: It is installed in a version that was not tried.
        SchemaError: A column that the dataset does not have.
        PredicateError: A condition that cannot be.
        FeatureRefused: Neither its own route nor `scan` reads the table right.
    """
    if engine in NEEDS_SESSION and session is None:
        raise ConfigurationError(
            f"{engine} serves into a session, and there is none",
            hint="give a Spark session with Delta as `session=`",
        )
    rows = Rows(snapshot, columns, where)
    names = rows.schema.names  # columns are checked before an engine has a word for it
    route = engine_of(engine).route_for(needs(snapshot, where, columns=names))
    if route == SCAN:
        read = [*names, *columns_of(where, snapshot.schema)]
        traits.require_readable(snapshot.handle, snapshot.dataset.name, read)
    ways = _SCANNED if route == SCAN else _OWN
    with explained(f"{snapshot.dataset.name} cannot be read by {engine}"):
        return Served(engine, route, snapshot.version, ways[engine](rows, session))


def _duckdb(rows: Rows, session: Any) -> Any:
    connection = session or duck.connected()
    duck.load_delta(connection)
    relation = connection.sql(f"FROM {duck.attach(connection, rows.snapshot)}")
    condition = expression(rows.where, rows.snapshot.schema, _duckdb_terms())
    chosen = relation if condition is None else relation.filter(condition)
    # As text: DuckDB takes what an expression of Python names apart at dots and quotes.
    return chosen.project(", ".join(map(quoted, rows.schema.names)))


def _duckdb_scanned(rows: Rows, session: Any) -> Any:
    connection = session or duck.connected()
    name = f"rows_{next(_NUMBERS)}"
    connection.register(name, rows)
    return connection.table(name)


def _ibis(rows: Rows, session: Any) -> Any:
    return _as_ibis(rows, session, _duckdb)


def _ibis_scanned(rows: Rows, session: Any) -> Any:
    return _as_ibis(rows, session, _duckdb_scanned)


def _as_ibis(rows: Rows, session: Any, way: Callable[[Rows, Any], Any]) -> Any:
    import ibis

    backend = session or ibis.duckdb.from_connection(duck.connected())
    relation = way(rows, backend.con)
    name = f"snapshot_{next(_NUMBERS)}"
    relation.create_view(name)
    return backend.table(name)


def _datafusion(rows: Rows, session: Any) -> Any:
    from datafusion import col

    context = session or _context()
    name = f"rows_{next(_NUMBERS)}"
    context.register_table(name, rows.snapshot.handle)
    frame = context.table(name)
    condition = to_sql(rows.where, rows.snapshot.schema)
    chosen = frame if condition is None else frame.filter(condition)
    return chosen.select(*(col(quoted(name)) for name in rows.schema.names))


def _datafusion_scanned(rows: Rows, session: Any) -> Any:
    return (session or _context()).from_arrow(rows.reader().read_all())


@cache
def _context() -> Any:
    # A frame does not keep the context alive that its table provider needs.
    from datafusion import SessionContext

    return SessionContext()


def _polars(rows: Rows, session: Any) -> Any:
    import polars as pl

    del session
    frame = pl.scan_delta(rows.snapshot.handle)
    condition = expression(rows.where, rows.snapshot.schema, _polars_terms())
    chosen = frame if condition is None else frame.filter(condition)
    return chosen.select(rows.schema.names)


def _polars_scanned(rows: Rows, session: Any) -> Any:
    import polars as pl
    from polars.io.plugins import register_io_source

    del session

    def batches(
        columns: list[str] | None, condition: Any, most: int | None, _size: int | None
    ) -> Iterator[Any]:
        left = most
        for batch in rows.reader():
            frame = pl.DataFrame(batch)
            frame = frame if condition is None else frame.filter(condition)
            frame = frame if left is None else frame.head(left)
            yield frame if columns is None else frame.select(columns)
            left = None if left is None else left - frame.height
            if left == 0:
                return

    return register_io_source(batches, schema=pl.DataFrame(rows.schema.empty_table()).schema)


def _pandas(rows: Rows, session: Any) -> Any:
    lean.admit(lean.PANDAS)
    import pandas as pd

    del session
    free = pa.schema([pa.field(f.name, nullable(f.type)) for f in rows.schema])
    return rows.reader().read_all().cast(free).to_pandas(types_mapper=pd.ArrowDtype)


def _spark(rows: Rows, session: Any) -> Any:
    reader = session.read.format("delta").option("versionAsOf", rows.snapshot.version)
    frame = reader.load(duck.folder(rows.snapshot))
    condition = expression(rows.where, rows.snapshot.schema, _spark_terms())
    chosen = frame if condition is None else frame.filter(condition)
    return chosen.select(*(_spark_terms().column(name) for name in rows.schema.names))


def _spark_scanned(rows: Rows, session: Any) -> Any:
    return session.createDataFrame(rows.reader().read_all())


def _duckdb_terms() -> Terms:
    import duckdb

    return Terms(
        column=lambda name: duckdb.SQLExpression(quoted(name)),
        literal=lambda value, _: duckdb.ConstantExpression(value),
        is_null=lambda column: column.isnull(),
        is_in=lambda column, values: column.isin(*values),
        constant=duckdb.ConstantExpression,
    )


def _polars_terms() -> Terms:
    import polars as pl
    from polars import selectors

    return Terms(
        column=lambda name: selectors.by_name(name).as_expr(),
        literal=lambda value, kind: pl.lit(pl.Series(pa.array([value], kind)).item(), dtype=None),
        is_null=lambda column: column.is_null(),
        is_in=lambda column, values: pl.any_horizontal(column == value for value in values),
        constant=pl.lit,
    )


def _spark_terms() -> Terms:
    from pyspark.sql import functions as F

    return Terms(
        column=lambda name: F.col("`" + name.replace("`", "``") + "`"),
        literal=lambda value, _: F.lit(value),
        is_null=lambda column: column.isNull(),
        is_in=lambda column, values: column.isin(*values),
        constant=F.lit,
    )


_OWN: dict[str, Callable[[Rows, Any], Any]] = {
    "duckdb": _duckdb,
    "ibis": _ibis,
    "datafusion": _datafusion,
    "polars": _polars,
    "spark": _spark,
}
_SCANNED: dict[str, Callable[[Rows, Any], Any]] = {
    "arrow": lambda rows, _: rows.reader(),
    "pandas": _pandas,
    "duckdb": _duckdb_scanned,
    "ibis": _ibis_scanned,
    "datafusion": _datafusion_scanned,
    "polars": _polars_scanned,
    "spark": _spark_scanned,
}
