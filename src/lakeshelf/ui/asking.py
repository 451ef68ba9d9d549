"""What pages ask the API, in the name of the browser that reads them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from fastapi import Request

from lakeshelf.governance.api.door.calls import REQUEST_ID
from lakeshelf.governance.api.door.identity import CSRF

API = "/api/v1"
ACCEPTED = 202
"""The API goes on with what was asked, as a job, since it takes long."""
SENT_ON = ("authorization", "cookie", "origin", "host", "user-agent")
"""Headers of the browser by which the API knows who asks, and from which page."""
Query = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True)
class Refusal:
    """Why the API did not do what it was asked.

    Attributes:
        status: HTTP status.
        code: Code of the error.
        message: What failed and what to do next, in one line.
        details: What else is known, such as problems by field.
        request_id: By which the log knows the call.
    """

    status: int
    code: str
    message: str
    details: Mapping[str, Any]
    request_id: str


@dataclass(frozen=True)
class Answer:
    """What the API answered.

    Attributes:
        data: The body; None where it was refused, or has none.
        refusal: Why it was refused; None: it was not.
        headers: Headers of the answer.
    """

    data: Any = None
    refusal: Refusal | None = None
    headers: httpx.Headers | None = None


def path(template: str, names: Mapping[str, str]) -> str:
    """The path of a call, whose names are quoted whatever they hold.

    Args:
        template: Such as `/shelves/{shelf}`.
        names: Parameter → value.
    """
    return API + template.format_map({name: quote(text, safe="") for name, text in names.items()})


class Api:
    """The API of the application that serves a request, asked as its browser.

    Args:
        request: The request of the browser.
    """

    def __init__(self, request: Request) -> None:
        client = request.client or ("127.0.0.1", 0)
        self._transport = httpx.ASGITransport(
            request.app, raise_app_exceptions=False, client=(client[0], client[1])
        )
        self._base = str(request.base_url)
        self._headers = {name: value for name, value in request.headers.items() if name in SENT_ON}

    async def get(self, place: str, query: Query | None = None) -> Answer:
        """Ask for something.

        Args:
            place: Path, made by `path`.
            query: Parameters; empty ones are left out.
        """
        kept = {name: value for name, value in (query or {}).items() if value not in ("", [], ())}
        return await self._sent("GET", place, {}, params=kept)

    async def all(self, asked: Mapping[str, tuple[str, Query]]) -> dict[str, Answer]:
        """Ask for several things side by side.

        Args:
            asked: Name → path and parameters.

        Returns:
            Name → answer.
        """
        answers = await asyncio.gather(*(self.get(*one) for one in asked.values()))
        return dict(zip(asked, answers, strict=True))

    async def change(
        self, method: str, place: str, body: object, csrf: str, key: str | None = None
    ) -> Answer:
        """Have something changed.

        Args:
            method: `POST`, `PUT`, `PATCH` or `DELETE`.
            place: Path, made by `path`.
            body: Sent as JSON; None: nothing is.
            csrf: What the page was told when its reader signed in.
            key: By which the API knows a call that is sent twice, and does it once.
        """
        headers = {CSRF: csrf} | ({REQUEST_ID: key} if key else {})
        content = {} if body is None else {"json": body}
        return await self._sent(method, place, headers, **content)

    async def _sent(
        self, method: str, place: str, headers: Mapping[str, str], **content: Any
    ) -> Answer:
        async with httpx.AsyncClient(transport=self._transport, base_url=self._base) as client:
            answer = await client.request(
                method, place, headers=self._headers | dict(headers), timeout=None, **content
            )
        return _read(answer)


def _unfinished(job: str, request_id: str) -> Refusal:
    message = f"the answer takes longer than a page waits, and goes on as job {job}; try again in a minute"
    return Refusal(ACCEPTED, "unfinished", message, {"job": job}, request_id)


def _read(answer: httpx.Response) -> Answer:
    request_id = answer.headers.get(REQUEST_ID, "")
    if answer.status_code == ACCEPTED and answer.request.method == "GET":
        return Answer(None, _unfinished(answer.json()["id"], request_id), answer.headers)
    if answer.is_success:
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        data = answer.json() if is_json and answer.content else None
        return Answer(data, None, answer.headers)
    error = answer.json()["error"]
    refusal = Refusal(
        answer.status_code, error["code"], error["message"], error["details"], request_id
    )
    return Answer(None, refusal, answer.headers)
