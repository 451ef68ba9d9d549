"""Reviews: approvals, rejections of all or of cells, and what others say."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from lakeshelf.governance.domain.findings import ValidationReport
from lakeshelf.governance.domain.keys import same_key
from lakeshelf.governance.domain.permissions import can
from lakeshelf.governance.domain.requests.lifecycle import step
from lakeshelf.governance.domain.staged import Cell, without
from lakeshelf.governance.errors import GovernanceError, refused
from lakeshelf.governance.metadata.opening import Transaction
from lakeshelf.governance.metadata.tables.requests import ChangeRequest, Reviewer
from lakeshelf.governance.metadata.tables.reviews import Comment, Decision, Review
from lakeshelf.governance.services import runs
from lakeshelf.governance.services.access import actor, require_right, subject
from lakeshelf.governance.services.changes import proposals
from lakeshelf.governance.services.changes.approving import APPROVE, REJECT, REJECT_CELLS, judgement
from lakeshelf.governance.services.changes.defining import checked_next, proposed
from lakeshelf.governance.services.changes.finishing import place
from lakeshelf.governance.services.changes.outside import require_divisible
from lakeshelf.governance.services.changes.requests import mark, next_revision
from lakeshelf.governance.services.context import Caller, Context, record
from lakeshelf.governance.services.datasets import table_of

Facts = dict[str, bool | GovernanceError]
_YET: Facts = {"no_violation": True, "warnings_acknowledged": True}
"""What is looked at last, because it takes longest."""


def approve(
    context: Context,
    caller: Caller,
    project: str,
    number: int,
    content_hash: str,
    *,
    comment: str = "",
    acknowledged: Collection[str] = (),
) -> ChangeRequest:
    """Approve the content that the caller saw.

    Args:
        context: What it stands on.
        caller: Who approves.
        project: The project.
        number: Number of the change request.
        content_hash: The content that was seen.
        comment: What there is to say.
        acknowledged: Names of rules whose warnings were seen.

    Raises:
        GovernanceError: `not_found`, `forbidden`, `author_approves`, `content_changed`, `warnings_unacknowledged`,
            `violations`, `transition_refused`, `state_changed`: another definition came in force;
            `validator_unavailable`.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        seen = tx.requests.get(project, number)
        step(seen.status, "approve", {**_facts(tx, caller, seen, content_hash, "approve"), **_YET})
        proposal = proposals.load(context, tx, seen)
        if seen.kind == proposals.DEFINITION:
            checked_next(tx, project, proposal.definition, proposed(seen))
        began = context.clock()
        opened = table_of(context, tx, project, seen.dataset).opened()
        report = proposal.judged(context, tx, "approve", opened, proposal.merged(opened))
    runs.keep(context, seen, report, content_hash, opened.version, began)
    judged = _judged(report, acknowledged)
    now = context.clock()
    with context.metadata.transaction() as tx:
        request = tx.requests.get(project, number)
        facts = {**_facts(tx, caller, request, content_hash, "approve"), **judged}
        step(request.status, "approve", facts)
        _require_in_force(tx, proposal)
        under = replace(request, definition_version=proposal.definition.version)
        _give(tx, context, caller, under, APPROVE, comment, acknowledged=acknowledged)
        met = judgement(tx, replace(proposal, request=request)).met
        status = step(request.status, "approve", {**facts, "policy_met": met})
        approved = tx.requests.advance(request, at=now, status=status)
        audience = tx.requests.authors(project, number)
        record(
            tx,
            caller,
            f"cr.{'approved' if met else 'reviewed'}",
            now,
            **place(request),
            tell=audience,
        )
    return approved


def reject(
    context: Context, caller: Caller, project: str, number: int, content_hash: str, comment: str
) -> ChangeRequest:
    """Reject the content that the caller saw; the authors may change it and submit it again.

    Raises:
        GovernanceError: `not_found`, `forbidden`, `content_changed`, `comment_required`, `transition_refused`.
    """
    now = context.clock()
    with context.metadata.transaction() as tx:
        require_right(tx, caller, project, "read")
        request = tx.requests.get(project, number)
        facts = _facts(tx, caller, request, content_hash, "reject")
        facts["commented"] = bool(comment.strip())
        status = step(request.status, "reject", facts)
        _give(tx, context, caller, request, REJECT, comment)
        rejected = tx.requests.advance(request, at=now, status=status)
        audience = tx.requests.authors(project, number)
        record(tx, caller, "cr.rejected", now, **place(request), tell=audience)
    return rejected


