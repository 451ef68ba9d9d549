"""The pipeline's page: problems first with the way out, batches and refused records by pages, corrections."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import unescape
from typing import Any
from xml.etree import ElementTree

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.governance.api.app import application
from lakeshelf.governance.services.context import Context
from lakeshelf.ui import serving
from lakeshelf.ui.pages import pipeline
from tests.cli.shop.told_shop import OPENED, SHELF, write
from tests.governance.api.conftest import vic
from tests.governance.api.floor import answering, shop, shop_template
from tests.governance.api.people import Browser, Person
from tests.ui.test_frame import field, post, read

__all__ = ["shop_template", "vic"]
HOSTILE = "<script>alert(1)</script>=1+1\u202e\x07"


@pytest.fixture
def sent() -> list[Mapping[str, Any]]:
    return []


@pytest.fixture
def app(context: Context, shop_template: Any, sent: list[Mapping[str, Any]]) -> FastAPI:
    root = context.root.folder
    assert root is not None
    kept = answering(shop(context, shop_template))
    held = {"topic": "shelf_events", "partition": 0, "kafka_timestamp": OPENED, "key": b"k"}
    rows = [
        {**held, "offset": n, "value": f"{HOSTILE} {n}".encode(), "reason": "not_json"}
        | {"detail": HOSTILE, "ingested_at": OPENED}
        for n in range(21)
    ]
    write(root, "raw/quarantine", *rows)

    def correct(records: Sequence[Mapping[str, Any]]) -> int:
        sent.extend(records)
        return len(records)

    def status() -> Mapping[str, Any]:
        return {**dict(kept.status()), "problems": [f"nothing runs `lakeshelf up` {HOSTILE}"]}

    made = application(context, replace(kept, correct=correct, status=status))
    serving.install(made)
    return made


def test_what_is_wrong_stands_first_with_its_way_out(
    app: FastAPI, ben: Person, vic: Person, sent: list[Mapping[str, Any]]
) -> None:
    browser = Browser(app, "ben")
    page = read(browser, "/pipeline?query=shelf-aggregator")
    assert page.status_code == 200
    text = page.text
    assert text.index("1 problem") < text.index("shelf-aggregator") < text.index('id="records"')
    assert "<code>lakeshelf up</code>" in text
    assert "<script>alert" not in text
    assert "1 to 20 of 21" in text
    assert re.search(r"offset 20\D", text)
    [after] = re.findall(r'href="([^"]*)" rel="next">next 1<', text)
    rest = read(browser, unescape(after).partition("#")[0]).text
    assert "21 to 21 of 21" in rest
    assert "query=shelf-aggregator" in after
    assert "Only admins may" in text
    fixing = read(browser, "/pipeline?fix=shelf_events:0:20")
    assert f"{HOSTILE} 20" in unescape(fixing.text)
    fields = {name: field(fixing, name) for name in ("csrf", "key", "topic", "partition", "offset")}
    answer = post(
        browser, "/forms/correct-record", fields | {"value": '{"a":\r\n1}', "back": "/pipeline"}
    )
    assert answer.status_code == 303
    assert [(one["offset"], one["value"]) for one in sent] == [(20, '{"a":\r\n1}')]
    seen = read(Browser(app, "vic"), "/pipeline?fix=shelf_events:0:20").text
    assert re.search(r"<button[^>]*disabled[^>]*>Send it back", seen)
    assert "Correct it: not for you" in seen


@given(st.text())
def test_every_problem_has_a_way_out(text: str) -> None:
    assert pipeline.way_out(text).command.startswith("lakeshelf ")


def test_the_lineage_is_a_picture_of_links_and_the_same_as_a_table(
    app: FastAPI, ben: Person
) -> None:
    browser = Browser(app, "ben")
    whole = read(browser, "/lineage")
    assert whole.status_code == 200
    picture = ElementTree.fromstring(
        whole.text[whole.text.index("<svg") :].partition("</svg>")[0] + "</svg>"
    )
    assert len(list(picture.iter("a"))) > 60
    assert "staging (" in whole.text
    [focused] = {
        one.get("href") for one in picture.iter("a") if "job%3Aalerts-sink" in str(one.get("href"))
    }
    part = read(browser, str(focused)).text
    assert 'href="/lineage?focus=topic%3Aalerts"' in part
    assert part.count("<rect") < whole.text.count("<rect")
    assert "0 not read yet" in part
    assert read(browser, "/lineage?focus=%3Cscript%3E").status_code == 404


@pytest.mark.parametrize("asked", ["S1-I1", "L1", "a1", "p1", "o1", "w1", "t1", "C1"])
def test_a_life_has_each_line_as_a_mark_and_as_a_row(app: FastAPI, ben: Person, asked: str) -> None:
    page = read(Browser(app, "ben"), f"/trace/{asked}")
    stories = ben.get("/api/v1/trace", id=asked)["stories"]
    assert page.status_code == 200
    lines = [line for story in stories for line in story["lines"]]
    assert page.text.count("<circle") == len(lines)
    marks = re.findall(r'<a [^>]*aria-label="[^"]*, (\S+ version \d+)[^"]*"><title>', page.text)
    assert sorted(marks) == sorted(
        f"{one['table']} version {one['table_version']}" for one in lines
    )
    assert page.text.count('data-label="When"') == page.text.count("<circle")


def test_a_life_says_what_of_it_is_left_out(app: FastAPI, ben: Person) -> None:
    page = read(Browser(app, "ben"), f"/trace/{SHELF}?limit=1").text
    [left] = re.findall(r"<p>Not shown: ([^.]*)\.", page)
    assert {"10 earlier events", "1 earlier state"} <= set(left.split(", "))
    assert "Not shown" not in read(Browser(app, "ben"), f"/trace/{SHELF}").text


def test_what_has_no_life_is_said_as_text(app: FastAPI, ben: Person) -> None:
    page = read(Browser(app, "ben"), "/trace/%3Cscript%3Ealert(1)%2F%2E%2E%2F")
    assert page.status_code == 404
    assert "<script>alert" not in page.text
    assert "has the id" in page.text
