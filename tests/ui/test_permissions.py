"""Who sees what, and who may do what there: each page and form, for everybody, by the matrix of the API.

A page that asks, or a form that calls, what has no row there fails.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from fastapi import FastAPI

from lakeshelf.governance.services.context import Context
from lakeshelf.ui.asking import Answer, Api
from lakeshelf.ui.page import Form, Kind, Page
from lakeshelf.ui.pages import FORMS, PAGES
from tests.governance.api.floor import shop_template
from tests.governance.api.operations import BODIES, OK, SEEN_HASH, TABLE
from tests.governance.api.people import ORIGIN, Browser, Person
from tests.ui import everybody, matrix
from tests.ui.controls import Control, controls, reasons, tree
from tests.ui.everybody import SIGNED_IN, Everybody
from tests.ui.test_frame import post, read

__all__ = ["shop_template"]
PERSONAL = ("user", "token", "browser_session", "job")
"""Names in addresses of what belongs to somebody."""


@dataclass
class Seen:
    """What somebody finds at an address.

    Attributes:
        status: Of the page.
        forms: Name → controls.
        reasons: Why parts and controls are not for them.
        refusals: Codes by which the API refused what the page asks.
    """

    status: int
    forms: Mapping[str, list[Control]]
    reasons: list[str]
    refusals: list[str]


@pytest.fixture
def all_(context: Context, shop_template: Path) -> Iterator[Everybody]:
    sent: list[Any] = []
    with everybody.pages(context, shop_template, sent) as app:
        yield everybody.everybody(app, context, sent)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Answer]]:
    """What pages ask of the API, with the answers."""
    calls: list[tuple[str, Answer]] = []
    get = Api.get

    async def told(self: Api, place: str, query: Any = None, **options: bool) -> Answer:
        answer = await get(self, place, query, **options)
        calls.append((place, answer))
        return answer

    monkeypatch.setattr(Api, "get", told)
    return calls


def seen(browser: Browser, place: str, asked: list[tuple[str, Answer]]) -> Seen:
    asked.clear()
    answer = read(browser, place)
    page, forms = tree(answer.text), defaultdict(list)
    for control in controls(page):
        forms[control.form].append(control)
    refusals = [one.refusal.code for _, one in asked if one.refusal]
    return Seen(answer.status_code, forms, reasons(page), refusals)


@pytest.mark.ml
def test_each_page_and_form_is_for_whom_the_matrix_names(
    all_: Everybody, asked: list[tuple[str, Answer]]
) -> None:
    wrong: list[str] = []
    found: dict[str, dict[str, Seen]] = {role: {} for role in SIGNED_IN}
    for page in PAGES:
        known = {"/me", "/notices", *matrix.asked(page)}
        for place in all_.addresses(page.path):
            for role in _readers(page, place, found):
                one = found[role][place] = seen(all_.browsers[role], place, asked)
                called = {matrix.template(call) for call, _ in asked}
                wrong += [f"{page.path} asks {call}, undeclared" for call in called - known]
                if one.refusals and not one.reasons:
                    wrong.append(f"{role} is refused {one.refusals} at {place}, and reads nothing")
    for form in FORMS:
        wrong += _wrong(form, all_, found)
    assert wrong == []


def _readers(page: Page, place: str, found: Mapping[str, Mapping[str, Seen]]) -> Iterator[str]:
    """Who reads a page: everybody, but for one without forms whose parts are for everybody alike."""
    yield SIGNED_IN[0]
    if found[SIGNED_IN[0]][place].forms or not matrix.is_for_all(page):
        yield from SIGNED_IN[1:]


def _wrong(form: Form, all_: Everybody, found: Mapping[str, Mapping[str, Seen]]) -> Iterator[str]:
    places = {
        place for held in found.values() for place, one in held.items() if one.forms[form.name]
    }
    if not places:
        yield f"{form.name} stands on no page"
    for role, held in found.items():
        about = f"{form.name} for {role}"
        shown = [
            one
            for place in places
            for one in held[place].forms[form.name]
            if _is_own(one, form, all_)
        ]
        may, can = matrix.may(form, role), any(one.is_enabled for one in shown)
        if may != can:
            yield f"{about}: {'may and cannot' if may else 'may not and can'}"
        if not all(why for one in shown for why in one.reasons):
            yield f"{about}: is disabled without a reason"
        if not may:
            hidden = [place for place in places if not held[place].forms[form.name]]
            yield from (
                f"{about}: nothing is said at {at}" for at in hidden if not held[at].reasons
            )


def _is_own(control: Control, form: Form, all_: Everybody) -> bool:
    """Whether it is about what the matrix is about, where that belongs to somebody."""
    own = {*all_.own.values()}
    is_personal = bool(TABLE[form.method, form.path].own)
    return not is_personal or own.issuperset(
        control.hidden[name] for name in PERSONAL if name in control.hidden
    )


def test_who_may_not_and_sends_it_anyway_is_refused_and_changes_nothing(
    all_: Everybody, database: Path
) -> None:
    before, wrong = _kept(database), []
    for role in SIGNED_IN:
        for form in FORMS:
            if matrix.may(form, role):
                continue
            expected = TABLE[form.method, form.path].expected(role, form.method)
            answer = _sent(all_, role, form)
            code = answer.json()["refused"]["code"] if answer.status_code >= 400 else OK
            if code == OK or expected not in (code, OK):
                wrong.append(f"{form.name} for {role}: {code}, not {expected}")
    assert wrong == []
    assert all_.sent == []
    assert _kept(database) == before


def _sent(all_: Everybody, role: str, form: Form) -> Any:
    """A form as scripts send it, with what the matrix of the API sends."""
    browser, own = all_.browsers[role], all_.own
    body = dict(BODIES.get(form.path) or {})
    if form.within:
        [body] = body[form.within]
    if body.get("content_hash") == SEEN_HASH:
        body["content_hash"] = all_.content_hash
    typed = {
        name: TYPED[form.fields[name]](value) for name, value in body.items() if name in form.fields
    }
    fields = {**own, **typed, "csrf": browser.signed_in["csrf"]}
    place = f"/forms/{form.name}"
    return post(browser, place, fields, Accept="application/json", Origin=ORIGIN)


TYPED: Mapping[Kind, Callable[[Any], Any]] = {
    "text": str,
    "whole": str,
    "flag": str,
    "many": list,
    "words": " ".join,
    "listed": ", ".join,
    "named": dict,
    "definition": json.dumps,
    "objects": lambda values: [json.dumps(one) for one in values],
}
"""Kind of a field → what is typed for a value of a call."""


def _kept(database: Path) -> list[str]:
    """All that the metadata hold."""
    with closing(sqlite3.connect(database)) as connection:
        return list(connection.iterdump())


@pytest.mark.parametrize("path", [page.path for page in PAGES])
def test_who_is_not_signed_in_is_led_there_and_back(app: FastAPI, ann: Person, path: str) -> None:
    place = f"{re.sub('{.*?}', 'S1', path)}?of=%C3%A9&x=1"
    led = read(Person(app, None), place)
    login = f"/login?{urlencode({'back': place})}"
    assert (led.status_code, led.headers["location"]) == (303, login)
    back = post(Person(app, None), "/login", {"token": "ann", "back": place}, Origin=ORIGIN)
    assert (back.status_code, back.headers["location"]) == (303, place)


def test_the_table_of_the_page_is_that_of_the_declarations() -> None:
    page = matrix.FILE.read_text(encoding="utf-8")
    assert page == matrix.written(page), "run `python -m tests.ui.matrix`"
    assert matrix.table() in page
