"""People sign in by an OpenID provider: whoever an admin has linked, whatever a provider or a page says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from httpx import Response

from lakeshelf.errors import ConfigurationError
from lakeshelf.governance.api.app import application, ended
from lakeshelf.governance.api.serving import Serving
from lakeshelf.governance.metadata.tables.people import User
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.people import identities
from lakeshelf.settings import load_settings
from lakeshelf.stack.supervision import governed
from tests.governance.api.people import ORIGIN, Person, code, issue
from tests.governance.api.provider import CLIENT, SECRET, Provider, running
from tests.governance.services.conftest import START, Clock

API = "/api/v1"
BEGIN, BACK = f"{API}/openid/sign_in", f"{API}/openid/callback"


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running(START) as started:
        yield started


@pytest.fixture
def app(context: Context, provider: Provider, tmp_path: Path) -> Iterator[FastAPI]:
    file = tmp_path / "secret"
    file.touch(mode=0o600)
    file.write_text(f"{SECRET}\n")
    known = identities.Provider(provider.issuer, CLIENT, file)
    made = application(context, serving=Serving(openid=known))
    yield made
    ended(made)


@pytest.fixture
def admin(app: FastAPI, context: Context) -> Person:
    with context.metadata.transaction() as tx:
        tx.people.add(User("ada", "", True, START))
    return Person(app, issue(context, "ada", "ada"))


@pytest.fixture
def linked(admin: Person) -> Person:
    admin.post(f"{API}/users/vic/identities", {"subject": "subject-of-vic"})
    return admin


class Tab:
    """A browser on its way to the provider and back."""

    def __init__(self, app: FastAPI) -> None:
        self._person = Person(app, None)
        self.cookies: dict[str, str] = {}

    def get(self, path: str, **headers: str) -> Response:
        jar = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self._person.call("GET", path, **({"Cookie": jar} if jar else {}), **headers)
        for name, value in answer.cookies.items():
            self.cookies[name] = value
        return answer

    def begin(self, back: str = "") -> str:
        """The address of the provider to which it is sent."""
        answer = self.get(f"{BEGIN}?{urlencode({'back': back})}")
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"]

    def signed_in_there(self, place: str) -> str:
        """The path of ours to which the provider sends it back."""
        answer = httpx.get(place)
        assert answer.status_code == 302, answer.text
        there = answer.headers["Location"]
        assert there.startswith(ORIGIN)
        return there.removeprefix(ORIGIN)

    def sign_in(self, back: str = "") -> Response:
        return self.get(self.signed_in_there(self.begin(back)))


def refused(answer: Response) -> tuple[str, str]:
    return code(answer), answer.json()["error"]["message"]


@pytest.mark.usefixtures("linked")
@pytest.mark.parametrize("methods", [None, ["client_secret_basic"], ["client_secret_post"]])
def test_who_is_linked_signs_in(app: FastAPI, provider: Provider, methods: Any) -> None:
    provider.methods = methods
    tab = Tab(app)
    answer = tab.sign_in()
    assert answer.json()["user"] == "vic"
    assert tab.get(f"{API}/me").json()["csrf"] == answer.json()["csrf"]
    cookies = answer.headers.get_list("Set-Cookie")
    assert any("Max-Age=0" in cookie and "lakeshelf_openid" in cookie for cookie in cookies)
    assert all({"HttpOnly", "SameSite=lax"} <= set(cookie.split("; ")) for cookie in cookies)


@pytest.mark.usefixtures("linked")
def test_a_browser_goes_on_to_the_page_that_it_came_for(app: FastAPI) -> None:
    answer = Tab(app).sign_in("/alerts?store=S1")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/alerts?store=S1")


@pytest.mark.parametrize(
    "back", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "/a b", "/\n/x"]
)
def test_a_browser_is_sent_to_no_other_place(app: FastAPI, back: str) -> None:
    answer = Tab(app).get(f"{BEGIN}?{urlencode({'back': back})}")
    assert code(answer) == "request_invalid"


def test_who_is_not_linked_is_told_what_to_do(app: FastAPI, admin: Person) -> None:
    problem, message = refused(Tab(app).sign_in())
    assert problem == "unauthenticated"
    assert "'subject-of-vic'" in message
    assert "lakeshelf users identities link" in message
    admin.post(f"{API}/users/ben/identities", {"subject": "subject-of-vic"})
    assert Tab(app).sign_in().json()["user"] == "ben"
    body = {"subject": "subject-of-vic"}
    assert admin.refused("POST", f"{API}/users/vic/identities", body) == "exists"
    path = f"{API}/users/ben/identities"
    assert [one["subject"] for one in admin.get(path)] == ["subject-of-vic"]
    assert admin.call("DELETE", f"{path}?subject=subject-of-vic").status_code == 204
    assert code(Tab(app).sign_in()) == "unauthenticated"
    assert admin.refused("DELETE", f"{path}?subject=subject-of-vic") == "not_found"


def test_a_user_who_is_shut_out_does_not_sign_in(app: FastAPI, linked: Person) -> None:
    linked.call("PATCH", f"{API}/users/vic", {"enabled": False})
    assert code(Tab(app).sign_in()) == "unauthenticated"


@pytest.mark.usefixtures("linked")
def test_an_answer_counts_in_the_browser_alone_that_asked_and_once(
    app: FastAPI, provider: Provider
) -> None:
    mine, other = Tab(app), Tab(app)
    back = mine.signed_in_there(mine.begin())
    other.begin()
    for tab in (other, Tab(app)):
        assert refused(tab.get(back))[1].startswith("this sign-in was not begun by this browser")
    assert provider.exchanged == []
    assert mine.get(back).status_code == 200
    assert code(mine.get(back)) == "unauthenticated"


@pytest.mark.usefixtures("linked")
def test_without_the_proof_of_who_began_a_code_is_worth_nothing(
    app: FastAPI, provider: Provider
) -> None:
    """A code that was caught on its way: its state is known, its verifier is not."""
    tab, thief = Tab(app), Tab(app)
    caught = parse_qs(urlsplit(tab.signed_in_there(tab.begin())).query)["code"][0]
    own = parse_qs(urlsplit(thief.begin()).query)["state"][0]
    answer = thief.get(f"{BACK}?{urlencode({'code': caught, 'state': own})}")
    assert refused(answer)[0] == "unauthenticated"
    assert "invalid_grant" in refused(answer)[1]
    assert provider.exchanged == []


@pytest.mark.usefixtures("linked")
@pytest.mark.parametrize(
    ("claims", "forged", "words"),
    [
        ({"nonce": "another"}, "", "nonce"),
        ({"nonce": None}, "", "nonce"),
        ({"aud": "another"}, "", "aud"),
        ({"aud": [CLIENT, "another"]}, "", "azp"),
        ({"azp": "another"}, "", "azp"),
        ({"iss": "https://evil.example"}, "", "iss"),
        ({"exp": int(START.timestamp()) - 61}, "", "exp"),
        ({"exp": None}, "", "exp"),
        ({"iat": int(START.timestamp()) + 3_600}, "", "iat"),
        ({"sub": ""}, "", "sub"),
        ({}, "key", "cannot be trusted"),
        ({}, "none", "cannot be trusted"),
        ({}, "secret", "cannot be trusted"),
    ],
)
def test_a_token_that_is_not_for_us_signs_nobody_in(
    app: FastAPI, provider: Provider, claims: dict[str, Any], forged: str, words: str
) -> None:
    provider.claims, provider.forged = claims, forged
    tab = Tab(app)
    problem, message = refused(tab.sign_in())
    assert (problem, words in message) == ("unauthenticated", True), message
    assert code(tab.get(f"{API}/me")) == "unauthenticated"


@pytest.mark.usefixtures("linked")
def test_a_token_for_several_with_us_named_is_good(app: FastAPI, provider: Provider) -> None:
    provider.claims = {"aud": [CLIENT, "another"], "azp": CLIENT}
    assert Tab(app).sign_in().json()["user"] == "vic"


@pytest.mark.usefixtures("linked")
def test_keys_of_the_provider_are_asked_for_again_when_they_changed(
    app: FastAPI, provider: Provider
) -> None:
    assert Tab(app).sign_in().status_code == 200
    provider.turn_key()
    assert Tab(app).sign_in().status_code == 200


@pytest.mark.parametrize(
    "said",
    [
        {"issuer": "https://evil.example"},
        {"authorization_endpoint": "http://evil.example/authorize"},
        {"authorization_endpoint": None},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
)
def test_a_provider_that_is_none_is_told_so(
    app: FastAPI, provider: Provider, said: dict[str, Any]
) -> None:
    provider.configuration = said
    problem, message = refused(Tab(app).get(BEGIN))
    assert problem == "service_unavailable"
    assert "oidc_issuer" in message


def test_a_provider_that_is_down_keeps_nobody_with_a_token_out(
    context: Context, tmp_path: Path
) -> None:
    down = identities.Provider("http://127.0.0.1:9", CLIENT, tmp_path / "none")
    app = application(context, serving=Serving(openid=down))
    assert code(Tab(app).get(BEGIN)) == "service_unavailable"
    assert Person(app, issue(context, "vic", "lks_vic")).get(f"{API}/me")["user"] == "vic"
    ended(app)


def test_what_the_provider_refused_is_told(app: FastAPI) -> None:
    tab = Tab(app)
    state = parse_qs(urlsplit(tab.begin()).query)["state"][0]
    for asked, words in (
        ({"error": "access_denied", "state": state}, "access_denied"),
        ({"state": state}, "no code"),
        ({"code": "x", "state": state, "iss": "https://evil.example"}, "another provider"),
    ):
        problem, message = refused(tab.get(f"{BACK}?{urlencode(asked)}"))
        assert (problem, words in message) == ("unauthenticated", True), message


@pytest.mark.parametrize(
    "cookie", ["", "x", "bnVsbA==", "e30=", "W10=", "/w==", "eyJzdGF0ZSI6IDF9"]
)
def test_a_cookie_that_is_none_of_ours_signs_nobody_in(app: FastAPI, cookie: str) -> None:
    tab = Tab(app)
    tab.cookies["lakeshelf_openid"] = cookie
    assert code(tab.get(f"{BACK}?code=x&state=")) == "unauthenticated"


def test_where_no_provider_is_configured_it_is_said(context: Context) -> None:
    app = application(context)
    for path in (BEGIN, BACK):
        problem, message = refused(Tab(app).get(path))
        assert (problem, "oidc_issuer" in message) == ("request_invalid", True)


def test_a_page_of_somebody_else_begins_nothing(app: FastAPI) -> None:
    assert code(Tab(app).get(BEGIN, Origin="https://evil.example")) == "origin_refused"


def test_a_session_by_a_provider_ends_by_itself(app: FastAPI, linked: Person, clock: Clock) -> None:
    tab = Tab(app)
    tab.sign_in()
    assert linked.get(f"{API}/users/vic/browser_sessions")[0]["user"] == "vic"
    clock.pass_(hours=12)
    assert code(tab.get(f"{API}/me")) == "unauthenticated"


def test_a_secret_that_cannot_be_used_ends_a_sign_in_and_its_file_is_not_told_to_a_browser(
    app: FastAPI, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever reads the log of the API finds it there, with the reason."""
    tab = Tab(app)
    back = tab.signed_in_there(tab.begin())
    (tmp_path / "secret").write_text("")
    problem, message = refused(tab.get(back))
    assert (problem, str(tmp_path) in message) == ("service_unavailable", False)
    assert f"{tmp_path / 'secret'}: the file is empty" in caplog.text


def test_settings_that_give_no_provider_are_refused(tmp_path: Path) -> None:
    assert governed.openid(load_settings()) is None
    known = load_settings(oidc_issuer="https://id.example/realm", oidc_client_id="shelves")
    assert governed.openid(known) == ("https://id.example/realm", "shelves", None)
    with pytest.raises(ConfigurationError, match="without oidc_client_id"):
        governed.openid(load_settings(oidc_issuer="https://id.example"))
    with pytest.raises(ConfigurationError, match="in the clear"):
        governed.openid(load_settings(oidc_issuer="http://id.example", oidc_client_id="x"))
    shared = {"oidc_issuer": "https://id.example", "oidc_client_id": "x"}
    with pytest.raises(ConfigurationError, match=r"oidc_client_secret_file .*: No such file"):
        governed.openid(load_settings(oidc_client_secret_file=tmp_path / "none", **shared))
    unset = governed.openid(load_settings(oidc_client_secret_file="", **shared))
    assert unset == ("https://id.example", "x", None)
