"""Uploads, jobs, runs of the validation, and what staff of the shop asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata.database.records import Object
from lakeshelf.governance.metadata.tables.acts import ACTS, Act
from lakeshelf.governance.metadata.tables.work import (
    JOBS,
    UPLOADS,
    VALIDATION_RUNS,
    BackgroundJob,
    Upload,
    ValidationRun,
)

QUEUED, RUNNING = "queued", "running"
DONE, FAILED, CANCELLED, INTERRUPTED = "done", "failed", "cancelled", "interrupted"
GOING = (QUEUED, RUNNING)
ASKED, REFUSED = "asked", "refused"
"""States of acts beside `DONE`."""


class Uploads:
    """Files that become change requests."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, upload: Upload) -> Upload:
        """A new upload."""
        return UPLOADS.add(self._connection, upload)

    def get(self, project: str, upload: str) -> Upload:
        """An upload.

        Raises:
            GovernanceError: `not_found`.
        """
        return UPLOADS.get(self._connection, project=project, id=upload)

    def all(self, project: str, dataset: str | None = None) -> list[Upload]:
        """Uploads of a project or a dataset, the newest first."""
        where = [UPLOADS.c.project == project]
        if dataset is not None:
            where.append(UPLOADS.c.dataset == dataset)
        order = [UPLOADS.c.created_at.desc(), UPLOADS.c.id]
        return UPLOADS.all(self._connection, where, order=order)

    def advance(self, seen: Upload, status: str, at: datetime, report: Object) -> Upload:
        """Change how far an upload is, if its status is still the one that was seen.

        Raises:
            GovernanceError: `state_changed`: somebody else was first.
        """
        where = [UPLOADS.is_(seen), UPLOADS.c.status == seen.status]
        values = {"status": status, "updated_at": at, "report": report}
        if not UPLOADS.change(self._connection, where, **values):
            now = self.get(seen.project, seen.id).status
            raise refused(
                "state_changed",
                f"upload {seen.id} is {now}, no longer {seen.status}",
                hint="look at it again",
                status=now,
            )
        return self.get(seen.project, seen.id)

    def old(self, before: datetime) -> list[Upload]:
        """Uploads that have not changed since then."""
        return UPLOADS.all(self._connection, [UPLOADS.c.updated_at <= before])

    def remove(self, upload: Upload) -> None:
        """Forget an upload."""
        UPLOADS.remove(self._connection, [UPLOADS.is_(upload)])


class Jobs:
    """What takes longer than a call."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, job: BackgroundJob) -> BackgroundJob:
        """A new job."""
        return JOBS.add(self._connection, job)

    def get(self, job: str, user: str) -> BackgroundJob:
        """A job of a user.

        Raises:
            GovernanceError: `not_found`: there is none, or it is somebody else's.
        """
        return JOBS.get(self._connection, id=job, user=user)

    def all(self, user: str, limit: int | None = None) -> list[BackgroundJob]:
        """Jobs of a user, the newest first."""
        order = [JOBS.c.created_at.desc(), JOBS.c.id]
        return JOBS.all(self._connection, [JOBS.c.user == user], order=order, limit=limit)

    def going(self, user: str, kind: str) -> int:
        """How many jobs of a user have not ended."""
        where = [JOBS.c.user == user, JOBS.c.kind == kind, JOBS.c.status.in_(GOING)]
        return JOBS.count(self._connection, where)

    def begin(self, job: BackgroundJob, at: datetime) -> bool:
        """Begin a job that waits; whether it still does."""
        waits = [JOBS.is_(job), JOBS.c.status == QUEUED]
        return JOBS.change(self._connection, waits, status=RUNNING, started_at=at) > 0

    def hold(self, worker: str, deadline: datetime) -> list[BackgroundJob]:
        """Say that a process lives, so that its jobs do; those that are to stop."""
        going = [JOBS.c.worker == worker, JOBS.c.status.in_(GOING)]
        JOBS.change(self._connection, going, deadline=deadline)
        return JOBS.all(self._connection, [*going, JOBS.c.cancel_requested_at.is_not(None)])

    def report(self, job: BackgroundJob, progress: Object) -> None:
        """Tell how far a job is that has not ended."""
        JOBS.change(self._connection, _going(job), progress=progress)

    def end(self, job: BackgroundJob, status: str, result: Object, at: datetime) -> bool:
        """End a job; whether it had not ended before."""
        values = {"status": status, "result": result, "ended_at": at}
        return JOBS.change(self._connection, _going(job), **values) > 0

    def cancel(self, job: BackgroundJob, at: datetime) -> BackgroundJob:
        """End a job that waits, ask one that runs to stop, leave one that has ended."""
        waits = [JOBS.is_(job), JOBS.c.status == QUEUED]
        JOBS.change(self._connection, waits, status=CANCELLED, ended_at=at)
        JOBS.change(self._connection, _going(job), cancel_requested_at=at)
        return self.get(job.id, job.user)

    def interrupt(self, at: datetime, worker: str | None = None) -> int:
        """End jobs whose process has not said for too long that it lives, or all of one that ends; how many."""
        late = JOBS.c.deadline <= at if worker is None else JOBS.c.worker == worker
        where = [JOBS.c.status.in_(GOING), late]
        return JOBS.change(self._connection, where, status=INTERRUPTED, ended_at=at)

    def forget(self, before: datetime) -> int:
        """Remove jobs that had ended by then."""
        return JOBS.remove(self._connection, [JOBS.c.ended_at <= before])


def _going(job: BackgroundJob) -> list[Any]:
    return [JOBS.is_(job), JOBS.c.status.in_(GOING)]


class Runs:
    """Runs of the validation."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, run: ValidationRun) -> ValidationRun:
        """A run that has ended."""
        return VALIDATION_RUNS.add(self._connection, run)

    def get(self, project: str, run: str) -> ValidationRun:
        """A run.

        Raises:
            GovernanceError: `not_found`.
        """
        return VALIDATION_RUNS.get(self._connection, project=project, id=run)

    def ids(self, project: str, dataset: str) -> frozenset[str]:
        """Ids of all runs of a dataset."""
        where = [VALIDATION_RUNS.c.project == project, VALIDATION_RUNS.c.dataset == dataset]
        return frozenset(one.id for one in VALIDATION_RUNS.all(self._connection, where))

    def of_request(self, project: str, request: int) -> list[ValidationRun]:
        """Runs over a change request, the newest first."""
        columns = VALIDATION_RUNS.c
        where = [columns.project == project, columns.request == request]
        order = [columns.ended_at.desc(), columns.id]
        return VALIDATION_RUNS.all(self._connection, where, order=order)


