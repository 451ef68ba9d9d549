"""The frame of all pages: who may read them, what browsers may do with them, forms that are done once."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import parse_qs, urlencode

import pytest
from fastapi import FastAPI
from httpx import Response
from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.governance.api.app import application
from lakeshelf.governance.api.serving import Serving
from lakeshelf.governance.services.context import Context
from lakeshelf.ui import files, forms, rendering, serving
from lakeshelf.ui.page import Page
from lakeshelf.ui.pages import PAGES
from tests.cli.commands import commands
from tests.governance.api.people import ORIGIN, Browser, Person, issue
from tests.governance.services.conftest import DATASET, PROJECT
from tests.ui import tools

HTML = {"Accept": "text/html"}


def read(person: Person, place: str) -> Response:
    return person.call("GET", place, **HTML)


def post(person: Person, place: str, fields: Mapping[str, Any], **headers: str) -> Response:
    return asyncio.run(person.sent("POST", place, headers=headers, data=dict(fields)))


def field(page: Response, name: str) -> str:
    [value, *_] = re.findall(rf'name="{name}" value="([^"]*)"', page.text)
    return str(value)


def test_who_is_not_signed_in_is_sent_to_do_so_and_comes_back(app: FastAPI, ann: Person) -> None:
    nobody = Person(app, None)
    sent = read(nobody, "/me?limit=5")
    assert (sent.status_code, sent.headers["location"]) == (303, "/login?back=%2Fme%3Flimit%3D5")
    form = read(nobody, sent.headers["location"])
    fields = {"token": "ann", "back": field(form, "back")}
    back = post(nobody, "/login", fields, Origin=ORIGIN)
    assert (back.status_code, back.headers["location"]) == (303, "/me?limit=5")
    assert "HttpOnly" in back.headers["set-cookie"]


def test_who_signs_in_comes_back_to_a_statement_however_long(app: FastAPI, ann: Person) -> None:
    nobody = Person(app, None)
    place = f"/explore?{urlencode({'sql': 'SELECT ' + 'ä, ' * 1_300})}"
    form = read(nobody, read(nobody, place).headers["location"])
    fields = {"token": "ann", "back": field(form, "back")}
    back = post(nobody, "/login", fields, Origin=ORIGIN)
    assert (back.status_code, back.headers.get("location")) == (303, place)


def test_a_link_is_for_whom_it_is_also_where_somebody_else_is_signed_in(
    app: FastAPI, ann: Person, ben: Person
) -> None:
    browser = Browser(app, "ann")
    form = read(browser, "/login?back=%2Fme")  # no redirect, which would keep the secret behind `#`
    assert (form.status_code, field(form, "back")) == (200, "/me")
    assert '<strong>ann</strong>: <a href="/me" data-go-on>' in form.text
    answer = post(browser, "/login", {"token": "ben", "back": "/me"}, Origin=ORIGIN)
    assert (answer.status_code, "HttpOnly" in answer.headers["set-cookie"]) == (303, True)


def test_a_page_is_come_back_to_whatever_its_address_holds(context: Context) -> None:
    app = application(context, serving=Serving(patience_s=0))
    serving.install(app)
    place = "/trace/a%3Fb%23c%2Fd%25?limit=5"
    sent = read(Person(app, None), place).headers["location"]
    assert parse_qs(sent.partition("?")[2]) == {"back": [place]}
    page = read(Browser(app, issue(context, "ann", "ann")), place).text
    [again] = re.findall(r'data-again="([^"]+)"', page)
    assert again.startswith(place)


def test_a_wrong_token_and_a_foreign_page_sign_nobody_in(app: FastAPI, ann: Person) -> None:
    nobody = Person(app, None)
    wrong = post(nobody, "/login", {"token": "<script>"}, Origin=ORIGIN)
    foreign = post(nobody, "/login", {"token": "ann"}, Origin="http://elsewhere")
    assert (wrong.status_code, foreign.status_code) == (401, 403)
    assert "set-cookie" not in wrong.headers
    assert "set-cookie" not in foreign.headers


@given(st.text())
@pytest.mark.parametrize("prefix", ["", "/", "//", "/\\", "http:", "/%2f/", "javascript:"])
def test_nobody_is_led_elsewhere(prefix: str, text: str) -> None:
    back = forms.own(prefix + text)
    assert back.startswith("/")
    assert back[1:2] not in ("/", "\\")
    assert back.isprintable()


def test_a_form_sent_twice_is_done_once(app: FastAPI, ann: Person) -> None:
    browser = Browser(app, "ann")
    page = read(browser, "/me")
    fields = {name: field(page, name) for name in ("csrf", "key", "back")}
    fields |= {"user": "ann", "label": "<b>kiosk</b>", "days": "3"}
    before = len(browser.get("/api/v1/users/ann/tokens"))
    first, second = (post(browser, "/forms/issue-token", fields) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 200)
    assert len(browser.get("/api/v1/users/ann/tokens")) == before + 1
    assert "&lt;b&gt;kiosk&lt;/b&gt;" in read(browser, "/me").text


def test_a_reader_sees_which_session_is_their_own(app: FastAPI, ann: Person) -> None:
    own, _other = Browser(app, "ann"), Browser(app, "ann")
    _, _, row = read(own, "/me").text.partition("this browser")
    session = own.get("/api/v1/me")["session"]
    assert f'name="browser_session" value="{session}"' in row.partition("</tr>")[0]
    assert "this browser" not in row


def test_an_address_says_once_what_was_done() -> None:
    again = forms._with("/alerts?store=S1&done=act&page=", done="act")
    assert again == "/alerts?store=S1&page=&done=act"


@pytest.mark.parametrize(
    ("csrf", "origin"),
    [("", ORIGIN), ("\u00e9\n", ORIGIN), (None, "http://elsewhere"), (None, None)],
)
def test_a_form_of_others_is_refused(
    app: FastAPI, ann: Person, csrf: str | None, origin: str | None
) -> None:
    browser = Browser(app, "ann", origin=origin)
    fields = {"csrf": browser.signed_in["csrf"] if csrf is None else csrf, "user": "ann"}
    answer = post(browser, "/forms/issue-token", fields)
    assert answer.status_code == 403
    assert ("have signed in anew since" in answer.text) == (csrf is not None)


def test_a_number_that_is_none_is_named(app: FastAPI, ann: Person) -> None:
    browser = Browser(app, "ann")
    fields = {"csrf": browser.signed_in["csrf"], "user": "ann", "days": "1e400"}
    answer = post(browser, "/forms/issue-token", fields, Accept="application/json")
    assert answer.status_code == 422
    assert "days is a whole number, not '1e400'" in answer.json()["refused"]["message"]


@pytest.mark.parametrize("text", ["NaN", "[1e400]", "[" * 100_000, "{"])
def test_what_is_no_json_is_named(app: FastAPI, ann: Person, text: str) -> None:
    browser = Browser(app, "ann")
    fields = {"csrf": browser.signed_in["csrf"], "project": PROJECT, "dataset": DATASET}
    answer = post(browser, "/forms/propose-definition", {**fields, "definition": text})
    assert answer.status_code == 422
    assert "definition is no JSON" in answer.text


@pytest.mark.parametrize("place", ["/login", "/me", "/nowhere", "/static/0/x.js"])
def test_every_answer_says_what_browsers_may_do_with_it(
    app: FastAPI, ann: Person, place: str
) -> None:
    headers = read(Browser(app, "ann"), place).headers
    assert "script-src 'self'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"


def test_files_are_kept_as_long_as_they_are_these(app: FastAPI) -> None:
    nobody = Person(app, None)
    style = nobody.call("GET", files.address("style.css"))
    assert "immutable" in style.headers["Cache-Control"]
    assert nobody.call("GET", "/static/0123456789abcdef/style.css").status_code == 404
    assert nobody.call("GET", files.address("style.css") + "/../../__init__.py").status_code == 404


@pytest.mark.slow
def test_scripts_are_served_as_they_are_written_but_for_comments_and_blanks() -> None:
    written = {
        file.relative_to(tools.SCRIPTS).as_posix(): file.read_text(encoding="utf-8")
        for file in tools.SCRIPTS.rglob("*.js")
    }
    contents = files.assets().contents
    served = {name: contents[name].decode() for name in written}
    assert tools.words(served) == tools.words(written)
    assert not any("@param" in text for text in served.values())


def test_a_place_that_is_not_there_is_told_in_the_shape_of_who_asks(
    app: FastAPI, ann: Person
) -> None:
    browser = Browser(app, "ann")
    assert "Nothing is at this address" in read(browser, "/nowhere").text
    assert browser.call("GET", "/api/v1/nowhere", **HTML).json()["error"]["code"] == "not_found"


@pytest.mark.parametrize("other", ['a={"b": 1}', "a=\u00e9", "a b", "=", "a=\\x;;"])
def test_cookies_of_other_services_of_a_machine_keep_nobody_out(
    app: FastAPI, ann: Person, other: str
) -> None:
    own = Browser(app, "ann").cookie.partition(";")[0]
    sent = {b"Cookie": f"{other}; {own}; {other}".encode("latin-1"), b"Accept": b"text/html"}
    headers = cast("dict[str, str]", sent)  # of which values need not be texts
    answer = asyncio.run(Person(app, None).sent("GET", "/me", headers=headers))
    assert "Your account" in answer.text


@pytest.mark.parametrize("host", ["localhost:99999", "[", "a b", ""])
def test_a_page_is_made_whatever_a_browser_calls_its_host(app: FastAPI, host: str) -> None:
    answer = Person(app, None).call("GET", "/login", **HTML, Host=host)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "place", ["/data/retail/{}", "/imports/retail/{}", "/reviews/retail/{}", "/models/{}"]
)
def test_a_name_that_would_be_a_step_of_an_address_names_nothing(
    app: FastAPI, ann: Person, place: str
) -> None:
    for name in ("%2E", "%2E%2E"):
        page = read(Browser(app, "ann"), place.format(name))
        assert page.status_code < 500, name
        assert "could not be shown" in page.text


LONG = "x" * 501
REFUSED_PLACES: Mapping[str, tuple[str, Mapping[str, str] | None, int]] = {
    "a form is read": ("/forms/act", None, 405),
    "half a text": ("/alerts?store=%00", None, 422),
    "a long token": ("/login", {"token": LONG}, 422),
    "a large field": ("/forms/act", {"reason": LONG * 3_000}, 422),
    "a large form": ("/forms/act", dict.fromkeys(map(str, range(20)), LONG * 2_000), 413),
    "signed in anew": ("/logout", {"csrf": "old"}, 403),
}
"""What is refused before a page or a form answers → place, what is sent, and the status."""


@pytest.mark.parametrize("case", REFUSED_PLACES)
def test_whatever_is_refused_is_a_page_for_people_and_one_shape_for_scripts(
    app: FastAPI, ann: Person, case: str
) -> None:
    place, fields, status = REFUSED_PLACES[case]
    browser = Browser(app, "ann")

    def answer(**headers: str) -> Response:
        return read(browser, place) if fields is None else post(browser, place, fields, **headers)

    page = answer(**HTML)
    assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert '<div class="refusal" role="alert">' in page.text
    assert "Content-Security-Policy" in page.headers
    if fields and place.startswith("/forms/"):
        assert answer(Accept="application/json").json()["error"]["message"]


def test_a_page_that_fails_says_so_with_the_number_of_the_call(app: FastAPI, ann: Person) -> None:
    serving.add(app, Page("/broken", "Broken", "refused.html"))
    failed = read(Browser(app, "ann"), "/broken")
    assert failed.status_code == 500
    assert "This page failed" in failed.text
    assert failed.headers["X-Request-ID"] in failed.text


def test_what_takes_longer_than_a_page_waits_names_its_job(context: Context, ann: Person) -> None:
    app = application(context, serving=Serving(patience_s=0))
    serving.install(app)
    page = read(Browser(app, "ann"), "/me").text
    [awaited] = re.findall(r'data-awaited="([^"]+)"', page)
    assert len(awaited.split()) > 1


def test_a_command_that_a_page_names_is_one_whatever_an_address_holds(
    app: FastAPI, ann: Person
) -> None:
    page = read(Browser(app, "ann"), "/trace/x;id%20%3E%20y").text
    assert "<code>lakeshelf trace &#39;x;id &gt; y&#39;</code>" in page


@pytest.mark.parametrize(
    ("place", "command"),
    [
        ("/alerts?store=S1&status=&offset=", "lakeshelf alerts list --store=S1"),
        (
            "/plans?kind=refill&shelf=a%20%3B%20b",
            "lakeshelf plans list '--shelf=a ; b' --kind=refill",
        ),
        (
            "/reviews?status=merged&status=rejected",
            "lakeshelf cr list --status=merged --status=rejected",
        ),
        (
            f"/data/{PROJECT}/{DATASET}?sort=-min_qty&filter=min_qty+%3E+3",
            f"without filter: <code>lakeshelf data show {DATASET} --sort=-min_qty",
        ),
        (
            f"/data/{PROJECT}/{DATASET}/blame?row_id=S1+I2",
            f"lakeshelf data blame {DATASET} 'S1 I2'",
        ),
        (f"/data/{PROJECT}/{DATASET}/blame", f"lakeshelf data blame {DATASET} KEY"),
        ("/trace?id=a1", "lakeshelf trace a1"),
    ],
)
def test_a_command_chooses_what_its_page_does(
    app: FastAPI, ann: Person, place: str, command: str
) -> None:
    page = read(Browser(app, "ann"), place)
    assert f"{command}</code>" in html.unescape(page.text)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.options], ids=lambda page: page.path
)
def test_the_options_that_a_page_names_are_there(page: Page) -> None:
    words = " ".join(
        word for word in page.command.split()[1:] if "{" not in word and not word.isupper()
    )
    [command] = [command for path, command in commands() if path == words]
    known = {option for one in command.params for option in one.opts}
    arguments = sum(one.param_type_name == "argument" for one in command.params)
    assert {option for option in page.options.values() if option} <= known
    assert page.command.count("{") + [*page.options.values()].count("") <= arguments


def test_what_nobody_would_see_is_named_between_elements_and_sent_back_as_it_is() -> None:
    place = '{% if x %}<p class="{{ x }}">{{ x if x else y }}</p>{% endif %}<textarea>{{ x }}</textarea>{{ x }}'
    text = rendering.environment().from_string(place).render(x="a\u202e\x07<")
    exact, named = "a\u202e\x07&lt;", "a\u27e8U+202E\u27e9\u27e8U+0007\u27e9&lt;"
    assert text == f'<p class="{exact}">{named}</p><textarea>{exact}</textarea>{named}'


def test_so_many_of_something_are_said_in_words() -> None:
    kinds = {0: "row", 1: "shelf", 2: "shelf", 1_200: "open change request"}
    counted = rendering.environment().filters["counted"]
    said = [counted(count, one) for count, one in kinds.items()]
    assert said == ["0 rows", "1 shelf", "2 shelves", "1\u2009200 open change requests"]


@pytest.mark.parametrize("command", sorted({page.command for page in PAGES}))
def test_the_command_that_a_page_names_is_there(command: str) -> None:
    words = command.removeprefix("lakeshelf ")
    [named] = [one for path, one in commands() if f"{words} ".startswith(f"{path} ")]
    asks_as_somebody = any("--as" in one.opts and one.metavar == "USER" for one in named.params)
    tokened = (*serving.TOKENED, "whatif")  # which asks as somebody only about a change request
    assert words.startswith(tokened) == asks_as_somebody


def test_each_page_has_its_own_address() -> None:
    assert len({page.path for page in PAGES}) == len(PAGES)
