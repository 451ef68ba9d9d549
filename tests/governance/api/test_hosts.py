"""The API answers to its own names: whoever has another name lead to it (DNS rebinding) gets nothing of it."""

from __future__ import annotations

import pytest
from fastapi import FastAPI

from lakeshelf.governance.api.app import application
from lakeshelf.governance.api.door.identity import Site
from lakeshelf.governance.api.serving import Serving
from lakeshelf.governance.errors import CODES
from lakeshelf.governance.services.context import Context
from lakeshelf.settings import load_settings
from lakeshelf.stack.supervision import governed
from tests.governance.api.people import Person, code, issue

ME, SIGN_IN = "/api/v1/me", "/api/v1/sign_in"
STRANGE = (
    "evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "0.0.0.0", "[::1",
    "user@localhost.evil", "", "localhost, evil.example",
)  # fmt: skip


def served(context: Context, site: Site) -> Person:
    return Person(application(context, serving=Serving(site)), issue(context, "ann", "ann"))


@pytest.fixture
def ann(context: Context) -> Person:
    settings = load_settings(
        api_hosts="Shelves.example,[fd00::1]", api_origin="https://shop.example"
    )
    return served(context, Site(settings.api_origin, governed.hosts(settings)))


@pytest.mark.parametrize("host", STRANGE)
def test_a_name_that_is_not_ours_gets_nothing(ann: Person, host: str) -> None:
    for method, path, body in (
        ("GET", ME, None),
        ("GET", "/openapi.json", None),
        ("GET", "/api/v1/nothing", None),
        ("POST", SIGN_IN, {"token": "ann"}),
    ):
        answer = ann.call(method, path, body, Host=host)
        assert (code(answer), answer.status_code) == ("host_refused", CODES["host_refused"])
        assert "api_hosts" in answer.json()["error"]["message"]


@pytest.mark.parametrize("host", STRANGE)
def test_without_the_guard_such_a_name_gets_everything(context: Context, host: str) -> None:
    """What the test above would not show were it not for the guard."""
    assert served(context, Site()).call("GET", ME, Host=host).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:8080", "shelves.example", "shelves.example.:80",
        "[fd00::1]", "shop.example",
    ],
)  # fmt: skip
def test_our_own_names_are_known(ann: Person, host: str) -> None:
    assert ann.call("GET", ME, Host=host).status_code == 200


def test_operators_ask_by_whatever_name_they_have(ann: Person) -> None:
    assert ann.call("GET", "/__lbheartbeat__", Host="10.1.2.3:8080").status_code == 200


def test_names_are_those_of_the_settings() -> None:
    assert governed.hosts(load_settings()) == {"localhost", "127.0.0.1", "::1"}
    wide = load_settings(api_host="Shelf7", api_hosts="a.example,b.example")
    assert governed.hosts(wide) == {
        "localhost",
        "127.0.0.1",
        "::1",
        "shelf7",
        "a.example",
        "b.example",
    }


def test_a_setting_that_is_no_list_of_names_is_refused() -> None:
    with pytest.raises(Exception, match="api_hosts"):
        load_settings(api_hosts="https://a.example")


def test_any_name_is_good_where_none_are_set(app: FastAPI, context: Context) -> None:
    person = Person(app, issue(context, "ben", "ben"))
    assert person.call("GET", ME, Host="anything.example").status_code == 200
