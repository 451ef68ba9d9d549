"""Merges whose merger died or was stopped: finished where the commit was made, given back where it was not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial

from lakeshelf.errors import LakeshelfError
from lakeshelf.governance.domain.requests.lifecycle import step
from lakeshelf.governance.metadata.opening import Transaction
from lakeshelf.governance.metadata.tables.requests import ChangeRequest
from lakeshelf.governance.metadata.tables.work import Lease
from lakeshelf.governance.services.changes.finishing import SERVICE, app_id, clean_up, place
from lakeshelf.governance.services.changes.merging import (
    LEASE,
    Merger,
    is_at_once,
    lease_name,
    plan_of,
)
from lakeshelf.governance.services.context import Caller, Context, record
from lakeshelf.governance.services.datasets import table_of
from lakeshelf.lake.place.errors import Conflict
from lakeshelf.logs import log


def recover(context: Context) -> list[ChangeRequest]:
    """Look after every merge whose lease is over, and after what merged ones left to clean up."""
    return [*_merging(context), *_merged(context)]


def left_alone(tx: Transaction, now: datetime) -> list[ChangeRequest]:
    """Merges that nobody works on: their lease is over, and was not given back."""
    leases = [(request, tx.leases.find(lease_name(request))) for request in _in_merge(tx)]
    return [request for request, lease in leases if lease is None or lease.deadline < now]


def _in_merge(tx: Transaction) -> list[ChangeRequest]:
    return tx.requests.all(statuses=["merging"])


def _merging(context: Context) -> Iterator[ChangeRequest]:
    with context.metadata.reading() as tx:
        left = _in_merge(tx)
    for request in left:
        with context.metadata.transaction() as tx:
            lease = tx.leases.take(lease_name(request), context.holder, context.clock(), LEASE)
        if lease is not None:
            yield from _attempted(request, partial(_taken_over, context, request, lease))


def _taken_over(context: Context, request: ChangeRequest, lease: Lease) -> ChangeRequest:
    """A merge as it comes out: settled if its commit stands, else approved again, behind a fence."""
    while True:
        with context.metadata.reading() as tx:
            opened = table_of(context, tx, request.project, request.dataset).opened()
        if opened.is_done(app_id(request), request.revision):
            by = Caller(plan_of(context, request)["merged_by"])
            merger = Merger(context, by, request, lease)
            return clean_up(context, merger.settled(opened.version_of(request.number)))
        try:
            opened.fence((f"fence:{app_id(request)}", lease.number), {"kind": "fence"})
        except Conflict:
            continue
        return _given_back(context, request, lease)


def _given_back(context: Context, request: ChangeRequest, lease: Lease) -> ChangeRequest:
    now = context.clock()
    with context.metadata.transaction() as tx:
        tx.leases.require(lease)
        status = step(request.status, "failure", {"at_once": is_at_once(request)})
        back = tx.requests.advance(request, at=now, status=status, lease=None)
        record(tx, SERVICE, "cr.not_merged", now, **place(back), details={"code": "merger_gone"})
        tx.leases.give_back(lease)
    return back


def _merged(context: Context) -> Iterator[ChangeRequest]:
    with context.metadata.reading() as tx:
        left = tx.requests.all(statuses=["merged"])
    for request in left:
        yield from _attempted(request, partial(clean_up, context, request))


def _attempted(
    request: ChangeRequest, work: Callable[[], ChangeRequest]
) -> Iterator[ChangeRequest]:
    """What becomes of a merge; one whose table cannot be read or written now does not keep the others waiting."""
    try:
        yield work()
    except LakeshelfError as error:
        log.warning("not recovered", **place(request), error=str(error))
