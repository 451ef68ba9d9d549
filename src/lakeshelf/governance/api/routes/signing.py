"""Browsers: sign in, sign out, and where somebody is signed in."""

from __future__ import annotations

from fastapi import Request, Response

from lakeshelf.governance.api import answers, shapes
from lakeshelf.governance.api.calling import By, On, router
from lakeshelf.governance.api.door.identity import Site
from lakeshelf.governance.services.people import signing

routes = router("signing")


@routes.post("/sign_in")
def sign_in(
    context: On, request: Request, response: Response, body: shapes.SignIn
) -> answers.SignedIn:
    """Sign a browser in by a token, or by a link, which is good once. The cookie is for the browser alone."""
    site: Site = request.app.state.serving.site
    before, request_id = site.shown(request.scope), request.state.request_id
    begun = signing.sign_in(context, body.token, request_id, before=before)
    set_cookie(response, request, begun.secret, begun.seconds)
    session = begun.session
    return answers.SignedIn(user=session.user, csrf=session.csrf, expires_at=session.expires_at)


@routes.post("/sign_out", status_code=204)
def sign_out(context: On, caller: By, request: Request, response: Response) -> None:
    """End the session of the browser that calls."""
    signing.sign_out(context, caller)
    set_cookie(response, request, "", 0)


@routes.post("/users/{user}/sign_in_links", status_code=201)
def make_link(context: On, caller: By, user: str) -> answers.IssuedLink:
    """A secret that signs a browser of the user in, once, within ten minutes; told in this answer alone."""
    link, secret = signing.link(context, caller, user)
    return answers.IssuedLink(user=link.user, expires_at=link.expires_at, secret=secret)


@routes.get("/users/{user}/browser_sessions")
def list_sessions(context: On, caller: By, user: str) -> list[answers.BrowserSessionAnswer]:
    """Where a user is signed in, for admins and the user."""
    listed = signing.sessions(context, caller, user)
    return [answers.BrowserSessionAnswer.model_validate(one) for one in listed]


@routes.delete("/browser_sessions/{browser_session}", status_code=204)
def end_session(context: On, caller: By, browser_session: str) -> None:
    """End a session, as an admin or its user."""
    signing.sign_out(context, caller, browser_session)


def set_cookie(
    response: Response, request: Request, secret: str, seconds: int, kind: str = ""
) -> None:
    """Set a cookie, or, with no time left, remove it.

    Args:
        response: Where it is set.
        request: The call.
        secret: What it holds.
        seconds: How long it is kept.
        kind: As for `Site.cookie`.
    """
    site: Site = request.app.state.serving.site
    response.set_cookie(
        site.cookie(request.scope, kind),
        secret,
        max_age=seconds,
        path="/",
        secure=site.is_secure(request.scope),
        httponly=True,
        samesite="lax",
    )