_NEWEST_FIRST = (ACTS.c.asked_at.desc(), ACTS.c.id)


class Acts:
    """What staff of the shop asks for."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, act: Act) -> Act:
        """A new act."""
        return ACTS.add(self._connection, act)

    def get(self, act: str) -> Act:
        """An act.

        Raises:
            GovernanceError: `not_found`.
        """
        return ACTS.get(self._connection, id=act)

    def of_call(self, user: str, request_id: str, command: str) -> list[Act]:
        """What one call asked for."""
        columns = ACTS.c
        where = [columns.user == user, columns.request_id == request_id, columns.command == command]
        return ACTS.all(self._connection, where)

    def of_messages(self, ids: Iterable[str]) -> list[Act]:
        """Acts whose messages have these ids."""
        return ACTS.all(self._connection, [ACTS.c.id.in_(list(ids))])

    def all(
        self,
        among: Mapping[str, Sequence[str]],
        offset: int = 0,
        limit: int | None = None,
        *,
        is_newest: bool = False,
    ) -> tuple[list[Act], int]:
        """Acts with one of these values each, the newest first, and how many there are in all.

        Args:
            among: Field → values that it may have.
            offset: Acts that are passed over.
            limit: Most acts; None: all that follow.
            is_newest: Of each target, the newest of them alone.
        """
        where: list[ColumnElement[bool]] = [ACTS.c[one].in_(some) for one, some in among.items()]
        if is_newest:
            where = [_newest_of_each(where)]
        rows = ACTS.all(self._connection, where, order=_NEWEST_FIRST, limit=limit, offset=offset)
        return rows, ACTS.count(self._connection, where)

    def sent(self, acts: Iterable[Act], at: datetime) -> None:
        """Remember that the broker has the messages of acts."""
        for act in acts:
            ACTS.change(self._connection, [ACTS.is_(act)], sent_at=at)

    def settle(self, act: str, refusal: str | None, at: datetime) -> None:
        """Remember that an act was done, or why it was refused, unless it is known."""
        where = [ACTS.c.id == act, ACTS.c.settled_at.is_(None)]
        state = DONE if refusal is None else REFUSED
        ACTS.change(self._connection, where, state=state, refusal=refusal, settled_at=at)

    def forget(self, before: datetime) -> int:
        """Remove acts that were asked for by then; how many."""
        return ACTS.remove(self._connection, [ACTS.c.asked_at <= before])


def _newest_of_each(where: Sequence[ColumnElement[bool]]) -> ColumnElement[bool]:
    """Whether an act is the newest of its target among those for which all conditions hold."""
    place = func.row_number().over(partition_by=ACTS.c.target, order_by=_NEWEST_FIRST)
    placed = select(ACTS.c.id, place.label("place")).where(*where).subquery()
    return ACTS.c.id.in_(select(placed.c.id).where(placed.c.place == 1))
