"""Change requests, datasets and sessions as somebody sees them, with what they may do."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lakeshelf.governance.domain.changes import DefinitionChange, changes
from lakeshelf.governance.domain.permissions import can
from lakeshelf.governance.domain.requests.approvals import eligible
from lakeshelf.governance.domain.requests.lifecycle import OPEN, State, acts
from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata.audit import BrokenLink
from lakeshelf.governance.metadata.opening import Transaction
from lakeshelf.governance.metadata.tables.datasets import (
    DatasetMeta,
    DefinitionVersion,
    GovernedDataset,
    LiveSession,
    NamedSnapshot,
)
from lakeshelf.governance.metadata.tables.events import AuditEvent, Event, Notice
from lakeshelf.governance.metadata.tables.requests import ChangeRequest, RequestMark, Revision
from lakeshelf.governance.metadata.tables.reviews import Comment, Review
from lakeshelf.governance.metadata.tables.work import Upload
from lakeshelf.governance.services.access import actor, require_right, rights, subject
from lakeshelf.governance.services.changes.defining import proposed
from lakeshelf.governance.services.changes.proposals import DEFINITION
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.services.people.users import require_admin

Can = Mapping[str, bool | str]
"""Action → true, or the reason why not."""
_DATASET_ACTIONS = (
    "read",
    "edit",
    "import",
    "create_change_request",
    "publish_again",
    "manage_members",
)


@dataclass(frozen=True)
class SeenDataset:
    """A dataset as somebody sees it.

    Attributes:
        dataset: The dataset.
        meta: Where its table stands.
        open_requests: How many change requests are open.
        can: Action → true, or the reason why not.
    """

    dataset: GovernedDataset
    meta: DatasetMeta
    open_requests: int
    can: Can


@dataclass(frozen=True)
class SeenRequest:
    """A change request as somebody sees it.

    Attributes:
        request: The change request.
        authors: Who wrote a cell or settled a conflict.
        reviewers: Who was asked to review it.
        may_approve: Who may approve it, whatever its state.
        mark: How it stands to the table; None: it was not compared.
        revision: What was submitted last; None: nothing was.
        can: Action → true, or the reason why not.
        definition_changes: What it changes of the definition, if that is what it is about.
    """

    request: ChangeRequest
    authors: Sequence[str]
    reviewers: Sequence[str]
    may_approve: Sequence[str]
    mark: RequestMark | None
    revision: Revision | None
    can: Can
    definition_changes: Sequence[DefinitionChange] = ()


def datasets(context: Context, caller: Caller, project: str) -> list[SeenDataset]:
    """Datasets of a project, by id.

    Raises:
        GovernanceError: `not_found`.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        return [_dataset(tx, caller, one) for one in tx.datasets.all(project)]


def dataset(context: Context, caller: Caller, project: str, dataset_id: str) -> SeenDataset:
    """A dataset.

    Raises:
        GovernanceError: `not_found`.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        return _dataset(tx, caller, tx.datasets.get(project, dataset_id))


def definitions(
    context: Context, caller: Caller, project: str, dataset_id: str
) -> list[DefinitionVersion]:
    """Every definition that a dataset has had, the oldest first.

    Raises:
        GovernanceError: `not_found`.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        tx.datasets.get(project, dataset_id)
        return tx.datasets.definitions(project, dataset_id)


def snapshots(
    context: Context, caller: Caller, project: str, dataset_id: str
) -> list[NamedSnapshot]:
    """Named snapshots of a dataset.

    Raises:
        GovernanceError: `not_found`.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        tx.datasets.get(project, dataset_id)
        return tx.datasets.snapshots(project, dataset_id)


def sessions(context: Context, caller: Caller, project: str, dataset_id: str) -> list[LiveSession]:
    """Open sessions of the caller on a dataset, the newest first.

    Raises:
        GovernanceError: `not_found`.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        tx.datasets.get(project, dataset_id)
        return tx.sessions.open(project, dataset_id, caller.user)


def requests(
    context: Context,
    caller: Caller,
    project: str,
    *,
    dataset_id: str | None = None,
    statuses: Collection[State] | None = None,
    created_by: str | None = None,
    below: int | None = None,
    limit: int = 100,
) -> list[SeenRequest]:
    """Change requests of a project, the newest first; `below` a number for the next page.

    Raises:
        GovernanceError: `not_found`.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        record = tx.requests.all(
            project,
            dataset_id,
            statuses=statuses,
            created_by=created_by,
            below=below,
            limit=limit,
        )
        return [_request(tx, caller, one) for one in record]


def request(context: Context, caller: Caller, project: str, number: int) -> SeenRequest:
    """A change request.

    Raises:
        GovernanceError: `not_found`.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        return _request(tx, caller, tx.requests.get(project, number))


def said(
    context: Context, caller: Caller, project: str, number: int
) -> tuple[list[Review], list[Comment]]:
    """Reviews of a change request and remarks on it, the oldest first.

    Raises:
        GovernanceError: `not_found`.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        tx.requests.get(project, number)
        return tx.reviews.all(project, number), tx.reviews.comments(project, number)


def uploads(
    context: Context, caller: Caller, project: str, dataset_id: str | None = None
) -> list[Upload]:
    """Uploads of a project or a dataset, the newest first.

    Raises:
        GovernanceError: `not_found`.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        return tx.uploads.all(project, dataset_id)


