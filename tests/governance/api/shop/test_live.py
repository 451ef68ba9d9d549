"""Live numbers: taken once a process while somebody asks or listens, kept for ten minutes, sent as events."""

from __future__ import annotations

import asyncio
import collections
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sse_starlette import ServerSentEvent

from lakeshelf.errors import LakeshelfError
from lakeshelf.governance.api.app import ended
from lakeshelf.governance.api.routes import watching
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.services.people import users
from lakeshelf.governance.services.shop import live
from lakeshelf.governance.services.shop.live import HISTORY_S, LINGER_S, Live
from lakeshelf.governance.services.shop.running import no_stack
from tests.governance.api.people import Browser, Person
from tests.governance.api.serving import listening
from tests.governance.api.test_life import act, insert, proposed
from tests.support import eventually

API = "/api/v1"


class Counter:
    """Numbers that count how often they are taken, and who takes them at a time."""

    def __init__(self) -> None:
        self.looks = self.opened = self.closed = 0
        self.failure: Exception | None = None

    def __call__(self) -> Counter:
        self.opened += 1
        return self

    def look(self) -> dict[str, Any]:
        if self.failure is not None:
            raise self.failure
        self.looks += 1
        return {"events": self.looks, "tables": ["large"], "problems": []}

    def close(self) -> None:
        self.closed += 1


class Time:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def kept(numbers: Callable[[], Any], time: Time) -> Iterator[Live]:
    made = Live(numbers, "epoch", time)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PERIOD_S", 0.01)


def test_many_who_ask_have_numbers_taken_once(counter: Counter, time: Time) -> None:
    with kept(counter, time) as numbers:
        threads = [threading.Thread(target=numbers.newest) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert counter.opened == 1


def test_numbers_are_taken_only_while_somebody_asks(counter: Counter, time: Time) -> None:
    with kept(counter, time) as numbers:
        assert counter.opened == 0
        numbers.newest()
        time.now += LINGER_S
        eventually(lambda: counter.closed == 1, "nobody takes numbers")
        before = counter.looks
        assert numbers.newest().numbers["events"] > before
        assert counter.opened == 2


def test_history_is_of_ten_minutes_and_has_gaps(counter: Counter, time: Time) -> None:
    with kept(counter, time) as numbers:
        first = numbers.newest()
        time.now += HISTORY_S - 1
        eventually(lambda: counter.closed == 1, "nobody takes numbers")
        kept_ = numbers.history()
        assert kept_[0].id == first.id == "epoch.1"
        assert kept_[0].kept == {"id": "epoch.1", "events": 1}
        time.now += 2
        eventually(lambda: numbers.history()[0].id != first.id, "what is older is gone")


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (LakeshelfError("the disk is gone"), "could not be taken: the disk is gone"),
        (RuntimeError("/a/file.parquet"), "could not be taken"),
    ],
)
def test_numbers_that_cannot_be_taken_are_refused_and_asked_for_again(
    counter: Counter, time: Time, failure: Exception, words: str
) -> None:
    counter.failure = failure
    with kept(counter, time) as numbers:
        with pytest.raises(GovernanceError) as refusal:
            numbers.newest()
        assert refusal.value.code == "service_unavailable"
        assert refusal.value.message == f"live numbers {words}"
        counter.failure = None
        eventually(lambda: numbers.peek() is not None, "they are taken again")


def test_where_no_stack_is_there_are_no_numbers(time: Time) -> None:
    with (
        kept(no_stack, time) as numbers,
        pytest.raises(GovernanceError, match="no stack runs") as refusal,
    ):
        numbers.newest()
    assert "lakeshelf up" in str(refusal.value.hint)


def test_numbers_are_those_of_the_commands(app: FastAPI, ben: Person) -> None:
    told = ben.get(f"{API}/numbers")
    assert told["numbers"]["alerts"]["refill_request"] == 1
    assert told["numbers"]["stock"]["shelves"] == 3
    assert told["numbers"]["state"] == "down"
    points = ben.get(f"{API}/numbers/history")["points"]
    assert told["id"] in [point["id"] for point in points]
    assert "tables" not in points[0]
    ended(app)


@contextmanager
def numbers_of(address: str, headers: dict[str, str], topics: str) -> Iterator[Iterator[Any]]:
    """What is sent to who listens: names of events and their data."""
    with lines_of(address, headers, topics) as lines:
        yield _events(lines)


