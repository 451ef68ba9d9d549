"""What browsers may do with a page: load from here alone, run no text as script, be in no frame of others.

Pages are compressed. What one says of its reader's session is of no use to who would guess it by lengths: a call that
changes something needs the cookie and an origin of ours, too.
"""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lakeshelf.governance.api.door.calls import PREFIX

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "require-trusted-types-for 'script'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
}

LEVEL = 6
"""Of compression: little is gained above it."""


class Headers:
    """Puts the headers of pages on all that is no call of the API, and compresses it.

    Args:
        app: What answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._packed = GZipMiddleware(app, compresslevel=LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""

        async def answering(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        is_page = scope["type"] == "http" and not scope["path"].startswith(PREFIX)
        if is_page:
            await self._packed(scope, receive, answering)
        else:
            await self._app(scope, receive, send)
