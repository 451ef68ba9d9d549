"""Routes of all pages, made from what they declare."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from lakeshelf.logs import log
from lakeshelf.ui import addresses, files, forms, rendering, signing
from lakeshelf.ui.asking import (
    ACCEPTED,
    AWAITED,
    GOING,
    Answer,
    Api,
    ApiRefusal,
    Query,
    path,
    place_of,
)
from lakeshelf.ui.headers import Headers
from lakeshelf.ui.page import Ask, Page, Where
from lakeshelf.ui.pages import PAGES
from lakeshelf.ui.refusals import RefusalPages, is_for_people
from lakeshelf.ui.signing import UNAUTHENTICATED

NOT_FOUND = 404
NUMBERED = {"number", "version"}
"""Names in paths of pages that are whole numbers."""
INVALID = (400, 422)
"""Statuses of the API for what cannot be asked."""
FAILED = 500
TOKENED = ("cr", "data", "import", "users")
"""Commands that ask as somebody: where tokens of several people lie, `--as` says as whom."""
MANY_NEWS = 10
"""So many unread notices are said to be many in the head of each page."""


def install(app: FastAPI) -> None:
    """Have an application serve the pages beside the API.

    Args:
        app: The API.
    """
    app.include_router(files.routes)
    app.include_router(signing.routes)
    app.include_router(forms.routes)
    for page in PAGES:
        add(app, page)
    app.add_middleware(RefusalPages)
    app.add_middleware(Headers)
    _tell_missing(app)


def add(app: FastAPI, page: Page) -> None:
    """Have an application serve a page; whatever fails in it, people get a page that says so.

    Args:
        app: The API.
        page: The page.
    """

    async def serve(request: Request) -> Response:
        try:
            return await serve_page(request, page)
        except Exception as error:  # noqa: BLE001 - the last resort of every page
            log.error("page failed", page=page.path, exc_info=error)
            return _failed(request)

    app.add_api_route(
        page.path, serve, methods=["GET"], include_in_schema=False, response_model=None
    )


async def serve_page(
    request: Request, page: Page, extra: Mapping[str, Any] | None = None, status: int = 200
) -> Response:
    """A page for the browser that asks; those who are not signed in are sent to do so.

    Args:
        request: The request.
        page: The page.
        extra: What the template is given beside what the page asks for.
        status: Of the answer.
    """
    api = Api(request)
    sent = request.query_params
    query = {name: text for name, text in sent.items() if name != AWAITED}
    where = Where(dict(request.path_params), query, sent.getlist)
    if fault := addresses.wrong(page, where):
        return await _wrong(request, page, *fault)
    await api.take_up(sent.getlist(AWAITED))
    me, news, answers = await asyncio.gather(
        api.get(path("/me", {}), waits=True),
        api.get(path("/notices", {}), {"unread": "true", "limit": str(MANY_NEWS)}, waits=True),
        api.all(_asked(page, where)),
    )
    if me.refusal and me.refusal.status == UNAUTHENTICATED and not page.is_open:
        return RedirectResponse(signing.address(request), 303)
    values = await page.prepare(api, where, answers) if page.prepare else {}
    frame = _frame(request, page, where, me) | _computing(request, api) | _said(api, where)
    frame |= {"news": len(news.data or ()), "many_news": MANY_NEWS}
    shown = frame | answers | dict(values) | dict(extra or {})
    status = ACCEPTED if api.awaited else status
    is_numbered = any(map(query.get, page.numbers)) or bool(NUMBERED & where.names.keys())
    status = _status(answers, api.refused, is_numbered, status)
    text = await run_in_threadpool(rendering.render, page.template, shown)
    return HTMLResponse(text, status)


def _asked(page: Page, where: Where) -> dict[str, tuple[str, Query]]:
    return {
        name: (path(ask.path, where.names), _query(ask, where)) for name, ask in page.asks.items()
    }


def _query(ask: Ask, where: Where) -> Query:
    """What is chosen; a field of a form that was left empty chooses nothing."""
    return {**ask.fixed, **{name: list(filter(None, where.many(name))) for name in ask.filters}}


def _status(
    answers: Mapping[str, Answer], refused: Sequence[ApiRefusal], is_numbered: bool, otherwise: int
) -> int:
    """What is said of a page: that it shows nothing that is there, or that its numbers ask for what cannot be.

    What is asked for beside that, as the effect on shelves is, may be refused of a page that is as it should be.
    """
    own = [one.refusal for one in answers.values() if one.refusal]
    if any(one.status == NOT_FOUND for one in own):
        return NOT_FOUND
    wrong = [one for one in refused if not one.request_id] + (own if is_numbered else [])
    is_wrong = any(one.status in INVALID for one in wrong)
    return addresses.INVALID if is_wrong else otherwise


async def _wrong(request: Request, page: Page, name: str, why: ApiRefusal) -> Response:
    """The page that says what is wrong with an address of a page, which it leads to without that."""
    kept = [one for one in request.query_params.multi_items() if one[0] not in (name, AWAITED)]
    here = place_of(request)
    without = f"{here}?{urlencode(kept)}" if kept else here
    title = page.title.format_map(request.path_params)
    extra = {"why": why.message, "without": without, "section": page.section}
    shown = Page(
        "",
        title.replace("{", "{{").replace("}", "}}"),
        "wrong.html",
        section=page.section or page.path,
    )
    return await serve_page(request, shown, extra, why.status)


def _frame(request: Request, page: Page, where: Where, me: Answer) -> dict[str, Any]:
    return {
        "me": me.data,
        "csrf": (me.data or {}).get("csrf") or "",
        "page": page,
        "title": page.title.format_map(where.names),
        "command": _command(page, where),
        "is_tokened": page.command.removeprefix("lakeshelf ").startswith(TOKENED),
        "beyond": [
            name for name, text in where.query.items() if text and name.startswith(page.beyond)
        ],
        "menu": [one for one in PAGES if one.menu],
        "names": where.names,
        "query": where.query,
        "here": _here(request),
    }


def _command(page: Page, where: Where) -> str:
    """The command that tells the same, by the same choice."""
    names = {name: shlex.quote(text) for name, text in where.names.items()}
    chosen = [
        shlex.quote(f"{option}={text}" if option else text)
        for name, option in page.options.items()
        for text in where.many(name)
        if text
    ]
    command, _, last = page.command.rpartition(" ")
    is_named = last.isupper() and any(
        where.query.get(one) for one, option in page.options.items() if not option
    )
    return " ".join([(command if is_named else page.command).format_map(names), *chosen])


def _said(api: Api, where: Where) -> dict[str, Any]:
    """What is said of the form that led here."""
    answers = [job["result"]["body"] for job in api.acts if job["status"] == "done"]
    return {"done": forms.said(where.query.get("done", ""), answers)}


def _here(request: Request, *awaited: str) -> str:
    """The address of a page, with the jobs that it waits for, and without those that it waited for."""
    kept = [(name, text) for name, text in request.query_params.multi_items() if name != AWAITED]
    query = urlencode([*kept, *((AWAITED, job) for job in awaited)])
    return f"{place_of(request)}?{query}" if query else place_of(request)


def _computing(request: Request, api: Api) -> dict[str, Any]:
    """What of a page is being computed, and where it is shown then; since when what was computed is known."""
    jobs = [job["id"] for job in (*api.awaited, *api.computed, *api.acts)]
    return {
        "awaited": api.awaited,
        "again": _here(request, *dict.fromkeys(jobs)),
        "under_way": _under_way(api),
        "failed": [job for job in api.acts if job["status"] not in (*GOING, "done")],
        "computed_at": min((job["ended_at"] for job in api.computed), default=None),
    }


def _under_way(api: Api) -> str:
    if any(job in api.acts for job in api.awaited):
        return "What you sent is being done"
    count = len(api.awaited)
    return (
        "A part of this page is being computed"
        if count == 1
        else f"{count} parts of it are computed"
    )


def _failed(request: Request) -> Response:
    message = "the page could not be made; what the log says of this call helps who looks into it"
    refusal = ApiRefusal(FAILED, "internal", message, {}, request.scope["state"]["request_id"])
    values = {"refusal": refusal, "back": "/", "title": "This page failed"}
    return HTMLResponse(rendering.render("refused.html", values), FAILED)


MISSING = Page("", "There is no such page", "missing.html", is_open=True)


def _tell_missing(app: FastAPI) -> None:
    """Tell people who are signed in by a page of theirs that there is none."""
    for_programs = app.exception_handlers[HTTPException]

    @app.exception_handler(HTTPException)
    async def of_route(request: Request, error: Exception) -> Response:
        status = getattr(error, "status_code", 500)
        if status == NOT_FOUND and is_for_people(request.scope):
            return await serve_page(request, MISSING, status=NOT_FOUND)
        return cast("Response", for_programs(request, error))
