"""Users, and how they prove who they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint

from lakeshelf.governance.domain.permissions import Scope
from lakeshelf.governance.metadata.database.records import declare


@dataclass(frozen=True)
class User:
    """A person or a program.

    Attributes:
        name: Its id.
        label: What people call it; empty: its name.
        admin: Whether it manages users, tokens and projects.
        created_at: When it was made.
        disabled_at: When it was shut out; None: it was not.
    """

    name: str
    label: str
    admin: bool
    created_at: datetime
    disabled_at: datetime | None = None


@dataclass(frozen=True)
class Identity:
    """A user as an OpenID provider knows it.

    Attributes:
        issuer: Address of the provider.
        subject: Its id there.
        user: Its name here.
        created_at: When the two were linked.
    """

    issuer: str
    subject: str
    user: str
    created_at: datetime


@dataclass(frozen=True)
class Token:
    """A bearer token.

    Attributes:
        id: Its id, which is no secret.
        user: Whose it is.
        label: What it is for.
        digest: SHA-256 of the secret.
        scopes: What it may be used for.
        created_by: Who made it.
        created_at: When.
        expires_at: When it stops to be good.
        revoked_at: When it was taken back.
        last_used_at: When it was last shown, to the minute.
        parent: The token with which its user made it, and with which it is taken back; None: an admin made it.
    """

    id: str
    user: str
    label: str
    digest: str = field(repr=False)
    scopes: tuple[Scope, ...]
    created_by: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    parent: str | None = None


@dataclass(frozen=True)
class SignInLink:
    """A secret that signs a browser in, once.

    Attributes:
        digest: SHA-256 of the secret.
        user: Whom it signs in.
        scopes: What the session may be used for.
        token: The token that made it; the session ends with it. None: an admin's act for another.
        created_by: Who made it.
        created_at: When.
        expires_at: When it stops to be good.
        used_at: When it was used.
    """

    digest: str = field(repr=False)
    user: str
    scopes: tuple[Scope, ...]
    token: str | None
    created_by: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None


@dataclass(frozen=True)
class BrowserSession:
    """Somebody who is signed in.

    Attributes:
        id: Its id, which is no secret.
        digest: SHA-256 of the secret in the cookie.
        user: Who it is.
        scopes: What it may be used for.
        token: The token that it stems from, and ends with; None: none.
        csrf: What a call that changes something has to bring along.
        created_at: When they signed in.
        expires_at: When they have to sign in again.
        ended_at: When they signed out.
    """

    id: str
    digest: str = field(repr=False)
    user: str
    scopes: tuple[Scope, ...]
    token: str | None
    csrf: str = field(repr=False)
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None


def _of_user() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["user"], ["user.name"])


USERS = declare("user", User, ["name"])
IDENTITIES = declare("identity", Identity, ["issuer", "subject"], _of_user())
TOKENS = declare(
    "token",
    Token,
    ["id"],
    _of_user(),
    UniqueConstraint("digest"),
    Index(None, "user"),
    Index(None, "parent"),
)
SIGN_IN_LINKS = declare("sign_in_link", SignInLink, ["digest"], _of_user())
BROWSER_SESSIONS = declare(
    "browser_session",
    BrowserSession,
    ["id"],
    _of_user(),
    UniqueConstraint("digest"),
    Index(None, "user"),
)
