"""What pages ask the API, in the name of the browser that reads them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from fastapi import Request

from lakeshelf.governance.api.door import addresses
from lakeshelf.governance.api.door.calls import REQUEST_ID
from lakeshelf.governance.api.door.identity import CSRF
from lakeshelf.governance.client.calls import part

API = "/api/v1"
ACCEPTED, NOT_FOUND, REFUSED = 202, 404, 409
"""The API goes on with what was asked, as a job, since it takes long; what a job was refused with."""
WAIT_S = 2
"""Seconds for which a page waits for an answer, which comes to it later then."""
AWAITED = "awaited"
"""Parameter of addresses that names jobs whose answers a page waits for, or shows."""
MOST_AWAITED = 20
CALL = "call"
"""Kind of a job that is a call which took longer than its caller waited."""
GOING = ("queued", "running")
SENT_ON = (b"authorization", b"cookie", b"origin", b"host", b"user-agent")
"""Headers of the browser by which the API knows who asks, and from which page."""
Query = Mapping[str, str | Sequence[str]]
Job = Mapping[str, Any]
"""A job, as the API tells it."""


@dataclass(frozen=True)
class ApiRefusal:
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


TOO_LONG = ApiRefusal(
    414, "request_invalid", "this is too long to be asked for by an address; ask for less", {}, ""
)


@dataclass(frozen=True)
class Answer:
    """What the API answered.

    Attributes:
        data: The body; None where it was refused, or has none.
        refusal: Why it was refused; None: it was not.
        headers: Headers of the answer.
    """

    data: Any = None
    refusal: ApiRefusal | None = None
    headers: httpx.Headers | None = None


def path(template: str, names: Mapping[str, str]) -> str:
    """The path of a call, whose names are quoted whatever they hold.

    Args:
        template: Such as `/shelves/{shelf}`.
        names: Parameter → value.
    """
    return API + template.format_map({name: part(text) for name, text in names.items()})


def place_of(request: Request) -> str:
    """The path of a page as its browser sent it, with whatever its names hold still quoted."""
    raw: bytes = request.scope.get("raw_path") or quote(request.scope["path"]).encode()
    return quote(raw, safe="/%!$&'()*+,;=:@~")


class Api:
    """The API of the application that serves a request, asked as its browser.

    Args:
        request: The request of the browser.

    Attributes:
        awaited: Jobs whose answers are not there yet, as the API tells them.
        computed: Jobs that gave answers.
        acts: Jobs that change something, as a form asked them to.
        refused: Why what was asked for was refused.
    """

    def __init__(self, request: Request) -> None:
        client = request.client or ("127.0.0.1", 0)
        self._transport = httpx.ASGITransport(
            request.app, raise_app_exceptions=False, client=(client[0], client[1])
        )
        self._base = f"{request.scope['scheme']}://lakeshelf"  # the browser's host is sent on
        self._headers = {name: value for name, value in request.headers.raw if name in SENT_ON}
        self._jobs: dict[tuple[str, str], Job] = {}
        self.awaited: list[Job] = []
        self.computed: list[Job] = []
        self.acts: list[Job] = []
        self.refused: list[ApiRefusal] = []

    async def take_up(self, jobs: Sequence[str]) -> None:
        """Have answers come from jobs that were asked the same, where the browser has such jobs.

        Args:
            jobs: Their ids.
        """
        places = [path("/jobs/{job}", {"job": job}) for job in jobs[:MOST_AWAITED]]
        for answer in await asyncio.gather(*map(self.get, places)):
            job = answer.data
            if not job or job["kind"] != CALL:
                continue
            call = job["params"]["call"]
            self._jobs[call, job["params"].get("query", "")] = job
            if not call.startswith("GET "):
                self.acts.append(job)
                self.awaited += [job] if job["status"] in GOING else []

    async def get(self, place: str, query: Query | None = None, *, waits: bool = False) -> Answer:
        """Ask for something.

        Args:
            place: Path, made by `path`.
            query: Parameters; empty ones are left out.
            waits: Whether the answer is waited for however long the API has callers wait.
        """
        kept = {name: value for name, value in (query or {}).items() if value not in ("", [], ())}
        try:
            asked = httpx.URL(place, params=kept)
        except httpx.InvalidURL:
            return Answer(refusal=TOO_LONG)
        call = f"GET {addresses.path(asked.path, asked.raw_path.partition(b'?')[0])}"
        job = self._jobs.get((call, asked.query.decode()))
        answer = None if job is None else self._of_job(job)
        if answer is None:
            preferred = {} if waits else {"Prefer": f"wait={WAIT_S}"}
            answer = await self._sent("GET", str(asked), preferred)
        if answer.refusal and answer.refusal.status == ACCEPTED:
            self.awaited.append(answer.refusal.details["job"])
        elif answer.refusal:
            self.refused.append(answer.refusal)
        return answer

    def _of_job(self, job: Job) -> Answer | None:
        """What a job was answered; None: it was stopped, so it is asked anew."""
        if job["status"] in GOING:
            return Answer(None, _unfinished(job, ""))
        if job["status"] not in ("done", "failed"):
            return None
        self.computed.append(job)
        return _ended(job)

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
        own = {name.encode(): value.encode() for name, value in headers.items()}
        async with httpx.AsyncClient(transport=self._transport, base_url=self._base) as client:
            answer = await client.request(
                method, place, headers=self._headers | own, timeout=None, **content
            )
        return _read(answer)


def _unfinished(job: Job, request_id: str) -> ApiRefusal:
    message = f"it takes longer than a page waits, and is being computed as job {job['id']}"
    return ApiRefusal(ACCEPTED, "unfinished", message, {"job": job}, request_id)


def _ended(job: Job) -> Answer:
    result = job["result"] or {}
    if job["status"] == "done":
        return Answer(result["body"])
    error = result["error"]
    status = NOT_FOUND if error["code"] == "not_found" else REFUSED
    return Answer(None, ApiRefusal(status, error["code"], error["message"], error["details"], ""))


def _read(answer: httpx.Response) -> Answer:
    request_id = answer.headers.get(REQUEST_ID, "")
    if answer.status_code == ACCEPTED and answer.json().get("kind") == CALL:
        return Answer(None, _unfinished(answer.json(), request_id), answer.headers)
    if answer.is_success:
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        data = answer.json() if is_json and answer.content else None
        return Answer(data, None, answer.headers)
    error = answer.json()["error"]
    refusal = ApiRefusal(
        answer.status_code, error["code"], error["message"], error["details"], request_id
    )
    return Answer(None, refusal, answer.headers)
