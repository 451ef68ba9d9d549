"""Who may do what: the table of permissions, asked with what the database knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from lakeshelf.governance.domain.permissions import Actor, RequestSubject, can, require
from lakeshelf.governance.metadata.opening import Transaction
from lakeshelf.governance.metadata.tables.requests import ChangeRequest
from lakeshelf.governance.services.context import Caller

REQUEST_ACTIONS = ("comment", "approve", "reject", "merge", "force")


def actor(tx: Transaction, caller: Caller, project: str) -> Actor:
    """The caller with its role in a project."""
    role = tx.projects.role(project, caller.user)
    return Actor(caller.user, role, caller.scopes, caller.admin)


def require_right(
    tx: Transaction, caller: Caller, project: str, action: str, about: RequestSubject | None = None
) -> Actor:
    """The caller, if they may do something in a project.

    Raises:
        GovernanceError: `not_found` for outsiders, `forbidden`, `author_approves`.
    """
    who = actor(tx, caller, project)
    require(who, action, about)
    return who


def subject(tx: Transaction, request: ChangeRequest) -> RequestSubject:
    """What a permission has to know of a change request."""
    project, number = request.project, request.number
    policy = tx.datasets.definition(project, request.dataset).policy
    return RequestSubject(
        authors=tx.requests.authors(project, number),
        reviewers=tx.requests.reviewers(project, number)
        | tx.projects.named(project, request.dataset),
        kind=request.kind,
        owners=frozenset(one.name for one in tx.projects.people(project) if one.role == "owner"),
        restore_by_owner=policy.restore_by_owner,
    )


def rights(
    tx: Transaction, caller: Caller, request: ChangeRequest
) -> Mapping[str, Literal[True] | str]:
    """What the caller may do with a change request: action → true, or the reason why not."""
    who, about = actor(tx, caller, request.project), subject(tx, request)
    return {action: can(who, action, about) for action in REQUEST_ACTIONS}
