"""Explore asks a statement as a job of the API, and shows whatever its rows hold as the text it is."""

from __future__ import annotations

import html
import re
import shlex
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from lakeshelf.governance.services.jobs.running import THREADS
from lakeshelf.ui import rendering, texts
from lakeshelf.ui.pages import explore
from lakeshelf.ui.pictures import charts
from tests.governance.api.people import Browser, Person, code
from tests.support import eventually
from tests.ui.floor import app, sent, shop_template
from tests.ui.test_frame import field, post, read

__all__ = ["app", "sent", "shop_template"]
HOSTILE = ("<script>alert(1)</script>", "=1+1", "\u202egnp.exe", '"&<b>', "../../etc")


def run(browser: Browser, sql: str) -> str:
    """Where the page leads that a statement is sent from."""
    page = read(browser, "/explore")
    fields = {name: field(page, name) for name in ("csrf", "key", "back")}
    answer = post(browser, "/forms/run-statement", fields | {"sql": sql, "wait": "0"})
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def test_a_statement_is_asked_and_its_rows_are_paged_drawn_and_downloaded(
    app: FastAPI, ann: Person
) -> None:
    browser = Browser(app, "ann")
    place = run(browser, "SELECT range AS n, 'r' || range AS name FROM range(450)")
    first, last = read(browser, place), read(browser, f"{place}&offset=400&x=name&y=n&kind=bar")
    assert "1 to 200 of 450" in first.text
    assert "next 200" in first.text
    assert "401 to 450 of 450" in last.text
    assert "<td>r449</td>" in last.text
    assert last.text.count("<rect") == 450
    assert "lakeshelf sql 'SELECT range AS n" in html.unescape(first.text)
    job = place.rpartition("job=")[2].partition("&")[0]
    file = browser.call("GET", f"/api/v1/jobs/{job}/file?format=csv")
    assert file.headers["content-disposition"].startswith("attachment")
    assert len(file.text.splitlines()) == 451
    assert f'action="/api/v1/jobs/{job}/file"' in first.text
    assert '<input type="checkbox" name="escape" value="formulas">' in first.text


@pytest.mark.parametrize("cell", ["list(range)", "{'a': list(range), 'b': 'x'}"])
def test_a_cell_of_many_parts_is_told_by_its_beginning(
    app: FastAPI, ann: Person, cell: str
) -> None:
    browser = Browser(app, "ann")
    page = read(browser, run(browser, f"SELECT {cell} AS x FROM range(100000)"))
    assert "0, 1, 2, 3" in page.text
    assert "characters)" in page.text
    assert len(page.text) < 100_000


def test_a_time_that_no_version_has_is_told_to_who_asked_for_it(app: FastAPI, ann: Person) -> None:
    for time in ("0001-01-01", "2026-01-01T00:00:00", "2001-01-01T00:00:00Z"):
        sql = f"SELECT count(*) FROM ops.alerts AT (TIMESTAMP => '{time}')"
        answer = ann.call("POST", "/api/v1/query", {"sql": sql})
        assert (answer.status_code, code(answer)) == (422, "request_invalid"), answer.text


def test_long_texts_and_large_numbers_are_told_as_they_are(app: FastAPI, ann: Person) -> None:
    browser = Browser(app, "ann")
    sql = "SELECT repeat('x', 1000000) AS x, 9007199254740993 + range AS n FROM range(20)"
    page = read(browser, run(browser, sql))
    assert len(page.text) < 100_000
    assert "1 to 2 of 20" in page.text
    assert f"(1{rendering.THIN_SPACE}000{rendering.THIN_SPACE}000 characters)" in page.text
    assert "9 007 199 254 740 993".replace(" ", rendering.THIN_SPACE) in page.text


def test_a_statement_that_runs_is_cancelled_on_its_page(app: FastAPI, ann: Person) -> None:
    browser = Browser(app, "ann")
    place = run(browser, "SELECT count(*) FROM range(1000000000000) AS t(n) WHERE n % 7 = 3")
    page = read(browser, place)
    assert "It runs" in page.text
    [form] = re.findall(r'action="/forms/cancel-statement".*?</form>', page.text, re.DOTALL)
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
    assert post(browser, "/forms/cancel-statement", fields).status_code == 303
    assert browser.get(f"/api/v1/jobs/{fields['job']}", wait=9)["status"] == "cancelled"
    assert "There is no result: the statement is cancelled." in read(browser, place).text


