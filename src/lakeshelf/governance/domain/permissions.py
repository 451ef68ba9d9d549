"""Who may do what in a project, as a table, and the reason why somebody may not.

docs/design/governance.md#people
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from lakeshelf.governance.errors import GovernanceError, refused

Role = Literal["owner", "contributor", "viewer", "service"]
Scope = Literal["read", "write", "review", "merge", "manage"]
ROLES: tuple[Role, ...] = get_args(Role)
SCOPES: tuple[Scope, ...] = get_args(Scope)
Right = bool | Literal["named"]
"""Whether a role has it; `named`: on change requests that name the person as a reviewer."""


@dataclass(frozen=True)
class Action:
    """A row of the table.

    Attributes:
        name: What is done.
        scope: Scope that the token needs.
        rights: Role → right; a role that is left out has none.
    """

    name: str
    scope: Scope
    rights: Mapping[Role, Right]


_ALL: Mapping[Role, Right] = dict.fromkeys(ROLES, True)
_WRITERS: Mapping[Role, Right] = {"owner": True, "contributor": True, "service": True}
_REVIEWERS: Mapping[Role, Right] = {"owner": True, "contributor": True, "viewer": "named"}
_OWNERS: Mapping[Role, Right] = {"owner": True}

TABLE: Mapping[str, Action] = {
    action.name: action
    for action in (
        Action("read", "read", _ALL),
        Action("comment", "write", _ALL),
        Action("edit", "write", _WRITERS),
        Action("import", "write", _WRITERS),
        Action("create_change_request", "write", _WRITERS),
        Action("approve", "review", _REVIEWERS),
        Action("reject", "review", _REVIEWERS),
        Action("merge", "merge", _WRITERS),
        Action("force", "merge", _OWNERS),
        Action("restore_at_once", "merge", _OWNERS),
        Action("ask_reviewer", "write", _OWNERS),
        Action("publish_again", "manage", _OWNERS),
        Action("manage_members", "manage", _OWNERS),
        Action("manage_webhooks", "manage", _OWNERS),
    )
}
"""Action → who may, within a project."""
SHOP = "retail"
"""The project whose datasets the shop obeys; its members are the staff of the shop."""
STAFF: Mapping[str, Action] = {
    action.name: action
    for action in (
        Action("see_acts", "read", _ALL),
        Action("look_after_shelves", "write", _WRITERS),
        Action("promote_models", "manage", _OWNERS),
    )
}
"""Action → who of the staff may: see what was asked for; acknowledge, dismiss, cancel, correct a count; say which model
orders."""
INSTALLATION = ("manage_users", "manage_tokens", "manage_projects", "examine")
"""What admins do, beside projects; it takes the scope `manage`."""
ACTIONS = (*TABLE, *STAFF, *INSTALLATION)
_ROWS = {**TABLE, **STAFF}


@dataclass(frozen=True)
class Actor:
    """Who asks.

    Attributes:
        name: The user of the token.
        role: Role in the project; None: none.
        scopes: Scopes of the token.
        admin: Whether the user manages the installation; that is no right within a project.
    """

    name: str
    role: Role | None
    scopes: frozenset[Scope] = frozenset(SCOPES)
    admin: bool = False


@dataclass(frozen=True)
class RequestSubject:
    """The change request that an action is about.

    Attributes:
        authors: All who wrote a staged cell or resolved a conflict.
        reviewers: People it names as reviewers.
        kind: Its kind; a `definition` is approved by owners.
        owners: Owners of the project.
        restore_by_owner: Whether the policy lets owners restore at once.
    """

    authors: frozenset[str] = frozenset()
    reviewers: frozenset[str] = frozenset()
    kind: str = "edit"
    owners: frozenset[str] = frozenset()
    restore_by_owner: bool = False


def can(actor: Actor, action: str, subject: RequestSubject | None = None) -> Literal[True] | str:
    """Whether somebody may do something, or the reason why not.

    Args:
        actor: Who.
        action: One of `ACTIONS`.
        subject: The change request, where it is about one.
    """
    reason = _reason(actor, action, subject or RequestSubject())
    return True if reason is None else reason


def require(actor: Actor, action: str, subject: RequestSubject | None = None) -> None:
    """Refuse what somebody may not do.

    Raises:
        GovernanceError: `not_found` for one who has no role in the project; `author_approves`; else `forbidden`.
    """
    reason = can(actor, action, subject)
    if reason is not True:
        raise _refused(actor, action, subject or RequestSubject(), reason)


def _refused(actor: Actor, action: str, subject: RequestSubject, reason: str) -> GovernanceError:
    if action in TABLE and actor.role is None:
        return refused("not_found", "there is no such project", hint="look at your own projects")
    own = action in ("approve", "force") and actor.name in subject.authors
    code = (
        "author_approves" if own and _role_reason(actor, action, subject) is None else "forbidden"
    )
    return refused(code, f"{actor.name} may not {_words(action)}: {reason}", action=action)


def _reason(actor: Actor, action: str, subject: RequestSubject) -> str | None:
    if action in INSTALLATION:
        return _admin_reason(actor)
    return _role_reason(actor, action, subject) or _subject_reason(actor, action, subject)


def _admin_reason(actor: Actor) -> str | None:
    if not actor.admin:
        return "only admins may"
    return None if "manage" in actor.scopes else "your token lacks the scope manage"


def _role_reason(actor: Actor, action: str, subject: RequestSubject) -> str | None:
    row = _ROWS[action]
    if actor.role is None:
        project = f"the project {SHOP}" if action in STAFF else "this project"
        return f"you have no role in {project}"
    if row.scope not in actor.scopes:
        return f"your token lacks the scope {row.scope}"
    right = row.rights.get(actor.role, False)
    if right == "named" and actor.name not in subject.reviewers:
        return f"a {actor.role} may when named as a reviewer"
    return None if right else f"a {actor.role} may not; {_who(row)} may"


def _subject_reason(actor: Actor, action: str, subject: RequestSubject) -> str | None:
    if action in ("approve", "force") and actor.name in subject.authors:
        return "you are one of its authors"
    if action == "approve" and subject.kind == "definition":
        others = subject.owners - subject.authors
        if others and actor.name not in others:
            return f"a definition is approved by an owner: {', '.join(sorted(others))}"
        if not others and actor.role == "viewer":
            return "a definition is approved by an owner or a contributor"
    if action == "restore_at_once" and not subject.restore_by_owner:
        return "the policy of the dataset does not allow it"
    return None


def _who(row: Action) -> str:
    return " and ".join(f"{role}s" for role, right in row.rights.items() if right is True)


def _words(action: str) -> str:
    return action.replace("_", " ")
