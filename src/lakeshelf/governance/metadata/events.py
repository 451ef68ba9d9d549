"""What has happened, for those who watch, and who is told of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, func, select

from lakeshelf.governance.metadata.tables.events import EVENTS, NOTICES, Event, Notice


class Events:
    """Events in the order of their numbers, and notices of them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, event: Event) -> Event:
        """A new event, with the next number in place of its own.

        Writers come one after the other, so whoever sees a number has seen all lower ones.
        """
        number = EVENTS.next(self._connection, "number")
        return EVENTS.add(self._connection, replace(event, number=number))

    def get(self, number: int) -> Event:
        """An event.

        Raises:
            GovernanceError: `not_found`.
        """
        return EVENTS.get(self._connection, number=number)

    def after(
        self, number: int, *, projects: Collection[str] | None = None, limit: int | None = None
    ) -> list[Event]:
        """Events with a higher number, of the projects or of all, in order."""
        where = [EVENTS.c.number > number]
        if projects is not None:
            where.append(EVENTS.c.project.in_(projects))
        return EVENTS.all(self._connection, where, limit=limit)

    def newest(self) -> int:
        """The highest number; 0: nothing has happened."""
        return self._connection.execute(select(func.max(EVENTS.c.number))).scalar() or 0

    def follows(self, number: int) -> bool:
        """Whether all that came after a number is still kept; else a reader has to begin anew."""
        oldest = self._connection.execute(select(func.min(EVENTS.c.number))).scalar() or 1
        return oldest - 1 <= number <= self.newest()

    def forget(self, before: datetime) -> int:
        """Remove events, and notices of them, that had happened by then; the newest one stays, for its number."""
        where = [EVENTS.c.happened_at <= before, EVENTS.c.number < self.newest()]
        return EVENTS.remove(self._connection, where)

    def tell(self, event: Event, users: Iterable[str]) -> None:
        """Give users notice of an event."""
        for user in sorted(set(users)):
            NOTICES.add(self._connection, Notice(event.number, user, event.happened_at))

    def notices(
        self, user: str, *, unread: bool = False, limit: int | None = None
    ) -> list[tuple[Notice, Event]]:
        """Notices of a user with their events, the newest first."""
        where = [NOTICES.c.user == user]
        if unread:
            where.append(NOTICES.c.read_at.is_(None))
        order = [NOTICES.c.event.desc()]
        notices = NOTICES.all(self._connection, where, order=order, limit=limit)
        events = EVENTS.all(
            self._connection, [EVENTS.c.number.in_([notice.event for notice in notices])]
        )
        by_number = {event.number: event for event in events}
        return [(notice, by_number[notice.event]) for notice in notices]

    def read(self, user: str, up_to: int, at: datetime) -> int:
        """Remember that a user has read notices of events up to a number; how many were unread."""
        unread = [NOTICES.c.user == user, NOTICES.c.event <= up_to, NOTICES.c.read_at.is_(None)]
        return NOTICES.change(self._connection, unread, read_at=at)
