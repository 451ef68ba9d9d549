"""What holds for every call: its id, who calls, what a body may be, and that a call sent twice is done once."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from lakeshelf.governance.api.door import addresses, bodies, failures
from lakeshelf.governance.api.door.identity import SAFE, caller_of
from lakeshelf.governance.api.door.limits import CallLimits
from lakeshelf.governance.api.door.once import Once
from lakeshelf.governance.api.door.patience import SlowCalls
from lakeshelf.governance.api.serving import Serving
from lakeshelf.governance.errors import CODES, GovernanceError, refused
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.services.jobs.running import Runner
from lakeshelf.governance.services.refusals import governed
from lakeshelf.logs import log
from lakeshelf.telemetry import metrics

REQUEST_ID = "X-Request-ID"
PREFIX = "/api/"
"""Below it everybody says who they are."""
SIGN_IN = "/api/v1/sign_in"
"""Where who calls proves it by the body."""
OPENID, OPENID_BACK = "/openid/sign_in", "/openid/callback"
"""Where browsers go to an OpenID provider, and come back from it."""
UNKNOWN = (SIGN_IN, f"/api/v1{OPENID}", f"/api/v1{OPENID_BACK}")
"""Where who calls is not known yet."""
STREAMED = re.compile(
    r"/api/v1/projects/[^/]+/datasets/[^/]+/(uploads|export)|/api/v1/projects/[^/]+/inferences"
)
"""Where a body is a file, which the route bounds; sent twice, it is kept twice until it is cleaned up."""
JOBS = re.compile(r"/api/v1/(jobs|query|whatif)(/.*)?")
"""What answers by jobs itself."""
READS = re.compile(
    r"/api/v1/(query|whatif|jobs/[^/]+/cancel|sign_out|projects/[^/]+/datasets/[^/]+/views)"
)
"""What changes nothing of the lake, whatever its method."""
FIRST_REFUSAL = 400
_ID = re.compile(r"[\x21-\x7e]{1,80}")


@dataclass
class Door:
    """The way into the application.

    Attributes:
        app: What is behind it.
        context: What it stands on.
        runner: Who holds calls that take long.
        serving: How it is served.
        new_id: Makes ids of calls.
        seconds: Monotonic clock.
    """

    app: ASGIApp
    context: Context
    runner: Runner
    serving: Serving
    new_id: Callable[[], str] = lambda: uuid.uuid4().hex
    seconds: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        serving = self.serving
        self._patience = SlowCalls(self.app, self.context, self.runner, serving.patience_s)
        self._limits = CallLimits(serving.rates, self.seconds)
        self._site = serving.site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a call; whatever goes wrong is answered in the one shape."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        claimed = Headers(scope=scope).get(REQUEST_ID)
        known = claimed is None or _ID.fullmatch(claimed) is not None
        request_id = claimed if claimed and known else self.new_id()
        answering = _Answering(send, request_id)
        scope.setdefault("state", {})["request_id"] = request_id
        begun = self.seconds()
        with bound_contextvars(request_id=request_id):
            try:
                if not known:
                    raise refused("request_invalid", f"{REQUEST_ID} is 1 to 80 visible characters")
                await self._served(scope, receive, answering, claimed)
            except Exception as error:  # noqa: BLE001 - the last resort of every call
                await self._failed(error, scope, receive, answering)
            finally:
                _logged(scope, answering.status, self.seconds() - begun)

    async def _failed(
        self, error: Exception, scope: Scope, receive: Receive, answering: _Answering
    ) -> None:
        content = governed(error)
        if content.code == "internal":
            log.error("call failed", call=_place(scope), exc_info=error)
        if not answering.status:
            await failures.answer(content, self.context.root)(scope, receive, answering)

    async def _served(
        self, scope: Scope, receive: Receive, answering: _Answering, key: str | None
    ) -> None:
        self._site.require_known_host(scope)
        bodies.require_text(scope)
        addresses.take(scope)
        if not scope["path"].startswith(PREFIX):
            await self.app(scope, bodies.bounded(receive), answering)
        elif scope["path"] in UNKNOWN:
            await self._signing_in(scope, receive, answering)
        else:
            await self._called(scope, receive, answering, key)

    async def _signing_in(self, scope: Scope, receive: Receive, answering: _Answering) -> None:
        self._site.require_own(scope, named=False)
        self._limits.require_few_failures(scope)
        again = bodies.Again(await bodies.whole(scope, receive), receive)
        await self.app(scope, again, answering)
        if answering.status == CODES["unauthenticated"]:
            with suppress(GovernanceError):  # the next one is refused
                self._limits.failed(scope)

    async def _called(self, scope: Scope, receive: Receive, send: Send, key: str | None) -> None:
        caller = await self._caller(scope)
        self._limits.called(caller.user)
        if self.serving.reading:
            _require_reading(scope)
        scope["state"]["caller"] = caller
        if STREAMED.fullmatch(scope["path"]):
            await self.app(scope, receive, send)
        elif scope["method"] in SAFE:
            await self._behind(scope)(scope, receive, send)
        else:
            body = await bodies.whole(scope, receive)
            await self._changing(scope, bodies.Again(body, receive), send, key)

    def _behind(self, scope: Scope) -> ASGIApp:
        return self.app if JOBS.fullmatch(scope["path"]) else self._patience

    async def _caller(self, scope: Scope) -> Caller:
        try:
            return await run_in_threadpool(caller_of, self.context, self._site, scope)
        except GovernanceError as error:
            has_token = "authorization" in Headers(scope=scope)
            cookie = None if has_token else self._site.shown(scope)
            if error.code == "unauthenticated" and (has_token or cookie is not None):
                self._limits.failed(scope, cookie)
            raise

    async def _changing(
        self, scope: Scope, again: bodies.Again, send: Send, key: str | None
    ) -> None:
        if key is None:
            await self._behind(scope)(scope, again, send)
            return
        once = Once(self._behind(scope), self.context)
        call = once.call(scope, scope["state"]["caller"], key, again.body)
        await once.serve(scope, again, send, call)


@dataclass
class _Answering:
    """What is sent, with the headers of every answer."""

    send: Send
    request_id: str
    status: int = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers[REQUEST_ID] = self.request_id
            headers.setdefault("Cache-Control", "no-store")
            headers["X-Content-Type-Options"] = "nosniff"
        await self.send(message)


def _require_reading(scope: Scope) -> None:
    """Refuse what would change something while nobody is there to obey it."""
    if scope["method"] not in SAFE and not READS.fullmatch(scope["path"]):
        raise refused(
            "service_unavailable",
            "the lake is shown without its stack; nothing was changed",
            hint="start it with `lakeshelf up`, and use its pages",
        )


def _logged(scope: Scope, status: int, seconds: float) -> None:
    """A line of the log for a call; what only reads and went well is for those who look closely."""
    route = getattr(scope.get("route"), "path", "none")
    labels = {"route": route, "method": scope["method"], "status": str(status)}
    metrics.HTTP_DURATION.take(seconds, **labels)
    caller: Caller | None = scope["state"].get("caller")
    is_quiet = scope["method"] in SAFE and status < FIRST_REFUSAL
    write = log.debug if is_quiet else log.info
    milliseconds = round(seconds * 1_000)
    user = caller.user if caller else ""
    write("call", call=_place(scope), user=user, status=status, milliseconds=milliseconds)


def _place(scope: Scope) -> str:
    return f"{scope['method']} {scope['path'][:200]}"
