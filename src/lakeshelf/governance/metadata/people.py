"""Users, and how they prove who they are."""

from __future__ import annotations

import hashlib
from datetime import datetime

from sqlalchemy import Connection

from lakeshelf.governance.errors import GovernanceError, refused
from lakeshelf.governance.metadata.tables.people import (
    IDENTITIES,
    TOKENS,
    USERS,
    Identity,
    Token,
    User,
)


def digest(secret: str) -> str:
    """What is kept of a secret of 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


class People:
    """Users, their identities and their tokens."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, user: User) -> User:
        """A new user.

        Raises:
            GovernanceError: `exists`.
        """
        if self.find(user.name):
            raise refused("exists", f"there is a user {user.name} already", user=user.name)
        return USERS.add(self._connection, user)

    def add_first(self, user: User) -> User:
        """The user that is made on the machine, while there is no other.

        Raises:
            GovernanceError: `exists`.
        """
        first = next(iter(self.all()), None)
        if first:
            raise refused(
                "exists",
                f"there is a user already: {first.name}",
                hint="ask an admin for a user",
                user=first.name,
            )
        return self.add(user)

    def get(self, name: str) -> User:
        """A user.

        Raises:
            GovernanceError: `not_found`.
        """
        return USERS.get(self._connection, name=name)

    def find(self, name: str) -> User | None:
        """A user; None: there is none of that name."""
        return USERS.find(self._connection, name=name)

    def all(self) -> list[User]:
        """Every user, by name."""
        return USERS.all(self._connection)

    def change(self, name: str, *, label: str | None = None, admin: bool | None = None) -> User:
        """Change what is given.

        Raises:
            GovernanceError: `not_found`; `last_owner`: there is no other admin.
        """
        user = self.get(name)
        if user.admin and admin is False:
            self._require_other_admin(name)
        changes = {"label": label, "admin": admin}
        values = {field: value for field, value in changes.items() if value is not None}
        if values:
            USERS.change(self._connection, [USERS.is_(user)], **values)
        return self.get(name)

    def disable(self, name: str, at: datetime) -> User:
        """Shut a user out: no token and no session of theirs is good any longer.

        Raises:
            GovernanceError: `not_found`; `last_owner`: there is no other admin.
        """
        user = self.get(name)
        if user.admin:
            self._require_other_admin(name)
        USERS.change(
            self._connection, [USERS.is_(user), USERS.c.disabled_at.is_(None)], disabled_at=at
        )
        return self.get(name)

    def enable(self, name: str) -> User:
        """Let a user in again.

        Raises:
            GovernanceError: `not_found`.
        """
        USERS.change(self._connection, [USERS.is_(self.get(name))], disabled_at=None)
        return self.get(name)

    def issue(self, token: Token) -> Token:
        """A new token of a user."""
        self.get(token.user)
        return TOKENS.add(self._connection, token)

    def token(self, token_id: str) -> Token:
        """A token.

        Raises:
            GovernanceError: `not_found`.
        """
        return TOKENS.get(self._connection, id=token_id)

    def tokens(self, user: str) -> list[Token]:
        """Tokens of a user, good or not."""
        return TOKENS.all(self._connection, [TOKENS.c.user == user], order=[TOKENS.c.created_at])

    def revoke(self, token_id: str, at: datetime) -> Token:
        """Take a token back, and those that were made with it; one that was taken back stays so.

        Raises:
            GovernanceError: `not_found`.
        """
        todo = [self.token(token_id).id]
        while todo:
            one = todo.pop()
            good = [TOKENS.c.id == one, TOKENS.c.revoked_at.is_(None)]
            TOKENS.change(self._connection, good, revoked_at=at)
            made = [TOKENS.c.parent == one, TOKENS.c.revoked_at.is_(None)]
            todo += [token.id for token in TOKENS.all(self._connection, made)]
        return self.token(token_id)

    def authenticate(self, secret: str, at: datetime) -> tuple[User, Token]:
        """Whose a secret is.

        Raises:
            GovernanceError: `unauthenticated`: unknown, expired, revoked, or its user is disabled.
        """
        token = TOKENS.find(self._connection, digest=digest(secret))
        if token is None:
            raise stranger("this token is not known", "ask an admin for a token")
        _require_good(token, at)
        return self.enabled(token.user), token

    def require_good(self, token_id: str, at: datetime) -> None:
        """Refuse what stems from a token that is good no longer.

        Raises:
            GovernanceError: `unauthenticated`: it is expired or revoked; `not_found`.
        """
        _require_good(self.token(token_id), at)

    def used(self, token: Token, at: datetime) -> None:
        """Remember when a token was shown."""
        TOKENS.change(self._connection, [TOKENS.is_(token)], last_used_at=at)

    def link(self, identity: Identity) -> None:
        """Let a user sign in by an OpenID provider.

        Raises:
            GovernanceError: `not_found`; `exists`: the provider's id is that of somebody else.
        """
        self.get(identity.user)
        key = {"issuer": identity.issuer, "subject": identity.subject}
        known = IDENTITIES.find(self._connection, **key)
        if known is not None and known.user != identity.user:
            raise refused(
                "exists",
                f"{identity.subject[:200]!r} of {identity.issuer} is {known.user}",
                hint="unlink it first",
                user=known.user,
            )
        IDENTITIES.put(self._connection, identity)

    def unlink(self, issuer: str, subject: str, user: str) -> None:
        """Let a user sign in by that id of a provider no more.

        Raises:
            GovernanceError: `not_found`: they are not linked.
        """
        identity = IDENTITIES.get(self._connection, issuer=issuer, subject=subject, user=user)
        IDENTITIES.remove(self._connection, [IDENTITIES.is_(identity)])

    def identities(self, user: str) -> list[Identity]:
        """As whom providers know a user."""
        return IDENTITIES.all(self._connection, [IDENTITIES.c.user == user])

    def linked(self, issuer: str, subject: str) -> User | None:
        """The user whom a provider knows by that id; None: nobody."""
        identity = IDENTITIES.find(self._connection, issuer=issuer, subject=subject)
        return self.enabled(identity.user) if identity else None

    def enabled(self, name: str) -> User:
        """A user who is not shut out.

        Raises:
            GovernanceError: `unauthenticated`: they are disabled; `not_found`.
        """
        user = self.get(name)
        if user.disabled_at:
            raise stranger(f"user {name} is disabled", "ask an admin")
        return user

    def _require_other_admin(self, name: str) -> None:
        others = [USERS.c.admin, USERS.c.disabled_at.is_(None), USERS.c.name != name]
        if not USERS.count(self._connection, others):
            raise refused(
                "last_owner",
                f"{name} is the last admin",
                hint="make another user an admin first",
                user=name,
            )


def _require_good(token: Token, at: datetime) -> None:
    if token.revoked_at:
        raise stranger(f"token {token.id} was revoked", "ask an admin for a token")
    if token.expires_at <= at:
        raise stranger(f"token {token.id} has expired", "ask an admin for a new one")


def stranger(problem: str, hint: str) -> GovernanceError:
    """The refusal of somebody who does not prove who they are."""
    return refused("unauthenticated", problem, hint=hint)
