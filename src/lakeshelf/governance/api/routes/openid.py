"""Sign-in by an OpenID provider, and users as it knows them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from fastapi import Query, Request, Response
from fastapi.responses import RedirectResponse

from lakeshelf.governance.api import answers, shapes
from lakeshelf.governance.api.calling import By, On, router
from lakeshelf.governance.api.door.calls import OPENID, OPENID_BACK
from lakeshelf.governance.api.door.identity import Site
from lakeshelf.governance.api.routes.signing import set_cookie
from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata.tables.people import Identity
from lakeshelf.governance.services.people import identities

if TYPE_CHECKING:
    from lakeshelf.governance.services.people.openid import OpenId

routes = router("openid")
OWN = "/users/{user}/identities"
ATTEMPT = "openid"
"""Kind of the cookie that keeps a sign-in which has begun."""
ATTEMPT_S = 600
_BACK = re.compile(r"/([^/\\\s][^\\\s]*)?")
Text = Annotated[str | None, Query(max_length=4_000)]


@routes.get(OPENID, status_code=303, response_class=RedirectResponse)
def begin(request: Request, back: Annotated[str, Query(max_length=500)] = "") -> RedirectResponse:
    """Send a browser to the OpenID provider; it comes back signed in, and goes to `back`, a path of ours."""
    openid = identities.configured(_openid(request))
    if back and not _BACK.fullmatch(back):
        raise refused("request_invalid", f"{back[:200]!r} is no path of ours", hint="begin with /")
    place, attempt = openid.begin(_redirect(request), back)
    answer = RedirectResponse(place, 303)
    set_cookie(answer, request, attempt.text, ATTEMPT_S, ATTEMPT)
    return answer


@routes.get(OPENID_BACK, response_model=answers.SignedIn)
def come_back(
    context: On,
    request: Request,
    response: Response,
    code: Text = None,
    state: Text = None,
    error: Text = None,
    iss: Text = None,
) -> answers.SignedIn | RedirectResponse:
    """Sign a browser in that comes back from the OpenID provider. The cookie is for the browser alone."""
    openid = identities.configured(_openid(request))
    from lakeshelf.governance.services.people.openid import Attempt  # noqa: PLC0415 - rare, and large

    site: Site = request.app.state.serving.site
    attempt = Attempt.of(site.shown(request.scope, ATTEMPT))
    parameters = {"code": code, "state": state, "error": error, "iss": iss}
    answer = {name: value for name, value in parameters.items() if value is not None}
    signed_in = identities.sign_in(
        context,
        openid,
        attempt,
        answer,
        _redirect(request),
        request.state.request_id,
        before=site.shown(request.scope),
    )
    back = attempt.back if attempt else ""
    sent = RedirectResponse(back, 303) if back and _BACK.fullmatch(back) else response
    session = signed_in.session
    set_cookie(sent, request, signed_in.secret, signed_in.seconds)
    set_cookie(sent, request, "", 0, ATTEMPT)
    if isinstance(sent, RedirectResponse):
        return sent
    return answers.SignedIn(user=session.user, csrf=session.csrf, expires_at=session.expires_at)


@routes.get(OWN)
def list_identities(context: On, caller: By, user: str) -> list[Identity]:
    """As whom OpenID providers know a user, for admins."""
    return identities.identities(context, caller, user)


@routes.post(OWN, status_code=201)
def link_identity(
    context: On, caller: By, request: Request, user: str, body: shapes.Subject
) -> Identity:
    """Let a user sign in by the OpenID provider, as an admin."""
    return identities.link(context, caller, _openid(request), user, body.subject)


@routes.delete(OWN, status_code=204)
def unlink_identity(
    context: On,
    caller: By,
    request: Request,
    user: str,
    subject: Annotated[str, Query(min_length=1, max_length=255)],
) -> None:
    """Let a user sign in by the OpenID provider no more, as an admin."""
    identities.unlink(context, caller, _openid(request), user, subject)


def _openid(request: Request) -> OpenId | None:
    held: OpenId | None = request.app.state.openid
    return held


def _redirect(request: Request) -> str:
    """Where the provider sends browsers back to."""
    site: Site = request.app.state.serving.site
    return site.origin_of(request.scope) + routes.prefix + OPENID_BACK
