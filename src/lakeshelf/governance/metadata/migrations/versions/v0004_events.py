"""Events, the audit, webhooks, and what processes agree on."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, ForeignKeyConstraint, PrimaryKeyConstraint

from lakeshelf.governance.metadata.database.columns import Json, Moment, Whole, Words

revision = "v0004"
down_revision = "v0003"

_TRIGGERS = {
    "sqlite": [
        f"""CREATE TRIGGER audit_event_no_{act.lower()} BEFORE {act} ON audit_event
            BEGIN SELECT RAISE(ABORT, 'audit_event is append-only'); END"""
        for act in ("UPDATE", "DELETE")
    ],
    "postgresql": [
        """CREATE FUNCTION audit_event_append_only() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'audit_event is append-only'; END $$""",
        """CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_event
            FOR EACH STATEMENT EXECUTE FUNCTION audit_event_append_only()""",
    ],
}


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "event",
        Column("number", Whole(), nullable=False),
        Column("kind", Words(), nullable=False),
        Column("project", Words(), nullable=False),
        Column("dataset", Words(), nullable=False),
        Column("request", Whole()),
        Column("body", Json(), nullable=False),
        Column("happened_at", Moment(), nullable=False),
        PrimaryKeyConstraint("number", name="pk_event"),
    )
    op.create_index("ix_event_happened_at", "event", ["happened_at"])
    op.create_table(
        "notice",
        Column("event", Whole(), nullable=False),
        Column("user", Words(), nullable=False),
        Column("created_at", Moment(), nullable=False),
        Column("read_at", Moment()),
        PrimaryKeyConstraint("event", "user", name="pk_notice"),
        ForeignKeyConstraint(
            ["event"], ["event.number"], name="fk_notice_event", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_notice_user", "notice", ["user"])
    op.create_table(
        "audit_event",
        Column("project", Words(), nullable=False),
        Column("number", Whole(), nullable=False),
        Column("happened_at", Moment(), nullable=False),
        Column("user", Words(), nullable=False),
        Column("action", Words(), nullable=False),
        Column("dataset", Words(), nullable=False),
        Column("request", Whole()),
        Column("request_id", Words(), nullable=False),
        Column("details", Json(), nullable=False),
        Column("previous", Words(), nullable=False),
        Column("hash", Words(), nullable=False),
        PrimaryKeyConstraint("project", "number", name="pk_audit_event"),
    )
    op.create_table(
        "webhook",
        Column("id", Words(), nullable=False),
        Column("project", Words(), nullable=False),
        Column("url", Words(), nullable=False),
        Column("secret", Words(), nullable=False),
        Column("kinds", Json(), nullable=False),
        Column("created_by", Words(), nullable=False),
        Column("created_at", Moment(), nullable=False),
        Column("disabled_at", Moment()),
        PrimaryKeyConstraint("id", name="pk_webhook"),
        ForeignKeyConstraint(["project"], ["project.id"], name="fk_webhook_project"),
    )
    op.create_table(
        "outbox",
        Column("webhook", Words(), nullable=False),
        Column("event", Whole(), nullable=False),
        Column("attempts", Whole(), nullable=False),
        Column("due_at", Moment()),
        Column("delivered_at", Moment()),
        Column("error", Words()),
        PrimaryKeyConstraint("webhook", "event", name="pk_outbox"),
        ForeignKeyConstraint(
            ["event"], ["event.number"], name="fk_outbox_event", ondelete="CASCADE"
        ),
        ForeignKeyConstraint(
            ["webhook"], ["webhook.id"], name="fk_outbox_webhook", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_outbox_due_at", "outbox", ["due_at"])
    op.create_table(
        "idempotency",
        Column("user", Words(), nullable=False),
        Column("route", Words(), nullable=False),
        Column("key", Words(), nullable=False),
        Column("body_hash", Words(), nullable=False),
        Column("status", Whole()),
        Column("answer", Json()),
        Column("busy_until", Moment(), nullable=False),
        Column("expires_at", Moment(), nullable=False),
        PrimaryKeyConstraint("user", "route", "key", name="pk_idempotency"),
    )
    op.create_index("ix_idempotency_expires_at", "idempotency", ["expires_at"])
    op.create_table(
        "lease",
        Column("name", Words(), nullable=False),
        Column("holder", Words(), nullable=False),
        Column("number", Whole(), nullable=False),
        Column("deadline", Moment(), nullable=False),
        Column("heartbeat_at", Moment(), nullable=False),
        PrimaryKeyConstraint("name", name="pk_lease"),
    )
    op.create_table(
        "job",
        Column("id", Words(), nullable=False),
        Column("project", Words(), nullable=False),
        Column("user", Words(), nullable=False),
        Column("kind", Words(), nullable=False),
        Column("params", Json(), nullable=False),
        Column("status", Words(), nullable=False),
        Column("created_at", Moment(), nullable=False),
        Column("worker", Words()),
        Column("deadline", Moment()),
        Column("attempts", Whole(), nullable=False),
        Column("progress", Json()),
        Column("result", Json()),
        Column("cancel_requested_at", Moment()),
        Column("started_at", Moment()),
        Column("ended_at", Moment()),
        PrimaryKeyConstraint("id", name="pk_job"),
    )
    op.create_index("ix_job_status_created_at", "job", ["status", "created_at"])
    _append_only()


def _append_only() -> None:
    """No statement changes what the audit holds, whoever sends it."""
    for statement in _TRIGGERS[op.get_bind().dialect.name]:
        op.execute(statement)
