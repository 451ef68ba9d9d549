"""Calls of the API: what is sent, and what a refusal becomes."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import httpx

from lakeshelf.errors import first_line
from lakeshelf.governance.errors import CODES, GovernanceError, refused

PREFIX = "/api/v1"
ACCEPTED = 202
WAIT_S = 9
"""Seconds for which a job is waited for at a time."""
Json = dict[str, Any]
Content = Callable[[], Iterable[bytes]]
"""Gives a file's bytes, from its start each time."""


def part(text: str) -> str:
    """A text as one part of an address, whatever it is: no slash and no `..` of it leads elsewhere."""
    return quote(text, safe="").replace(".", "%2E") if text in (".", "..") else quote(text, safe="")


class Calls:
    """Calls of one API by one user.

    Args:
        url: Address of the API.
        token: Bearer token; never shown.
        seconds: How long an answer may take.
        transport: What carries the calls; None: the network.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        seconds: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url
        self._client = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=seconds,
            transport=transport,
            trust_env=False,
        )

    def get(self, path: str, **params: Any) -> Any:
        """What is at a path; parameters that are None are left out."""
        present = {name: value for name, value in params.items() if value is not None}
        return self._answer("GET", path, params=present)

    def post(
        self, path: str, body: Mapping[str, Any] | None = None, seconds: float | None = None
    ) -> Any:
        """The answer to a body; a call whose answer was lost is answered as the first time.

        Args:
            path: Where it goes.
            body: What is sent.
            seconds: How long the answer may take; None: as long as any.
        """
        limit = httpx.USE_CLIENT_DEFAULT if seconds is None else seconds
        return self._answer("POST", path, json=dict(body or {}), timeout=limit)

    def send(self, path: str, content: Content, **params: Any) -> Any:
        """The answer to a file, which is the body as it is."""
        return self._answer("POST", path, content=content, params=params)

    def put(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The answer to a body that takes the place of what is there."""
        return self._answer("PUT", path, json=None if body is None else dict(body))

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """The answer to a body that changes a part of what is there."""
        return self._answer("PATCH", path, json=dict(body))

    def delete(self, path: str, **params: Any) -> Any:
        """Take away what is at a path."""
        return self._answer("DELETE", path, params=params)

    def lines(self, path: str, headers: Mapping[str, str]) -> Iterator[str]:
        """Lines of an answer that does not end."""
        with self.stream(path, headers=dict(headers), timeout=None) as response:
            yield from response.iter_lines()

    @contextmanager
    def stream(self, path: str, **sent: Any) -> Iterator[httpx.Response]:
        """An answer that is read as it comes."""
        try:
            with self._client.stream("GET", PREFIX + path, **sent) as response:
                if response.is_error:
                    response.read()
                    raise _refusal(response)
                yield response
        except httpx.HTTPError as error:
            raise self._silent(error) from error

    def close(self) -> None:
        """End all connections."""
        self._client.close()

    def _answer(
        self, method: str, path: str, *, content: Content | None = None, **sent: Any
    ) -> Any:
        headers = {"X-Request-ID": uuid.uuid4().hex}
        try:
            response = self._sent(method, path, content, headers=headers, **sent)
        except httpx.HTTPError as error:
            raise self._silent(error) from error
        if response.is_error:
            raise _refusal(response)
        answer: Any = response.json() if response.content else None
        return self._ended(answer) if response.status_code == ACCEPTED else answer

    def _ended(self, job: Json) -> Any:
        """What comes of a call that takes so long that it is answered by a job."""
        path = f"/jobs/{job['id']}"
        while job["status"] in ("queued", "running"):
            job = self.get(path, wait=WAIT_S)
        if job["status"] == "failed":
            raise refusal_of(job["result"]["error"])
        if job["status"] != "done":
            raise refused("transition_refused", f"job {job['id']} was {job['status']}")
        return job["result"]["body"] if job["kind"] == "call" else job

    def _sent(self, method: str, path: str, content: Content | None, **sent: Any) -> httpx.Response:
        """Send, and once more under the same key where the connection broke before an answer came."""

        def once() -> httpx.Response:
            body = None if content is None else content()
            return self._client.request(method, PREFIX + path, content=body, **sent)

        try:
            return once()
        except httpx.RemoteProtocolError:
            return once()

    def _silent(self, error: httpx.HTTPError) -> GovernanceError:
        reason = first_line(error) or type(error).__name__
        return refused(
            "service_unavailable",
            f"the API at {self.url} does not answer: {reason}",
            hint="`lakeshelf up` starts it, `lakeshelf status` shows how it is",
            url=self.url,
        )


def _refusal(response: httpx.Response) -> GovernanceError:
    """What the API says of a call that it refuses."""
    try:
        problem = response.json()["error"]
        code, message = problem["code"], problem["message"]
    except (ValueError, KeyError, TypeError):
        return refused(
            "service_unavailable",
            f"{response.url} answers {response.status_code}, and nothing of what is wrong",
            hint="is this the address of Lakeshelf's API? see `lakeshelf status`",
        )
    return GovernanceError(_known(code), message, details=problem.get("details") or {})


def refusal_of(problem: Mapping[str, Any]) -> GovernanceError:
    """The error of a refusal that an answer tells: `code`, `message`, `details`."""
    return GovernanceError(_known(problem["code"]), problem["message"], details=problem["details"])


def _known(code: str) -> str:
    return code if code in CODES else "service_unavailable"


def one(answer: Any) -> Json:
    """An answer that is a record."""
    record: Json = answer
    return record


def many(answer: Any) -> list[Json]:
    """An answer that is a list of records."""
    records: list[Json] = answer
    return records
