"""Links that sign a browser in, and who is signed in."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from lakeshelf.governance.metadata.people import People, digest, stranger
from lakeshelf.governance.metadata.tables.people import (
    BROWSER_SESSIONS,
    SIGN_IN_LINKS,
    BrowserSession,
    SignInLink,
    User,
)


class Browsers:
    """Links that sign a browser in, and sessions of browsers."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._people = People(connection)

    def add_link(self, link: SignInLink) -> SignInLink:
        """A new link."""
        self._people.enabled(link.user)
        return SIGN_IN_LINKS.add(self._connection, link)

    def use_link(self, secret: str, at: datetime) -> SignInLink:
        """Use a link, once.

        Raises:
            GovernanceError: `unauthenticated`: unknown, used, expired, its user disabled or its token no longer good.
        """
        link = SIGN_IN_LINKS.find(self._connection, digest=digest(secret))
        if link is None:
            raise stranger("this link is not known", "ask for a new one")
        self._require_good(link, at)
        unused = [SIGN_IN_LINKS.is_(link), SIGN_IN_LINKS.c.used_at.is_(None)]
        if link.expires_at <= at or not SIGN_IN_LINKS.change(self._connection, unused, used_at=at):
            raise stranger("this link was used or has expired", "ask for a new one")
        return link

    def sign_in(self, session: BrowserSession) -> BrowserSession:
        """A new session."""
        self._people.enabled(session.user)
        return BROWSER_SESSIONS.add(self._connection, session)

    def signed_in(self, secret: str, at: datetime) -> tuple[User, BrowserSession]:
        """Who is signed in by the secret of a cookie.

        Raises:
            GovernanceError: `unauthenticated`: unknown, expired, ended, the user disabled, or the token that it stems
                from no longer good.
        """
        session = self.find(secret)
        if session is None or session.ended_at or session.expires_at <= at:
            raise stranger("nobody is signed in", "sign in")
        return self._require_good(session, at), session

    def open(self, user: str, at: datetime) -> list[BrowserSession]:
        """Where a user is signed in, the newest first."""
        where = [*_open(at), BROWSER_SESSIONS.c.user == user]
        order = [BROWSER_SESSIONS.c.created_at.desc(), BROWSER_SESSIONS.c.id]
        return BROWSER_SESSIONS.all(self._connection, where, order=order)

    def get(self, session: str) -> BrowserSession:
        """A session.

        Raises:
            GovernanceError: `not_found`.
        """
        return BROWSER_SESSIONS.get(self._connection, id=session)

    def find(self, secret: str) -> BrowserSession | None:
        """The session of a cookie, good or not; None: there is none."""
        return BROWSER_SESSIONS.find(self._connection, digest=digest(secret))

    def is_good(self, session: str, at: datetime) -> bool:
        """Whether a session has neither expired nor ended."""
        return BROWSER_SESSIONS.count(self._connection, [*_open(at), _is(session)]) > 0

    def sign_out(self, session: str, at: datetime) -> None:
        """End a session; one that has ended stays so."""
        open_ = [_is(session), BROWSER_SESSIONS.c.ended_at.is_(None)]
        BROWSER_SESSIONS.change(self._connection, open_, ended_at=at)

    def forget(self, before: datetime) -> int:
        """Remove links and sessions that had expired by then; how many."""
        return sum(
            records.remove(self._connection, [records.c.expires_at <= before])
            for records in (SIGN_IN_LINKS, BROWSER_SESSIONS)
        )

    def _require_good(self, record: SignInLink | BrowserSession, at: datetime) -> User:
        if record.token is not None:
            self._people.require_good(record.token, at)
        return self._people.enabled(record.user)


def _is(session: str) -> Any:
    return BROWSER_SESSIONS.c.id == session


def _open(at: datetime) -> list[Any]:
    return [BROWSER_SESSIONS.c.ended_at.is_(None), BROWSER_SESSIONS.c.expires_at > at]
