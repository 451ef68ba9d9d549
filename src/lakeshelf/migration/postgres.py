"""A table of PostgreSQL as files of one moment, which then migrate as files do: compared, and all or none.

One transaction sees one state, and a cursor of the server hands out rows, so memory does not grow with the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from lakeshelf.counts import count_of
from lakeshelf.errors import first_line
from lakeshelf.lake.place.errors import Damaged, NotFound, SchemaError, StorageError
from lakeshelf.lake.place.names import checked
from lakeshelf.lake.rows.fingerprints import RowSums
from lakeshelf.lake.rows.port import Tables
from lakeshelf.migration import staging
from lakeshelf.migration.plan import Options
from lakeshelf.migration.postgres_types import arrow_type
from lakeshelf.migration.report import MigrationReport
from lakeshelf.migration.run import Reporter, migrate_held, silent

if TYPE_CHECKING:
    from psycopg import Connection

ROWS = 20_000
"""Rows that are in memory at a time."""
_COLUMNS = """
    SELECT a.attname, t.typname, a.atttypmod, format_type(a.atttypid, a.atttypmod),
        coalesce(array_position(i.indkey::int2[], a.attnum), 0)
    FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
    LEFT JOIN pg_index AS i ON i.indrelid = a.attrelid AND i.indisprimary
    WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""


def migrate_postgres(
    lake: Tables,
    address: str,
    table: str,
    name: str,
    options: Options,
    *,
    progress: Reporter = silent,
) -> MigrationReport:
    """Bring the rows of a table of PostgreSQL into a dataset that is not there yet, all or none.

    The rows are those of one moment. They are counted and summed up as the server hands them out, as the files hold
    them, and as they stand in the dataset, which appears only if all are the same. Tried again with the same rows, it
    changes nothing.

    Args:
        lake: The lake.
        address: Address of the database, as libpq takes it; empty: what its environment says.
        table: The table, with its schema where that is not on the path.
        name: The dataset.
        options: How rows become those of Delta; `assume_utc` for times without a zone.
        progress: Told about the steps `lakeshelf.migration.STEPS`.

    Raises:
        NotFound: No such table.
        SchemaError: A column of a type that Delta has not, or a value that its type has not.
        StorageError: The database cannot be reached or read.
        Damaged: What was written is not what the table holds; nothing is published.
        Conflict: The dataset is there and has other rows, or somebody else migrates into it.
    """
    with staging.alone(lake, checked(name)), staging.copying(lake, name) as folder:
        file = folder / "rows.parquet"
        with _connected(address) as connection:
            _copy(connection, table, file)
        made = migrate_held(lake, file, name, options, progress=progress)
    return replace(made, source=f"postgresql:{table}")


@contextmanager
def _connected(address: str) -> Iterator[Connection[Any]]:
    import psycopg  # noqa: PLC0415 - of the extra `governance`

    try:
        with psycopg.connect(address) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            yield connection
    except psycopg.Error as error:
        raise StorageError(
            f"PostgreSQL cannot be read: {first_line(error)}", hint="nothing was written"
        ) from error


def _copy(connection: Connection[Any], table: str, file: Path) -> None:
    """Write the rows of a table into a file.

    Raises:
        Damaged: The file does not hold what the server handed out.
        StorageError: There is no room for it.
    """
    source = RowSums()
    count, schema, batches = rows_of(connection, table)
    with _room(table, file), pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for batch in batches:
            source.add(batch)
            writer.write_batch(batch)
    with pq.ParquetFile(file) as written:
        target = RowSums.of(written.iter_batches(ROWS))
    if (count, source.fingerprint) != (target.rows, target.fingerprint):
        raise Damaged(
            f"{table} has {count_of(count, 'row')}, and {target.rows:,} were copied, or their values differ",
            hint="nothing was published; run it again",
        )


@contextmanager
def _room(table: str, file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{table} was not copied to {file.parent}: {first_line(error)}",
            hint="make room on that disk; nothing was published",
        ) from error


def rows_of(
    connection: Connection[Any], table: str
) -> tuple[int, pa.Schema, Iterator[pa.RecordBatch]]:
    """How many rows a table has, its columns, and its rows in the order of its primary key.

    All is of the moment in which the transaction began.
    """
    from psycopg import sql  # noqa: PLC0415 - of the extra `governance`

    (oid,) = _one(connection, "SELECT to_regclass(%s)::oid", [_quoted(table)])
    if oid is None:
        raise NotFound(f"PostgreSQL has no table {table!r}", hint="name it as `schema.table`")
    columns = connection.execute(_COLUMNS, [oid]).fetchall()
    schema = pa.schema([(column[0], _type(table, *column[:4])) for column in columns])
    source = sql.Identifier(*_parts(table))
    (count,) = _one(connection, sql.SQL("SELECT count(*) FROM {}").format(source))
    key = [c[0] for c in sorted(columns, key=lambda c: c[4]) if c[4]]
    query = sql.SQL("SELECT {} FROM {}").format(
        sql.SQL(", ").join(sql.Identifier(column) for column in schema.names), source
    )
    if key:
        query += sql.SQL(" ORDER BY {}").format(sql.SQL(", ").join(map(sql.Identifier, key)))
    return count, schema, _batches(connection, query, schema)


def _batches(
    connection: Connection[Any], query: Any, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    with connection.cursor(name="lakeshelf") as cursor:
        cursor.execute(query)
        while rows := cursor.fetchmany(ROWS):
            columns = zip(*rows, strict=True)
            try:
                arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
            except (pa.ArrowException, ValueError, OverflowError) as error:
                raise SchemaError(
                    f"a value has no place in Delta: {first_line(error)}",
                    hint="correct it, or leave it out by a view",
                ) from error
            yield pa.record_batch(arrays, schema=schema)


def _type(table: str, column: str, kind: str, modifier: int, shown: str) -> pa.DataType:
    if (known := arrow_type(kind, modifier)) is not None:
        return known
    way = "cast it in a view (numeric with its digits, others to text), and migrate that"
    if kind.startswith("_"):
        way = "make its elements rows of a table of their own, or cast it to text in a view"
    raise SchemaError(f"column {column} of {table} is {shown}, which Delta has not", hint=way)


def _one(connection: Connection[Any], query: Any, values: Sequence[Any] = ()) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = connection.execute(query, values).fetchone()
    assert row is not None
    return row


def _parts(table: str) -> list[str]:
    return table.split(".", 1)


def _quoted(table: str) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in _parts(table))
