"""The API as a person or a program uses it: users, tokens, projects, events, queries."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import httpx

from lakeshelf.governance.client.calls import Calls, Json, part
from lakeshelf.governance.client.resources import Project
from lakeshelf.governance.client.shop import Shop

PAGE = 1_000
"""Rows of a statement that are asked for at once."""


class Client:
    """The API at an address, for the user of a token.

    Args:
        url: Address of the API, such as `http://127.0.0.1:8080`.
        token: Bearer token of the user.
        seconds: How long an answer may take.
        transport: What carries the calls; None: the network.

    Each method raises `GovernanceError` with the code of the refusal, and `service_unavailable` where nobody answers.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        seconds: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._calls = Calls(url, token, seconds=seconds, transport=transport)

    @property
    def url(self) -> str:
        """Address of the API."""
        return self._calls.url

    def me(self) -> Json:
        """Who the token belongs to: `user`, `admin`, `scopes`, and `projects` with the role in each."""
        return self._one(self._calls.get("/me"))

    def users(self) -> list[Json]:
        """Every user, for admins."""
        return self._many(self._calls.get("/users"))

    def add_user(self, name: str, *, label: str = "", admin: bool = False) -> Json:
        """A new user."""
        return self._one(self._calls.post("/users", {"name": name, "label": label, "admin": admin}))

    def change_user(self, name: str, **changes: Any) -> Json:
        """Change `label`, `admin` or `enabled` of a user."""
        return self._one(self._calls.patch(f"/users/{part(name)}", changes))

    def tokens(self, user: str) -> list[Json]:
        """Tokens of a user, without their secrets."""
        return self._many(self._calls.get(f"/users/{part(user)}/tokens"))

    def issue_token(
        self,
        user: str,
        *,
        label: str = "",
        scopes: list[str] | None = None,
        days: int | None = None,
    ) -> Json:
        """A new token, one's own or as an admin; its `secret` is told this once.

        Args:
            user: Whose it will be.
            label: What it is for.
            scopes: What it may be used for; None: all that can be given.
            days: How long it is good; None: 90 days, or as long as the token with which one's own is made.
        """
        body = {"label": label, "scopes": scopes, "days": days}
        return self._one(self._calls.post(f"/users/{part(user)}/tokens", body))

    def revoke_token(self, token_id: str) -> Json:
        """Take a token back."""
        return self._one(self._calls.delete(f"/tokens/{part(token_id)}"))

    def projects(self) -> list[Json]:
        """Projects that the user is a member of."""
        return self._many(self._calls.get("/projects"))

    def create_project(self, project: str, *, title: str = "", description: str = "") -> Json:
        """A new project, which its maker owns."""
        body = {"id": project, "title": title, "description": description}
        return self._one(self._calls.post("/projects", body))

    def project(self, project: str) -> Project:
        """A project; nothing is asked yet."""
        return Project(self._calls, project)

    def shop(self) -> Shop:
        """The shop that obeys the datasets, and its stack; nothing is asked yet."""
        return Shop(self._calls)

    def query(self, sql: str, *, max_rows: int = 1_000, seconds: float = 60) -> Json:
        """Rows of one SELECT: `columns`, `types`, `rows`, `total`, `truncated`, the versions of the `tables` it read.

        Args:
            sql: The statement.
            max_rows: Rows of the answer, 10,000 at most.
            seconds: How long it may take, 600 at most.
        """
        body: Json = {"sql": sql, "max_rows": max_rows, "seconds": seconds}
        answer = self._one(self._calls.post("/query", body))
        return answer if "rows" in answer else self._rows(answer["id"], max_rows)

    def jobs(self) -> list[Json]:
        """Jobs of the user, the newest first."""
        return self._many(self._calls.get("/jobs"))

    def cancel_job(self, job_id: str) -> Json:
        """Cancel a job: one that waits ends, one that runs is told to."""
        return self._one(self._calls.post(f"/jobs/{part(job_id)}/cancel"))

    def sign_in_link(self, user: str) -> Json:
        """What signs a browser of a user in, once; its `secret` is told this once."""
        return self._one(self._calls.post(f"/users/{part(user)}/sign_in_links"))

    def browser_sessions(self, user: str) -> list[Json]:
        """Where a user is signed in, for admins and the user."""
        return self._many(self._calls.get(f"/users/{part(user)}/browser_sessions"))

    def end_session(self, session_id: str) -> None:
        """Sign a browser out, one's own or as an admin."""
        self._calls.delete(f"/browser_sessions/{part(session_id)}")

    def identities(self, user: str) -> list[Json]:
        """As whom OpenID providers know a user, for admins."""
        return self._many(self._calls.get(f"/users/{part(user)}/identities"))

    def link_identity(self, user: str, subject: str) -> Json:
        """Let a user sign in by the OpenID provider, as an admin."""
        return self._one(self._calls.post(f"/users/{part(user)}/identities", {"subject": subject}))

    def unlink_identity(self, user: str, subject: str) -> None:
        """Let a user sign in by the OpenID provider no more, as an admin."""
        self._calls.delete(f"/users/{part(user)}/identities", subject=subject)

    def notices(self) -> list[Json]:
        """Events that the user is told of."""
        return self._many(self._calls.get("/notices"))

    def events(self, after: int | None = None) -> Iterator[Json]:
        """Events as they happen, from behind a number on; ends when it is closed.

        Args:
            after: Number of the last event that is known; None: the next one that happens.
        """
        headers = {} if after is None else {"Last-Event-ID": str(after)}
        for line in self._calls.lines("/events", headers):
            name, _, value = line.partition(":")
            if name == "data" and value.strip():
                yield json.loads(value)

    def close(self) -> None:
        """End all connections."""
        self._calls.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _rows(self, job: str, most: int) -> Json:
        """Rows of a statement that has ended, page by page."""
        answer = self._one(self._calls.get(f"/jobs/{part(job)}/rows", limit=min(most, PAGE)))
        rows, count = answer["rows"], min(most, answer["total"])
        while len(rows) < count:
            limit = min(count - len(rows), PAGE)
            page = self._calls.get(f"/jobs/{part(job)}/rows", offset=len(rows), limit=limit)
            rows += page["rows"]
        return answer

    @staticmethod
    def _one(answer: Any) -> Json:
        record: Json = answer
        return record

    @staticmethod
    def _many(answer: Any) -> list[Json]:
        records: list[Json] = answer
        return records
