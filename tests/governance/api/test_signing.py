"""People in browsers: signed in by a token or a link, known by a cookie, safe from pages of others."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fastapi import FastAPI

from lakeshelf.governance.api.app import application
from lakeshelf.governance.api.door import identity
from lakeshelf.governance.api.door.identity import Site
from lakeshelf.governance.api.serving import Serving
from lakeshelf.governance.errors import CODES
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.people import signing
from tests.governance.api.people import DATA, Browser, Person, code, issue
from tests.governance.services.conftest import Clock

ME = "/api/v1/me"
SIGN_IN = "/api/v1/sign_in"
EDITING = f"{DATA}/live_sessions"


@pytest.fixture
def token(context: Context) -> str:
    return issue(context, "ann", "lks_ann")


@pytest.fixture
def browser(app: FastAPI, token: str) -> Browser:
    return Browser(app, token)


def test_who_is_signed_in_is_known_by_a_cookie_that_no_script_reads(browser: Browser) -> None:
    me = browser.get(ME)
    assert (me["user"], me["csrf"]) == ("ann", browser.signed_in["csrf"])
    assert browser.post(EDITING)["user"] == "ann"
    _, *attributes = browser.cookie.split("; ")
    assert {"HttpOnly", "SameSite=lax", "Path=/", "Max-Age=43200"} == set(attributes)


@pytest.mark.parametrize("address", ["https://shelves.example", "https://shelves.example:8443"])
def test_behind_tls_the_cookie_is_sent_by_tls_alone(
    context: Context, token: str, address: str
) -> None:
    app = application(context, serving=Serving(Site(address)))
    person = Person(app, None)
    answer = person.call("POST", SIGN_IN, {"token": token}, Origin=address)
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-lakeshelf")
    assert "; Secure" in cookie
    session = cookie.partition(";")[0]
    assert person.call("GET", ME, Cookie=session).json()["user"] == "ann"


def test_lakes_of_one_machine_do_not_share_a_cookie(app: FastAPI, token: str) -> None:
    person = Person(app, None)
    cookies = [
        person.call("POST", SIGN_IN, {"token": token}, Host=host).headers["Set-Cookie"]
        for host in ("127.0.0.1:8081", "127.0.0.1:8082", "[::1]:8081")
    ]
    names = [cookie.partition("=")[0] for cookie in cookies]
    assert names == ["lakeshelf_8081", "lakeshelf_8082", "lakeshelf_8081"]


def test_a_token_needs_neither_origin_nor_csrf_token(ann: Person) -> None:
    assert ann.call("POST", EDITING, Origin="http://evil.example").status_code == 201


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example", "https://lakeshelf"])
def test_a_page_of_somebody_else_changes_nothing(
    app: FastAPI, token: str, origin: str | None
) -> None:
    foreign = Browser(app, token, origin=origin)
    answer = foreign.call("POST", EDITING)
    assert (code(answer), answer.status_code) == ("origin_refused", CODES["origin_refused"])
    assert foreign.get(EDITING) == []
    assert foreign.get(ME)["user"] == "ann"


@pytest.mark.parametrize("csrf", ["", "0" * 64, "x"])
def test_a_call_without_the_csrf_token_changes_nothing(app: FastAPI, token: str, csrf: str) -> None:
    forged = Browser(app, token, csrf=csrf)
    for method, path in (("POST", EDITING), ("POST", f"{DATA}/uploads?file_name=x.csv")):
        answer = forged.call(method, path)
        assert (code(answer), answer.status_code) == ("csrf_refused", CODES["csrf_refused"])
    assert forged.get(EDITING) == []


def test_the_csrf_token_of_another_session_is_none(app: FastAPI, token: str) -> None:
    other = Browser(app, token)
    forged = Browser(app, token, csrf=other.signed_in["csrf"])
    assert forged.refused("POST", EDITING) == "csrf_refused"


def test_a_page_of_somebody_else_signs_nobody_in(app: FastAPI, token: str) -> None:
    answer = Person(app, None).call("POST", SIGN_IN, {"token": token}, Origin="http://evil.example")
    assert code(answer) == "origin_refused"
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("secret", ["unknown", "lkl_unknown", "lkb_unknown"])
def test_nobody_signs_in_by_what_is_not_known(app: FastAPI, secret: str) -> None:
    answer = Person(app, None).call("POST", SIGN_IN, {"token": secret})
    assert (code(answer), "Set-Cookie" in answer.headers) == ("unauthenticated", False)


def test_who_signs_out_is_out(browser: Browser) -> None:
    answer = browser.call("POST", "/api/v1/sign_out")
    assert answer.status_code == 204
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert browser.refused("GET", ME) == "unauthenticated"


def test_who_signs_in_again_leaves_no_session_behind(
    app: FastAPI, token: str, browser: Browser
) -> None:
    before = browser.cookie.partition(";")[0]
    answer = browser.call("POST", SIGN_IN, {"token": token})
    assert answer.headers["Set-Cookie"].partition(";")[0] != before
    assert browser.refused("GET", ME) == "unauthenticated"


def test_a_session_ends_after_half_a_day(browser: Browser, clock: Clock) -> None:
    clock.pass_(hours=11.9)
    assert browser.get(ME)["user"] == "ann"
    clock.pass_(hours=0.1)
    assert browser.refused("GET", ME) == "unauthenticated"


def test_a_session_is_no_more_than_the_token_that_it_stems_from(
    app: FastAPI, context: Context, clock: Clock
) -> None:
    narrow = issue(context, "ann", "lks_n", scopes=["read"], length=timedelta(hours=1))
    browser = Browser(app, narrow)
    assert browser.get(ME)["scopes"] == ["read"]
    assert browser.refused("POST", EDITING) == "forbidden"
    clock.pass_(hours=1)
    assert browser.refused("GET", ME) == "unauthenticated"


def test_a_session_ends_with_its_token_and_its_user(
    app: FastAPI, context: Context, token: str, browser: Browser, ben: Person
) -> None:
    other = Browser(app, issue(context, "ann", "lks_other"))
    ann = Person(app, token)
    [own] = [one["id"] for one in ann.get("/api/v1/users/ann/tokens") if one["last_used_at"]]
    ann.call("DELETE", f"/api/v1/tokens/{own}")
    assert browser.refused("GET", ME) == "unauthenticated"
    with context.metadata.transaction() as tx:
        tx.people.disable("ann", context.clock())
    assert other.refused("GET", ME) == "unauthenticated"
    assert ben.get(ME)["user"] == "ben"


def test_a_link_signs_in_once_and_for_ten_minutes(app: FastAPI, token: str, clock: Clock) -> None:
    ann = Person(app, token)
    link = ann.post("/api/v1/users/ann/sign_in_links")["secret"]
    assert Browser(app, link).get(ME)["user"] == "ann"
    again = Person(app, None).call("POST", SIGN_IN, {"token": link})
    assert code(again) == "unauthenticated"
    late = ann.post("/api/v1/users/ann/sign_in_links")["secret"]
    clock.pass_(minutes=10)
    assert code(Person(app, None).call("POST", SIGN_IN, {"token": late})) == "unauthenticated"


def test_a_link_is_no_token_and_a_cookie_neither(app: FastAPI, token: str) -> None:
    link = Person(app, token).post("/api/v1/users/ann/sign_in_links")["secret"]
    for shown in (link, Browser(app, token).secret):
        assert Person(app, shown).refused("GET", ME) == "unauthenticated"


def test_a_link_is_for_oneself_or_from_an_admin(
    app: FastAPI, context: Context, browser: Browser, ben: Person
) -> None:
    path = "/api/v1/users/ann/sign_in_links"
    assert ben.refused("POST", path) == "forbidden"
    assert browser.refused("POST", path) == "forbidden"
    with context.metadata.transaction() as tx:
        tx.people.change("ben", admin=True)
    assert Browser(app, ben.post(path)["secret"]).get(ME)["user"] == "ann"


def test_a_user_sees_and_ends_their_sessions(
    app: FastAPI, token: str, browser: Browser, ben: Person
) -> None:
    path = "/api/v1/users/ann/browser_sessions"
    ann = Person(app, token)
    [session] = ann.get(path)
    assert not {"digest", "csrf", "secret"} & session.keys()
    assert ben.refused("GET", path) == "forbidden"
    assert ben.refused("DELETE", f"/api/v1/browser_sessions/{session['id']}") == "not_found"
    ann.call("DELETE", f"/api/v1/browser_sessions/{session['id']}")
    assert browser.refused("GET", ME) == "unauthenticated"
    assert ann.get(path) == []


def test_signing_in_and_out_is_in_the_audit_without_secrets(
    app: FastAPI, context: Context, token: str, browser: Browser
) -> None:
    browser.call("POST", "/api/v1/sign_out")
    with context.metadata.reading() as tx:
        acts = tx.audit.after("", 0)
    assert [one.action for one in acts][-2:] == ["user.signed_in", "user.signed_out"]
    assert browser.signed_in["csrf"] not in str(acts)


@pytest.mark.parametrize("guard", ["csrf", "origin"])
def test_each_guard_is_what_keeps_pages_of_others_out(
    app: FastAPI, token: str, monkeypatch: pytest.MonkeyPatch, guard: str
) -> None:
    """Without a guard the call that it refuses gets through, though the other guard is there."""
    forged = (
        Browser(app, token, csrf="")
        if guard == "csrf"
        else Browser(app, token, origin="http://evil.example")
    )
    assert forged.refused("POST", EDITING) == f"{guard}_refused"
    if guard == "csrf":
        monkeypatch.setattr(identity, "_require_csrf", lambda *_: None)
    else:
        monkeypatch.setattr(Site, "require_own", lambda *_, **__: None)
    assert forged.post(EDITING)["user"] == "ann"


def test_secrets_are_of_256_bits_and_never_the_same() -> None:
    made = {signing.random_text() for _ in range(100)}
    assert len(made) == 100
    assert all(len(bytes.fromhex(one)) == 32 for one in made)
