"""Tables of PostgreSQL with versions, as a `StorageBackend`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import Connection, sql

from lakeshelf.errors import LakeError, first_line
from lakeshelf.governance.storage.backends import port, statements
from lakeshelf.governance.storage.backends.keys import require_keys
from lakeshelf.governance.storage.backends.port import TableStats, TableVersion
from lakeshelf.lake.place.errors import (
    Conflict,
    NotFound,
    SchemaError,
    StorageError,
    Vacuumed,
    VersionNotFound,
)
from lakeshelf.lake.place.names import checked
from lakeshelf.lake.rows import conditions, predicates
from lakeshelf.lake.rows.conditions import Junction, Where
from lakeshelf.migration.postgres_types import postgres_type

ROWS = 20_000
"""Rows that are in memory at a time."""
LONGEST_NAME = 63
"""Bytes of a name, beyond which PostgreSQL would cut it off."""
_ROWS, _KEYS = sql.Identifier("incoming_rows"), sql.Identifier("incoming_keys")


@dataclass(frozen=True)
class _Table:
    """What is known of a table, within a transaction."""

    name: str
    number: int
    schema: pa.Schema
    key: tuple[str, ...]
    version: int
    oldest: int

    @property
    def columns(self) -> list[str]:
        return list(self.schema.names)

    def require(self, version: int | None) -> int:
        """A version whose rows are there; None is the newest."""
        if version is None:
            return self.version
        if not 0 <= version <= self.version:
            raise VersionNotFound(
                f"{self.name} has no version {version}", hint=f"the newest is {self.version}"
            )
        if version < self.oldest:
            raise Vacuumed(
                f"rows of version {version} of {self.name} are gone",
                hint=f"the oldest that is there is {self.oldest}",
            )
        return version


class PostgresBackend:
    """The tables of a database; `lakeshelf.governance.storage.backends.port.StorageBackend` says what it does.

    They lie in the schema `lakeshelf`, which is made when the first table is.

    Args:
        address: Address of the database, as libpq takes it.
        clock: Gives the present time.
    """

    def __init__(
        self, address: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._address = address
        self._clock = clock

    def create(self, name: str, schema: pa.Schema, key: Sequence[str] = ()) -> int:
        """Make a table without rows."""
        port.require_storable(checked(name), schema, key)
        columns = [_column(name, field, field.name in key) for field in schema]
        with self._connected() as connection:
            connection.execute(statements.LOCK)
            connection.execute(statements.SET_UP)
            described = schema.serialize().to_pybytes()
            added = connection.execute(statements.ADD, [name, described, list(key)]).fetchone()
            if added is None:
                raise Conflict(f"{name} exists", hint="append to it, or choose another name")
            connection.execute(statements.create(added[0], columns, key))
            connection.execute(statements.NOTE, [added[0], 0, port.CREATE, self._clock()])
        return 0

    def append_rows(self, name: str, rows: pa.Table, *, expected: int | None = None) -> int:
        """Add rows."""
        with self._held(name, expected) as (connection, table):
            fitted = port.whole(name, rows, table.schema)
            if not len(fitted):
                return table.version
            self._begin(connection, table, fitted)
            return self._next(connection, table, port.APPEND)

    def overwrite(self, name: str, rows: pa.Table, *, expected: int | None = None) -> int:
        """Make rows the only rows."""
        with self._held(name, expected) as (connection, table):
            fitted = port.whole(name, rows, table.schema)
            connection.execute(statements.close(table.number), [table.version + 1])
            self._begin(connection, table, fitted)
            return self._next(connection, table, port.OVERWRITE)

    def merge(
        self,
        name: str,
        rows: pa.Table,
        *,
        deleted: pa.Table | None = None,
        expected: int | None = None,
    ) -> int:
        """Insert, change and take away rows by their keys."""
        with self._held(name, expected) as (connection, table):
            fitted = port.whole(name, rows, table.schema)
            gone = require_keys(name, table.schema, table.key, fitted, deleted)
            for place, content in ((_ROWS, fitted), (_KEYS, gone)):
                connection.execute(statements.incoming(table.number, place))
                _copied(connection, place, content)
            number, key, columns = table.number, table.key, table.columns
            changes = (
                statements.close_changed(number, _ROWS, key, columns),
                statements.close_keys(number, _KEYS, key),
                statements.insert_missing(number, _ROWS, key, columns),
            )
            count = sum(connection.execute(one, [table.version + 1]).rowcount for one in changes)
            return self._next(connection, table, port.MERGE) if count else table.version

    def restore(self, name: str, version: int) -> int:
        """Make the rows of an earlier version the newest."""
        with self._held(name, None) as (connection, table):
            target = table.require(version)
            if target == table.version:
                return target
            made = table.version + 1
            connection.execute(statements.close_younger(table.number), [made, target])
            again = statements.begin_again(table.number, table.columns)
            connection.execute(again, [made, target, target])
            return self._next(connection, table, port.RESTORE)

    def history(self, name: str) -> list[TableVersion]:
        """Its versions, the newest first."""
        with self._connected() as connection:
            table = _registered(connection, name, statements.FIND)
            versions = connection.execute(statements.VERSIONS, [table.number]).fetchall()
        return [
            TableVersion(number, made_by, at.astimezone(UTC)) for number, made_by, at in versions
        ]

    def query(
        self,
        name: str,
        *,
        columns: Sequence[str] | None = None,
        where: Where | None = None,
        version: int | None = None,
    ) -> pa.RecordBatchReader:
        """Rows that meet conditions; they are those of the moment at which the first are read."""
        with self._connected() as connection:
            table = _registered(connection, name, statements.FIND)
        schema, at = table.schema, table.require(version)
        requested = table.columns if columns is None else list(columns)
        port.require_columns(name, schema, requested)
        tree = conditions.checked(where, schema)
        needed = list(dict.fromkeys([*requested, *conditions.columns_of(where, schema)]))
        condition = predicates.expression(tree)
        chosen = (
            (batch if condition is None else batch.filter(condition)).select(requested)
            for batch in self._read(table, needed, tree, at)
        )
        shown = pa.schema([schema.field(column) for column in requested])
        return pa.RecordBatchReader.from_batches(shown, chosen)

    def stats(self, name: str) -> TableStats:
        """How large it is."""
        with self._connected() as connection:
            table = _registered(connection, name, statements.FIND)
            counted = sql.SQL(
                "SELECT count(*) FILTER (WHERE {}), pg_total_relation_size({}::regclass) FROM {}"
            )
            place = statements.table(table.number)
            row = connection.execute(
                counted.format(statements.LIVE, sql.Literal(place.as_string(connection)), place)
            ).fetchone()
        assert row is not None
        return TableStats(table.version, row[0], row[1])

    def optimize(self, name: str) -> None:
        """Reclaim what changed rows left, and have the planner know the table."""
        with self._connected() as connection:
            table = _registered(connection, name, statements.FIND)
        with self._connected(autocommit=True) as connection:
            connection.execute(
                sql.SQL("VACUUM (ANALYZE) {}").format(statements.table(table.number))
            )

    def z_order(self, name: str, columns: Sequence[str]) -> None:
        """Cluster its rows by columns, which is what PostgreSQL has for it."""
        with self._connected() as connection:
            table = _registered(connection, name, statements.FIND)
            port.require_columns(name, table.schema, columns)
            index, place = sql.Identifier(f"t{table.number}_order"), statements.table(table.number)
            order = statements.listed(columns)
            connection.execute(sql.SQL("CREATE INDEX {} ON {} ({})").format(index, place, order))
            connection.execute(sql.SQL("CLUSTER {} USING {}").format(place, index))
            schema = sql.Identifier(statements.SCHEMA)
            connection.execute(sql.SQL("DROP INDEX {}.{}").format(schema, index))

    def vacuum(self, name: str, keep: timedelta) -> None:
        """Delete rows that only older versions have."""
        if keep < timedelta(0):
            raise LakeError(f"a retention of {keep} is negative", hint="give a length of time")
        with self._held(name, None) as (connection, table):
            horizon = [table.number, self._clock() - keep]
            row = connection.execute(statements.HORIZON, horizon).fetchone()
            oldest = row[0] if row is not None and row[0] is not None else 0
            connection.execute(statements.forget(table.number), [oldest])
            connection.execute(statements.FORGET, [oldest, table.number])

    def _begin(self, connection: Connection[Any], table: _Table, rows: pa.Table) -> None:
        """Add rows that begin with the next version."""
        connection.execute(statements.incoming(table.number, _ROWS))
        _copied(connection, _ROWS, rows)
        columns = statements.listed(table.columns)
        connection.execute(
            sql.SQL("INSERT INTO {} ({}, {}) SELECT {}, %s FROM {}").format(
                statements.table(table.number), columns, statements.FROM, columns, _ROWS
            ),
            [table.version + 1],
        )

    def _next(self, connection: Connection[Any], table: _Table, operation: str) -> int:
        version = table.version + 1
        connection.execute(statements.STAND, [version, table.number])
        connection.execute(statements.NOTE, [table.number, version, operation, self._clock()])
        return version

    def _read(
        self, table: _Table, columns: Sequence[str], tree: Junction, version: int
    ) -> Iterator[pa.RecordBatch]:
        schema = pa.schema([table.schema.field(column) for column in columns])
        with self._connected() as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            _registered(connection, table.name, statements.FIND).require(version)
            with connection.cursor(name="lakeshelf") as cursor:
                cursor.execute(*statements.select(table.number, columns, tree, version))
                while rows := cursor.fetchmany(ROWS):
                    cells = zip(*rows, strict=True)
                    arrays = [pa.array(c, f.type) for c, f in zip(cells, schema, strict=True)]
                    yield pa.record_batch(arrays, schema=schema)

    @contextmanager
    def _held(self, name: str, expected: int | None) -> Iterator[tuple[Connection[Any], _Table]]:
        """A table that nobody else writes meanwhile."""
        with self._connected() as connection:
            table = _registered(connection, name, statements.HOLD)
            if expected is not None and expected != table.version:
                raise Conflict(
                    f"{name} is at version {table.version}, expected was {expected}",
                    hint="read it again, and repeat the change on what it is now",
                )
            yield connection, table

    @contextmanager
    def _connected(self, *, autocommit: bool = False) -> Iterator[Connection[Any]]:
        """A transaction; what it raises undoes it."""
        try:
            with psycopg.connect(self._address, autocommit=autocommit) as connection:
                yield connection
        except psycopg.errors.UniqueViolation as error:
            raise Conflict(
                f"a key is there already: {first_line(error)}", hint="merge the rows"
            ) from error
        except psycopg.DataError as error:
            raise SchemaError(
                f"a value has no place in PostgreSQL: {first_line(error)}",
                hint="nothing was written",
            ) from error
        except psycopg.Error as error:
            raise StorageError(
                f"PostgreSQL cannot be used: {first_line(error)}",
                hint="see whether it runs and lets this user in; nothing was written",
            ) from error


def _registered(connection: Connection[Any], name: str, statement: str) -> _Table:
    unknown = NotFound(f"no table {name}", hint="create it first")
    try:
        row = connection.execute(statement, [checked(name)]).fetchone()
    except psycopg.errors.UndefinedTable:
        raise unknown from None
    if row is None:
        raise unknown
    number, described, key, version, oldest = row
    schema = pa.ipc.read_schema(pa.py_buffer(described))
    return _Table(name, number, schema, tuple(key), version, oldest)


def _column(name: str, field: pa.Field, is_key: bool) -> tuple[str, str, bool]:
    kind = postgres_type(field.type)
    if kind is None:
        raise SchemaError(
            f"{name}: column {field.name} is {field.type}, which PostgreSQL does not keep as it is",
            hint="make lists rows of a table of their own, and cast other values to text",
        )
    if len(field.name.encode()) > LONGEST_NAME:
        raise SchemaError(
            f"{name}: the name {field.name[:80]!r} takes more than {LONGEST_NAME} bytes",
            hint="choose a shorter one",
        )
    return field.name, kind, field.nullable and not is_key


def _copied(connection: Connection[Any], place: sql.Identifier, rows: pa.Table) -> None:
    statement = statements.copy(place, rows.column_names)
    kinds = [str(postgres_type(field.type)).partition("(")[0] for field in rows.schema]
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(kinds)
        for batch in rows.to_batches(ROWS):
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                copy.write_row(row)
