"""What people say of change requests: reviews and comments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import ForeignKeyConstraint, Index

from lakeshelf.governance.metadata.database.records import declare
from lakeshelf.governance.metadata.tables.requests import of_request

Decision = Literal["approve", "reject", "reject_cells"]


@dataclass(frozen=True)
class Review:
    """What somebody decided about a revision.

    Attributes:
        project: The project.
        request: Number of the change request.
        number: Counts from 1 in the change request.
        revision: The revision that was judged.
        content_hash: The content that was seen.
        definition_version: Version of the definition that was in force.
        user: Who judged.
        decision: What was decided.
        comment: Why.
        cells: Rejected cells, each `[row_id, column]`.
        acknowledged: Names of rules whose warnings were seen.
        reviewed_at: When.
        stale_at: When it stopped to count.
        stale_reason: Why it did.
    """

    project: str
    request: int
    number: int
    revision: int
    content_hash: str
    definition_version: int
    user: str
    decision: Decision
    comment: str
    cells: tuple[list[str], ...]
    acknowledged: tuple[str, ...]
    reviewed_at: datetime
    stale_at: datetime | None = None
    stale_reason: str | None = None


@dataclass(frozen=True)
class Comment:
    """A remark on a change request, a row or a cell of it.

    Attributes:
        id: Its id.
        project: The project.
        request: Number of the change request.
        row_id: The row; None: the change request.
        column: The cell; None: the row.
        reply_to: Id of the remark that it answers.
        body: What is said.
        user: Who says it.
        created_at: When.
        edited_at: When it was last worded anew.
        resolved_by: Who settled it.
        resolved_at: When.
    """

    id: str
    project: str
    request: int
    row_id: str | None
    column: str | None
    reply_to: str | None
    body: str
    user: str
    created_at: datetime
    edited_at: datetime | None = None
    resolved_by: str | None = None
    resolved_at: datetime | None = None


REVIEWS = declare("review", Review, ["project", "request", "number"], of_request())
COMMENTS = declare(
    "comment",
    Comment,
    ["id"],
    of_request(),
    ForeignKeyConstraint(["reply_to"], ["comment.id"]),
    Index(None, "project", "request"),
)
