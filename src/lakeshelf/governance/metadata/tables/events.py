"""What has happened, and who is told of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ForeignKeyConstraint, Index

from lakeshelf.governance.metadata.database.records import Object, declare


@dataclass(frozen=True)
class Event:
    """Something that has happened, for those who watch.

    Attributes:
        number: Counts from 1; a higher one is never seen before a lower one.
        kind: What it is, such as `cr.approved`.
        project: Its project; empty: none.
        dataset: Its dataset; empty: none.
        request: Number of its change request.
        body: What else is known.
        happened_at: When.
    """

    number: int
    kind: str
    project: str
    dataset: str
    request: int | None
    body: Object
    happened_at: datetime


@dataclass(frozen=True)
class Notice:
    """An event that somebody is told of.

    Attributes:
        event: Number of the event.
        user: Who is told.
        created_at: When.
        read_at: When it was read.
    """

    event: int
    user: str
    created_at: datetime
    read_at: datetime | None = None


@dataclass(frozen=True)
class AuditEvent:
    """An act, in a chain that shows where it was tampered with.

    Attributes:
        project: The chain: a project; empty: users, tokens and projects themselves.
        number: Counts from 1 in the chain.
        happened_at: When.
        user: Who acted; empty: the service itself.
        action: What was done.
        dataset: Its dataset; empty: none.
        request: Number of its change request.
        request_id: Id of the call, as the log has it.
        details: What else is known.
        previous: Hash of the link before it; empty at the first.
        hash: SHA-256 of all the above.
    """

    project: str
    number: int
    happened_at: datetime
    user: str
    action: str
    dataset: str
    request: int | None
    request_id: str
    details: Object
    previous: str
    hash: str


@dataclass(frozen=True)
class Webhook:
    """An address that is told of events.

    Attributes:
        id: Its id.
        project: Whose events it is told of.
        url: The address.
        secret: What signs the messages.
        kinds: Kinds of events; empty: all.
        created_by: Who made it.
        created_at: When.
        disabled_at: When it was switched off.
    """

    id: str
    project: str
    url: str
    secret: str = field(repr=False)
    kinds: tuple[str, ...]
    created_by: str
    created_at: datetime
    disabled_at: datetime | None = None


@dataclass(frozen=True)
class Delivery:
    """An event on its way to a webhook.

    Attributes:
        webhook: The webhook.
        event: Number of the event.
        attempts: How often it was tried.
        due_at: When it is to be tried next; None: never again.
        delivered_at: When it arrived.
        error: What went wrong the last time.
    """

    webhook: str
    event: int
    attempts: int
    due_at: datetime | None
    delivered_at: datetime | None = None
    error: str | None = None


def _of_event() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["event"], ["event.number"], ondelete="CASCADE")


EVENTS = declare("event", Event, ["number"], Index(None, "happened_at"))
NOTICES = declare("notice", Notice, ["event", "user"], _of_event(), Index(None, "user"))
AUDIT_EVENTS = declare("audit_event", AuditEvent, ["project", "number"])
WEBHOOKS = declare("webhook", Webhook, ["id"], ForeignKeyConstraint(["project"], ["project.id"]))
OUTBOX = declare(
    "outbox",
    Delivery,
    ["webhook", "event"],
    ForeignKeyConstraint(["webhook"], ["webhook.id"], ondelete="CASCADE"),
    _of_event(),
    Index(None, "due_at"),
)
