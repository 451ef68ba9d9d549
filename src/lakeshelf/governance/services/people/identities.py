"""Users as an OpenID provider knows them: linked by admins, and signed in by what the provider says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lakeshelf.governance.domain.permissions import SCOPES
from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata.tables.people import Identity
from lakeshelf.governance.services.context import Caller, Context, record
from lakeshelf.governance.services.people.signing import Proof, SignedIn, begun
from lakeshelf.governance.services.people.users import require_admin

if TYPE_CHECKING:
    from lakeshelf.governance.services.people.openid import Attempt, OpenId


@dataclass(frozen=True)
class Provider:
    """An OpenID provider, and what we are to it.

    Attributes:
        issuer: Its address, which it says of itself in the same words.
        client_id: Its name for us.
        secret_file: File of the secret that we share; None: there is none.
    """

    issuer: str
    client_id: str
    secret_file: Path | None = None


def sign_in(
    context: Context,
    openid: OpenId,
    attempt: Attempt | None,
    answer: Mapping[str, str],
    redirect: str,
    request_id: str,
    *,
    before: str | None = None,
) -> SignedIn:
    """Sign a browser in that comes back from the provider; arguments as for `OpenId.subject` and `signing.sign_in`.

    Raises:
        GovernanceError: `unauthenticated`: also for somebody whom nobody has linked; `service_unavailable`.
    """
    subject, issuer = openid.subject(attempt, answer, redirect), openid.provider.issuer
    with context.metadata.transaction() as tx:
        user = tx.people.linked(issuer, subject)
        if user is None:
            raise refused(
                "unauthenticated",
                f"nobody here is {subject[:200]!r} of {issuer}",
                hint="have an admin link you: `lakeshelf users identities link NAME SUBJECT`",
                subject=subject[:200],
            )
        return begun(context, tx, Proof(user.name, SCOPES, None), request_id, before=before)


def identities(context: Context, caller: Caller, user: str) -> list[Identity]:
    """As whom providers know a user, for admins.

    Raises:
        GovernanceError: `forbidden`, `not_found`.
    """
    require_admin(caller, "manage_users")
    with context.metadata.reading() as tx:
        tx.people.get(user)
        return tx.people.identities(user)


def link(
    context: Context, caller: Caller, openid: OpenId | None, user: str, subject: str
) -> Identity:
    """Let a user sign in by the provider, as an admin.

    Raises:
        GovernanceError: `forbidden`, `not_found`; `exists`: the subject is somebody else; `request_invalid`: no
            provider is configured.
    """
    require_admin(caller, "manage_users")
    issuer, now = configured(openid).provider.issuer, context.clock()
    identity = Identity(issuer, subject, user, now)
    with context.metadata.transaction() as tx:
        tx.people.link(identity)
        details = {"user": user, "issuer": issuer, "subject": subject}
        record(tx, caller, "identity.linked", now, details=details, tell=[user])
    return identity


def unlink(
    context: Context, caller: Caller, openid: OpenId | None, user: str, subject: str
) -> None:
    """Let a user sign in by the provider no more, as an admin; browsers that are signed in stay so until their end.

    Raises:
        GovernanceError: `forbidden`; `not_found`: they are not linked; `request_invalid`: no provider is configured.
    """
    require_admin(caller, "manage_users")
    issuer, now = configured(openid).provider.issuer, context.clock()
    with context.metadata.transaction() as tx:
        tx.people.unlink(issuer, subject, user)
        details = {"user": user, "issuer": issuer, "subject": subject}
        record(tx, caller, "identity.unlinked", now, details=details, tell=[user])


def configured(openid: OpenId | None) -> OpenId:
    """The provider.

    Raises:
        GovernanceError: `request_invalid`: none is configured.
    """
    if openid is None:
        raise refused(
            "request_invalid",
            "nobody signs in by an OpenID provider here",
            hint="set `oidc_issuer` and `oidc_client_id`",
        )
    return openid
