"""Projects: made by admins, who own what they make; their members, groups and named viewers by owners."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lakeshelf.contracts import CATALOG
from lakeshelf.governance.domain.definition import checked_id
from lakeshelf.governance.domain.permissions import TABLE, Role, can
from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata.opening import Transaction
from lakeshelf.governance.metadata.tables.projects import (
    GroupMember,
    Membership,
    NamedViewer,
    Project,
)
from lakeshelf.governance.services.access import actor, require_right
from lakeshelf.governance.services.context import Caller, Context, record
from lakeshelf.governance.services.people.users import require_admin


@dataclass(frozen=True)
class SeenProject:
    """A project as somebody sees it.

    Attributes:
        project: The project.
        role: Their role in it; None: they manage the installation only.
        can: Action → true, or the reason why not.
    """

    project: Project
    role: Role | None
    can: Mapping[str, bool | str]


def create(
    context: Context, caller: Caller, project: str, *, title: str = "", description: str = ""
) -> Project:
    """A new project, owned by who makes it.

    Raises:
        GovernanceError: `forbidden`, `name_invalid`: also for the name of a layer of the lake; `exists`.
    """
    require_admin(caller, "manage_projects")
    layers = {named.partition("/")[0] for named in (*CATALOG.tables, *CATALOG.views)}
    if checked_id(project, "project") in layers:
        raise refused(
            "name_invalid",
            f"{project} is a layer of the lake",
            hint="choose another name",
            value=project,
        )
    now = context.clock()
    with context.metadata.transaction() as tx:
        made = tx.projects.add(Project(project, title or project, description, caller.user, now))
        record(tx, caller, "project.created", now, project=project)
    return made


def visible(context: Context, caller: Caller) -> list[SeenProject]:
    """Projects of the caller; admins see that there are others."""
    with context.metadata.reading() as tx:
        listed = tx.projects.all(None if caller.admin else caller.user)
        return [seen(tx, caller, one) for one in listed]


def of_id(context: Context, caller: Caller, project: str) -> SeenProject:
    """A project, for its members and admins.

    Raises:
        GovernanceError: `not_found`.
    """
    with context.metadata.reading() as tx:
        if not caller.admin:
            require_right(tx, caller, project, "read")
        return seen(tx, caller, tx.projects.get(project))


def seen(tx: Transaction, caller: Caller, project: Project) -> SeenProject:
    """A project with what the caller may do in it."""
    who = actor(tx, caller, project.id)
    return SeenProject(project, who.role, {action: can(who, action) for action in TABLE})


def members(context: Context, caller: Caller, project: str) -> list[Membership]:
    """Members of a project, by name.

    Raises:
        GovernanceError: `not_found`.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        return tx.projects.members(project)


def set_role(context: Context, caller: Caller, project: str, user: str, role: Role) -> Membership:
    """Give a user a role in a project, in place of the one before.

    Raises:
        GovernanceError: `not_found`, `forbidden`, `last_owner`.
    """
    now = context.clock()
    with context.metadata.transaction() as tx:
        require_right(tx, caller, project, "manage_members")
        member = tx.projects.set_role(Membership(project, user, role, caller.user, now))
        details = {"user": user, "role": role}
        record(tx, caller, "member.set", now, project=project, details=details, tell=[user])
    return member


def remove(context: Context, caller: Caller, project: str, user: str) -> None:
    """Take a member out of a project.

    Raises:
        GovernanceError: `not_found`, `forbidden`, `last_owner`.
    """
    now = context.clock()
    with context.metadata.transaction() as tx:
        require_right(tx, caller, project, "manage_members")
        tx.projects.remove(project, user)
        record(tx, caller, "member.removed", now, project=project, details={"user": user})


def groups(context: Context, caller: Caller, project: str) -> dict[str, frozenset[str]]:
    """Group → its members.

    Raises:
        GovernanceError: `not_found`.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        return tx.projects.groups(project)


def join(context: Context, caller: Caller, project: str, group: str, user: str) -> None:
    """Make a member of a project one of a group.

    Raises:
        GovernanceError: `not_found`, `forbidden`, `name_invalid`.
    """
    now = context.clock()
    with context.metadata.transaction() as tx:
        require_right(tx, caller, project, "manage_members")
        tx.projects.join(GroupMember(project, checked_id(group, "group"), user, caller.user, now))
        details = {"user": user, "group": group}
        record(tx, caller, "group.joined", now, project=project, details=details, tell=[user])


def leave(context: Context, caller: Caller, project: str, group: str, user: str) -> None:
    """Take a member out of a group.

    Raises:
        GovernanceError: `not_found`, `forbidden`.
    """
    now = context.clock()
    with context.metadata.transaction() as tx:
        require_right(tx, caller, project, "manage_members")
        tx.projects.leave(project, group, user)
        details = {"user": user, "group": group}
        record(tx, caller, "group.left", now, project=project, details=details)


def named(context: Context, caller: Caller, project: str, dataset: str) -> frozenset[str]:
    """Viewers who may approve what changes a dataset.

    Raises:
        GovernanceError: `not_found`.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        tx.datasets.get(project, dataset)
        return tx.projects.named(project, dataset)


def name(context: Context, caller: Caller, project: str, dataset: str, user: str) -> None:
    """Let a viewer approve what changes a dataset.

    Raises:
        GovernanceError: `not_found`, `forbidden`.
    """
    now = context.clock()
    with context.metadata.transaction() as tx:
        require_right(tx, caller, project, "manage_members")
        tx.datasets.get(project, dataset)
        tx.projects.name(NamedViewer(project, dataset, user, caller.user, now))
        details = {"user": user}
        record(
            tx,
            caller,
            "viewer.named",
            now,
            project=project,
            dataset=dataset,
            details=details,
            tell=[user],
        )


def unname(context: Context, caller: Caller, project: str, dataset: str, user: str) -> None:
    """Take that back.

    Raises:
        GovernanceError: `not_found`, `forbidden`.
    """
    now = context.clock()
    with context.metadata.transaction() as tx:
        require_right(tx, caller, project, "manage_members")
        tx.projects.unname(project, dataset, user)
        details = {"user": user}
        record(tx, caller, "viewer.unnamed", now, project=project, dataset=dataset, details=details)
