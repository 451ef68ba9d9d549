"""Jobs end with the process that does them."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, PrimaryKeyConstraint

from lakeshelf.governance.metadata.database.columns import Json, Moment, Words

revision = "v0006"
down_revision = "v0005"


def upgrade() -> None:
    """Make the table anew; nobody made jobs before."""
    op.drop_table("job")
    op.create_table(
        "job",
        Column("id", Words(), nullable=False),
        Column("project", Words(), nullable=False),
        Column("user", Words(), nullable=False),
        Column("kind", Words(), nullable=False),
        Column("params", Json(), nullable=False),
        Column("status", Words(), nullable=False),
        Column("created_at", Moment(), nullable=False),
        Column("worker", Words(), nullable=False),
        Column("deadline", Moment(), nullable=False),
        Column("progress", Json()),
        Column("result", Json()),
        Column("cancel_requested_at", Moment()),
        Column("started_at", Moment()),
        Column("ended_at", Moment()),
        PrimaryKeyConstraint("id", name="pk_job"),
    )
    op.create_index("ix_job_status_created_at", "job", ["status", "created_at"])
    op.create_index("ix_job_user_created_at", "job", ["user", "created_at"])
