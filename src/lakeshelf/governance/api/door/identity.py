"""Who calls: by a bearer token, or by the cookie of a browser that proves that the call is its own.

docs/design/governance.md#browsers
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import Scope

from lakeshelf.governance.errors import refused
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.services.people import signing, users

SAFE = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing."""
CSRF = "X-CSRF-Token"
"""Header in which a browser brings along what it was told when it signed in."""

OPERATORS = "/__"
"""What addresses begin with at which operators ask how the service is."""


@dataclass(frozen=True)
class Site:
    """Where browsers find the API.

    Attributes:
        origin: Such as `https://shelves.example`, where a proxy stands before it; None: where it was called.
        hosts: Names, in lower case, by which it may be called beside that of the origin; None: any.
    """

    origin: str | None = None
    hosts: frozenset[str] | None = None

    def origin_of(self, scope: Scope) -> str:
        """The origin that calls of our own pages have."""
        host = Headers(scope=scope).get("host", "")
        return self.origin or f"{scope['scheme']}://{host}"

    def require_known_host(self, scope: Scope) -> None:
        """Refuse a call to a name that is not ours: somebody may have theirs lead to us, and a page of that origin.

        Operators ask how the service is by whatever name they reach it.

        Raises:
            GovernanceError: `host_refused`.
        """
        if self.hosts is None or scope["path"].startswith(OPERATORS):
            return
        called = Headers(scope=scope).get("host", "")
        known = self.hosts | ({_host(urlsplit(self.origin).netloc)} if self.origin else set())
        if _host(called) not in known:
            raise refused(
                "host_refused",
                f"nothing here is called {called[:200]!r}",
                hint="call it by a loopback name or `api_host`, or add the name to the setting `api_hosts`",
            )

    def is_secure(self, scope: Scope) -> bool:
        """Whether browsers come by TLS."""
        return self.origin_of(scope).startswith("https:")

    def cookie(self, scope: Scope, kind: str = "") -> str:
        """Name of a cookie: cookies know no ports, and a machine may have several lakes.

        Args:
            scope: The call.
            kind: What it keeps; empty: who is signed in.
        """
        origin = urlsplit(self.origin_of(scope))
        prefix = "__Host-" if origin.scheme == "https" else ""
        _, _, port = origin.netloc.rpartition("]")[2].rpartition(":")
        parts = ("lakeshelf", kind, port if port.isascii() and port.isdigit() else "")
        return prefix + "_".join(filter(None, parts))

    def shown(self, scope: Scope, kind: str = "") -> str | None:
        """What the cookie of a kind holds that a call shows; None: it has none."""
        sent = "; ".join(Headers(scope=scope).getlist("cookie"))
        return cookie_parser(sent).get(self.cookie(scope, kind))

    def require_own(self, scope: Scope, *, named: bool) -> None:
        """Refuse a call that the page of somebody else makes in a browser.

        Args:
            scope: The call.
            named: Whether it has to say which page makes it.

        Raises:
            GovernanceError: `origin_refused`.
        """
        claimed = Headers(scope=scope).get("origin")
        if claimed is None and not named:
            return
        if claimed != self.origin_of(scope):
            raise refused(
                "origin_refused",
                f"a page of {(claimed or 'nowhere')[:200]} may not do this",
                hint="use a page of the API itself, or a token; behind a proxy set `api_origin`",
            )


def _host(place: str) -> str:
    """The host of `host:port`, in lower case; empty: it is none."""
    try:
        return (urlsplit(f"//{place}").hostname or "").removesuffix(".")
    except ValueError:
        return ""


def caller_of(context: Context, site: Site, scope: Scope) -> Caller:
    """Who calls.

    Raises:
        GovernanceError: `unauthenticated`; `origin_refused`, `csrf_refused`: a browser would change something, and
            does not prove that its user wants it.
    """
    request_id = scope["state"]["request_id"]
    kind, _, secret = Headers(scope=scope).get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and secret.strip():
        return users.authenticated(context, secret.strip(), request_id)
    cookie = site.shown(scope)
    if cookie is None:
        raise refused(
            "unauthenticated",
            "this call has no token",
            hint="send `Authorization: Bearer …` with one that an admin gave you, or sign in",
        )
    caller, csrf = signing.signed_in(context, cookie, request_id)
    if scope["method"] not in SAFE:
        site.require_own(scope, named=True)
        _require_csrf(scope, csrf)
    return caller


def _require_csrf(scope: Scope, csrf: str) -> None:
    claimed = Headers(scope=scope).get(CSRF, "")
    if not hmac.compare_digest(claimed.encode(), csrf.encode()):
        raise refused(
            "csrf_refused",
            f"a call of a browser that changes something has the header {CSRF}",
            hint="its value is `csrf` in the answers to POST /api/v1/sign_in and GET /api/v1/me",
        )
