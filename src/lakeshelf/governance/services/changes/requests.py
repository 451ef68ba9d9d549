"""Change requests: from a session to a revision that others can review, and its end without a merge."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from lakeshelf.errors import LakeshelfError
from lakeshelf.governance.domain.definition import Definition
from lakeshelf.governance.domain.findings import ValidationReport
from lakeshelf.governance.domain.requests.approvals import require_meetable
from lakeshelf.governance.domain.requests.content import content_hash
from lakeshelf.governance.domain.requests.lifecycle import EXPIRY_DAYS, require, step
from lakeshelf.governance.domain.requests.merge import Merged, merge
from lakeshelf.governance.domain.staged import columns_of
from lakeshelf.governance.errors import GovernanceError, refused
from lakeshelf.governance.metadata.opening import Transaction
from lakeshelf.governance.metadata.tables.datasets import LiveSession
from lakeshelf.governance.metadata.tables.requests import ChangeRequest, RequestMark, Revision
from lakeshelf.governance.services import runs
from lakeshelf.governance.services.access import require_right, subject
from lakeshelf.governance.services.changes import proposals
from lakeshelf.governance.services.changes.desks import Desk
from lakeshelf.governance.services.changes.ending import withdraw
from lakeshelf.governance.services.changes.finishing import place
from lakeshelf.governance.services.changes.sessions import session_of
from lakeshelf.governance.services.context import Caller, Context, record
from lakeshelf.governance.services.datasets import table_of
from lakeshelf.governance.storage.main import OpenedTable

EXPIRY = timedelta(days=EXPIRY_DAYS)


def submit_session(
    context: Context,
    caller: Caller,
    session_id: str,
    *,
    title: str,
    description: str = "",
    merge_when_approved: bool = False,
) -> ChangeRequest:
    """Turn the edits of a session into a change request under review, or its next revision.

    A session becomes one change request, however often it is submitted.

    Raises:
        GovernanceError: `nothing_changed`, `violations`, `policy_unmeetable`, `validator_unavailable`, …;
            `already_submitted`, `gone`: it has ended; `state_changed`: another call submitted or edited it meanwhile.
    """
    with context.metadata.reading() as tx:
        session = session_of(tx, caller, session_id)
        require_right(tx, caller, session.project, "create_change_request")
        _require_unsubmitted(tx, session)
        desk = Desk.of(context, tx, session)
        staged = desk.staged
    project, version = session.project, session.base_version
    if session.request is not None:
        said = {
            "title": title,
            "description": description,
            "merge_when_approved": merge_when_approved,
        }
        return submit(
            context, caller, project, session.request, staged, version, session=session, said=said
        )
    require("cell_changed", staged.num_rows > 0)
    with drafted(
        context,
        caller,
        project,
        session.dataset,
        "edit",
        title=title,
        description=description,
        base_version=version,
        origin={"session": session_id},
        merge_when_approved=merge_when_approved,
    ) as number:
        return submit(context, caller, project, number, staged, version, session=session)


@contextmanager
def drafted(
    context: Context,
    caller: Caller,
    project: str,
    dataset: str,
    kind: str,
    *,
    title: str,
    description: str,
    base_version: int,
    origin: Mapping[str, Any],
    merge_when_approved: bool = False,
) -> Iterator[int]:
    """The number of a change request that nobody reviews yet; it is withdrawn where it is not submitted.

    Raises:
        GovernanceError: `not_found`, `forbidden`.
    """
    now = context.clock()
    with context.metadata.transaction() as tx:
        require_right(tx, caller, project, "create_change_request")
        made = tx.requests.add(
            ChangeRequest(
                project=project,
                number=0,
                dataset=dataset,
                kind=kind,
                status="draft",
                title=title,
                description=description,
                base_version=base_version,
                definition_version=tx.datasets.get(project, dataset).definition_version,
                origin=origin,
                created_by=caller.user,
                created_at=now,
                updated_at=now,
                expires_at=now + EXPIRY,
                merge_when_approved=merge_when_approved,
            )
        )
        tx.requests.add_authors(project, made.number, [caller.user], now)
        record(tx, caller, "cr.drafted", now, **place(made))
    try:
        yield made.number
    except LakeshelfError:
        withdraw(context, caller, project, made.number)
        raise


@dataclass(frozen=True)
class StagedJudgement:
    """Staged rows, judged in a version of the table.

    Attributes:
        opened: The table at the version.
        definition: Version of the definition that it was judged by.
        merged: What they would do to it.
        report: What they would violate.
        began: When.
    """

    opened: OpenedTable
    definition: int
    merged: Merged
    report: ValidationReport
    began: datetime

    def holds(self, opened: OpenedTable, definition: Definition) -> bool:
        """Whether the table and the definition are as they were."""
        return (self.opened.version, self.definition) == (opened.version, definition.version)


def submit(
    context: Context,
    caller: Caller,
    project: str,
    number: int,
    staged: pa.Table,
    base_version: int,
    before: StagedJudgement | None = None,
    *,
    session: LiveSession | None = None,
    said: Mapping[str, Any] | None = None,
) -> ChangeRequest:
    """Put staged rows under review as the next revision of a change request.

    Args:
        context: What it stands on.
        caller: Who submits.
        project: The project.
        number: The change request.
        staged: Its rows.
        base_version: Version of the table that they are based on.
        before: How these rows were judged just now; it counts unless the table or the definition changed since.
        session: Session that they come from, as it was seen; it ends with the submission.
        said: Fields of the change request, such as its title, that are said anew.

    Raises:
        GovernanceError: `transition_refused`, `forbidden`, `nothing_changed`, `policy_unmeetable`, `violations`,
            `validator_unavailable`.
    """
    submission = _prepared(context, caller, project, number, staged, base_version, before)
    now = context.clock()
    with context.metadata.transaction() as tx:
        require_right(tx, caller, project, "create_change_request")
        if session is not None:
            tx.sessions.submitted(session, number, now)
        return _put_under_review(tx, caller, submission, now, said)


@dataclass(frozen=True)
class _Submission:
    """Staged rows that were judged and kept; how they stand to the table is told as `mark` takes it."""

    request: ChangeRequest
    definition: Definition
    staged: pa.Table
    base_version: int
    facts: Mapping[str, bool | GovernanceError]
    digest: str
    stands: tuple[int, bool, int]


def _prepared(
    context: Context,
    caller: Caller,
    project: str,
    number: int,
    staged: pa.Table,
    base_version: int,
    before: StagedJudgement | None,
) -> _Submission:
    """Judge staged rows and keep them, with what was found; arguments and errors as for `submit`."""
    with context.metadata.reading() as tx:
        request = tx.requests.get(project, number)
        definition = tx.datasets.definition(project, request.dataset)
        opened = table_of(context, tx, project, request.dataset).opened()
        if before is None or not before.holds(opened, definition):
            proposal = proposals.Proposal(request, definition, staged, {})
            before = _judged(context, tx, proposal, opened, base_version)
        facts = _facts(tx, caller, request, definition, staged, before.report)
    digest = content_hash(definition, staged)
    coming = replace(request, revision=request.revision + 1)
    runs.keep(context, coming, before.report, digest, opened.version, before.began)
    step(request.status, "submit", facts)
    clashes = _clashes(definition, request, before)
    proposals.keep(context, request, definition, staged, coming.revision, digest)
    stands = (clashes, opened.changed_since(base_version), opened.version)
    return _Submission(request, definition, staged, base_version, facts, digest, stands)


def _put_under_review(
    tx: Transaction,
    caller: Caller,
    submission: _Submission,
    now: datetime,
    said: Mapping[str, Any] | None,
) -> ChangeRequest:
    """Make the next revision of what was judged, and tell those who review it."""
    request, digest = submission.request, submission.digest
    status = step(request.status, "submit", submission.facts)
    content = (submission.definition, submission.staged, submission.base_version)
    submitted = next_revision(tx, request, status, *content, caller.user, now, digest, said)
    tx.requests.add_authors(request.project, request.number, [caller.user], now)
    tx.requests.mark(mark(submitted, *submission.stands, now))
    details = {"revision": submitted.revision, "content_hash": digest}
    audience = [one.name for one in tx.projects.people(request.project) if one.role != "viewer"]
    record(tx, caller, "cr.submitted", now, **place(submitted), details=details, tell=audience)
    return submitted


def _judged(
    context: Context,
    tx: Transaction,
    proposal: proposals.Proposal,
    opened: OpenedTable,
    base_version: int,
) -> StagedJudgement:
    began, definition = context.clock(), proposal.definition
    merged = compared(definition, proposal.staged, opened, base_version)
    report = proposal.judged(context, tx, "submit", opened, merged)
    return StagedJudgement(opened, definition.version, merged, report, began)


def _clashes(definition: Definition, request: ChangeRequest, judgement: StagedJudgement) -> int:
    if (
        request.kind == proposals.OUTSIDE
    ):  # its report is of what others did, not of what it would do
        return proposals.clashes(definition, judgement.opened, judgement.merged)
    return proposals.clashes_of(definition, judgement.report, judgement.merged)


def compared(
    definition: Definition, staged: pa.Table, opened: OpenedTable, base_version: int
) -> Merged:
    """What staged rows would do to a version of the table."""
    keys = proposals.keys_of_rows(definition, staged)
    moved = opened.changed_since(base_version)
    return merge(definition, staged, opened.rows(keys), moved=moved)


def mark(
    request: ChangeRequest, clashes: int, behind: bool, version: int, at: datetime
) -> RequestMark:
    """How a change request stands to a version of the table, of which so many cells and rows are in its way."""
    state = "conflicting" if clashes else "behind" if behind else "clean"
    return RequestMark(request.project, request.number, state, version, clashes, at)


def _facts(
    tx: Transaction,
    caller: Caller,
    request: ChangeRequest,
    definition: Definition,
    staged: pa.Table,
    report: ValidationReport,
) -> dict[str, bool | GovernanceError]:
    return {
        "revision_current": True,
        "by_author": caller.user in tx.requests.authors(request.project, request.number),
        "cell_changed": staged.num_rows > 0 or request.kind == proposals.OUTSIDE,
        "policy_meetable": proposals.AT_ONCE in request.origin
        or held(
            lambda: require_meetable(
                definition.policy,
                columns_of(definition, staged),
                tx.projects.people(request.project),
                subject(tx, request),
            )
        ),
        "no_violation": held(lambda: proposals.require_valid(report)),
    }


def held(check: Callable[[], None]) -> bool | GovernanceError:
    """Whether a check passes, or what it refuses."""
    try:
        check()
    except GovernanceError as error:
        return error
    return True


def next_revision(
    tx: Transaction,
    request: ChangeRequest,
    status: str,
    definition: Definition,
    staged: pa.Table,
    base_version: int,
    by: str,
    now: datetime,
    digest: str,
    said: Mapping[str, Any] | None = None,
) -> ChangeRequest:
    """The next revision of a change request; reviews of earlier ones count no longer."""
    revision = request.revision + 1
    inserts, updates, deletes, cells = proposals.counted(definition, staged)
    submitted = tx.requests.advance(
        request,
        at=now,
        status=status,
        revision=revision,
        content_hash=digest,
        base_version=base_version,
        definition_version=definition.version,
        submitted_by=by,
        submitted_at=now,
        expires_at=now + EXPIRY,
        **(said or {}),
    )
    tx.requests.forget_resolutions(request.project, request.number)
    place_ = (request.project, request.number)
    tx.reviews.make_stale(*place_, at=now, reason="a newer revision was submitted")
    tx.requests.add_revision(
        Revision(
            *place_,
            revision,
            digest,
            base_version,
            definition.version,
            inserts,
            updates,
            deletes,
            cells,
            by,
            now,
        )
    )
    return submitted


def _require_unsubmitted(tx: Transaction, session: LiveSession) -> None:
    """Refuse a session that has ended, and say what it became."""
    if session.ended_at and session.request is not None:
        request = tx.requests.get(session.project, session.request)
        if request.revision:
            raise refused(
                "already_submitted",
                f"session {session.id} has become CR {request.number}, which is {request.status}",
                hint="look at it, or open another session",
                request=request.number,
            )
    tx.sessions.require_open(session.id)
