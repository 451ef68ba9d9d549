"""Calls that are sent twice under one id, and done once."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lakeshelf.governance.metadata.idempotency import KEPT
from lakeshelf.governance.metadata.tables.work import Call
from lakeshelf.governance.services.context import Caller, Context

BUSY = timedelta(minutes=2)
"""How long a call counts as being served."""
SECRET = "secret"  # noqa: S105 - the name of a field
"""Field of an answer that is told once, and kept nowhere."""


@dataclass
class Once:
    """Answers a call that was answered before as it was then; what was refused is tried anew.

    Attributes:
        app: What is behind it.
        context: What it stands on.
    """

    app: ASGIApp
    context: Context

    def call(self, scope: Scope, caller: Caller, key: str, body: bytes) -> Call:
        """A call, by who makes it, what is asked, and the id under which it is sent."""
        now = self.context.clock()
        route = f"{scope['method']} {scope['path']}"
        digest = hashlib.sha256(scope.get("query_string", b"") + b"\n" + body).hexdigest()
        return Call(caller.user, route, key, digest, None, None, now + BUSY, now + KEPT)

    async def serve(self, scope: Scope, receive: Receive, send: Send, call: Call) -> None:
        """Serve a call, or answer it again."""
        before = await run_in_threadpool(self._begun, call)
        if before is not None:
            await _again(before)(scope, receive, send)
            return
        answer = _Answer()
        try:
            await self.app(scope, receive, answer)
        except BaseException:
            await run_in_threadpool(self._dropped, call)
            raise
        await run_in_threadpool(self._ended, call, answer)
        for message in answer.messages:
            await send(message)

    def _begun(self, call: Call) -> Call | None:
        with self.context.metadata.transaction() as tx:
            return tx.idempotency.begin(call, self.context.clock())

    def _dropped(self, call: Call) -> None:
        with self.context.metadata.transaction() as tx:
            tx.idempotency.drop(call)

    def _ended(self, call: Call, answer: _Answer) -> None:
        if not answer.succeeded:
            self._dropped(call)
            return
        with self.context.metadata.transaction() as tx:
            tx.idempotency.answer(call, answer.status, {"body": answer.kept})


@dataclass
class _Answer:
    """An answer that waits until it is remembered."""

    messages: list[Message] = field(default_factory=list)

    async def __call__(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def succeeded(self) -> bool:
        return self.status < 400

    @property
    def kept(self) -> Any:
        """The body as JSON, without secrets."""
        body = b"".join(message.get("body", b"") for message in self.messages[1:])
        return without_secret(json.loads(body)) if body else None


def without_secret(content: Any) -> Any:
    """An answer as it may be kept."""
    if not isinstance(content, dict):
        return content
    return {name: value for name, value in content.items() if name != SECRET}


def _again(call: Call) -> Response:
    status, body = int(call.status or 200), (call.answer or {}).get("body")
    return Response(status_code=status) if body is None else JSONResponse(body, status)
