"""Projects, and who may do what in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKeyConstraint

from lakeshelf.governance.domain.permissions import Role
from lakeshelf.governance.metadata.database.records import declare


@dataclass(frozen=True)
class Project:
    """A folder of governed datasets.

    Attributes:
        id: Its id.
        title: What people call it.
        description: What it is for.
        created_by: Who made it.
        created_at: When.
    """

    id: str
    title: str
    description: str
    created_by: str
    created_at: datetime


@dataclass(frozen=True)
class Membership:
    """A member of a project.

    Attributes:
        project: The project.
        user: The member.
        role: What it may do.
        added_by: Who gave the role.
        added_at: When.
    """

    project: str
    user: str
    role: Role
    added_by: str
    added_at: datetime


@dataclass(frozen=True)
class GroupMember:
    """A member of a group, which a policy names for a column; a group is there while it has a member."""

    project: str
    group: str
    user: str
    added_by: str
    added_at: datetime


@dataclass(frozen=True)
class NamedViewer:
    """A viewer who may approve what changes a dataset."""

    project: str
    dataset: str
    user: str
    named_by: str
    named_at: datetime


def _of_member() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["project", "user"], ["membership.project", "membership.user"], ondelete="CASCADE"
    )


PROJECTS = declare("project", Project, ["id"], ForeignKeyConstraint(["created_by"], ["user.name"]))
MEMBERSHIPS = declare(
    "membership",
    Membership,
    ["project", "user"],
    ForeignKeyConstraint(["project"], ["project.id"]),
    ForeignKeyConstraint(["user"], ["user.name"]),
)
GROUP_MEMBERS = declare("group_member", GroupMember, ["project", "group", "user"], _of_member())
NAMED_VIEWERS = declare(
    "named_viewer",
    NamedViewer,
    ["project", "dataset", "user"],
    _of_member(),
    ForeignKeyConstraint(["project", "dataset"], ["dataset.project", "dataset.id"]),
)
