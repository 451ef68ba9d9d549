"""The end of a change request without a merge: taken back, or nobody touched it."""

from __future__ import annotations

from lakeshelf.governance.domain.requests.lifecycle import OPEN, step
from lakeshelf.governance.metadata.tables.requests import ChangeRequest
from lakeshelf.governance.services.access import require_right
from lakeshelf.governance.services.changes import proposals
from lakeshelf.governance.services.changes.finishing import SERVICE, place
from lakeshelf.governance.services.context import Caller, Context, record


def withdraw(context: Context, caller: Caller, project: str, number: int) -> ChangeRequest:
    """Take a change request back.

    Raises:
        GovernanceError: `not_found`, `forbidden`: the caller is no author; `transition_refused`, `state_changed`.
    """
    now = context.clock()
    with context.metadata.transaction() as tx:
        require_right(tx, caller, project, "create_change_request")
        request = tx.requests.get(project, number)
        by_author = caller.user in tx.requests.authors(project, number)
        facts = {"revision_current": True, "by_author": by_author}
        status = step(request.status, "withdraw", facts)
        withdrawn = tx.requests.advance(request, at=now, status=status)
        record(tx, caller, "cr.withdrawn", now, **place(withdrawn))
    _removed(context, withdrawn)
    return withdrawn


def expire(context: Context) -> list[ChangeRequest]:
    """End change requests that nobody has touched for `EXPIRY`."""
    now = context.clock()
    with context.metadata.transaction() as tx:
        ended = []
        for request in tx.requests.expired(OPEN, now):
            status = step(request.status, "expire", {"revision_current": True, "silent": True})
            ended.append(tx.requests.advance(request, at=now, status=status))
            audience = tx.requests.authors(request.project, request.number)
            record(tx, SERVICE, "cr.expired", now, **place(request), tell=audience)
    for request in ended:
        _removed(context, request)
    return ended


def _removed(context: Context, request: ChangeRequest) -> None:
    with context.metadata.reading() as tx:
        definition = tx.datasets.definition(request.project, request.dataset)
    proposals.staged_log(context, request, definition).remove()
