"""What staff of the shop asks for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Index, UniqueConstraint

from lakeshelf.governance.metadata.database.records import Object, declare


@dataclass(frozen=True)
class Act:
    """Something that was asked of whoever owns an alert, a plan or a shelf.

    Attributes:
        id: Its id, that of the message.
        user: Who asked.
        request_id: Id of the call; one call asks one thing of a target once.
        command: One of `ack`, `dismiss`, `cancel`, `adjust`, `count`.
        target: The alert, plan or shelf.
        reason: Why; empty: it was not said.
        topic: Topic of the message; None: it was refused at once.
        message: The message.
        state: One of `asked`, `done`, `refused`.
        refusal: Why it was refused.
        asked_at: When it was asked for.
        sent_at: When the broker had the message; None: that is not known.
        settled_at: When it was seen that it was done or refused.
    """

    id: str
    user: str
    request_id: str
    command: str
    target: str
    reason: str
    topic: str | None
    message: Object | None
    state: str
    refusal: str | None
    asked_at: datetime
    sent_at: datetime | None = None
    settled_at: datetime | None = None


ACTS = declare(
    "act",
    Act,
    ["id"],
    UniqueConstraint("user", "request_id", "command", "target"),
    Index(None, "state", "asked_at"),
    Index(None, "asked_at"),
)
