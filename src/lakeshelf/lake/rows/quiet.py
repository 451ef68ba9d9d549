"""DuckDB without its progress bar, which it writes to stdout among rows and JSON."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


def quiet(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The connection, which shows no bar however long a statement takes."""
    import duckdb  # noqa: PLC0415 - an extra

    with suppress(duckdb.InvalidInputException):  # a notebook without widgets, which shows none
        connection.execute("SET enable_progress_bar = false")
    return connection
