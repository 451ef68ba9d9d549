"""What approvals count for: whose, of which content, and whether they are enough.

docs/design/governance.md#approvals
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from lakeshelf.counts import count_of
from lakeshelf.governance.domain.definition import ApprovalPolicy
from lakeshelf.governance.domain.permissions import Actor, RequestSubject, Role, can
from lakeshelf.governance.errors import refused


@dataclass(frozen=True)
class Approval:
    """An approval as it was given.

    Attributes:
        giver: Who.
        revision: Of the change request.
        content_hash: The content that was seen.
        definition_version: The definition in force.
    """

    giver: str
    revision: int
    content_hash: str
    definition_version: int


@dataclass(frozen=True)
class Member:
    """Somebody of a project.

    Attributes:
        name: The user.
        role: Role in the project.
        groups: Groups that the user belongs to.
        active: Whether the user can still sign in.
    """

    name: str
    role: Role
    groups: frozenset[str] = frozenset()
    active: bool = True


@dataclass(frozen=True)
class ReviewedContent:
    """What is to be approved, as it is now.

    Attributes:
        revision: Of the change request.
        content_hash: Hash of its content.
        definition_version: The definition in force.
        columns: Columns that it changes.
    """

    revision: int
    content_hash: str
    definition_version: int
    columns: frozenset[str]


CHECKS = ("submit", "approve")
"""Points of the validation that a policy can require; one that passed stands for those before it."""


def unknown_checks(policy: ApprovalPolicy) -> list[str]:
    """Checks that the policy requires and that nothing runs, each as a sentence."""
    unknown = (name for name in policy.required_checks if name not in CHECKS)
    return [f"there is no check {name}; there are {', '.join(CHECKS)}" for name in unknown]


def passed_checks(points: Collection[str]) -> frozenset[str]:
    """The checks that judgements at some points stand for, of the same content by the same rules."""
    last = max((CHECKS.index(point) for point in points if point in CHECKS), default=-1)
    return frozenset(CHECKS[: last + 1])


@dataclass(frozen=True)
class ApprovalState:
    """What approvals come to.

    Attributes:
        counting: Those who count, in the order in which they approved.
        discounted: Giver → why the approval counts no longer.
        missing: What the policy still asks for, each as a sentence.
    """

    counting: tuple[str, ...]
    discounted: Mapping[str, str]
    missing: tuple[str, ...]

    @property
    def met(self) -> bool:
        """Whether the policy is met."""
        return not self.missing


def judged(
    policy: ApprovalPolicy,
    approvals: Iterable[Approval],
    content: ReviewedContent,
    members: Iterable[Member],
    subject: RequestSubject,
    passed: Collection[str] = (),
) -> ApprovalState:
    """What approvals count for now.

    Args:
        policy: The policy in force.
        approvals: All that were given.
        content: What they have to be about.
        members: Members of the project as they are now.
        subject: The change request: its authors, reviewers and kind; owners are taken from the members.
        passed: Names of checks that passed for this content.
    """
    by_name = {member.name: member for member in members}
    subject = _owned(subject, by_name.values())
    counting: dict[str, Member] = {}
    discounted: dict[str, str] = {}
    for approval in approvals:
        member = by_name.get(approval.giver)
        reason = _stale(approval, content) or _gone(member, subject)
        if reason is None and member is not None:
            counting[approval.giver] = member
            discounted.pop(approval.giver, None)
        elif approval.giver not in counting:
            discounted[approval.giver] = reason or ""
    missing = _missing(policy, content.columns, list(counting.values()))
    checks = [
        f"the check {name} has not passed" for name in policy.required_checks if name not in passed
    ]
    return ApprovalState(tuple(counting), discounted, (*missing, *checks))


def eligible(members: Iterable[Member], subject: RequestSubject) -> tuple[Member, ...]:
    """Who may approve a change request."""
    everybody = tuple(members)
    subject = _owned(subject, everybody)
    return tuple(member for member in everybody if _gone(member, subject) is None)


def require_meetable(
    policy: ApprovalPolicy,
    columns: Collection[str],
    members: Iterable[Member],
    subject: RequestSubject,
) -> None:
    """Refuse a change request whose policy nobody can meet.

    Raises:
        GovernanceError: `policy_unmeetable`, with what is missing even if all approve who may.
    """
    able = eligible(members, subject)
    if missing := [*_missing(policy, columns, able), *unknown_checks(policy)]:
        raise refused(
            "policy_unmeetable",
            f"even if all approve who may, {'; '.join(missing)}",
            hint="ask an owner for more members of the project or its groups, or for another policy",
            missing=missing,
            eligible=[member.name for member in able],
        )


def _stale(approval: Approval, content: ReviewedContent) -> str | None:
    if approval.revision != content.revision:
        return "of an older revision"
    if approval.definition_version != content.definition_version:
        return "given under another definition"
    return None if approval.content_hash == content.content_hash else "of other content"


def _owned(subject: RequestSubject, members: Iterable[Member]) -> RequestSubject:
    """The subject with the owners that there are now."""
    owners = {m.name for m in members if m.role == "owner" and m.active}
    return replace(subject, owners=frozenset(owners))


def _gone(member: Member | None, subject: RequestSubject) -> str | None:
    """Why somebody may not, or no longer, approve."""
    if member is None or not member.active:
        return "no member any more"
    reason = can(Actor(member.name, member.role), "approve", subject)
    return None if reason is True else reason


def _missing(
    policy: ApprovalPolicy, columns: Collection[str], givers: Collection[Member]
) -> tuple[str, ...]:
    sentences = []
    if (lacking := policy.approvals - len(givers)) > 0:
        sentences.append(f"{lacking} of {count_of(policy.approvals, 'approval')} missing")
    groups: dict[str, list[str]] = {}
    for column, group in policy.groups.items():
        if column in columns:
            groups.setdefault(group, []).append(column)
    for group, names in groups.items():
        if not any(group in giver.groups for giver in givers):
            sentences.append(f"nobody of {group} approved {', '.join(names)}")
    return tuple(sentences)
