"""Change requests, their revisions, and how they stand to the table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKeyConstraint, Index

from lakeshelf.governance.domain.requests.lifecycle import State
from lakeshelf.governance.metadata.database.records import Object, declare
from lakeshelf.governance.metadata.tables.datasets import of_dataset


@dataclass(frozen=True)
class ChangeRequest:
    """A proposed change of a dataset.

    Attributes:
        project: The project.
        number: Counts from 1 in the project.
        dataset: The dataset.
        kind: One of `edit`, `import`, `definition`, `revert`, `restore`, `outside`.
        status: Its state in the life cycle.
        title: What it does.
        description: Why.
        base_version: Version of the table it was made against.
        definition_version: Version of the definition it was judged by.
        origin: What a kind needs: session, upload, request that is reverted, version that is restored.
        created_by: Who began it.
        created_at: When.
        updated_at: When its state last changed.
        revision: Counts submissions; 0 before the first.
        content_hash: Of the revision that is under review.
        submitted_by: Who submitted that.
        submitted_at: When.
        expires_at: When silence ends it.
        merge_when_approved: Whether it merges by itself.
        lease: Fencing number of the lease under which it merges.
        merge_version: Version of the table that the plan of the merge was made against.
        plan_hash: SHA-256 of that plan.
        forced_by: Owner who has staged values taken in spite of conflicts.
        merged_version: Version of the table that has it.
        merged_by: Who merged it.
        merged_at: When.
    """

    project: str
    number: int
    dataset: str
    kind: str
    status: State
    title: str
    description: str
    base_version: int
    definition_version: int
    origin: Object
    created_by: str
    created_at: datetime
    updated_at: datetime
    revision: int = 0
    content_hash: str | None = None
    submitted_by: str | None = None
    submitted_at: datetime | None = None
    expires_at: datetime | None = None
    merge_when_approved: bool = False
    lease: int | None = None
    merge_version: int | None = None
    plan_hash: str | None = None
    forced_by: str | None = None
    merged_version: int | None = None
    merged_by: str | None = None
    merged_at: datetime | None = None


@dataclass(frozen=True)
class Revision:
    """What was submitted.

    Attributes:
        project: The project.
        request: Number of the change request.
        revision: Counts from 1.
        content_hash: Hash of its content.
        base_version: Version of the table it was made against.
        definition_version: Version of the definition it was judged by.
        inserts: Rows that are new.
        updates: Rows with changed cells.
        deletes: Rows that go.
        cells: Cells that change.
        submitted_by: Who submitted it.
        submitted_at: When.
    """

    project: str
    request: int
    revision: int
    content_hash: str
    base_version: int
    definition_version: int
    inserts: int
    updates: int
    deletes: int
    cells: int
    submitted_by: str
    submitted_at: datetime


@dataclass(frozen=True)
class Author:
    """Who wrote a staged cell or resolved a conflict of a change request; once an author, always one."""

    project: str
    request: int
    user: str
    since: datetime


@dataclass(frozen=True)
class Reviewer:
    """Who was asked to review a change request; a viewer among them may approve it."""

    project: str
    request: int
    user: str
    named_by: str
    named_at: datetime


@dataclass(frozen=True)
class RequestMark:
    """How an open change request stands to the table.

    Attributes:
        project: The project.
        request: Its number.
        state: One of `clean`, `behind`, `conflicting`.
        main_version: Version of the table it was compared with.
        conflicts: How many conflicts there are.
        marked_at: When.
    """

    project: str
    request: int
    state: str
    main_version: int
    conflicts: int
    marked_at: datetime


@dataclass(frozen=True)
class Resolution:
    """How a conflict was settled.

    Attributes:
        project: The project.
        request: Number of the change request.
        row_id: The row.
        column: The cell; empty: the row as a whole.
        choice: One of `keep_main`, `take_staged`, `rebase`.
        value: What the cell shall be after `rebase`, as `{"value": …}`.
        main_version: Version of the table the conflict was seen at.
        user: Who settled it.
        resolved_at: When.
    """

    project: str
    request: int
    row_id: str
    column: str
    choice: str
    value: Object
    main_version: int
    user: str
    resolved_at: datetime


def of_request() -> ForeignKeyConstraint:
    """What belongs to a change request belongs to one that there is."""
    return ForeignKeyConstraint(
        ["project", "request"], ["change_request.project", "change_request.number"]
    )


REQUESTS = declare(
    "change_request",
    ChangeRequest,
    ["project", "number"],
    of_dataset(),
    Index(None, "status"),
    Index(None, "project", "dataset", "status"),
)
REVISIONS = declare("revision", Revision, ["project", "request", "revision"], of_request())
AUTHORS = declare("author", Author, ["project", "request", "user"], of_request())
REVIEWERS = declare("reviewer", Reviewer, ["project", "request", "user"], of_request())
MARKS = declare("mark", RequestMark, ["project", "request"], of_request())
RESOLUTIONS = declare(
    "resolution", Resolution, ["project", "request", "row_id", "column"], of_request()
)
