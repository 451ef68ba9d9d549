"""Users and their tokens: made by admins, the first one on the machine, further tokens by their users."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from lakeshelf.governance.domain.definition import checked_id
from lakeshelf.governance.domain.permissions import (
    INSTALLATION,
    SCOPES,
    Actor,
    Scope,
    can,
    require,
)
from lakeshelf.governance.errors import GovernanceError, refused
from lakeshelf.governance.metadata.opening import Transaction
from lakeshelf.governance.metadata.people import digest
from lakeshelf.governance.metadata.tables.people import Token, User
from lakeshelf.governance.services.context import Caller, Context, record

LONGEST = timedelta(days=366)
"""How long a token is good at most."""
USUAL = timedelta(days=90)
"""How long a token is good where nobody says it."""
SEEN_AGAIN = timedelta(minutes=1)
"""How exactly it is known when a token was last shown."""
PREFIX = "lks_"
"""What every secret begins with, so that one that got into a file is found there."""


def new_secret() -> str:
    """A secret of 256 random bits."""
    return PREFIX + secrets.token_hex(32)


def bootstrap(
    context: Context, name: str, make_secret: Callable[[], str] = new_secret
) -> tuple[Token, str]:
    """The first user, an admin, with a token; its secret is told once.

    Raises:
        GovernanceError: `exists`: there is a user already; `name_invalid`.
    """
    now, first = context.clock(), Caller(checked_id(name, "user"))
    with context.metadata.transaction() as tx:
        tx.people.add_first(User(name, "", True, now))
        record(tx, first, "user.added", now, details={"user": name, "admin": True})
        return _issued(context, tx, first, name, "first", SCOPES, LONGEST, make_secret)


def authenticated(context: Context, secret: str, request_id: str) -> Caller:
    """Who shows a token.

    Raises:
        GovernanceError: `unauthenticated`.
    """
    now = context.clock()
    with context.metadata.reading() as tx:
        user, token = tx.people.authenticate(secret, now)
    if token.last_used_at is None or now - token.last_used_at >= SEEN_AGAIN:
        with context.metadata.transaction() as tx:
            tx.people.used(token, now)
    return Caller(user.name, user.admin, frozenset(token.scopes), request_id, token.id)


def still(context: Context, caller: Caller) -> bool:
    """Whether who was let in still would be: not shut out since, token and session good."""
    now = context.clock()
    with context.metadata.reading() as tx:
        try:
            tx.people.enabled(caller.user)
            if caller.token:
                tx.people.require_good(caller.token, now)
        except GovernanceError:
            return False
        return not caller.session or tx.browsers.is_good(caller.session, now)


def require_admin(caller: Caller, action: str) -> None:
    """Refuse what only admins do.

    Raises:
        GovernanceError: `forbidden`.
    """
    require(Actor(caller.user, None, caller.scopes, caller.admin), action)


def possible(caller: Caller) -> Mapping[str, bool | str]:
    """What somebody may do beside projects: action → true, or the reason why not."""
    who = Actor(caller.user, None, caller.scopes, caller.admin)
    return {action: can(who, action) for action in INSTALLATION}


def all_users(context: Context, caller: Caller) -> list[User]:
    """Every user, by name, for admins.

    Raises:
        GovernanceError: `forbidden`.
    """
    require_admin(caller, "manage_users")
    with context.metadata.reading() as tx:
        return tx.people.all()


def add(
    context: Context, caller: Caller, name: str, *, label: str = "", admin: bool = False
) -> User:
    """A new user.

    Raises:
        GovernanceError: `forbidden`, `name_invalid`, `exists`.
    """
    require_admin(caller, "manage_users")
    now = context.clock()
    with context.metadata.transaction() as tx:
        made = tx.people.add(User(checked_id(name, "user"), label, admin, now))
        record(tx, caller, "user.added", now, details={"user": name, "admin": admin})
    return made


def change(
    context: Context,
    caller: Caller,
    name: str,
    *,
    label: str | None = None,
    admin: bool | None = None,
    enabled: bool | None = None,
) -> User:
    """Change what is given of a user.

    Raises:
        GovernanceError: `forbidden`, `not_found`, `last_owner`.
    """
    require_admin(caller, "manage_users")
    now = context.clock()
    with context.metadata.transaction() as tx:
        changed = tx.people.change(name, label=label, admin=admin)
        if enabled is not None:
            changed = tx.people.enable(name) if enabled else tx.people.disable(name, now)
        changes = {"label": label, "admin": admin, "enabled": enabled}
        details = {"user": name} | {key: v for key, v in changes.items() if v is not None}
        record(tx, caller, "user.changed", now, details=details)
    return changed


def issue(
    context: Context,
    caller: Caller,
    user: str,
    *,
    label: str,
    scopes: Collection[Scope] | None = None,
    length: timedelta | None = None,
    make_secret: Callable[[], str] = new_secret,
) -> tuple[Token, str]:
    """A new token of a user, by an admin or the user, and its secret, which is told once and kept nowhere.

    What users make for themselves has no scope that the token lacks with which they ask, is good no longer, and is
    taken back with it.

    Args:
        context: What it stands on.
        caller: Who asks.
        user: Whose it will be.
        label: What it is for.
        scopes: What it may be used for; None: whatever the caller may give.
        length: How long it is good; None: `USUAL`, or as long as the caller may give.
        make_secret: Makes the secret.

    Raises:
        GovernanceError: `forbidden`: also for a scope that the caller may not give; `not_found`; `request_invalid`:
            no scope, or it would be good for too long.
    """
    require_own_or_admin(caller, user)
    now = context.clock()
    most = _givable(context, caller, now)
    chosen = tuple(most.scopes if scopes is None else scopes)
    lasting = min(USUAL, most.length) if length is None else length
    if not chosen or not timedelta(0) < lasting <= most.length:
        raise refused(
            "request_invalid",
            f"no token with {len(chosen)} scopes until {(now + lasting).isoformat(timespec='seconds')}",
            hint=f"give scopes ({', '.join(most.scopes)}), and a time until "
            f"{(now + most.length).isoformat(timespec='seconds')} at most",
        )
    if lacking := [scope for scope in SCOPES if scope in chosen and scope not in most.scopes]:
        raise refused(
            "forbidden", f"your token lacks the scope {lacking[0]}", action="manage_tokens"
        )
    with context.metadata.transaction() as tx:
        if most.parent is not None:
            tx.people.require_good(most.parent, now)
        return _issued(context, tx, caller, user, label, chosen, lasting, make_secret, most.parent)


@dataclass(frozen=True)
class _Givable:
    """What a token may have that somebody makes: scopes, how long it is good, and what it is taken back with."""

    scopes: tuple[Scope, ...]
    length: timedelta
    parent: str | None


def _givable(context: Context, caller: Caller, now: datetime) -> _Givable:
    if caller.admin:
        return _Givable(SCOPES, LONGEST, None)
    own = tuple(scope for scope in SCOPES if scope in caller.scopes)
    if not caller.token:
        return _Givable(own, LONGEST, None)
    with context.metadata.reading() as tx:
        ends = tx.people.token(caller.token).expires_at
    return _Givable(own, min(LONGEST, ends - now), caller.token)


def tokens(context: Context, caller: Caller, user: str) -> list[Token]:
    """Tokens of a user, for admins and the user.

    Raises:
        GovernanceError: `forbidden`, `not_found`.
    """
    require_own_or_admin(caller, user)
    with context.metadata.reading() as tx:
        tx.people.get(user)
        return tx.people.tokens(user)


def revoke(context: Context, caller: Caller, token_id: str) -> Token:
    """Take a token back, as an admin or as its user.

    Raises:
        GovernanceError: `forbidden`; `not_found`: there is none, or it is somebody else's.
    """
    now = context.clock()
    with context.metadata.transaction() as tx:
        token = tx.people.token(token_id)
        if not caller.admin and token.user != caller.user:
            raise refused("not_found", f"you have no token {token_id[:80]!r}")
        require_own_or_admin(caller, token.user)
        revoked = tx.people.revoke(token_id, now)
        record(tx, caller, "token.revoked", now, details={"user": token.user, "token": token_id})
    return revoked


def require_own_or_admin(caller: Caller, user: str) -> None:
    """Refuse who is neither the user nor an admin, or whose token does not manage.

    Raises:
        GovernanceError: `forbidden`.
    """
    if caller.user != user:
        require_admin(caller, "manage_tokens")
    elif "manage" not in caller.scopes:
        raise refused("forbidden", "your token lacks the scope manage", action="manage_tokens")


def _issued(
    context: Context,
    tx: Transaction,
    caller: Caller,
    user: str,
    label: str,
    scopes: Collection[Scope],
    length: timedelta,
    make_secret: Callable[[], str],
    parent: str | None = None,
) -> tuple[Token, str]:
    now, secret = context.clock(), make_secret()
    ordered = tuple(scope for scope in SCOPES if scope in scopes)
    token = tx.people.issue(
        Token(
            id=context.new_id(),
            user=user,
            label=label,
            digest=digest(secret),
            scopes=ordered,
            created_by=caller.user,
            created_at=now,
            expires_at=now + length,
            parent=parent,
        )
    )
    details = {"user": user, "token": token.id, "scopes": list(ordered)}
    record(tx, caller, "token.issued", now, details=details, tell=[user])
    return token, secret
