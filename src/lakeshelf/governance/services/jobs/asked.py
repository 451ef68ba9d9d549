"""Jobs as who asked for them sees them: how far they are, and their end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lakeshelf.governance.errors import GovernanceError, refused
from lakeshelf.governance.metadata.tables.work import BackgroundJob
from lakeshelf.governance.metadata.work import DONE, FAILED, GOING, INTERRUPTED
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.services.jobs.running import Runner
from lakeshelf.governance.services.reading.listing import require_reading

QUERY, CALL = "query", "call"
"""Kinds: a statement; a call that took longer than its caller waited."""


@dataclass(frozen=True)
class SeenJob:
    """A job, and what can be done with it.

    Attributes:
        job: The job; one whose process has ended is `interrupted`.
        can: Action → true, or the reason why not.
    """

    job: BackgroundJob
    can: Mapping[str, bool | str]

    @property
    def has_ended(self) -> bool:
        """Whether it is how it stays."""
        return self.job.status not in GOING


def jobs(context: Context, caller: Caller, limit: int) -> list[SeenJob]:
    """Jobs of the caller, the newest first.

    Raises:
        GovernanceError: `forbidden`.
    """
    require_reading(caller)
    with context.metadata.reading() as tx:
        return [_seen(context, job) for job in tx.jobs.all(caller.user, limit)]


def job(context: Context, caller: Caller, job_id: str) -> SeenJob:
    """A job of the caller.

    Raises:
        GovernanceError: `not_found`, `forbidden`.
    """
    require_reading(caller)
    with context.metadata.reading() as tx:
        return _seen(context, tx.jobs.get(job_id, caller.user))


def cancel(context: Context, caller: Caller, runner: Runner, job_id: str) -> SeenJob:
    """Cancel a job of the caller: one that waits ends, one that runs is told to.

    Raises:
        GovernanceError: `not_found`, `forbidden`; `transition_refused`: it has ended, or goes to its end.
    """
    seen = job(context, caller, job_id)
    reason = seen.can["cancel"]
    if reason is not True:
        raise refused("transition_refused", f"job {job_id[:80]} is not cancelled: {reason}")
    with context.metadata.transaction() as tx:
        asked = tx.jobs.cancel(seen.job, context.clock())
    runner.stop(asked)
    return _seen(context, asked)


def require_success(ended: BackgroundJob) -> None:
    """Raise what a job that has ended failed by.

    Raises:
        GovernanceError: With the code of its error; `transition_refused`: it was cancelled or interrupted.
    """
    if ended.status == FAILED:
        error = dict((ended.result or {})["error"])
        raise GovernanceError(error["code"], error["message"], details=error["details"])
    if ended.status != DONE:
        raise refused("transition_refused", f"job {ended.id} was {ended.status}", hint="ask again")


def _seen(context: Context, record: BackgroundJob) -> SeenJob:
    going = record.status in GOING
    if going and record.deadline <= context.clock():
        record, going = replace(record, status=INTERRUPTED, ended_at=record.deadline), False
    reason: bool | str = True
    if not going:
        reason = f"it is {record.status}"
    elif record.kind == CALL:
        reason = "a call that has begun goes to its end"
    return SeenJob(record, {"cancel": reason})
