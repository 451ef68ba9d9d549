"""The page of models says what they are worth and why, and what owners decide on it is done once."""

from __future__ import annotations

import html
import re
from pathlib import Path
from types import SimpleNamespace
from xml.etree.ElementTree import fromstring

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.forecast.versions import registered
from lakeshelf.governance.api.app import application
from lakeshelf.governance.services.context import Context
from lakeshelf.ui import serving
from lakeshelf.ui.pictures.calibration import Span, drawn
from lakeshelf.ui.pictures.drawing import written
from tests.forecast.versions.cases import ORIGIN
from tests.forecast.versions.test_registry import card
from tests.governance.api.modelled import CANDIDATE, CHAMPION, FAILED, PASSED, add
from tests.governance.api.people import Browser, Person, issue
from tests.ui.floor import app, sent, shop_template
from tests.ui.test_floor import HOSTILE
from tests.ui.test_frame import field, post, read

__all__ = ["app", "sent", "shop_template"]
SHARES = st.floats(0, 1)


def test_who_decides_and_whether_it_is_worth_it(app: FastAPI, ann: Person) -> None:
    page = " ".join(html.unescape(read(Browser(app, "ann"), "/models").text).split())
    assert f'The champion <a class="id" href="/models/{CHAMPION}">' in page
    assert "✓ 9.1 % lower</span> than that of the best of 2 simple methods, sba" in page
    assert "<strong>★ 0.525</strong>" in page
    assert page.index('<td data-label="Method">sba') < page.index('<td data-label="Method">zero')
    assert "✕ 1 of 2</span> not bias" in page
    assert "did not pass: bias (0.093, bound 0.05)" in page
    assert "bias, 28 days" in page
    assert page.count("! covers too little") == 1
    one = html.unescape(read(Browser(app, "ann"), f"/models/{FAILED}").text)
    assert "Its files are not what was registered" in one
    assert "at most 0.05" in one
    assert (
        "No shelves are called nowhere" in read(Browser(app, "ann"), "/models?segment=nowhere").text
    )
    assert read(Browser(app, "ann"), "/models/none").status_code == 404


def test_a_card_is_shown_with_what_was_read_and_how_it_was_trained(
    app: FastAPI, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"seed": 1, "rate": 0.05, "of": (1, HOSTILE[0]), "factors": {"S1": 1.0}}
    told = {"settings": settings, "run_id": HOSTILE[2], "folds": ORIGIN.folds}
    shown = card(CHAMPION).model_copy(update=told | {"inputs": ORIGIN.inputs})
    seen = SimpleNamespace(card=shown)
    monkeypatch.setattr(registered, "version", lambda *_: seen)
    page = read(Browser(app, "ann"), f"/models/{CHAMPION}").text
    text = html.unescape(re.sub(r"<[^>]*>", "", page))
    for words in ("2026-08-31", "curated/features_store", "version 3, rows ab", "0.05", "1, "):
        assert words in text
    assert HOSTILE[0] in text
    assert "<script>alert" not in page
    assert "\u202e" not in text
    assert "Its files are not" not in page


def test_owners_promote_what_they_saw_once_and_others_are_told_why_not(
    app: FastAPI, ann: Person, vic: Person
) -> None:
    browser, place = Browser(app, "ann"), f"/models/{CANDIDATE}"
    page = read(browser, place)
    names = ("csrf", "key", "back", "version", "to")
    fields = {name: field(page, name) for name in names} | {"reason": HOSTILE[0]}
    answers = [post(browser, "/forms/promote-model", fields) for _ in range(2)]
    assert {one.headers["location"] for one in answers} == {f"{place}?done=promote-model"}
    after = read(browser, place).text
    assert "challenger: beside it" in after
    assert html.escape(HOSTILE[0]) in after
    assert "Make it champion" in after
    stale = post(browser, "/forms/promote-model", fields | {"key": "another"})
    assert stale.headers["location"] == f"{place}?done=promote-model"  # it is what was asked for
    assert ann.get(f"/api/v1{place}")["model"]["status"] == "challenger"
    seen = read(Browser(app, "vic"), "/models").text
    assert "a viewer may not; owners may" in seen
    assert len(re.findall(r"<button[^>]* disabled", seen)) == 5


def test_text_of_a_version_is_shown_as_the_text_it_is(
    app: FastAPI, ann: Person, context: Context
) -> None:
    root = Path(context.root.folder or "")
    for number, text in enumerate(HOSTILE):
        gate = PASSED.model_copy(update={"name": text})
        add(root, text, number, (gate,), reason=text, actor=text)
    for place, text in (("/models", HOSTILE[0]), ("/models/%3D1%2B1", HOSTILE[1])):
        page = read(Browser(app, "ann"), place)
        assert page.status_code == 200
        assert text in html.unescape(page.text)
        assert "<script>alert" not in page.text
        assert "\u202e" not in re.sub(r"<[^>]*>", "", page.text)


def test_without_versions_it_says_why_and_what_is_next(context: Context) -> None:
    made = application(context)
    serving.install(made)
    page = read(Browser(made, issue(context, "ann", "ann")), "/models")
    assert page.status_code == 200
    assert "so the rule decides" in page.text
    assert "<code>lakeshelf models train</code>" in page.text


@given(st.lists(st.builds(Span, SHARES, SHARES, SHARES, st.none() | st.tuples(SHARES, SHARES))))
def test_a_calibration_stays_within_its_frame(spans: list[Span]) -> None:
    picture = fromstring(str(written(drawn(spans))))
    width, height = float(picture.get("width", 0)), float(picture.get("height", 0))
    assert len([one for one in picture.iter("path") if one.get("class") == "level"]) == len(spans)
    for one in picture.iter("rect"):
        x, y, w, h = (float(one.get(key, "")) for key in ("x", "y", "width", "height"))
        assert 0 <= x <= x + w <= width
        assert 0 <= y <= y + h <= height
