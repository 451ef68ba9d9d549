"""DuckDB: connections that load nothing by themselves, and tables attached at a version."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakeshelf.lake.rows.quiet import quiet

if TYPE_CHECKING:
    import duckdb

    from lakeshelf.lake.rows.snapshot import Snapshot

_CONFIG: dict[str, Any] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
}


def connected(**config: Any) -> duckdb.DuckDBPyConnection:
    """A connection to a database in memory that reads Delta; extensions come from the wheels alone."""
    import duckdb  # noqa: PLC0415 - an extra

    connection = quiet(duckdb.connect(config=_CONFIG | config))
    connection.execute("SET TimeZone = 'UTC'")
    load_delta(connection)
    return connection


def interrupt(connection: duckdb.DuckDBPyConnection) -> None:
    """End what a connection does, from another thread; one that is closed already does nothing."""
    import duckdb  # noqa: PLC0415 - an extra

    with suppress(duckdb.Error):
        connection.interrupt()


def load_delta(connection: duckdb.DuckDBPyConnection) -> None:
    """Load the extension that reads Delta, by its path; nothing happens where it is loaded."""
    import duckdb  # noqa: PLC0415 - an extra
    import duckdb_extension_delta as wheel  # noqa: PLC0415 - an extra

    folder = Path(wheel.__file__).parent / "extensions" / f"v{duckdb.__version__}"
    connection.execute(f"LOAD {_text(str(folder / 'delta.duckdb_extension'))}")


def attach(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> str:
    """Attach a table at its version; its name in SQL.

    The name holds version and id, so that one table can be there at several, and another lake's of the same name.
    """
    from lakeshelf.lake.rows.predicates import quoted  # noqa: PLC0415 - slow to import

    shown = snapshot.dataset.name.replace("/", ".")
    name = quoted(f"{shown}@{snapshot.version}#{snapshot.table_id}")
    connection.execute(
        f"ATTACH IF NOT EXISTS {_text(folder(snapshot))} AS {name} "
        f"(TYPE delta, VERSION {snapshot.version}, PIN_SNAPSHOT)"
    )
    return name


def folder(snapshot: Snapshot) -> str:
    """Folder of a local table."""
    from urllib.parse import unquote, urlsplit  # noqa: PLC0415 - with `attach`

    return unquote(urlsplit(snapshot.handle.table_uri).path).rstrip("/")


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
