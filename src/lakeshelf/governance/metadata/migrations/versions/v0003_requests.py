"""Change requests, their revisions, reviews and comments."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Boolean, Column, ForeignKeyConstraint, PrimaryKeyConstraint

from lakeshelf.governance.metadata.database.columns import Json, Moment, Whole, Words

revision = "v0003"
down_revision = "v0002"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "change_request",
        Column("project", Words(), nullable=False),
        Column("number", Whole(), nullable=False),
        Column("dataset", Words(), nullable=False),
        Column("kind", Words(), nullable=False),
        Column("status", Words(), nullable=False),
        Column("title", Words(), nullable=False),
        Column("description", Words(), nullable=False),
        Column("base_version", Whole(), nullable=False),
        Column("definition_version", Whole(), nullable=False),
        Column("origin", Json(), nullable=False),
        Column("created_by", Words(), nullable=False),
        Column("created_at", Moment(), nullable=False),
        Column("updated_at", Moment(), nullable=False),
        Column("revision", Whole(), nullable=False),
        Column("content_hash", Words()),
        Column("submitted_by", Words()),
        Column("submitted_at", Moment()),
        Column("expires_at", Moment()),
        Column("merge_when_approved", Boolean(), nullable=False),
        Column("lease", Whole()),
        Column("merge_version", Whole()),
        Column("plan_hash", Words()),
        Column("forced_by", Words()),
        Column("merged_version", Whole()),
        Column("merged_by", Words()),
        Column("merged_at", Moment()),
        PrimaryKeyConstraint("project", "number", name="pk_change_request"),
        ForeignKeyConstraint(
            ["project", "dataset"],
            ["dataset.project", "dataset.id"],
            name="fk_change_request_project_dataset",
        ),
    )
    op.create_index(
        "ix_change_request_project_dataset_status",
        "change_request",
        ["project", "dataset", "status"],
    )
    op.create_index("ix_change_request_status", "change_request", ["status"])
    op.create_table(
        "revision",
        Column("project", Words(), nullable=False),
        Column("request", Whole(), nullable=False),
        Column("revision", Whole(), nullable=False),
        Column("content_hash", Words(), nullable=False),
        Column("base_version", Whole(), nullable=False),
        Column("definition_version", Whole(), nullable=False),
        Column("inserts", Whole(), nullable=False),
        Column("updates", Whole(), nullable=False),
        Column("deletes", Whole(), nullable=False),
        Column("cells", Whole(), nullable=False),
        Column("submitted_by", Words(), nullable=False),
        Column("submitted_at", Moment(), nullable=False),
        PrimaryKeyConstraint("project", "request", "revision", name="pk_revision"),
        ForeignKeyConstraint(
            ["project", "request"],
            ["change_request.project", "change_request.number"],
            name="fk_revision_project_request",
        ),
    )
    op.create_table(
        "author",
        Column("project", Words(), nullable=False),
        Column("request", Whole(), nullable=False),
        Column("user", Words(), nullable=False),
        Column("since", Moment(), nullable=False),
        PrimaryKeyConstraint("project", "request", "user", name="pk_author"),
        ForeignKeyConstraint(
            ["project", "request"],
            ["change_request.project", "change_request.number"],
            name="fk_author_project_request",
        ),
    )
    op.create_table(
        "reviewer",
        Column("project", Words(), nullable=False),
        Column("request", Whole(), nullable=False),
        Column("user", Words(), nullable=False),
        Column("named_by", Words(), nullable=False),
        Column("named_at", Moment(), nullable=False),
        PrimaryKeyConstraint("project", "request", "user", name="pk_reviewer"),
        ForeignKeyConstraint(
            ["project", "request"],
            ["change_request.project", "change_request.number"],
            name="fk_reviewer_project_request",
        ),
    )
    op.create_table(
        "mark",
        Column("project", Words(), nullable=False),
        Column("request", Whole(), nullable=False),
        Column("state", Words(), nullable=False),
        Column("main_version", Whole(), nullable=False),
        Column("conflicts", Whole(), nullable=False),
        Column("marked_at", Moment(), nullable=False),
        PrimaryKeyConstraint("project", "request", name="pk_mark"),
        ForeignKeyConstraint(
            ["project", "request"],
            ["change_request.project", "change_request.number"],
            name="fk_mark_project_request",
        ),
    )
    op.create_table(
        "resolution",
        Column("project", Words(), nullable=False),
        Column("request", Whole(), nullable=False),
        Column("row_id", Words(), nullable=False),
        Column("column", Words(), nullable=False),
        Column("choice", Words(), nullable=False),
        Column("value", Json(), nullable=False),
        Column("main_version", Whole(), nullable=False),
        Column("user", Words(), nullable=False),
        Column("resolved_at", Moment(), nullable=False),
        PrimaryKeyConstraint("project", "request", "row_id", "column", name="pk_resolution"),
        ForeignKeyConstraint(
            ["project", "request"],
            ["change_request.project", "change_request.number"],
            name="fk_resolution_project_request",
        ),
    )
    op.create_table(
        "review",
        Column("project", Words(), nullable=False),
        Column("request", Whole(), nullable=False),
        Column("number", Whole(), nullable=False),
        Column("revision", Whole(), nullable=False),
        Column("content_hash", Words(), nullable=False),
        Column("definition_version", Whole(), nullable=False),
        Column("user", Words(), nullable=False),
        Column("decision", Words(), nullable=False),
        Column("comment", Words(), nullable=False),
        Column("cells", Json(), nullable=False),
        Column("acknowledged", Json(), nullable=False),
        Column("reviewed_at", Moment(), nullable=False),
        Column("stale_at", Moment()),
        Column("stale_reason", Words()),
        PrimaryKeyConstraint("project", "request", "number", name="pk_review"),
        ForeignKeyConstraint(
            ["project", "request"],
            ["change_request.project", "change_request.number"],
            name="fk_review_project_request",
        ),
    )
    op.create_table(
        "comment",
        Column("id", Words(), nullable=False),
        Column("project", Words(), nullable=False),
        Column("request", Whole(), nullable=False),
        Column("row_id", Words()),
        Column("column", Words()),
        Column("reply_to", Words()),
        Column("body", Words(), nullable=False),
        Column("user", Words(), nullable=False),
        Column("created_at", Moment(), nullable=False),
        Column("edited_at", Moment()),
        Column("resolved_by", Words()),
        Column("resolved_at", Moment()),
        PrimaryKeyConstraint("id", name="pk_comment"),
        ForeignKeyConstraint(
            ["project", "request"],
            ["change_request.project", "change_request.number"],
            name="fk_comment_project_request",
        ),
        ForeignKeyConstraint(["reply_to"], ["comment.id"], name="fk_comment_reply_to"),
    )
    op.create_index("ix_comment_project_request", "comment", ["project", "request"])
