"""People make, list and take back their own tokens, which give nobody more, or for longer, than they had."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI

from lakeshelf.governance.domain.permissions import Scope
from lakeshelf.governance.metadata.tables.people import User
from lakeshelf.governance.services.context import Context
from tests.governance.api.people import Browser, Person, issue
from tests.governance.services.conftest import START, Clock

API = "/api/v1"
OWN = f"{API}/users/vic/tokens"


def with_token(
    app: FastAPI, context: Context, secret: str, *scopes: Scope, days: int = 30
) -> Person:
    length = timedelta(days=days)
    return Person(app, issue(context, "vic", secret, scopes=scopes, length=length))


def made(person: Person, body: dict[str, Any] | None = None) -> tuple[dict[str, Any], str]:
    answer = person.post(OWN, body or {})
    return answer["token"], answer["secret"]


def test_people_make_list_and_take_back_their_own_tokens(app: FastAPI, vic: Person) -> None:
    token, secret = made(vic, {"label": "laptop", "scopes": ["read", "manage"], "days": 7})
    assert (token["user"], token["created_by"], token["scopes"]) == (
        "vic",
        "vic",
        ["read", "manage"],
    )
    laptop = Person(app, secret)
    assert laptop.get(f"{API}/me")["scopes"] == ["manage", "read"]
    listed = {one["id"]: one for one in vic.get(OWN)}
    assert listed[token["id"]]["parent"] in listed
    assert vic.call("DELETE", f"{API}/tokens/{token['id']}").status_code == 200
    assert laptop.refused("GET", f"{API}/me") == "unauthenticated"
    assert vic.get(f"{API}/me")["user"] == "vic"


def test_an_own_token_has_no_scope_that_the_asking_one_lacks(
    app: FastAPI, context: Context
) -> None:
    person = with_token(app, context, "narrow", "read", "manage")
    assert made(person)[0]["scopes"] == ["read", "manage"]
    assert person.refused("POST", OWN, {"scopes": ["read", "write"]}) == "forbidden"
    reader = with_token(app, context, "reader", "read", "write")
    assert reader.refused("POST", OWN, {"scopes": ["read"]}) == "forbidden"
    assert person.refused("POST", OWN, {"scopes": []}) == "request_invalid"


def test_an_own_token_is_good_no_longer_than_the_asking_one(
    app: FastAPI, context: Context, clock: Clock
) -> None:
    person = with_token(app, context, "short", "read", "manage", days=3)
    token, secret = made(person)
    assert token["expires_at"].startswith((START + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M"))
    answer = person.call("POST", OWN, {"days": 4}).json()["error"]
    assert answer["code"] == "request_invalid"
    assert (START + timedelta(days=3)).isoformat() in answer["message"]
    clock.pass_(days=1)
    again = Person(app, secret)
    assert again.refused("POST", OWN, {"days": 3}) == "request_invalid"
    assert made(again, {"days": 1})[0]["user"] == "vic"


def test_what_was_made_with_a_token_is_taken_back_with_it(app: FastAPI, vic: Person) -> None:
    first, first_secret = made(vic)
    _, second_secret = made(Person(app, first_secret))
    _, beside = made(vic)
    browser = Browser(app, second_secret)
    vic.call("DELETE", f"{API}/tokens/{first['id']}")
    for person in (Person(app, first_secret), Person(app, second_secret), browser):
        assert person.refused("GET", f"{API}/me") == "unauthenticated"
    assert Person(app, beside).get(f"{API}/me")["user"] == "vic"


def test_a_browser_makes_tokens_of_who_is_signed_in(app: FastAPI, vic: Person) -> None:
    browser = Browser(app, "vic")
    token, secret = made(browser)
    assert Person(app, secret).get(f"{API}/me")["user"] == "vic"
    assert token["parent"] == browser.get(OWN)[0]["id"]
    [session] = browser.get(f"{API}/users/vic/browser_sessions")
    assert vic.call("DELETE", f"{API}/browser_sessions/{session['id']}").status_code == 204
    assert browser.refused("GET", f"{API}/me") == "unauthenticated"
    assert Person(app, secret).get(f"{API}/me")["user"] == "vic"
    assert Browser(app, "vic", csrf="").refused("POST", OWN, {}) == "csrf_refused"


def test_nobody_but_an_admin_makes_a_token_of_somebody_else(
    app: FastAPI, context: Context, ben: Person, ann: Person, vic: Person
) -> None:
    for person in (ben, ann):
        assert person.refused("POST", OWN, {}) == "forbidden"
    with context.metadata.transaction() as tx:
        tx.people.add(User("ada", "", True, START))
    admin = Person(app, issue(context, "ada", "ada", length=timedelta(days=1)))
    token, _ = made(admin, {"days": 366})
    assert (token["created_by"], token["parent"]) == ("ada", None)
    assert [one["event"]["kind"] for one in vic.get(f"{API}/notices")] == ["token.issued"]
    assert admin.refused("POST", OWN, {"days": 367}) == "request_invalid"


@pytest.mark.parametrize("body", [{"days": 0}, {"days": -1}, {"scopes": ["all"]}, {"user": "ann"}])
def test_a_token_that_cannot_be_is_refused(vic: Person, body: dict[str, Any]) -> None:
    assert vic.refused("POST", OWN, body) == "request_invalid"
