"""Statements of tables with versions in PostgreSQL: names are identifiers, values are parameters, the rest stands here.

A row is there from one version until another; `until` is null for those of the newest one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
from psycopg import sql

from lakeshelf.lake.rows.conditions import Comparison, Junction

SCHEMA = "lakeshelf"
FROM, UNTIL = sql.Identifier("from version"), sql.Identifier("until version")
"""No column of a dataset has a blank in its name."""
LIVE = sql.SQL("{} IS NULL").format(UNTIL)
SET_UP = """
    CREATE SCHEMA IF NOT EXISTS lakeshelf;
    CREATE TABLE IF NOT EXISTS lakeshelf.tables (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE, columns bytea NOT NULL,
        key text[] NOT NULL, version bigint NOT NULL, oldest bigint NOT NULL);
    CREATE TABLE IF NOT EXISTS lakeshelf.versions (
        table_id bigint NOT NULL REFERENCES lakeshelf.tables, version bigint NOT NULL, operation text NOT NULL,
        committed_at timestamptz NOT NULL, PRIMARY KEY (table_id, version))"""
ADD = """
    INSERT INTO lakeshelf.tables (name, columns, key, version, oldest) VALUES (%s, %s, %s, 0, 0)
    ON CONFLICT (name) DO NOTHING RETURNING id"""
FIND = "SELECT id, columns, key, version, oldest FROM lakeshelf.tables WHERE name = %s"
HOLD = f"{FIND} FOR UPDATE"
"""Of two who write, the second waits."""
STAND = "UPDATE lakeshelf.tables SET version = %s WHERE id = %s"
NOTE = "INSERT INTO lakeshelf.versions VALUES (%s, %s, %s, %s)"
VERSIONS = """
    SELECT version, operation, committed_at FROM lakeshelf.versions WHERE table_id = %s ORDER BY version DESC"""
HORIZON = "SELECT max(version) FROM lakeshelf.versions WHERE table_id = %s AND committed_at <= %s"
FORGET = "UPDATE lakeshelf.tables SET oldest = greatest(oldest, %s) WHERE id = %s"
LOCK = "SELECT pg_advisory_xact_lock(7263541)"
"""`CREATE … IF NOT EXISTS` fails where two do it at the same time."""
_PUSHED = {
    "=": sql.SQL(" = %s"),
    "<": sql.SQL(" < %s"),
    "<=": sql.SQL(" <= %s"),
    ">": sql.SQL(" > %s"),
    ">=": sql.SQL(" >= %s"),
    "in": sql.SQL(" = ANY(%s)"),
}
_SAFE = (pa.types.is_integer, pa.types.is_decimal, pa.types.is_date, pa.types.is_timestamp)


def table(number: int) -> sql.Composed:
    """The table that holds the rows of a dataset."""
    return sql.SQL("{}.{}").format(sql.Identifier(SCHEMA), sql.Identifier(f"t{number}"))


def listed(columns: Iterable[str]) -> sql.Composed:
    """Columns, one after another."""
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def create(
    number: int, columns: Sequence[tuple[str, str, bool]], key: Sequence[str]
) -> sql.Composed:
    """Make the table of rows: name, type and whether it may be null of each column."""
    parts = [
        sql.SQL("{} {}{}").format(
            sql.Identifier(name), sql.SQL(kind), sql.SQL("" if nullable else " NOT NULL")
        )
        for name, kind, nullable in columns
    ]
    made = sql.SQL("CREATE TABLE {} ({}, {} bigint NOT NULL, {} bigint)").format(
        table(number), sql.SQL(", ").join(parts), FROM, UNTIL
    )
    if not key:
        return made
    return sql.SQL("{}; CREATE UNIQUE INDEX ON {} ({}) WHERE {}").format(
        made, table(number), listed(key), LIVE
    )


def copy(target: sql.Composable, columns: Sequence[str]) -> sql.Composed:
    """Take rows in; those of a table of rows end with the version."""
    return sql.SQL("COPY {} ({}) FROM STDIN").format(target, listed(columns))


def close(number: int) -> sql.Composed:
    """End all rows with a version."""
    return sql.SQL("UPDATE {} SET {} = %s WHERE {}").format(table(number), UNTIL, LIVE)


def incoming(number: int, name: sql.Identifier) -> sql.Composed:
    """A table of this transaction with the columns of another."""
    return sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT * FROM {} WITH NO DATA").format(
        name, table(number)
    )


def close_changed(
    number: int, rows: sql.Identifier, key: Sequence[str], columns: Sequence[str]
) -> sql.Composed:
    """End the rows that differ from others of their key."""
    return sql.SQL(
        "UPDATE {t} AS t SET {until} = %s FROM {rows} AS i "
        "WHERE t.{until} IS NULL AND {same} AND ({new}) IS DISTINCT FROM ({old})"
    ).format(
        t=table(number), until=UNTIL, rows=rows, same=_same(key),
        new=_of("i", columns), old=_of("t", columns),
    )  # fmt: skip


def close_keys(number: int, keys: sql.Identifier, key: Sequence[str]) -> sql.Composed:
    """End the rows of some keys."""
    return sql.SQL("UPDATE {} AS t SET {} = %s FROM {} AS i WHERE t.{} IS NULL AND {}").format(
        table(number), UNTIL, keys, UNTIL, _same(key)
    )


def insert_missing(
    number: int, rows: sql.Identifier, key: Sequence[str], columns: Sequence[str]
) -> sql.Composed:
    """Begin the rows of whose keys none is there."""
    return sql.SQL(
        "INSERT INTO {t} ({names}, {since}) SELECT {new}, %s FROM {rows} AS i "
        "WHERE NOT EXISTS (SELECT FROM {t} AS t WHERE t.{until} IS NULL AND {same})"
    ).format(
        t=table(number), names=listed(columns), since=FROM, new=_of("i", columns), rows=rows,
        until=UNTIL, same=_same(key),
    )  # fmt: skip


def close_younger(number: int) -> sql.Composed:
    """End the rows that came after a version."""
    return sql.SQL("UPDATE {} SET {} = %s WHERE {} AND {} > %s").format(
        table(number), UNTIL, LIVE, FROM
    )


def begin_again(number: int, columns: Sequence[str]) -> sql.Composed:
    """Begin the rows anew that were there at a version and are no longer."""
    return sql.SQL(
        "INSERT INTO {} ({}, {}) SELECT {}, %s FROM {} WHERE {} <= %s AND {} > %s"
    ).format(table(number), listed(columns), FROM, listed(columns), table(number), FROM, UNTIL)


def forget(number: int) -> sql.Composed:
    """Delete the rows that only versions before one have."""
    return sql.SQL("DELETE FROM {} WHERE {} <= %s").format(table(number), UNTIL)


def select(
    number: int, columns: Sequence[str], tree: Junction, version: int
) -> tuple[sql.Composed, list[Any]]:
    """Rows of a version, with what of the conditions both engines decide alike; and the values."""
    chosen = sql.SQL("SELECT {} FROM {} WHERE {} <= %s AND coalesce({} > %s, true)").format(
        listed(columns), table(number), FROM, UNTIL
    )
    values: list[Any] = [version, version]
    for one in _exact(tree):
        chosen += sql.SQL(" AND ") + sql.Identifier(one.column) + _PUSHED[one.op]
        values.append(list(one.values) if one.op == "in" else one.values[0])
    return chosen, values


def _exact(tree: Junction) -> Iterator[Comparison]:
    """Conditions that both engines decide alike: none of floats, which have NaN, nor of the order of texts."""
    for one in tree.parts if tree.kind == "all" else ():
        if isinstance(one, Comparison) and one.op in _PUSHED:
            equal = pa.types.is_string(one.kind) and one.op in ("=", "in")
            if equal or any(fits(one.kind) for fits in _SAFE):
                yield one


def _same(key: Sequence[str]) -> sql.Composed:
    pairs = [sql.SQL("t.{} = i.{}").format(sql.Identifier(k), sql.Identifier(k)) for k in key]
    return sql.SQL(" AND ").join(pairs)


def _of(alias: str, columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(alias, column) for column in columns)
