"""Calls that take long: after a while they are answered by a job, and go on.

docs/design/governance.md#jobs
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lakeshelf.governance.api.answers import JobAnswer
from lakeshelf.governance.api.door.bodies import LARGEST
from lakeshelf.governance.api.door.once import without_secret
from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata.work import DONE, FAILED
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.jobs import asked
from lakeshelf.governance.services.jobs.running import Runner, Running

PREFERRED = re.compile(r"(?:^|[,;\s])wait=(\d{1,4})(?![\d.])")
"""Of the header `Prefer` (RFC 7240): how many seconds a caller would wait."""


@dataclass
class SlowCalls:
    """Answers a call that has not begun to answer in time by a job, of which the answer becomes the result.

    Attributes:
        app: What is behind it.
        context: What it stands on.
        runner: Who holds the jobs.
        seconds: How long callers wait who do not prefer less; None: all wait until the answer begins.
    """

    app: ASGIApp
    context: Context
    runner: Runner
    seconds: float | None
    _ends: set[asyncio.Task[None]] = field(default_factory=set)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a call."""
        relay = _Relay(send)
        task = asyncio.ensure_future(_whole(self.app(scope, receive, relay)))
        try:
            await asyncio.wait({task}, timeout=self._patience(scope))
            if task.done() or relay.begun:
                await task
                return
        except asyncio.CancelledError:
            task.cancel()
            raise
        relay.kept = []
        caller, params = scope["state"]["caller"], _named(scope)
        running = await run_in_threadpool(self.runner.hold, caller, asked.CALL, params)
        end = asyncio.ensure_future(self._ended(running, task, relay))
        self._ends.add(end)
        end.add_done_callback(self._ends.discard)
        seen = await run_in_threadpool(asked.job, self.context, caller, running.job.id)
        body = JobAnswer.of(seen).model_dump(mode="json")
        await JSONResponse(body, 202)(scope, receive, send)

    def _patience(self, scope: Scope) -> float | None:
        preferred = PREFERRED.search(Headers(scope=scope).get("prefer", ""))
        if self.seconds is None or preferred is None:
            return self.seconds
        return min(self.seconds, float(preferred[1]))

    async def _ended(self, running: Running, task: asyncio.Future[None], relay: _Relay) -> None:
        try:
            await task
            status, result = relay.answer()
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is told by the job
            await run_in_threadpool(self.runner.fail, running, error)
        else:
            await run_in_threadpool(self.runner.end, running, status, result)


@dataclass
class _Relay:
    """What is sent; once nobody waits for it any longer, it is kept.

    Attributes:
        send: The caller, while it waits.
        begun: Whether the answer has begun.
        kept: Messages that nobody waits for; None: somebody does.
    """

    send: Send
    begun: bool = False
    kept: list[Message] | None = None

    async def __call__(self, message: Message) -> None:
        self.begun = True
        if self.kept is None:
            await self.send(message)
            return
        self.kept.append(message)
        if sum(len(one.get("body", b"")) for one in self.kept) > LARGEST:
            raise refused(
                "body_too_large",
                f"the answer of a call that nobody waits for has {LARGEST:,} bytes at most",
                hint="ask for less at once",
                most=LARGEST,
            )

    def answer(self) -> tuple[str, dict[str, Any]]:
        """Status and result of the job."""
        first, *rest = self.kept or []
        body = b"".join(message.get("body", b"") for message in rest)
        try:
            content: Any = without_secret(json.loads(body)) if body else None
        except ValueError:
            raise refused(
                "request_invalid",
                "the answer is a file, which a job does not keep",
                hint="ask again, for less",
            ) from None
        if first["status"] >= 400:
            return FAILED, content
        return DONE, {"status": first["status"], "body": content}


def _named(scope: Scope) -> dict[str, str]:
    """Which call it is, for who asks again."""
    query = scope["query_string"].decode("latin-1")
    return {"call": f"{scope['method']} {scope['path']}", **({"query": query} if query else {})}


async def _whole(call: Awaitable[None]) -> None:
    await call