def test_a_statement_that_waits_is_not_said_to_run(app: FastAPI, ann: Person) -> None:
    browser = Browser(app, "ann")
    without_end = "SELECT count(*) FROM range(1000000000000) AS t(n) WHERE n % 7 = {}"
    places = [run(browser, without_end.format(rest)) for rest in range(THREADS + 1)]
    jobs = [f"/api/v1/jobs/{place.rpartition('job=')[2]}" for place in places]
    for job in jobs[:THREADS]:
        eventually(lambda job=job: ann.get(job)["status"] == "running", "a statement runs")
    pages = [read(browser, place).text for place in places]
    for job in jobs:
        ann.post(f"{job}/cancel")
    assert ["It runs since" in page for page in pages] == [True] * THREADS + [False]
    assert "It waits until others have ended" in pages[-1]


def test_no_field_of_a_page_cuts_what_is_pasted_into_it_without_a_word() -> None:
    made = rendering.environment()
    assert made.loader is not None
    sources = {name: made.loader.get_source(made, name)[0] for name in made.list_templates()}
    assert [name for name, source in sources.items() if "maxlength" in source] == []


def test_tables_stand_with_what_the_contract_says(app: FastAPI, ann: Person) -> None:
    page = read(Browser(app, "ann"), "/explore?find=alert_id")
    assert "<code>ops.alerts</code>" in page.text
    assert "FROM+ops.alerts" in page.text
    assert "No table is like this." in read(Browser(app, "ann"), "/explore?find=%3Cb%3E").text


@pytest.mark.parametrize(
    "sql", ["SELEC 1", "DELETE FROM ops.alerts", "SELECT * FROM '/etc/passwd'"]
)
def test_what_is_refused_says_why_and_keeps_what_was_typed(
    app: FastAPI, ann: Person, sql: str
) -> None:
    browser = Browser(app, "ann")
    page = read(browser, run(browser, sql))
    assert "There is no result: the statement failed." in page.text
    assert f"\n{html.escape(sql, quote=False)}" in html.unescape(page.text).replace("&#39;", "'")


def test_what_an_address_or_a_row_holds_is_shown_as_text(app: FastAPI, ann: Person) -> None:
    browser = Browser(app, "ann")
    values = ", ".join(f"('{one}')" for one in HOSTILE)
    place = run(browser, f'SELECT x AS "<i>x</i>", 1 AS n FROM (VALUES {values}) AS t(x)')
    for address in (f"{place}&y=n&x={quote('<i>x</i>')}", f"/explore?sql={quote(HOSTILE[0])}"):
        page = read(browser, address)
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "<i>x" not in page.text
    shown = html.unescape(read(browser, place).text)
    assert all(f">{texts.visible(one)}</td>" in shown for one in HOSTILE)


def test_a_job_of_others_is_not_shown(app: FastAPI, ann: Person, ben: Person) -> None:
    place = run(Browser(app, "ann"), "SELECT 41 + 1 AS secret")
    job = place.rpartition("job=")[2]
    page = read(Browser(app, "ben"), f"/explore?job={job}")
    assert "This could not be shown." in page.text
    assert "secret" not in page.text


@given(st.text())
def test_the_command_is_the_statement_for_any_shell(sql: str) -> None:
    said = shlex.split(explore.command(sql))
    assert said[:2] == ["lakeshelf", "sql"]
    assert said[2:] in ([], [sql], ["--", sql])
    assert bool(said[2:]) == bool(sql.strip())


@given(st.text(alphabet=st.sampled_from("`<&a\u202e") | st.characters()))
def test_a_text_of_ours_has_its_code_marked_and_loses_nothing(text: str) -> None:
    marked = re.sub("</?code>", "`", texts.words(text))
    assert marked == escape(texts.visible(text))


@given(
    st.lists(st.none() | st.booleans() | st.text() | st.integers() | st.floats(), min_size=1),
    st.text(),
    st.sampled_from(["bar", "line"]),
)
def test_any_column_is_drawn_or_named_as_none(values: list[object], name: str, kind: str) -> None:
    drawing = charts.drawn(values, values, name, name, kind)
    known = [one for one in values if charts.number(one) is not None]
    assert (drawing is not None) == bool(known)
    if drawing:
        assert "nan" not in drawing.partition("<line")[2].partition("<text")[0]
