"""Users and how they prove who they are, projects and their members."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Boolean, Column, ForeignKeyConstraint, PrimaryKeyConstraint, UniqueConstraint

from lakeshelf.governance.metadata.database.columns import Json, Moment, Words

revision = "v0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "user",
        Column("name", Words(), nullable=False),
        Column("label", Words(), nullable=False),
        Column("admin", Boolean(), nullable=False),
        Column("created_at", Moment(), nullable=False),
        Column("disabled_at", Moment()),
        PrimaryKeyConstraint("name", name="pk_user"),
    )
    op.create_table(
        "password",
        Column("user", Words(), nullable=False),
        Column("hash", Words(), nullable=False),
        Column("changed_at", Moment(), nullable=False),
        PrimaryKeyConstraint("user", name="pk_password"),
        ForeignKeyConstraint(["user"], ["user.name"], name="fk_password_user"),
    )
    op.create_table(
        "identity",
        Column("issuer", Words(), nullable=False),
        Column("subject", Words(), nullable=False),
        Column("user", Words(), nullable=False),
        Column("created_at", Moment(), nullable=False),
        PrimaryKeyConstraint("issuer", "subject", name="pk_identity"),
        ForeignKeyConstraint(["user"], ["user.name"], name="fk_identity_user"),
    )
    op.create_table(
        "token",
        Column("id", Words(), nullable=False),
        Column("user", Words(), nullable=False),
        Column("label", Words(), nullable=False),
        Column("digest", Words(), nullable=False),
        Column("scopes", Json(), nullable=False),
        Column("created_by", Words(), nullable=False),
        Column("created_at", Moment(), nullable=False),
        Column("expires_at", Moment(), nullable=False),
        Column("revoked_at", Moment()),
        Column("last_used_at", Moment()),
        PrimaryKeyConstraint("id", name="pk_token"),
        ForeignKeyConstraint(["user"], ["user.name"], name="fk_token_user"),
        UniqueConstraint("digest", name="uq_token_digest"),
    )
    op.create_index("ix_token_user", "token", ["user"])
    op.create_table(
        "browser_session",
        Column("digest", Words(), nullable=False),
        Column("user", Words(), nullable=False),
        Column("csrf", Words(), nullable=False),
        Column("created_at", Moment(), nullable=False),
        Column("expires_at", Moment(), nullable=False),
        Column("ended_at", Moment()),
        PrimaryKeyConstraint("digest", name="pk_browser_session"),
        ForeignKeyConstraint(["user"], ["user.name"], name="fk_browser_session_user"),
    )
    op.create_index("ix_browser_session_user", "browser_session", ["user"])
    op.create_table(
        "project",
        Column("id", Words(), nullable=False),
        Column("title", Words(), nullable=False),
        Column("description", Words(), nullable=False),
        Column("created_by", Words(), nullable=False),
        Column("created_at", Moment(), nullable=False),
        PrimaryKeyConstraint("id", name="pk_project"),
        ForeignKeyConstraint(["created_by"], ["user.name"], name="fk_project_created_by"),
    )
    op.create_table(
        "membership",
        Column("project", Words(), nullable=False),
        Column("user", Words(), nullable=False),
        Column("role", Words(), nullable=False),
        Column("added_by", Words(), nullable=False),
        Column("added_at", Moment(), nullable=False),
        PrimaryKeyConstraint("project", "user", name="pk_membership"),
        ForeignKeyConstraint(["project"], ["project.id"], name="fk_membership_project"),
        ForeignKeyConstraint(["user"], ["user.name"], name="fk_membership_user"),
    )
    op.create_table(
        "group_member",
        Column("project", Words(), nullable=False),
        Column("group", Words(), nullable=False),
        Column("user", Words(), nullable=False),
        Column("added_by", Words(), nullable=False),
        Column("added_at", Moment(), nullable=False),
        PrimaryKeyConstraint("project", "group", "user", name="pk_group_member"),
        ForeignKeyConstraint(
            ["project", "user"],
            ["membership.project", "membership.user"],
            name="fk_group_member_project_user",
            ondelete="CASCADE",
        ),
    )
