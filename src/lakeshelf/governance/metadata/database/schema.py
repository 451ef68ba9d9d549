"""The schema of the database, brought up to this release when it is opened."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata.database.failures import SETTING, shown

VERSION_TABLE = "governance_version"
FOLDER = Path(__file__).parents[1] / "migrations"


def is_current(connection: Connection) -> bool:
    """Whether the schema is that of this release."""
    return (
        version(connection) == ScriptDirectory.from_config(_config(connection)).get_current_head()
    )


def bring_up(connection: Connection) -> None:
    """Make the schema, or bring an older one up to date, within the transaction of the connection.

    Raises:
        GovernanceError: `storage_unavailable`: the database is of a newer release or somebody else's.
    """
    config = _config(connection)
    known = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    revision = version(connection)
    if revision is None:
        _require_empty(connection)
    elif revision not in known:
        raise refused(
            "storage_unavailable",
            f"the database {shown(connection.engine.url)} is of a newer release (schema {revision}, not {known[0]})",
            hint=f"upgrade Lakeshelf, or set {SETTING} to another database",
        )
    command.upgrade(config, "head")


def version(connection: Connection) -> str | None:
    """The version of the schema; None: there is none."""
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()


def _require_empty(connection: Connection) -> None:
    tables = sorted(inspect(connection).get_table_names())
    if tables and tables != [VERSION_TABLE]:
        raise refused(
            "storage_unavailable",
            f"the database {shown(connection.engine.url)} is somebody else's: it holds the table {tables[0]}",
            hint=f"set {SETTING} to an empty database",
        )


def _config(connection: Connection) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    return config