def upload(context: Context, caller: Caller, project: str, upload_id: str) -> Upload:
    """An upload.

    Raises:
        GovernanceError: `not_found`.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        return tx.uploads.get(project, upload_id)


def audited(
    context: Context, caller: Caller, project: str, after: int, limit: int, **equal: Any
) -> list[AuditEvent]:
    """Acts in a project, or on users, tokens and projects themselves (empty: for admins), in order.

    Raises:
        GovernanceError: `not_found`, `forbidden`.
    """
    with context.metadata.reading() as tx:
        _require_chain(tx, caller, project)
        return tx.audit.after(project, after, limit=limit, **equal)


def verified(context: Context, caller: Caller, project: str) -> BrokenLink | None:
    """The first link of a chain that is not as it was written; None: it is whole.

    Raises:
        GovernanceError: `not_found`, `forbidden`.
    """
    with context.metadata.reading() as tx:
        _require_chain(tx, caller, project)
        return tx.audit.verify(project)


def happened(
    context: Context, caller: Caller, after: int, limit: int
) -> tuple[list[Event], int, bool]:
    """Events of the caller's projects in order, the newest number of all, and whether none before is lost.

    Raises:
        GovernanceError: `forbidden`: the token is not for reading.
    """
    require_reading(caller)
    with context.metadata.reading() as tx:
        projects = [one.id for one in tx.projects.all(caller.user)]
        record = tx.events.after(after, projects=projects, limit=limit)
        return record, tx.events.newest(), tx.events.follows(after)


def newest(context: Context) -> int:
    """The number of the newest event of all; 0: nothing has happened."""
    with context.metadata.reading() as tx:
        return tx.events.newest()


def notices(
    context: Context, caller: Caller, *, unread: bool, limit: int
) -> list[tuple[Notice, Event]]:
    """What the caller is told of, the newest first.

    Raises:
        GovernanceError: `forbidden`.
    """
    require_reading(caller)
    with context.metadata.reading() as tx:
        return tx.events.notices(caller.user, unread=unread, limit=limit)


def read_notices(context: Context, caller: Caller, up_to: int) -> int:
    """Remember that the caller has read notices up to an event; how many were unread.

    Raises:
        GovernanceError: `forbidden`.
    """
    require_reading(caller)
    now = context.clock()
    with context.metadata.transaction() as tx:
        return tx.events.read(caller.user, up_to, now)


def require_reading(caller: Caller) -> None:
    """Refuse a token that is not for reading.

    Raises:
        GovernanceError: `forbidden`.
    """
    if "read" not in caller.scopes:
        raise refused("forbidden", "your token lacks the scope read", action="read")


def _require_chain(tx: Transaction, caller: Caller, project: str) -> None:
    if project:
        require_right(tx, caller, project, "read")
    else:
        require_admin(caller, "manage_users")


def _dataset(tx: Transaction, caller: Caller, record: GovernedDataset) -> SeenDataset:
    who = actor(tx, caller, record.project)
    return SeenDataset(
        record,
        tx.datasets.meta(record.project, record.id),
        len(tx.requests.all(record.project, record.id, statuses=OPEN)),
        {action: can(who, action) for action in _DATASET_ACTIONS},
    )


def _request(tx: Transaction, caller: Caller, record: ChangeRequest) -> SeenRequest:
    place = (record.project, record.number)
    authors, about = tx.requests.authors(*place), subject(tx, record)
    return SeenRequest(
        record,
        sorted(authors),
        sorted(tx.requests.reviewers(*place)),
        sorted(one.name for one in eligible(tx.projects.people(record.project), about)),
        tx.requests.marked(*place),
        tx.requests.revision(*place, record.revision) if record.revision else None,
        _possible(tx, caller, record, authors),
        _definition_changes(tx, record),
    )


def _definition_changes(tx: Transaction, record: ChangeRequest) -> tuple[DefinitionChange, ...]:
    if record.kind != DEFINITION:
        return ()
    following = proposed(record)
    before = tx.datasets.definition(record.project, record.dataset, following.version - 1)
    return changes(before, following)


def _possible(
    tx: Transaction, caller: Caller, record: ChangeRequest, authors: Collection[str]
) -> Can:
    """What the caller may do with a change request as it is now."""
    by_role: dict[str, bool | str] = dict(rights(tx, caller, record))
    who = actor(tx, caller, record.project)
    own: bool | str = caller.user in authors or "only its authors may"
    by_role |= {"reject_cells": by_role["reject"], "withdraw": own, "submit": own}
    by_role["resolve"] = can(who, "edit")
    by_role["ask_reviewer"] = can(who, "ask_reviewer")
    by_role["revert"] = can(who, "create_change_request")
    now = {*acts(record.status), "comment", "ask_reviewer"}
    now |= {"force"} if "merge" in now else set()
    now |= {"resolve"} if "change_content" in now else set()
    now |= {"revert"} if record.merged_version is not None else set()
    return {
        action: reason if action in now else f"it is {record.status}"
        for action, reason in by_role.items()
    }
