"""Links that sign a browser in, sessions that have the scopes of what they stem from, jobs by user."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, ForeignKeyConstraint, PrimaryKeyConstraint, UniqueConstraint

from lakeshelf.governance.metadata.database.columns import Json, Moment, Words

revision = "v0005"
down_revision = "v0004"


def upgrade() -> None:
    """Make the tables; nobody could sign in before."""
    op.drop_table("browser_session")
    op.create_table(
        "sign_in_link",
        Column("digest", Words(), nullable=False),
        Column("user", Words(), nullable=False),
        Column("scopes", Json(), nullable=False),
        Column("token", Words()),
        Column("created_by", Words(), nullable=False),
        Column("created_at", Moment(), nullable=False),
        Column("expires_at", Moment(), nullable=False),
        Column("used_at", Moment()),
        PrimaryKeyConstraint("digest", name="pk_sign_in_link"),
        ForeignKeyConstraint(["user"], ["user.name"], name="fk_sign_in_link_user"),
    )
    op.create_table(
        "browser_session",
        Column("id", Words(), nullable=False),
        Column("digest", Words(), nullable=False),
        Column("user", Words(), nullable=False),
        Column("scopes", Json(), nullable=False),
        Column("token", Words()),
        Column("csrf", Words(), nullable=False),
        Column("created_at", Moment(), nullable=False),
        Column("expires_at", Moment(), nullable=False),
        Column("ended_at", Moment()),
        PrimaryKeyConstraint("id", name="pk_browser_session"),
        ForeignKeyConstraint(["user"], ["user.name"], name="fk_browser_session_user"),
        UniqueConstraint("digest", name="uq_browser_session_digest"),
    )
    op.create_index("ix_browser_session_user", "browser_session", ["user"])
    op.create_index("ix_job_user_created_at", "job", ["user", "created_at"])
