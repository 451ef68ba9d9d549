"""Datasets, their definitions and where they stand."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Boolean, Column, ForeignKeyConstraint, PrimaryKeyConstraint

from lakeshelf.governance.metadata.database.columns import Json, Moment, Whole, Words

revision = "v0002"
down_revision = "v0001"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "dataset",
        Column("project", Words(), nullable=False),
        Column("id", Words(), nullable=False),
        Column("title", Words(), nullable=False),
        Column("description", Words(), nullable=False),
        Column("definition_version", Whole(), nullable=False),
        Column("created_by", Words(), nullable=False),
        Column("created_at", Moment(), nullable=False),
        PrimaryKeyConstraint("project", "id", name="pk_dataset"),
        ForeignKeyConstraint(["project"], ["project.id"], name="fk_dataset_project"),
    )
    op.create_table(
        "definition",
        Column("project", Words(), nullable=False),
        Column("dataset", Words(), nullable=False),
        Column("version", Whole(), nullable=False),
        Column("body", Json(), nullable=False),
        Column("request", Whole()),
        Column("created_by", Words(), nullable=False),
        Column("created_at", Moment(), nullable=False),
        PrimaryKeyConstraint("project", "dataset", "version", name="pk_definition"),
        ForeignKeyConstraint(
            ["project", "dataset"],
            ["dataset.project", "dataset.id"],
            name="fk_definition_project_dataset",
        ),
    )
    op.create_table(
        "dataset_meta",
        Column("project", Words(), nullable=False),
        Column("dataset", Words(), nullable=False),
        Column("delta_version", Whole(), nullable=False),
        Column("last_commit_id", Words(), nullable=False),
        Column("row_count", Whole(), nullable=False),
        Column("updated_at", Moment(), nullable=False),
        PrimaryKeyConstraint("project", "dataset", name="pk_dataset_meta"),
        ForeignKeyConstraint(
            ["project", "dataset"],
            ["dataset.project", "dataset.id"],
            name="fk_dataset_meta_project_dataset",
        ),
    )
    op.create_table(
        "snapshot",
        Column("project", Words(), nullable=False),
        Column("dataset", Words(), nullable=False),
        Column("name", Words(), nullable=False),
        Column("delta_version", Whole(), nullable=False),
        Column("definition_version", Whole(), nullable=False),
        Column("row_count", Whole(), nullable=False),
        Column("reason", Words(), nullable=False),
        Column("created_by", Words(), nullable=False),
        Column("created_at", Moment(), nullable=False),
        PrimaryKeyConstraint("project", "dataset", "name", name="pk_snapshot"),
        ForeignKeyConstraint(
            ["project", "dataset"],
            ["dataset.project", "dataset.id"],
            name="fk_snapshot_project_dataset",
        ),
    )
    op.create_table(
        "live_session",
        Column("id", Words(), nullable=False),
        Column("project", Words(), nullable=False),
        Column("dataset", Words(), nullable=False),
        Column("user", Words(), nullable=False),
        Column("base_version", Whole(), nullable=False),
        Column("definition_version", Whole(), nullable=False),
        Column("request", Whole()),
        Column("edits", Whole(), nullable=False),
        Column("size", Whole(), nullable=False),
        Column("created_at", Moment(), nullable=False),
        Column("edited_at", Moment(), nullable=False),
        Column("ended_at", Moment()),
        PrimaryKeyConstraint("id", name="pk_live_session"),
        ForeignKeyConstraint(
            ["project", "dataset"],
            ["dataset.project", "dataset.id"],
            name="fk_live_session_project_dataset",
        ),
        ForeignKeyConstraint(["user"], ["user.name"], name="fk_live_session_user"),
    )
    op.create_index(
        "ix_live_session_project_dataset_user", "live_session", ["project", "dataset", "user"]
    )
    op.create_table(
        "named_viewer",
        Column("project", Words(), nullable=False),
        Column("dataset", Words(), nullable=False),
        Column("user", Words(), nullable=False),
        Column("named_by", Words(), nullable=False),
        Column("named_at", Moment(), nullable=False),
        PrimaryKeyConstraint("project", "dataset", "user", name="pk_named_viewer"),
        ForeignKeyConstraint(
            ["project", "dataset"],
            ["dataset.project", "dataset.id"],
            name="fk_named_viewer_project_dataset",
        ),
        ForeignKeyConstraint(
            ["project", "user"],
            ["membership.project", "membership.user"],
            name="fk_named_viewer_project_user",
            ondelete="CASCADE",
        ),
    )
    op.create_table(
        "upload",
        Column("id", Words(), nullable=False),
        Column("project", Words(), nullable=False),
        Column("dataset", Words(), nullable=False),
        Column("user", Words(), nullable=False),
        Column("file_name", Words(), nullable=False),
        Column("format", Words(), nullable=False),
        Column("mode", Words(), nullable=False),
        Column("size", Whole(), nullable=False),
        Column("sha256", Words(), nullable=False),
        Column("status", Words(), nullable=False),
        Column("base_version", Whole(), nullable=False),
        Column("report", Json(), nullable=False),
        Column("created_at", Moment(), nullable=False),
        Column("updated_at", Moment(), nullable=False),
        PrimaryKeyConstraint("id", name="pk_upload"),
        ForeignKeyConstraint(
            ["project", "dataset"],
            ["dataset.project", "dataset.id"],
            name="fk_upload_project_dataset",
        ),
    )
    op.create_index("ix_upload_project_dataset", "upload", ["project", "dataset"])
    op.create_table(
        "validation_run",
        Column("id", Words(), nullable=False),
        Column("project", Words(), nullable=False),
        Column("dataset", Words(), nullable=False),
        Column("request", Whole()),
        Column("revision", Whole()),
        Column("session", Words()),
        Column("point", Words(), nullable=False),
        Column("definition_version", Whole(), nullable=False),
        Column("main_version", Whole(), nullable=False),
        Column("content_hash", Words()),
        Column("passed", Boolean(), nullable=False),
        Column("counts", Json(), nullable=False),
        Column("started_at", Moment(), nullable=False),
        Column("ended_at", Moment(), nullable=False),
        PrimaryKeyConstraint("id", name="pk_validation_run"),
        ForeignKeyConstraint(
            ["project", "dataset"],
            ["dataset.project", "dataset.id"],
            name="fk_validation_run_project_dataset",
        ),
    )
    op.create_index("ix_validation_run_project_request", "validation_run", ["project", "request"])
    op.create_index("ix_validation_run_session", "validation_run", ["session"])
