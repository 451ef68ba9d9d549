"""Change requests, their revisions, and how they stand to the table."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from lakeshelf.governance.domain.requests.lifecycle import State
from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata.database.records import Records
from lakeshelf.governance.metadata.tables.requests import (
    AUTHORS,
    MARKS,
    REQUESTS,
    RESOLUTIONS,
    REVIEWERS,
    REVISIONS,
    Author,
    ChangeRequest,
    RequestMark,
    Resolution,
    Reviewer,
    Revision,
)


class Requests:
    """Change requests, revisions, authors, reviewers, marks and settled conflicts."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, draft: ChangeRequest) -> ChangeRequest:
        """A new change request, with the next number of its project in place of the draft's."""
        here = [REQUESTS.c.project == draft.project]
        number = REQUESTS.next(self._connection, "number", here)
        return REQUESTS.add(self._connection, replace(draft, number=number))

    def get(self, project: str, number: int) -> ChangeRequest:
        """A change request.

        Raises:
            GovernanceError: `not_found`.
        """
        return REQUESTS.get(self._connection, project=project, number=number)

    def all(
        self,
        project: str | None = None,
        dataset: str | None = None,
        *,
        statuses: Collection[State] | None = None,
        created_by: str | None = None,
        below: int | None = None,
        limit: int | None = None,
    ) -> list[ChangeRequest]:
        """Change requests, the newest first.

        Args:
            project: Only of this project.
            dataset: Only of this dataset.
            statuses: Only in one of these states.
            created_by: Only by this user.
            below: Only with a lower number, for the next page.
            limit: At most so many.
        """
        equal = {"project": project, "dataset": dataset, "created_by": created_by}
        where = [REQUESTS.c[name] == value for name, value in equal.items() if value is not None]
        if statuses is not None:
            where.append(REQUESTS.c.status.in_(statuses))
        if below is not None:
            where.append(REQUESTS.c.number < below)
        order = [REQUESTS.c.project, REQUESTS.c.number.desc()]
        return REQUESTS.all(self._connection, where, order=order, limit=limit)

    def counts(self) -> dict[tuple[str, str, State], int]:
        """Project, dataset and state → change requests."""
        by = (REQUESTS.c.project, REQUESTS.c.dataset, REQUESTS.c.status)
        rows = self._connection.execute(select(*by, func.count()).group_by(*by))
        return {(project, dataset, state): count for project, dataset, state, count in rows}

    def expired(self, statuses: Collection[State], at: datetime) -> list[ChangeRequest]:
        """Change requests in one of the states whose time is over."""
        where = [REQUESTS.c.status.in_(statuses), REQUESTS.c.expires_at <= at]
        return REQUESTS.all(self._connection, where)

    def advance(self, seen: ChangeRequest, *, at: datetime, **changes: Any) -> ChangeRequest:
        """Change a change request, if state and revision are still those that were seen.

        Args:
            seen: The change request as it was read.
            at: When.
            changes: Fields and what they become.

        Raises:
            GovernanceError: `state_changed`: somebody else was first; nothing was changed.
        """
        unknown = changes.keys() - {field.name for field in fields(ChangeRequest)}
        if unknown:
            raise TypeError(f"a change request has no {', '.join(sorted(unknown))}")
        where = [
            REQUESTS.is_(seen),
            REQUESTS.c.status == seen.status,
            REQUESTS.c.revision == seen.revision,
        ]
        if not REQUESTS.change(self._connection, where, updated_at=at, **changes):
            now = self.get(seen.project, seen.number)
            raise refused(
                "state_changed",
                f"CR {seen.number} of {seen.project} is {now.status} in revision {now.revision}, "
                f"no longer {seen.status} in revision {seen.revision}",
                hint="look at it again",
                status=now.status,
                revision=now.revision,
            )
        return self.get(seen.project, seen.number)

    def add_revision(self, revision: Revision) -> Revision:
        """What was submitted."""
        return REVISIONS.add(self._connection, revision)

    def revision(self, project: str, request: int, revision: int) -> Revision:
        """A revision.

        Raises:
            GovernanceError: `not_found`.
        """
        key = {"project": project, "request": request, "revision": revision}
        return REVISIONS.get(self._connection, **key)

    def revisions(self, project: str, request: int) -> list[Revision]:
        """Revisions of a change request, the oldest first."""
        return self._of(REVISIONS, project, request)

    def add_authors(self, project: str, request: int, users: Iterable[str], at: datetime) -> None:
        """Remember who wrote a cell or settled a conflict; nobody stops to be an author."""
        for user in sorted(set(users) - self.authors(project, request)):
            AUTHORS.add(self._connection, Author(project, request, user, at))

    def authors(self, project: str, request: int) -> frozenset[str]:
        """Who wrote a cell or settled a conflict."""
        return frozenset(author.user for author in self._of(AUTHORS, project, request))

    def ask(self, reviewer: Reviewer) -> None:
        """Ask somebody to review a change request."""
        REVIEWERS.put(self._connection, reviewer)

    def reviewers(self, project: str, request: int) -> frozenset[str]:
        """Who was asked to review a change request."""
        return frozenset(reviewer.user for reviewer in self._of(REVIEWERS, project, request))

    def mark(self, mark: RequestMark) -> RequestMark:
        """Remember how a change request stands to the table."""
        return MARKS.put(self._connection, mark)

    def marked(self, project: str, request: int) -> RequestMark | None:
        """How a change request stands to the table; None: it was not compared yet."""
        return MARKS.find(self._connection, project=project, request=request)

    def resolve(self, resolution: Resolution) -> Resolution:
        """Settle a conflict, in place of how it was settled before."""
        return RESOLUTIONS.put(self._connection, resolution)

    def resolutions(self, project: str, request: int) -> list[Resolution]:
        """How conflicts of a change request were settled, by row and column."""
        return self._of(RESOLUTIONS, project, request)

    def forget_resolutions(self, project: str, request: int) -> int:
        """Forget how conflicts were settled; how many these were."""
        return RESOLUTIONS.remove(self._connection, _where(RESOLUTIONS, project, request))

    def _of(self, records: Records[Any], project: str, request: int) -> list[Any]:
        return records.all(self._connection, _where(records, project, request))


def _where(records: Records[Any], project: str, request: int) -> list[Any]:
    return [records.c.project == project, records.c.request == request]
