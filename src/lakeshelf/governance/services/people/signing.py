"""Browsers: signed in by a token or a link that is good once, told by a cookie from then on.

docs/design/governance.md#browsers
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from lakeshelf.governance.domain.permissions import SCOPES, Scope
from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata.opening import Transaction
from lakeshelf.governance.metadata.people import digest
from lakeshelf.governance.metadata.tables.people import BrowserSession, SignInLink
from lakeshelf.governance.services.context import Caller, Context, record
from lakeshelf.governance.services.people.users import require_admin, require_own_or_admin

LENGTH = timedelta(hours=12)
"""How long somebody is signed in at most."""
LINK_LENGTH = timedelta(minutes=10)
"""How long a link is good at most."""
LINK_PREFIX, SESSION_PREFIX = "lkl_", "lkb_"
"""What secrets of links and of cookies begin with."""


@dataclass(frozen=True)
class SignedIn:
    """A session that has just begun.

    Attributes:
        session: The session.
        secret: What the cookie holds; told once and kept nowhere.
    """

    session: BrowserSession
    secret: str = field(repr=False)

    @property
    def seconds(self) -> int:
        """How long it is good."""
        return int((self.session.expires_at - self.session.created_at).total_seconds())


def random_text() -> str:
    """256 random bits."""
    return secrets.token_hex(32)


def link(
    context: Context, caller: Caller, user: str, make: Callable[[], str] = random_text
) -> tuple[SignInLink, str]:
    """A link for a user, by the user or an admin, and its secret, which is told once and kept nowhere.

    One's own has the scopes of the token that asks for it, and what it begins ends with that token.

    Raises:
        GovernanceError: `forbidden`: somebody else's, or a browser asks, which would be signed in for ever;
            `not_found`.
    """
    own = caller.user == user
    if not own:
        require_admin(caller, "manage_tokens")
    if own and caller.session:
        raise refused(
            "forbidden",
            "a browser makes no link to sign in with",
            hint="ask with a token",
            action="sign_in",
        )
    now, secret = context.clock(), LINK_PREFIX + make()
    scopes: tuple[Scope, ...] = tuple(one for one in SCOPES if not own or one in caller.scopes)
    token = caller.token if own else None
    with context.metadata.transaction() as tx:
        tx.people.get(user)
        made = tx.browsers.add_link(
            SignInLink(digest(secret), user, scopes, token, caller.user, now, now + LINK_LENGTH)
        )
        record(tx, caller, "sign_in_link.made", now, details={"user": user})
    return made, secret


def sign_in(
    context: Context,
    secret: str,
    request_id: str,
    *,
    before: str | None = None,
    make: Callable[[], str] = random_text,
) -> SignedIn:
    """Sign a browser in.

    Args:
        context: What it stands on.
        secret: Of a token, or of a link.
        request_id: Id of the call.
        before: Secret of the cookie that the browser has already; that session ends.
        make: Makes random texts.

    Raises:
        GovernanceError: `unauthenticated`.
    """
    with context.metadata.transaction() as tx:
        return begun(context, tx, _proof(context, tx, secret), request_id, before=before, make=make)


@dataclass(frozen=True)
class Proof:
    """Who signs in, and by what.

    Attributes:
        user: Who it is.
        scopes: What the session may be used for.
        token: The token that it ends with; None: none.
    """

    user: str
    scopes: tuple[Scope, ...]
    token: str | None


def begun(
    context: Context,
    tx: Transaction,
    proof: Proof,
    request_id: str,
    *,
    before: str | None = None,
    make: Callable[[], str] = random_text,
) -> SignedIn:
    """A session of who has proved who they are; arguments as for `sign_in`."""
    now, own, csrf = context.clock(), SESSION_PREFIX + make(), make()
    ends = now + LENGTH
    if proof.token is not None:
        ends = min(ends, tx.people.token(proof.token).expires_at)
    session = BrowserSession(
        context.new_id(), digest(own), proof.user, proof.scopes, proof.token, csrf, now, ends
    )
    tx.browsers.sign_in(session)
    _end_before(context, tx, before)
    caller = Caller(session.user, request_id=request_id)
    record(tx, caller, "user.signed_in", now, details={"session": session.id})
    return SignedIn(session, own)


def signed_in(context: Context, secret: str, request_id: str) -> tuple[Caller, str]:
    """Who shows a cookie, and what a call of theirs that changes something has to bring along.

    Raises:
        GovernanceError: `unauthenticated`.
    """
    with context.metadata.reading() as tx:
        user, session = tx.browsers.signed_in(secret, context.clock())
    token, scopes = session.token or "", frozenset(session.scopes)
    return Caller(user.name, user.admin, scopes, request_id, token, session.id), session.csrf


def csrf_of(context: Context, caller: Caller) -> str | None:
    """What calls of a browser that change something have to bring along; None: it came with a token."""
    if not caller.session:
        return None
    with context.metadata.reading() as tx:
        return tx.browsers.get(caller.session).csrf


def sessions(context: Context, caller: Caller, user: str) -> list[BrowserSession]:
    """Where a user is signed in, for the user and admins.

    Raises:
        GovernanceError: `forbidden`, `not_found`.
    """
    require_own_or_admin(caller, user)
    with context.metadata.reading() as tx:
        tx.people.get(user)
        return tx.browsers.open(user, context.clock())


def sign_out(context: Context, caller: Caller, session_id: str | None = None) -> None:
    """End the session that calls, or another one of the user; admins end those of others.

    Raises:
        GovernanceError: `not_found`: there is none, or it is somebody else's; `forbidden`; `request_invalid`: the call
            came with a token, and names no session.
    """
    named = session_id or caller.session
    if not named:
        raise refused(
            "request_invalid",
            "you are not signed in by a browser",
            hint="a token is taken back by DELETE /api/v1/tokens/{token}",
        )
    now = context.clock()
    with context.metadata.transaction() as tx:
        session = tx.browsers.get(named)
        if session.user != caller.user and not caller.admin:
            raise refused("not_found", f"there is no session {named[:80]!r} of yours")
        if session.id != caller.session:
            require_own_or_admin(caller, session.user)
        tx.browsers.sign_out(session.id, now)
        details = {"user": session.user, "session": session.id}
        record(tx, caller, "user.signed_out", now, details=details)


def _proof(context: Context, tx: Transaction, secret: str) -> Proof:
    now = context.clock()
    if secret.startswith(LINK_PREFIX):
        used = tx.browsers.use_link(secret, now)
        return Proof(used.user, used.scopes, used.token)
    user, token = tx.people.authenticate(secret, now)
    return Proof(user.name, token.scopes, token.id)


def _end_before(context: Context, tx: Transaction, secret: str | None) -> None:
    """End the session of a cookie that is replaced; one that is known no longer has ended."""
    before = tx.browsers.find(secret) if secret else None
    if before is not None:
        tx.browsers.sign_out(before.id, context.clock())
