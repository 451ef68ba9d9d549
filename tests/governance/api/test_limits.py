"""How often somebody may call, and what is known of each call by its id."""

from __future__ import annotations

import json
import logging

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.governance.api.app import application
from lakeshelf.governance.api.door import limits
from lakeshelf.governance.api.door.limits import Buckets, Rates
from lakeshelf.governance.api.serving import Serving
from lakeshelf.governance.services.context import Context
from tests.governance.api.people import DATA, Browser, Person, code, issue

ME = "/api/v1/me"
SIGN_IN = "/api/v1/sign_in"


class Seconds:
    """A monotonic clock that goes when it is told to."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.floats(0, 5), max_size=200), st.floats(0.1, 20), st.integers(1, 30))
def test_no_key_gets_more_than_its_rate(pauses: list[float], per_s: float, size: int) -> None:
    seconds = Seconds()
    buckets = Buckets(per_s, size, seconds)
    taken, begun = 0, seconds.now
    for pause in pauses:
        seconds.now += pause
        wait = buckets.take("a")
        taken += not wait
        assert wait == 0 or buckets.wait("a") > 0
        assert taken <= size + (seconds.now - begun) * per_s + 1e-6


def test_after_the_wait_that_is_told_a_call_goes_through() -> None:
    seconds = Seconds()
    buckets = Buckets(2, 1, seconds)
    assert buckets.take("a") == 0
    wait = buckets.take("a")
    assert wait == pytest.approx(0.5)
    assert buckets.take("b") == 0
    seconds.now += wait
    assert buckets.take("a") == 0


def test_only_so_many_keys_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_KEYS", 3)
    buckets = Buckets(1, 1, Seconds())
    for key in "abcd":
        buckets.take(key)
    assert list(buckets._held) == ["b", "c", "d"]


def limited(context: Context, rates: Rates) -> FastAPI:
    return application(context, serving=Serving(rates=rates))


def test_a_user_who_calls_too_often_is_told_when_to_call_again(context: Context) -> None:
    app = limited(context, Rates(0.1, 1_000))
    ann = Person(app, issue(context, "ann", "ann"))
    ben = Person(app, issue(context, "ben", "ben"))
    assert ann.call("GET", ME).status_code == 200
    answer = ann.call("GET", ME)
    assert (code(answer), answer.status_code) == ("rate_limited", 429)
    assert 1 <= int(answer.headers["Retry-After"]) <= 10
    assert ben.call("GET", ME).status_code == 200
    other = Person(app, issue(context, "ann", "another token of ann"))
    assert other.refused("GET", ME) == "rate_limited"


def test_an_address_that_fails_too_often_signs_in_no_more(context: Context) -> None:
    app = limited(context, Rates(1_000, 3))
    nobody, good = Person(app, None), issue(context, "ann", "lks_ann")
    for _ in range(3):
        assert code(nobody.call("POST", SIGN_IN, {"token": "wrong"})) == "unauthenticated"
    answer = nobody.call("POST", SIGN_IN, {"token": good})
    assert (code(answer), answer.headers["Retry-After"]) == ("rate_limited", "20")
    assert Person(app, "wrong").refused("GET", ME) == "rate_limited"
    assert Person(app, good).get(ME)["user"] == "ann"


def test_tokens_and_cookies_that_are_wrong_count_and_calls_without_any_do_not(
    context: Context,
) -> None:
    app = limited(context, Rates(1_000, 2))
    nobody = Person(app, None)
    for _ in range(5):
        assert nobody.refused("GET", ME) == "unauthenticated"
    assert Person(app, "wrong").refused("GET", ME) == "unauthenticated"
    answer = nobody.call("GET", ME, Cookie="lakeshelf=wrong")
    assert code(answer) == "unauthenticated"
    assert Person(app, "wrong").refused("GET", ME) == "rate_limited"
    assert code(nobody.call("GET", ME, Cookie="lakeshelf=other")) == "rate_limited"


def test_pages_of_a_session_that_has_ended_lock_nobody_out(context: Context) -> None:
    app = limited(context, Rates(1_000, 2))
    browser = Browser(app, issue(context, "ann", "lks_ann"))
    browser.post("/api/v1/sign_out")
    for _ in range(5):
        assert browser.refused("GET", ME) == "unauthenticated"
    assert Browser(app, "lks_ann").get(ME)["user"] == "ann"
    answers = [Person(app, token).call("GET", ME, Cookie=browser.cookie) for token in "xyz"]
    assert [code(one) for one in answers] == ["unauthenticated", *["rate_limited"] * 2]


def test_who_signs_in_well_is_never_counted_as_failing(context: Context) -> None:
    app = limited(context, Rates(1_000, 1))
    token = issue(context, "ann", "lks_ann")
    for _ in range(3):
        assert Browser(app, token).get(ME)["user"] == "ann"


def test_without_rates_nobody_is_limited(ann: Person) -> None:
    assert {ann.call("GET", ME).status_code for _ in range(30)} == {200}


def test_every_line_of_the_log_has_the_id_of_its_call(
    app: FastAPI, ann: Person, caplog: pytest.LogCaptureFixture
) -> None:
    @app.post("/api/v1/broken")
    def broken() -> None:
        raise RuntimeError("it breaks")

    with caplog.at_level(logging.DEBUG, logger="lakeshelf"):
        ann.call("GET", ME, X_Request_ID="read-1")
        ann.call("POST", f"{DATA}/live_sessions", X_Request_ID="write-1")
        ann.call("POST", "/api/v1/broken", X_Request_ID="broken-1")
    lines = [json.loads(record.getMessage()) for record in caplog.records]
    by_id = {line["request_id"]: line for line in lines if line["event"] == "call"}
    assert by_id["read-1"]["level"] == "debug"
    wrote = by_id["write-1"]
    assert (wrote["level"], wrote["user"], wrote["status"]) == ("info", "ann", 201)
    assert wrote["call"] == f"POST {DATA}/live_sessions"
    assert by_id["broken-1"]["status"] == 500
    [failed] = [line for line in lines if line["event"] == "call failed"]
    assert failed["request_id"] == "broken-1"
