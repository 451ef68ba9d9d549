"""People with their tokens, as clients of an application in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response

from lakeshelf.governance.domain.permissions import SCOPES, Scope
from lakeshelf.governance.metadata.people import digest
from lakeshelf.governance.metadata.tables.people import Token
from lakeshelf.governance.services.context import Context
from tests.governance.services.conftest import DATASET, PROJECT

DATA = f"/api/v1/projects/{PROJECT}/datasets/{DATASET}"
REQUESTS = f"/api/v1/projects/{PROJECT}/change_requests"
ROW = {
    "threshold_pct": 30,
    "min_qty": 1,
    "target_pct": 80,
    "near_expiry_days": 5,
    "active": True,
}


def issue(
    context: Context,
    user: str,
    secret: str,
    *,
    scopes: Collection[Scope] = SCOPES,
    length: timedelta = timedelta(days=30),
) -> str:
    now = context.clock()
    with context.metadata.transaction() as tx:
        tx.people.issue(
            Token(
                context.new_id(), user, "", digest(secret), tuple(scopes), user, now, now + length
            )
        )
    return secret


class Person:
    """Somebody who calls."""

    def __init__(self, app: FastAPI, secret: str | None) -> None:
        self._app = app
        self._headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        given = {} if body is None else {"json": body}
        return asyncio.run(self.sent(method, path, headers=named, **given))

    async def sent(
        self, method: str, path: str, *, headers: dict[str, str], **content: Any
    ) -> Response:
        transport = ASGITransport(self._app, raise_app_exceptions=False)
        async with AsyncClient(transport=transport, base_url="http://lakeshelf") as client:
            return await client.request(method, path, headers=self._headers | headers, **content)

    def get(self, path: str, **params: Any) -> Any:
        return told(asyncio.run(self.sent("GET", path, headers={}, params=params)))

    def post(self, path: str, body: Any = None) -> Any:
        return told(self.call("POST", path, body))

    def put(self, path: str, body: Any = None) -> Any:
        return told(self.call("PUT", path, body))

    def refused(self, method: str, path: str, body: Any = None) -> str:
        answer = self.call(method, path, body)
        assert answer.status_code >= 400, answer.text
        return code(answer)


ORIGIN = "http://lakeshelf"


class Browser(Person):
    """Somebody who calls from a browser in which they are signed in.

    Args:
        app: The application.
        secret: Of the token or link that signs them in.
        csrf: What is brought along; None: what they were told.
        origin: Where the page is from; None: it is not said.
    """

    def __init__(
        self, app: FastAPI, secret: str, *, csrf: str | None = None, origin: str | None = ORIGIN
    ) -> None:
        super().__init__(app, None)
        answer = self.call("POST", "/api/v1/sign_in", {"token": secret}, Origin=ORIGIN)
        self.signed_in = told(answer)
        self.cookie = answer.headers["Set-Cookie"]
        self.secret = self.cookie.partition(";")[0].partition("=")[2]
        self._headers = {
            "Cookie": self.cookie.partition(";")[0],
            "X-CSRF-Token": self.signed_in["csrf"] if csrf is None else csrf,
        }
        if origin is not None:
            self._headers["Origin"] = origin


def told(answer: Response) -> Any:
    assert answer.status_code < 400, answer.text
    return answer.json() if answer.content else None


def code(answer: Response) -> str:
    """The code of a refusal, whose shape is that of all."""
    body = answer.json()
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"code", "message", "details"}
    return str(body["error"]["code"])
