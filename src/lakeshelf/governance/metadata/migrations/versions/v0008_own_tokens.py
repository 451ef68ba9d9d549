"""Tokens that users make for themselves."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column

from lakeshelf.governance.metadata.database.columns import Words

revision = "v0008"
down_revision = "v0007"


def upgrade() -> None:
    """Admins made all that there are."""
    op.add_column("token", Column("parent", Words()))
    op.create_index("ix_token_parent", "token", ["parent"])
