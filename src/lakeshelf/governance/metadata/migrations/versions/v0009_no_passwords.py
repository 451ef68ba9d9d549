"""Nobody signs in by a password that is kept here: the table of them has never had a row."""

from __future__ import annotations

from alembic import op

revision = "v0009"
down_revision = "v0008"


def upgrade() -> None:
    """Without the table."""
    op.drop_table("password")
