"""The schema of the database, brought up to this release when it is opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, column, inspect, select, table

from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata.database.failures import SETTING, shown

if TYPE_CHECKING:
    from alembic.config import Config

VERSION_TABLE = "governance_version"
FOLDER = Path(__file__).parents[1] / "migrations"
KNOWN = sorted(file.stem.partition("_")[0] for file in (FOLDER / "versions").glob("v*.py"))
"""Versions of the schema, oldest first; a file of a migration begins with the one that it makes."""


def is_current(connection: Connection) -> bool:
    """Whether the schema is that of this release."""
    return version(connection) == KNOWN[-1]


def bring_up(connection: Connection) -> None:
    """Make the schema, or bring an older one up to date, within the transaction of the connection.

    Raises:
        GovernanceError: `storage_unavailable`: the database is of a newer release or somebody else's.
    """
    revision = version(connection)
    if revision == KNOWN[-1]:
        return
    if revision is None:
        _require_empty(connection)
    elif revision not in KNOWN:
        raise refused(
            "storage_unavailable",
            f"the database {shown(connection.engine.url)} is of a newer release (schema {revision}, not {KNOWN[-1]})",
            hint=f"upgrade Lakeshelf, or set {SETTING} to another database",
        )
    from alembic import command  # noqa: PLC0415 - slow to import, and as a rule there is nothing to do

    command.upgrade(_config(connection), "head")


def version(connection: Connection) -> str | None:
    """The version of the schema; None: there is none."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.scalar(select(column("version_num")).select_from(table(VERSION_TABLE)))


def _require_empty(connection: Connection) -> None:
    tables = sorted(inspect(connection).get_table_names())
    if tables and tables != [VERSION_TABLE]:
        raise refused(
            "storage_unavailable",
            f"the database {shown(connection.engine.url)} is somebody else's: it holds the table {tables[0]}",
            hint=f"set {SETTING} to an empty database",
        )


def _config(connection: Connection) -> Config:
    from alembic.config import Config  # noqa: PLC0415 - as above

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    return config