def reject_cells(
    context: Context,
    caller: Caller,
    project: str,
    number: int,
    content_hash: str,
    cells: Sequence[Cell],
    comment: str = "",
) -> ChangeRequest:
    """Reject some cells, or rows; the rest is a smaller revision.

    Raises:
        GovernanceError: `not_found`, `forbidden`, `content_changed`, `nothing_changed`, `transition_refused`.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        request = tx.requests.get(project, number)
        facts = _facts(tx, caller, request, content_hash, "reject")
        require_divisible(request)
        proposal = proposals.load(context, tx, request)
        cells = proposals.as_known(proposal.definition, cells)
        left = without(proposal.definition, proposal.staged, cells)
        facts["cell_left"] = left.num_rows > 0
        step(request.status, "reject_cells", facts)
        opened = table_of(context, tx, project, request.dataset).opened()
    merged = proposals.Proposal(request, proposal.definition, left, {}).merged(opened)
    clashes = proposals.clashes(proposal.definition, opened, merged)
    behind = opened.changed_since(request.base_version)
    digest = proposals.keep(context, request, proposal.definition, left, request.revision + 1)
    now = context.clock()
    with context.metadata.transaction() as tx:
        facts |= _facts(tx, caller, request, content_hash, "reject")
        status = step(request.status, "reject_cells", facts)
        _give(tx, context, caller, request, REJECT_CELLS, comment, cells=cells)
        smaller = next_revision(
            tx,
            request,
            status,
            proposal.definition,
            left,
            request.base_version,
            str(request.submitted_by),
            now,
            digest,
        )
        tx.requests.mark(mark(smaller, clashes, behind, opened.version, now))
        audience = tx.requests.authors(project, number)
        details = {"cells": len(cells), "revision": smaller.revision}
        record(
            tx, caller, "cr.cells_rejected", now, **place(request), details=details, tell=audience
        )
    return smaller


def say(
    context: Context,
    caller: Caller,
    project: str,
    number: int,
    body: str,
    *,
    row_id: str | None = None,
    column: str | None = None,
    reply_to: str | None = None,
) -> Comment:
    """Comment on a change request, a row or a cell of it.

    Raises:
        GovernanceError: `not_found`, `comment_required`; `key_invalid`, `request_invalid`: no such row or column.
    """
    if not body.strip():
        raise refused("comment_required", "a comment says something", hint="write a text")
    now = context.clock()
    with context.metadata.transaction() as tx:
        require_right(tx, caller, project, "comment")
        request = tx.requests.get(project, number)
        definition = tx.datasets.definition(project, request.dataset)
        row_id = None if row_id is None else same_key(definition, row_id)
        column = None if column is None else definition[column].name
        said = tx.reviews.say(
            Comment(
                context.new_id(), project, number, row_id, column, reply_to, body, caller.user, now
            )
        )
        audience = tx.requests.authors(project, number)
        record(tx, caller, "cr.commented", now, **place(request), tell=audience)
    return said


def settle_comment(
    context: Context, caller: Caller, project: str, number: int, comment: str, *, settled: bool
) -> Comment:
    """Call what a comment asks for done, or open again.

    Raises:
        GovernanceError: `not_found`, `forbidden`.
    """
    now = context.clock()
    with context.metadata.transaction() as tx:
        require_right(tx, caller, project, "comment")
        request = tx.requests.get(project, number)
        remark = tx.reviews.comment(project, number, comment)
        tell = [remark.user, *tx.requests.authors(project, number)]
        words = "settled" if settled else "reopened"
        record(tx, caller, f"cr.comment_{words}", now, **place(request), tell=tell)
        return (
            tx.reviews.settle(remark, caller.user, now) if settled else tx.reviews.unsettle(remark)
        )


def ask(context: Context, caller: Caller, project: str, number: int, user: str) -> None:
    """Ask a member to review a change request, who may approve it then though a viewer; owners ask.

    Raises:
        GovernanceError: `not_found`, `forbidden`.
    """
    now = context.clock()
    with context.metadata.transaction() as tx:
        require_right(tx, caller, project, "ask_reviewer")
        request = tx.requests.get(project, number)
        if tx.projects.role(project, user) is None:
            raise refused("not_found", f"{project} has no member {user[:80]!r}")
        tx.requests.ask(Reviewer(project, number, user, caller.user, now))
        details = {"user": user}
        record(tx, caller, "cr.review_asked", now, **place(request), details=details, tell=[user])


def _facts(
    tx: Transaction, caller: Caller, request: ChangeRequest, content_hash: str, action: str
) -> Facts:
    """What reviews have to meet alike."""
    who, about = actor(tx, caller, request.project), subject(tx, request)
    right = can(who, action, about)
    is_author = action == "approve" and caller.user in about.authors
    return {
        "revision_current": True,
        "may_review": right is True
        or is_author
        or refused("forbidden", f"{caller.user} may not {action} CR {request.number}: {right}"),
        "content_seen": content_hash == request.content_hash
        or refused(
            "content_changed",
            f"CR {request.number} is not what was seen",
            hint="look at what has changed since",
            content_hash=request.content_hash,
            revision=request.revision,
        ),
        "not_author": not is_author,
    }


def _judged(report: ValidationReport, acknowledged: Collection[str]) -> Facts:
    """What an approval has to know of the rows: no violation, and no warning that was not seen."""
    warned = {one.rule for one in report.findings if one.introduced and one.severity == "warning"}
    unseen = sorted(warned - set(acknowledged))
    facts: Facts = {"no_violation": True, "warnings_acknowledged": not unseen}
    if unseen:
        facts["warnings_acknowledged"] = refused(
            "warnings_unacknowledged",
            f"there are warnings of {', '.join(unseen)}",
            hint="look at them, and name them in `acknowledged`",
            rules=unseen,
        )
    try:
        proposals.require_valid(report)
    except GovernanceError as error:
        facts["no_violation"] = error
    return facts


def _require_in_force(tx: Transaction, proposal: proposals.Proposal) -> None:
    request, judged_by = proposal.request, proposal.definition.version
    present = tx.datasets.get(request.project, request.dataset).definition_version
    if present != judged_by:
        raise refused(
            "state_changed",
            f"version {present} of the definition came in force while CR {request.number} was judged by {judged_by}",
            hint="look at it again",
            definition_version=present,
        )


def _give(
    tx: Transaction,
    context: Context,
    caller: Caller,
    request: ChangeRequest,
    decision: Decision,
    comment: str,
    *,
    cells: Sequence[Cell] = (),
    acknowledged: Collection[str] = (),
) -> Review:
    return tx.reviews.give(
        Review(
            project=request.project,
            request=request.number,
            number=0,
            revision=request.revision,
            content_hash=str(request.content_hash),
            definition_version=request.definition_version,
            user=caller.user,
            decision=decision,
            comment=comment,
            cells=tuple([row, column or ""] for row, column in cells),
            acknowledged=tuple(acknowledged),
            reviewed_at=context.clock(),
        )
    )
