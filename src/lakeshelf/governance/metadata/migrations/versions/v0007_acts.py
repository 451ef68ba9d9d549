"""What staff of the shop asks for."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, PrimaryKeyConstraint, UniqueConstraint

from lakeshelf.governance.metadata.database.columns import Json, Moment, Words

revision = "v0007"
down_revision = "v0006"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "act",
        Column("id", Words(), nullable=False),
        Column("user", Words(), nullable=False),
        Column("request_id", Words(), nullable=False),
        Column("command", Words(), nullable=False),
        Column("target", Words(), nullable=False),
        Column("reason", Words(), nullable=False),
        Column("topic", Words()),
        Column("message", Json()),
        Column("state", Words(), nullable=False),
        Column("refusal", Words()),
        Column("asked_at", Moment(), nullable=False),
        Column("sent_at", Moment()),
        Column("settled_at", Moment()),
        PrimaryKeyConstraint("id", name="pk_act"),
        UniqueConstraint(
            "user", "request_id", "command", "target", name="uq_act_user_request_id_command_target"
        ),
    )
    op.create_index("ix_act_state_asked_at", "act", ["state", "asked_at"])
    op.create_index("ix_act_asked_at", "act", ["asked_at"])
