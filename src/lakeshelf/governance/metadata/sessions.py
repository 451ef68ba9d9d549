"""Live sessions: who edits a dataset like a spreadsheet."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from lakeshelf.counts import count_of
from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata.tables.datasets import LIVE_SESSIONS, LiveSession


class Sessions:
    """Live sessions."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, session: LiveSession) -> LiveSession:
        """A new session."""
        return LIVE_SESSIONS.add(self._connection, session)

    def get(self, session: str) -> LiveSession:
        """A session, also one that has ended.

        Raises:
            GovernanceError: `not_found`.
        """
        return LIVE_SESSIONS.get(self._connection, id=session)

    def open(
        self, project: str, dataset: str | None = None, user: str | None = None
    ) -> list[LiveSession]:
        """Sessions that have not ended, the newest first."""
        equal = {"project": project, "dataset": dataset, "user": user}
        where = [
            LIVE_SESSIONS.c[name] == value for name, value in equal.items() if value is not None
        ]
        where.append(LIVE_SESSIONS.c.ended_at.is_(None))
        newest = LIVE_SESSIONS.c.created_at.desc()
        return LIVE_SESSIONS.all(self._connection, where, order=[newest, LIVE_SESSIONS.c.id])

    def edit(self, session: str, *, edits: int, size: int, at: datetime) -> int:
        """Count edits in before they are written; the `seq` of the first.

        Args:
            session: The session.
            edits: How many there are.
            size: Their bytes.
            at: When.

        Raises:
            GovernanceError: `not_found`; `gone`: it has ended.
        """
        running = self.require_open(session)
        values = {"edits": running.edits + edits, "size": running.size + size, "edited_at": at}
        LIVE_SESSIONS.change(self._connection, [LIVE_SESSIONS.is_(running)], **values)
        return running.edits + 1

    def submitted(self, seen: LiveSession, request: int, at: datetime) -> None:
        """End a session that becomes a change request, with the edits that were seen.

        Raises:
            GovernanceError: `gone`: it has ended; `state_changed`: edits came meanwhile.
        """
        running = self.require_open(seen.id)
        if running.edits != seen.edits:
            raise refused(
                "state_changed",
                f"{count_of(running.edits - seen.edits, 'edit')} came into session {seen.id} while it was submitted",
                hint="submit it again",
                session=seen.id,
            )
        LIVE_SESSIONS.change(self._connection, [LIVE_SESSIONS.is_(running)], request=request)
        self.end(seen.id, at)

    def end(self, session: str, at: datetime) -> LiveSession:
        """End a session; one that has ended stays as it is.

        Raises:
            GovernanceError: `not_found`.
        """
        seen = self.get(session)
        goes_on = LIVE_SESSIONS.c.ended_at.is_(None)
        LIVE_SESSIONS.change(self._connection, [LIVE_SESSIONS.is_(seen), goes_on], ended_at=at)
        return self.get(session)

    def idle(self, before: datetime) -> list[LiveSession]:
        """Sessions that have not ended, and were last edited by then."""
        where = [LIVE_SESSIONS.c.ended_at.is_(None), LIVE_SESSIONS.c.edited_at <= before]
        return LIVE_SESSIONS.all(self._connection, where)

    def require_open(self, session: str) -> LiveSession:
        """A session that has not ended.

        Raises:
            GovernanceError: `not_found`; `gone`: it has ended.
        """
        seen = self.get(session)
        if seen.ended_at:
            raise refused(
                "gone",
                f"session {session} ended at {seen.ended_at:%Y-%m-%d %H:%M:%S} UTC",
                hint="open another one",
                session=session,
            )
        return seen
