"""Runs the migrations on the connection that the metadata was opened with."""

from __future__ import annotations

from alembic import context

from lakeshelf.governance.metadata.database.records import TABLES
from lakeshelf.governance.metadata.database.schema import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=TABLES,
    version_table=VERSION_TABLE,
)
context.run_migrations()
