"""Live numbers in real Chromium: they move, grey out when nobody confirms them, and come back by themselves."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, Request, Route, expect

from lakeshelf.governance.api.app import application
from lakeshelf.governance.services.context import Context
from lakeshelf.ui import serving
from tests.governance.api.floor import answering, shop, shop_template
from tests.governance.api.people import Person
from tests.support import eventually

__all__ = ["shop_template"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
HISTORY = "**/api/v1/numbers/history"
STREAM = "**/api/v1/events?*"
WRONG_CLOCK = "Date.now = () => 4_102_444_800_000"


def application_of(context: Context, template: Path) -> FastAPI:
    made = application(context, answering(shop(context, template)))
    serving.install(made)
    return made


@contextmanager
def listening(app: FastAPI, port: int = 0) -> Iterator[int]:
    """A server on a port, which ends without waiting for those who listen to it."""
    place = socket.create_server(("127.0.0.1", port), reuse_port=False)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [place]})
    thread.start()
    eventually(lambda: server.started, "the server listens")
    try:
        yield place.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def signed_in(browser: Browser, port: int, streams: list[str] | None = None) -> Page:
    """A page of the shop; `streams` gets the address of each stream of events that its browser opens."""
    page = browser.new_context().new_page()
    opened = [] if streams is None else streams

    def keep(asked: Request) -> None:
        if "/events?" in asked.url:
            opened.append(asked.url)

    page.context.on("request", keep)
    page.goto(f"http://127.0.0.1:{port}/login#ann")
    page.wait_for_url(f"http://127.0.0.1:{port}/")
    return page


def test_numbers_live_through_the_end_of_the_server_in_every_tab(
    browser: Browser, context: Context, ann: Person, shop_template: Path
) -> None:
    with listening(application_of(context, shop_template)) as port:
        streams: list[str] = []
        first = signed_in(browser, port, streams)
        second = first.context.new_page()
        wrong: list[str] = []
        second.on("pageerror", lambda error: wrong.append(str(error)))
        second.add_init_script(WRONG_CLOCK)
        second.route(HISTORY, lambda route: route.fulfill(content_type="text/html", body="<h1>"))
        second.goto(f"http://127.0.0.1:{port}/")
        for page in (first, second):
            expect(page.locator("[data-live-age]")).to_have_text("live")
            expect(page.locator("[data-live='stock.shelves']")).to_have_text("3")
            page.locator("[data-live='stock.shelves']").evaluate(
                "(place) => place.textContent = ''"
            )
            expect(page.locator("[data-live='stock.shelves']")).to_have_text("3")
        expect(second.locator("[data-chart]").first).to_contain_text(re.compile("No numbers|now"))
        assert wrong == []
        assert len(streams) == 1, "one stream serves both"
    group = first.locator("main [data-live-group]").first
    expect(group).to_have_class(re.compile("stale"), timeout=15_000)
    expect(first.locator("[data-live-age]")).to_contain_text("no news since")
    head = second.locator("header .asof")  # which every page has
    expect(head).to_have_class(re.compile("stale"), timeout=15_000)
    expect(head).to_contain_text("no news since")
    with listening(application_of(context, shop_template), port):
        for page in (first, second):
            expect(page.locator("[data-live-age]")).to_have_text("live", timeout=20_000)
            group = page.locator("main [data-live-group]").first
            expect(group).not_to_have_class(re.compile("stale"))
        expect(head).not_to_contain_text("no news since")
        first.close()  # another tab listens for the rest
        second.locator("[data-live='stock.shelves']").evaluate("(place) => place.textContent = ''")
        expect(second.locator("[data-live='stock.shelves']")).to_have_text("3", timeout=20_000)
        second.context.close()


def test_a_chart_has_its_figures_as_a_table_beside_it(
    browser: Browser, context: Context, ann: Person, shop_template: Path
) -> None:
    begin = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=5)
    points = [
        {"at": (begin + timedelta(seconds=seconds)).isoformat(), "events_per_second": value}
        for seconds, value in ((1, 4), (2, 8), (61, 1_200))
    ]
    minutes = [f"{begin + timedelta(minutes=late):%H:%M}" for late in (1, 0)]
    with listening(application_of(context, shop_template)) as port:
        page = signed_in(browser, port)
        page.route(HISTORY, lambda route: route.fulfill(json={"points": points}))
        page.reload()
        line = page.locator("[data-chart=events_per_second] path")
        expect(line).to_have_attribute("d", re.compile("^M[^ML]+ [^ML]+L[^ML]+M"))  # a gap
        page.get_by_text("As a table of Events a second").click()
        rows = page.locator("[data-minutes=events_per_second] tbody tr")
        expect(rows.locator("th")).to_have_text(minutes)
        expect(rows.nth(1).locator("td")).to_have_text(["4", "6", "8"])
        expect(rows.nth(0).locator("td")).to_have_text(["1\u2009200"] * 3)
        page.context.close()


def test_a_stream_that_was_refused_is_opened_anew(
    browser: Browser, context: Context, ann: Person, shop_template: Path
) -> None:
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=503) if len(asked) == 1 else route.continue_()

    with listening(application_of(context, shop_template)) as port:
        first = signed_in(browser, port)
        page = first.context.new_page()
        first.close()  # its stream is none of those that are counted
        page.route(STREAM, refuse)
        page.goto(f"http://127.0.0.1:{port}/")
        page.locator("[data-live='stock.shelves']").evaluate("(place) => place.textContent = ''")
        expect(page.locator("[data-live='stock.shelves']")).to_have_text("3", timeout=20_000)
        assert len(asked) == 2
        page.context.close()
