"""Signing in and out by pages, with or without scripts."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from lakeshelf.ui import rendering
from lakeshelf.ui.asking import Answer, Api, path, place_of
from lakeshelf.ui.forms import own

LOGIN = "/login"
UNAUTHENTICATED = 401
routes = APIRouter(include_in_schema=False)
Text = Annotated[str, Form(max_length=500)]
Back = Annotated[str, Form(max_length=65_536)]
"""As long as any address that a browser can ask for, such as one that holds a statement."""


def address(request: Request) -> str:
    """Where somebody signs in who wanted to read a page, to come back to it."""
    query = request.scope["query_string"].decode("latin-1")
    back = f"{place_of(request)}?{query}" if query else place_of(request)
    return f"{LOGIN}?{urlencode({'back': back})}"


@routes.get(LOGIN)
async def ask(request: Request, back: str = "/") -> Response:
    """The form that asks for a token or a link; who is signed in goes on, unless a link is somebody else's."""
    me = await Api(request).get(path("/me", {}), waits=True)
    return _form(request, Answer(), back, (me.data or {}).get("user", ""))


@routes.post(LOGIN)
async def sign_in(request: Request, token: Text = "", back: Back = "/") -> Response:
    """Sign in, and go to the page that was wanted."""
    answer = await Api(request).change("POST", path("/sign_in", {}), {"token": token.strip()}, "")
    if answer.refusal or answer.headers is None:
        return _form(request, answer, back)
    return _with_cookie(RedirectResponse(own(back), 303), answer)


@routes.post("/logout")
async def sign_out(request: Request, csrf: Text = "") -> Response:
    """End the session of this browser."""
    answer = await Api(request).change("POST", path("/sign_out", {}), None, csrf)
    if answer.refusal and answer.refusal.status != UNAUTHENTICATED:
        values = {"refusal": answer.refusal, "back": "/", "title": "You are still signed in"}
        return HTMLResponse(rendering.render("refused.html", values), answer.refusal.status)
    return _with_cookie(RedirectResponse(LOGIN, 303), answer)


def _form(request: Request, answer: Answer, back: str, signed_in: str = "") -> Response:
    has_openid = request.app.state.openid is not None
    values = {"answer": answer, "back": own(back), "has_openid": has_openid, "title": "Sign in"}
    values |= {"signed_in": signed_in}
    status = answer.refusal.status if answer.refusal else 200
    return HTMLResponse(rendering.render("login.html", values), status)


def _with_cookie(response: Response, answer: Answer) -> Response:
    for cookie in answer.headers.get_list("set-cookie") if answer.headers else ():
        response.headers.append("set-cookie", cookie)
    return response
