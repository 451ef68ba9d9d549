"""What holds for every call, whichever route it takes: one shape of refusals, ids, and calls that are sent twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI

from lakeshelf.governance.api.door import bodies
from lakeshelf.governance.errors import CODES
from lakeshelf.governance.services.context import Context
from tests.governance.api.people import DATA, Person, code, issue
from tests.governance.services.conftest import Clock


def raw(person: Person, body: bytes, path: str = "/api/v1/projects") -> Any:
    headers = {"Content-Type": "application/json"}
    return asyncio.run(person.sent("POST", path, headers=headers, content=body))


def test_every_answer_has_an_id_and_says_it_is_not_to_be_kept(ann: Person) -> None:
    answer = ann.call("GET", "/api/v1/me", X_Request_ID="mine-1")
    assert answer.headers["X-Request-ID"] == "mine-1"
    assert answer.headers["Cache-Control"] == "no-store"
    assert len(ann.call("GET", "/api/v1/nothing").headers["X-Request-ID"]) == 32


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/v1/nothing", "not_found"),
        ("GET", "/nothing", "not_found"),
        ("PATCH", "/api/v1/me", "method_not_allowed"),
        ("GET", "/api/v1/projects/other", "not_found"),
        ("GET", f"{DATA}/views/xyz/rows", "not_found"),
        ("GET", f"{DATA}/diff?before=-1&after=x", "request_invalid"),
        ("GET", f"{DATA}/diff?before=0&after=999999", "not_found"),
        ("GET", "/api/v1/projects/retail/change_requests/9", "not_found"),
        ("GET", "/api/v1/projects/retail/change_requests/9223372036854775808", "request_invalid"),
        ("GET", "/api/v1/projects/a%00b", "request_invalid"),
    ],
)
def test_what_there_is_none_of_is_refused_in_the_one_shape(
    ann: Person, method: str, path: str, expected: str
) -> None:
    answer = ann.call(method, path)
    assert (code(answer), answer.status_code) == (expected, CODES[expected])


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff",
        b"[1]",
        b'{"id": NaN}',
        b'{"id": 1e999}',
        b'{"id": "a\\u0000b"}',
        b'{"id": "\\ud800"}',
        b'{"id": "abc", "more": 1}',
        b"[" * 100_000,
        b'{"id": ' + b"9" * 10_000 + b"}",
    ],
)
def test_a_body_that_is_none_is_refused(ann: Person, body: bytes) -> None:
    answer = raw(ann, body)
    assert (code(answer), answer.status_code) == ("request_invalid", 422)


def test_a_body_that_is_too_large_is_refused(ann: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "LARGEST", 100)
    answer = raw(ann, b"x" * 101)
    assert (code(answer), answer.status_code) == ("body_too_large", 413)


@pytest.mark.parametrize("secret", [None, "", "unknown"])
def test_who_has_no_token_is_refused(app: FastAPI, secret: str | None) -> None:
    answer = Person(app, secret).call("GET", "/api/v1/me")
    assert (code(answer), answer.status_code) == ("unauthenticated", 401)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_token_is_good_for_its_scopes_only(app: FastAPI, context: Context) -> None:
    narrow = Person(app, issue(context, "ann", "narrow", scopes=["read"]))
    assert narrow.get("/api/v1/me")["scopes"] == ["read"]
    assert narrow.refused("POST", f"{DATA}/live_sessions") == "forbidden"
    blind = Person(app, issue(context, "ann", "blind", scopes=["write"]))
    for path in (DATA, "/api/v1/events", "/api/v1/events/list", "/api/v1/notices"):
        assert blind.refused("GET", path) == "forbidden", path


def test_what_nobody_thought_of_is_told_without_details(app: FastAPI, ann: Person) -> None:
    @app.get("/api/v1/broken")
    def broken() -> None:
        raise RuntimeError("the secret is 42")

    answer = ann.call("GET", "/api/v1/broken")
    assert (code(answer), answer.status_code) == ("internal", 500)
    assert "42" not in answer.text
    assert answer.headers["X-Request-ID"]


def test_a_call_that_is_sent_twice_is_done_once(ann: Person, ben: Person) -> None:
    first = ann.call("POST", f"{DATA}/live_sessions", X_Request_ID="r1")
    again = ann.call("POST", f"{DATA}/live_sessions", X_Request_ID="r1")
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert len(ann.get(f"{DATA}/live_sessions")) == 1
    other = ben.call("POST", f"{DATA}/live_sessions", X_Request_ID="r1")
    assert other.json()["user"] == "ben"


def test_an_id_of_another_body_is_refused(ann: Person) -> None:
    session = ann.post(f"{DATA}/live_sessions")["id"]
    path = f"/api/v1/live_sessions/{session}/undo"
    snapshots = f"{DATA}/snapshots"
    assert ann.call("POST", snapshots, {"name": "one"}, X_Request_ID="r2").status_code == 201
    answer = ann.call("POST", snapshots, {"name": "two"}, X_Request_ID="r2")
    assert code(answer) == "idempotency_mismatch"
    assert ann.call("POST", path, {"edit_ids": ["x"]}, X_Request_ID="r2").status_code == 404


def test_a_call_that_was_refused_is_tried_anew(ann: Person) -> None:
    body = {"name": "one"}
    wrong = ann.call("POST", f"{DATA}/snapshots", {"name": "No"}, X_Request_ID="r3")
    assert code(wrong) == "name_invalid"
    right = ann.call("POST", f"{DATA}/snapshots", body, X_Request_ID="r3")
    assert right.status_code == 201


def test_an_answer_is_forgotten_after_a_day(ann: Person, clock: Clock) -> None:
    ann.call("POST", f"{DATA}/live_sessions", X_Request_ID="r4")
    clock.pass_(hours=25)
    ann.call("POST", f"{DATA}/live_sessions", X_Request_ID="r4")
    assert len(ann.get(f"{DATA}/live_sessions")) == 2


def test_the_secret_of_a_token_is_told_once_and_kept_nowhere(
    app: FastAPI, context: Context, eve: Person
) -> None:
    with context.metadata.transaction() as tx:
        tx.people.change("eve", admin=True)
    path, body = "/api/v1/users/ben/tokens", {"scopes": ["read"], "days": 1}
    first = eve.call("POST", path, body, X_Request_ID="r5").json()
    again = eve.call("POST", path, body, X_Request_ID="r5").json()
    assert again == {"token": first["token"]}
    assert Person(app, first["secret"]).get("/api/v1/me")["user"] == "ben"
    eve.call("DELETE", f"/api/v1/tokens/{first['token']['id']}")
    assert Person(app, first["secret"]).refused("GET", "/api/v1/me") == "unauthenticated"


def test_operators_see_what_runs_and_whether_it_is_well(app: FastAPI) -> None:
    nobody = Person(app, None)
    assert nobody.get("/__version__")["source"] == "lakeshelf"
    assert nobody.get("/__lbheartbeat__") == {"status": "ok"}
    checks = nobody.get("/__heartbeat__")["checks"]
    assert checks == {"database": "ok", "storage": "ok", "validator": "ok"}
