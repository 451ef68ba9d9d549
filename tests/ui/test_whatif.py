"""The page that asks what another policy would have meant: a question, its job, its answer as picture and tables."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qs, quote, urlsplit
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from lakeshelf import extras
from lakeshelf.governance.api.app import application, ended
from lakeshelf.governance.services.context import Context
from lakeshelf.ui import serving
from lakeshelf.ui.pages import whatif
from lakeshelf.ui.pictures.drawing import written
from lakeshelf.ui.pictures.frontier import Spot, drawn
from tests.cli.shop import sold_shop
from tests.governance.api.people import Browser, Person
from tests.governance.api.test_life import insert, proposed
from tests.ui.test_floor import HOSTILE
from tests.ui.test_frame import field, post, read

SOLD = sold_shop.past(8, 35)
FUEL = "by measure"
NUMBERS = st.floats(-1e9, 1e9)


@pytest.fixture
def app(context: Context, request: pytest.FixtureRequest) -> Iterator[FastAPI]:
    """The pages of a shop, of which one shelf sells by measure where a test asks for that."""
    assert context.root.folder is not None
    times = np.where(np.arange(8) == 3, 9_000, 1) if hasattr(request, "param") else 1
    sold_shop.make(context.root.folder, replace(SOLD, units=SOLD.units * times))
    made = application(context)
    serving.install(made)
    yield made
    ended(made)


def asked(browser: Browser, **question: str) -> str:
    """The place of the answer, once the job has ended."""
    page = read(browser, "/whatif")
    fields = {name: field(page, name) for name in ("csrf", "key", "back")} | question
    answers = [post(browser, "/forms/ask-whatif", fields) for _ in range(2)]
    places = {one.headers["location"] for one in answers}
    assert len(places) == 1, "sent twice, it is asked once"
    (place,) = places
    [job] = parse_qs(urlsplit(place).query)["job"]
    assert browser.get(f"/api/v1/jobs/{job}", wait=9)["ended_at"]
    return place


@pytest.mark.ml
def test_an_answer_is_a_picture_with_the_same_as_tables(app: FastAPI, ann: Person) -> None:
    browser = Browser(app, "ann")
    question = {"set.threshold_pct": "50", "stores": "store 0", "frontier": "on"}
    place = asked(browser, **question)
    page = " ".join(html.unescape(read(browser, place).text).split())
    [drawing] = re.findall(r"<svg.*?</svg>", page)
    shown = fromstring(drawing)
    kinds = [one.get("class") for one in shown.iter() if one.tag in ("rect", "circle")]
    assert (kinds.count("before"), kinds.count("after")) == (1, 1)
    assert kinds.count("tried") == 10
    assert len([one for one in shown.iter("path") if one.get("class") == "interval"]) == 2
    assert "4 shelves of 1 store" in page
    assert "Changed: threshold pct 50" in page.replace("threshold_pct", "threshold pct")
    assert "By store: 1 of 1</summary>" in page
    assert 'name="set.threshold_pct" value="50"' in page
    assert 'name="items" value=""' in page
    line = "lakeshelf whatif --set threshold_pct=50 '--stores=store 0' --frontier"
    assert line in page


@pytest.mark.ml
@pytest.mark.parametrize("app", [FUEL], indirect=True)
def test_goods_that_are_sold_by_measure_have_a_table_of_their_own(
    app: FastAPI, ann: Person
) -> None:
    browser = Browser(app, "ann")
    place = asked(browser, **{"set.reorder_point_qty": "3"})
    page = " ".join(html.unescape(read(browser, place).text).split())
    _, _, own = page.partition("<h3>Goods that are sold by measure</h3>")
    assert "fill (sold of wanted)" in own.partition("</table>")[0]
    assert "7 shelves of 2 stores" in page
    assert "sold by measure, as fuel is in thousandths: 1 shelf." in page


@pytest.mark.ml
def test_a_change_request_is_asked_from_its_address(app: FastAPI, ann: Person) -> None:
    request = proposed(ann, insert("S0002", min_qty=0), title=HOSTILE[0])
    browser = Browser(app, "ann")
    number = str(request["number"])
    page = read(browser, f"/whatif?cr={number}")
    assert f'name="change_request" value="{number}"' in page.text
    place = asked(browser, change_request=number, items="I2")
    answer = read(browser, place).text
    assert f'<a href="/reviews/retail/{number}">' in answer
    assert html.escape(HOSTILE[0]) in answer
    assert "<script>alert" not in answer


@pytest.mark.ml
@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_a_question_is_shown_as_the_text_it_is(
    app: FastAPI, ann: Person, text: str
) -> None:
    browser = Browser(app, "ann")
    for place in ("/whatif?stores={0}&set.min_qty={0}&cr={0}", "/whatif?job={0}"):
        page = read(browser, place.format(quote(text, safe="")))
        assert page.status_code == 200
        assert "<script>alert" not in page.text
    fields = {name: field(read(browser, "/whatif"), name) for name in ("csrf", "key", "back")}
    refused = post(browser, "/forms/ask-whatif", fields | {"set.min_qty": text})
    assert refused.status_code == 422
    assert "<script>alert" not in refused.text
    failed = read(browser, asked(browser, stores=text)).text
    assert "the replay is failed" in failed
    assert "<script>alert" not in failed


def test_what_is_not_installed_or_asked_is_said(
    app: FastAPI, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = Browser(app, "ann")
    job = ann.post("/api/v1/query", {"sql": "SELECT 1"})["job"]
    assert "That job is no replay" in read(browser, f"/whatif?job={job}").text
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    page = read(browser, "/whatif")
    assert page.status_code == 200
    assert "pip install 'lakeshelf[ml]'" in html.unescape(page.text)


@given(st.dictionaries(st.sampled_from(["stores", "set.min_qty", "frontier"]), st.text()))
def test_a_command_holds_each_word_of_a_question(question: dict[str, str]) -> None:
    words = whatif.command(question)
    assert words.startswith("lakeshelf whatif")
    assert words.count("--set") >= ("set.min_qty" in question)


@given(
    st.lists(
        st.builds(
            Spot,
            st.text(max_size=8),
            st.sampled_from(["before", "after", "tried", "levels"]),
            NUMBERS,
            NUMBERS,
            st.none() | st.tuples(NUMBERS, NUMBERS),
            st.none() | st.tuples(NUMBERS, NUMBERS),
        ),
        min_size=1,
        max_size=13,
    )
)
def test_what_policies_reach_stays_within_the_frame(spots: list[Spot]) -> None:
    picture = fromstring(str(written(drawn(spots))))
    width, height = float(picture.get("width", 0)), float(picture.get("height", 0))
    circles = [(float(c.get("cx", "")), float(c.get("cy", ""))) for c in picture.iter("circle")]
    corners = [
        (float(one.get("x", "")), float(one.get("y", "")))
        for tag in ("text", "rect")
        for one in picture.iter(tag)
    ]
    assert len(circles) + len(list(picture.iter("rect"))) == len(spots)
    assert all(0 <= x <= width and 0 <= y <= height for x, y in (*circles, *corners))
