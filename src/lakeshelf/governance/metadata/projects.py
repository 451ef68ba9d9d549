"""Projects, and who may do what in them."""

from __future__ import annotations

from sqlalchemy import Connection, select

from lakeshelf.governance.domain.permissions import Role
from lakeshelf.governance.domain.requests.approvals import Member
from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata.tables.people import USERS
from lakeshelf.governance.metadata.tables.projects import (
    GROUP_MEMBERS,
    MEMBERSHIPS,
    NAMED_VIEWERS,
    PROJECTS,
    GroupMember,
    Membership,
    NamedViewer,
    Project,
)

OWNER: Role = "owner"


class Projects:
    """Projects, their members, groups and named viewers."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, project: Project) -> Project:
        """A new project, owned by who made it.

        Raises:
            GovernanceError: `exists`; `not_found`: there is no such user.
        """
        if PROJECTS.find(self._connection, id=project.id):
            raise refused("exists", f"there is a project {project.id} already", project=project.id)
        maker = project.created_by
        USERS.get(self._connection, name=maker)
        PROJECTS.add(self._connection, project)
        self.set_role(Membership(project.id, maker, OWNER, maker, project.created_at))
        return project

    def get(self, project: str) -> Project:
        """A project.

        Raises:
            GovernanceError: `not_found`.
        """
        return PROJECTS.get(self._connection, id=project)

    def all(self, member: str | None = None) -> list[Project]:
        """Every project, or those with a member, by id."""
        theirs = select(MEMBERSHIPS.c.project).where(MEMBERSHIPS.c.user == member)
        where = [] if member is None else [PROJECTS.c.id.in_(theirs)]
        return PROJECTS.all(self._connection, where)

    def members(self, project: str) -> list[Membership]:
        """Members of a project, by name."""
        return MEMBERSHIPS.all(self._connection, [MEMBERSHIPS.c.project == project])

    def people(self, project: str) -> list[Member]:
        """Members of a project as approvals are judged by, by name."""
        enabled = {
            user.name for user in USERS.all(self._connection, [USERS.c.disabled_at.is_(None)])
        }
        groups = self.groups(project)
        return [
            Member(
                name=member.user,
                role=member.role,
                groups=frozenset(group for group, users in groups.items() if member.user in users),
                active=member.user in enabled,
            )
            for member in self.members(project)
        ]

    def role(self, project: str, user: str) -> Role | None:
        """The role of a user in a project; None: they are no member."""
        member = MEMBERSHIPS.find(self._connection, project=project, user=user)
        return member.role if member else None

    def set_role(self, member: Membership) -> Membership:
        """Give a user a role in a project, in place of the one before.

        Raises:
            GovernanceError: `not_found`: there is no such user; `last_owner`.
        """
        USERS.get(self._connection, name=member.user)
        before = MEMBERSHIPS.find(self._connection, project=member.project, user=member.user)
        if before is None:
            return MEMBERSHIPS.add(self._connection, member)
        if member.role != OWNER:
            self._require_other_owner(before)
        values = {"role": member.role, "added_by": member.added_by, "added_at": member.added_at}
        MEMBERSHIPS.change(self._connection, [MEMBERSHIPS.is_(before)], **values)
        return member

    def remove(self, project: str, user: str) -> Membership:
        """Remove a member, also from groups and named viewers; what they were.

        Raises:
            GovernanceError: `not_found`; `last_owner`.
        """
        member = MEMBERSHIPS.get(self._connection, project=project, user=user)
        self._require_other_owner(member)
        MEMBERSHIPS.remove(self._connection, [MEMBERSHIPS.is_(member)])
        return member

    def groups(self, project: str) -> dict[str, frozenset[str]]:
        """Group → its members."""
        where = [GROUP_MEMBERS.c.project == project]
        members: dict[str, set[str]] = {}
        for member in GROUP_MEMBERS.all(self._connection, where):
            members.setdefault(member.group, set()).add(member.user)
        return {group: frozenset(users) for group, users in members.items()}

    def join(self, member: GroupMember) -> None:
        """Make a member of the project one of a group.

        Raises:
            GovernanceError: `not_found`: they are no member of the project.
        """
        MEMBERSHIPS.get(self._connection, project=member.project, user=member.user)
        GROUP_MEMBERS.put(self._connection, member)

    def leave(self, project: str, group: str, user: str) -> None:
        """Take a member out of a group.

        Raises:
            GovernanceError: `not_found`.
        """
        key = {"project": project, "group": group, "user": user}
        member = GROUP_MEMBERS.get(self._connection, **key)
        GROUP_MEMBERS.remove(self._connection, [GROUP_MEMBERS.is_(member)])

    def named(self, project: str, dataset: str) -> frozenset[str]:
        """Viewers who may approve what changes a dataset."""
        where = [NAMED_VIEWERS.c.project == project, NAMED_VIEWERS.c.dataset == dataset]
        return frozenset(viewer.user for viewer in NAMED_VIEWERS.all(self._connection, where))

    def name(self, viewer: NamedViewer) -> None:
        """Let a viewer approve what changes a dataset.

        Raises:
            GovernanceError: `not_found`: they are no member of the project.
        """
        MEMBERSHIPS.get(self._connection, project=viewer.project, user=viewer.user)
        NAMED_VIEWERS.put(self._connection, viewer)

    def unname(self, project: str, dataset: str, user: str) -> None:
        """Take that back.

        Raises:
            GovernanceError: `not_found`.
        """
        key = {"project": project, "dataset": dataset, "user": user}
        viewer = NAMED_VIEWERS.get(self._connection, **key)
        NAMED_VIEWERS.remove(self._connection, [NAMED_VIEWERS.is_(viewer)])

    def _require_other_owner(self, member: Membership) -> None:
        """A disabled owner cannot act, and so is no other owner."""
        if member.role != OWNER:
            return
        enabled = select(USERS.c.name).where(USERS.c.disabled_at.is_(None))
        others = [
            MEMBERSHIPS.c.project == member.project,
            MEMBERSHIPS.c.role == OWNER,
            MEMBERSHIPS.c.user != member.user,
            MEMBERSHIPS.c.user.in_(enabled),
        ]
        if not MEMBERSHIPS.count(self._connection, others):
            raise refused(
                "last_owner",
                f"{member.user} is the last owner of {member.project}",
                hint="make another member an owner first",
                project=member.project,
                user=member.user,
            )
