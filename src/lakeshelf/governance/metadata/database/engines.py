"""Connections to SQLite and PostgreSQL on which a transaction means the same.

One writer at a time: a transaction that writes begins with a lock (SQLite `BEGIN IMMEDIATE`, PostgreSQL an advisory
lock of the database), so it may read, decide and write, and numbers that it gives are seen in order. One that reads
sees one state of the database, and cannot write.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError

from lakeshelf.governance.metadata.database.failures import no_address

WAIT_S = 15
"""How long a writer waits for its turn."""
STALLED_S = 30
"""How long PostgreSQL bears with a transaction that asks for nothing: its process may have been stopped."""
WRITERS = 0x6C616B65  # "lake"
"""Number of PostgreSQL's lock of writers."""
_LOCKING = "BEGIN IMMEDIATE"
_WRITES = "writes"


def address(place: str | Path) -> URL:
    """The address of a database: a path is a file of SQLite.

    Raises:
        GovernanceError: `storage_unavailable`: neither a path nor an address of SQLite or PostgreSQL.
    """
    if isinstance(place, Path):
        return URL.create("sqlite", database=str(place.absolute()))
    try:
        url = make_url(place)
    except (ArgumentError, ValueError):  # the latter of a port that is no number
        raise no_address() from None
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() == "sqlite" and url.database:
        return url.set(drivername="sqlite")
    raise no_address()


def engine(url: URL) -> Engine:
    """An engine whose transactions begin as this module says; statements never show their values."""
    make = _sqlite if url.get_backend_name() == "sqlite" else _postgresql
    return make(url)


def begin(connection: Connection, *, writes: bool) -> None:
    """Begin a transaction, once the others that write have ended if it writes too."""
    connection.execution_options(**{_WRITES: writes})
    if connection.dialect.name == "sqlite":
        connection.begin()
        return
    isolation = "READ COMMITTED" if writes else "REPEATABLE READ"
    connection.execution_options(isolation_level=isolation, postgresql_readonly=not writes)
    connection.begin()
    if writes:
        lock_writers(connection)


def lock_writers(connection: Connection) -> None:
    """Keep other writers out until the transaction ends."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": WRITERS})


def _sqlite(url: URL) -> Engine:
    made = create_engine(
        url, hide_parameters=True, pool_size=16, max_overflow=32, connect_args={"timeout": WAIT_S}
    )
    event.listen(made, "connect", _prepare)
    event.listen(made, "begin", _begin)
    return made


def _prepare(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None  # the driver begins no transaction of its own
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options()[_WRITES]
    connection.exec_driver_sql(f"PRAGMA query_only = {'OFF' if writes else 'ON'}")
    connection.exec_driver_sql(_LOCKING if writes else "BEGIN")


def _postgresql(url: URL) -> Engine:
    settings = {
        "timezone": "UTC",
        "lock_timeout": f"{WAIT_S}s",
        "idle_in_transaction_session_timeout": f"{STALLED_S}s",
    }
    options = str(url.query.get("options", ""))
    ours = " ".join(f"-c {name}={value}" for name, value in settings.items())
    return create_engine(
        url,
        hide_parameters=True,
        pool_size=16,
        max_overflow=32,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 5, "options": f"{options} {ours}".strip()},
    )
