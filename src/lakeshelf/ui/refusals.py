"""Refusals that no page made: of a call that is none, at the door, before its form is read. People get a page."""

from __future__ import annotations

import json
from dataclasses import dataclass

from fastapi.responses import HTMLResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lakeshelf.governance.api.door.calls import PREFIX, REQUEST_ID
from lakeshelf.governance.api.door.identity import OPERATORS
from lakeshelf.ui import rendering
from lakeshelf.ui.asking import ApiRefusal

FIRST = 400
"""Lowest status of a refusal."""
OF_CONTENT = ("content-length", "content-type", "content-encoding")


def is_for_people(scope: Scope) -> bool:
    """Whether a browser asks for a page, not a script or a program for data."""
    is_call = scope["path"].startswith((PREFIX, OPERATORS))
    return not is_call and "text/html" in Headers(scope=scope).get("accept", "")


@dataclass(frozen=True)
class RefusalPages:
    """Tells people by a page what programs are told in the one shape of refusals.

    Attributes:
        app: What answers.
    """

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] == "http" and is_for_people(scope):
            send = _Telling(scope, receive, send)
        await self.app(scope, receive, send)


@dataclass
class _Telling:
    """What is sent; a refusal in JSON waits until it is whole."""

    scope: Scope
    receive: Receive
    send: Send
    begun: Message | None = None
    body: bytes = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_refusal(message):
            self.begun = message
        elif self.begun is None:
            await self.send(message)
        else:
            self.body += message.get("body", b"")
            if not message.get("more_body"):
                await _page(self.begun, self.body)(self.scope, self.receive, self.send)


def _is_refusal(begun: Message) -> bool:
    kind = MutableHeaders(scope=begun).get("content-type", "")
    return begun["status"] >= FIRST and kind.startswith("application/json")


def _page(begun: Message, body: bytes) -> HTMLResponse:
    kept = {k: v for k, v in MutableHeaders(scope=begun).items() if k not in OF_CONTENT}
    error = json.loads(body)["error"]
    refusal = ApiRefusal(
        begun["status"],
        error["code"],
        error["message"],
        error["details"],
        kept.get(REQUEST_ID.lower(), ""),
    )
    values = {"refusal": refusal, "back": "/", "title": "This was not done"}
    return HTMLResponse(rendering.render("refused.html", values), refusal.status, kept)
