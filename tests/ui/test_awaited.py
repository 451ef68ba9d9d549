"""What takes long is said to be computed, comes to the page by itself and is asked once, with or without scripts."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, expect

from lakeshelf.governance.api.app import application
from lakeshelf.governance.api.serving import Serving
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.reading import listing
from lakeshelf.governance.services.shop import looking
from lakeshelf.ui import asking, serving
from tests.governance.api.floor import answering, shop, shop_template
from tests.governance.api.people import issue
from tests.governance.services.conftest import ANN
from tests.support import eventually
from tests.ui.browser import signed_in
from tests.ui.keyboard import press, reach
from tests.ui.test_frame import field

__all__ = ["shop_template"]
pytestmark = pytest.mark.timeout(180)
PAGE_S, API_S = 3, 6
"""Longer than any answer takes that no gate holds, also on a busy machine."""
COMPUTED, SENT = "A part of this page is being computed", "What you sent is being done"
ALERT = "a1"


class Gate:
    """A function that waits until it is opened, and how often it was called."""

    def __init__(self, function: Any) -> None:
        self.opened, self.calls, self.function = threading.Event(), 0, function

    def __call__(self, *of: Any, **named: Any) -> Any:
        self.calls += 1
        assert self.opened.wait(60)
        return self.function(*of, **named)


@contextmanager
def gated(room: ModuleType, name: str) -> Iterator[Gate]:
    """A function of a room behind a gate, which is open in the end."""
    with pytest.MonkeyPatch.context() as patched:
        gate = Gate(getattr(room, name))
        patched.setattr(room, name, gate)
        try:
            yield gate
        finally:
            gate.opened.set()


@pytest.fixture
def alerts() -> Iterator[Gate]:
    with gated(looking, "alerts") as gate:
        yield gate


@pytest.fixture
def notices() -> Iterator[Gate]:
    with gated(listing, "read_notices") as gate:
        yield gate


@pytest.fixture
def app(
    context: Context, shop_template: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FastAPI]:
    monkeypatch.setattr(asking, "WAIT_S", PAGE_S)
    made = application(context, answering(shop(context, shop_template)), Serving(patience_s=API_S))
    serving.install(made)
    yield made
    made.state.runner.close()


@pytest.fixture
def reader(address: str, context: Context) -> Iterator[httpx.Client]:
    """A browser without scripts."""
    with httpx.Client(base_url=address, timeout=60, headers={"Origin": address}) as client:
        token = {"token": issue(context, "ann", "reader")}
        assert client.post("/api/v1/sign_in", json=token).status_code == 200
        yield client


def refreshed(page: httpx.Response) -> str:
    """Where a page without scripts goes by itself."""
    [place] = re.findall(
        r'<noscript><meta http-equiv="refresh" content="3; url=([^"]*)">', page.text
    )
    return unescape(place)


def until_it_ended(reader: httpx.Client) -> None:
    eventually(lambda: reader.get("/api/v1/jobs").json()[0]["ended_at"], "the job ends")


def test_without_scripts_a_page_comes_again_until_its_answer_is_there(
    reader: httpx.Client, alerts: Gate
) -> None:
    first = reader.get("/alerts?store=S1")
    assert first.status_code == 202
    assert COMPUTED in first.text
    assert "Sign out" in first.text
    again = refreshed(first)
    still = reader.get(again)
    assert (still.status_code, refreshed(still)) == (202, again)
    alerts.opened.set()
    until_it_ended(reader)
    last = reader.get(again)
    assert (last.status_code, alerts.calls) == (200, 1)
    assert ALERT in last.text
    assert '<a href="/alerts?store=S1">Compute it anew</a>' in last.text
    assert (
        reader.get(again.replace("S1", "S2")).status_code == 200
    )  # another question is asked anew
    assert alerts.calls == 2


@pytest.mark.slow
def test_with_scripts_it_fills_itself_and_loses_nothing_that_is_typed(
    browser: Browser, address: str, context: Context, alerts: Gate
) -> None:
    with signed_in(browser, address, issue(context, "ann", "page")) as page:
        page.goto("/alerts?store=S1")
        expect(page.get_by_text(COMPUTED)).to_be_visible()
        alerts.opened.set()
        expect(page.get_by_role("link", name=ALERT)).to_be_visible()
        expect(page.get_by_text("Computed by")).to_be_focused()  # Tab goes on from there
        assert page.url.endswith("/alerts?store=S1")

        alerts.opened.clear()
        page.reload()
        page.get_by_role("textbox", name="Shelf").fill("S1-")
        alerts.opened.set()
        page.get_by_role("link", name="Show it").click()
        expect(page.get_by_role("link", name=ALERT)).to_be_visible()


@pytest.mark.slow
def test_how_far_a_job_is_is_seen_to_move(
    browser: Browser, address: str, context: Context, alerts: Gate
) -> None:
    with signed_in(browser, address, issue(context, "ann", "page")) as page:
        page.goto("/alerts?store=S1")
        news = page.get_by_text(COMPUTED)
        expect(news).to_be_visible()
        with context.metadata.reading() as tx:
            [job] = tx.jobs.all(ANN.user)
        for done in (3, 7):
            with context.metadata.transaction() as tx:
                tx.jobs.report(job, {"done": done, "of": 10})
            expect(page.locator("[data-progress]")).to_have_text(f", {done} of 10")
        alerts.opened.set()
        expect(page.get_by_role("link", name=ALERT)).to_be_visible()


@pytest.mark.slow
def test_who_goes_through_a_page_by_tab_stays_where_they_are_when_it_ends(
    browser: Browser, address: str, context: Context, alerts: Gate
) -> None:
    with signed_in(browser, address, issue(context, "ann", "page")) as page:
        page.goto("/alerts?store=S1")
        expect(page.get_by_text(COMPUTED)).to_be_visible()
        here = page.get_by_role("link", name="Plans", exact=True)
        reach(page, here)
        alerts.opened.set()
        show = page.get_by_role("link", name="Show it")
        expect(show).to_be_visible()
        expect(here).to_be_focused()
        press(page, show)
        expect(page.get_by_role("link", name=ALERT)).to_be_visible()
        expect(page.get_by_text("Computed by")).to_be_focused()


@pytest.mark.parametrize("is_refused", [False, True])
def test_what_is_sent_and_takes_long_is_not_called_done_before_it_is(
    reader: httpx.Client, notices: Gate, *, is_refused: bool
) -> None:
    form = {"csrf": field(reader.get("/me"), "csrf"), "event": "0", "back": "/me"}
    taken = reader.post("/forms/read-notices", data=form)
    assert taken.status_code == 303
    page = reader.get(taken.headers["Location"])
    assert (page.status_code, refreshed(page)) == (202, taken.headers["Location"])
    assert SENT in page.text
    assert "Notices are read." not in page.text

    def refuse(*_: Any) -> None:
        raise GovernanceError("forbidden", "not <b>yours</b>")

    if is_refused:
        notices.function = refuse
    notices.opened.set()
    until_it_ended(reader)
    last = reader.get(taken.headers["Location"]).text
    assert ("Notices are read." in last, "not &lt;b&gt;yours&lt;/b&gt;" in last) == (
        not is_refused,
        is_refused,
    )
