"""What the approvals of a change request come to now."""

from __future__ import annotations

from lakeshelf.governance.domain.requests.approvals import (
    CHECKS,
    ApprovalState,
    ReviewedContent,
    judged,
    passed_checks,
)
from lakeshelf.governance.domain.staged import columns_of
from lakeshelf.governance.metadata.opening import Transaction
from lakeshelf.governance.metadata.tables.requests import ChangeRequest
from lakeshelf.governance.metadata.tables.reviews import Decision
from lakeshelf.governance.services.access import subject
from lakeshelf.governance.services.changes import proposals

APPROVE: Decision = "approve"
REJECT: Decision = "reject"
REJECT_CELLS: Decision = "reject_cells"


def judgement(tx: Transaction, proposal: proposals.Proposal) -> ApprovalState:
    """What the approvals of a change request count for now."""
    request = proposal.request
    place = (request.project, request.number)
    passed = passed_checks(_passed_points(tx, proposal))
    return judged(
        proposal.definition.policy,
        tx.reviews.approvals(*place),
        content_of(proposal),
        tx.projects.people(request.project),
        subject(tx, request),
        passed,
    )


def _passed_points(tx: Transaction, proposal: proposals.Proposal) -> set[str]:
    """Where what is under review passed by the rules in force; a definition is checked whenever it is looked at."""
    request = proposal.request
    if request.kind == proposals.DEFINITION:
        return set(CHECKS)
    judged_now = (request.content_hash, proposal.definition.version)
    return {
        run.point
        for run in tx.runs.of_request(request.project, request.number)
        if run.passed and (run.content_hash, run.definition_version) == judged_now
    }


def approvers(tx: Transaction, request: ChangeRequest) -> list[str]:
    """Who approved what is under review."""
    return sorted(one.giver for one in tx.reviews.approvals(request.project, request.number))


def content_of(proposal: proposals.Proposal) -> ReviewedContent:
    """What is to be approved, as it is now."""
    request = proposal.request
    columns = columns_of(proposal.definition, proposal.staged)
    version = proposal.definition.version
    return ReviewedContent(request.revision, str(request.content_hash), version, columns)