@contextmanager
def lines_of(address: str, headers: dict[str, str], topics: str) -> Iterator[Iterator[str]]:
    """What is sent to who listens, line by line."""
    with httpx.stream(
        "GET", f"{address}{API}/events?topics={topics}", headers=headers, timeout=60
    ) as answer:
        assert answer.status_code == 200, answer.read()
        yield answer.iter_lines()


def _events(lines: Iterator[str]) -> Iterator[Any]:
    event: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line and name:
            event[name] = value
        elif event:
            yield event
            event = {}


def test_numbers_come_as_events_to_a_browser_that_is_signed_in_as_soon_as_they_are_taken(
    app: FastAPI, ben: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "POLL_S", 3_600.0)
    browser = Browser(app, "ben")
    with listening(app) as address:
        # the cookie has the port of the address, which it was not made for
        port = address.rpartition(":")[2]
        cookie = {"Cookie": f"lakeshelf_{port}={browser.secret}"}
        with numbers_of(address, cookie, "live") as events:
            first, second = next(events), next(events)
        ended(app)
    assert (first["event"], second["event"]) == ("numbers", "numbers")
    assert "id" not in first
    looks = [json.loads(one["data"]) for one in (first, second)]
    assert looks[0]["alerts"]["refill_request"] == 1
    numbers = [int(look["id"].partition(".")[2]) for look in looks]
    assert numbers[0] < numbers[1]


def test_who_is_not_signed_in_hears_nothing(app: FastAPI) -> None:
    with listening(app) as address:
        for headers in ({}, {"Cookie": f"lakeshelf_{address.rpartition(':')[2]}=lkb_unknown"}):
            answer = httpx.get(f"{address}{API}/events?topics=live", headers=headers)
            assert answer.status_code == 401


def test_who_listens_to_something_else_has_no_numbers_taken(app: FastAPI, ben: Person) -> None:
    with (
        listening(app) as address,
        numbers_of(address, {"Authorization": "Bearer ben"}, "session") as events,
    ):
        ben.post(f"{API}/projects/retail/datasets/shelf_policies/live_sessions")
        assert next(events)["event"] == "session"
    assert app.state.live._taking is None


BEN = {"Authorization": "Bearer ben"}


def test_who_listens_hears_of_the_one_request_that_they_named(
    app: FastAPI, ann: Person, ben: Person
) -> None:
    first, second = (proposed(ann, insert(name)) for name in ("S1", "S2"))
    topic = f"cr:{second['number']}"
    with listening(app) as address, numbers_of(address, BEN, topic) as events:
        for request in (first, second):
            act(ben, request, "approve")
        heard = json.loads(next(events)["data"])
    assert (heard["kind"], heard["request"]) == ("cr.approved", second["number"])
    ended(app)


def test_a_stream_in_which_nothing_happens_says_that_it_lives(
    app: FastAPI, ben: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "PING_S", 0.1)
    with listening(app) as address, lines_of(address, BEN, "session") as lines:
        assert next(lines).startswith(": ping")
    ended(app)


def test_who_may_no_longer_listen_hears_the_end(
    app: FastAPI, ben: Person, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "STILL_S", 0.01)
    caller = Caller("ben")
    with listening(app) as address, numbers_of(address, BEN, "session") as events:
        for token in users.tokens(context, caller, "ben"):
            users.revoke(context, caller, token.id)
        assert list(events) == []
    ended(app)


def test_streams_that_are_let_in_together_are_no_more_than_may_be() -> None:
    """Each is looked at before the others have begun."""
    streams = collections.Counter(ben=watching.MOST_STREAMS - 1)

    async def events() -> AsyncIterator[ServerSentEvent]:
        yield ServerSentEvent(event="first")
        yield ServerSentEvent(event="last")

    async def begun() -> list[bool]:
        both = [watching._counted(streams, "ben", events()) for _ in range(2)]
        listened = [await anext(one, None) is not None for one in both]
        for one in both:
            await one.aclose()
        return listened

    assert asyncio.run(begun()) == [True, False]
    assert streams["ben"] == watching.MOST_STREAMS - 1


def test_a_user_listens_so_often_at_a_time(
    app: FastAPI, ben: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MOST_STREAMS", 1)
    with listening(app) as address:
        with numbers_of(address, BEN, "session") as events:
            ben.post(f"{API}/projects/retail/datasets/shelf_policies/live_sessions")
            assert next(events)["event"] == "session"
            refused = httpx.get(f"{address}{API}/events?topics=cr", headers=BEN)
            assert (refused.status_code, refused.headers["Retry-After"]) == (429, "2")
        eventually(lambda: app.state.streams["ben"] == 0, "nobody listens")
    ended(app)
