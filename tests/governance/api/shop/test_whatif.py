"""What another policy would have meant, by HTTP: the command's answer as a job, within limits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
from fastapi import FastAPI

from lakeshelf import extras
from lakeshelf.forecast.whatif import answers, lakes, records
from lakeshelf.governance.api.app import application, ended
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.shop import replaying
from tests.cli.shop import sold_shop
from tests.governance.api.people import Person, code
from tests.governance.api.test_life import insert, proposed

pytestmark = pytest.mark.ml
WHATIF = "/api/v1/whatif"
SOLD = sold_shop.past(8, 35)
SETS = {"set": {"threshold_pct": "50", "reorder_point_qty": "4"}}


@pytest.fixture
def app(context: Context) -> Iterator[FastAPI]:
    assert context.root.folder is not None
    sold_shop.make(context.root.folder, SOLD)
    made = application(context)
    yield made
    ended(made)


def asked(person: Person, **question: Any) -> dict[str, Any]:
    """The job of a question, once it has ended."""
    job = person.call("POST", WHATIF, question)
    assert job.status_code == 202, job.text
    seen: dict[str, Any] = person.get(f"/api/v1/jobs/{job.json()['id']}", wait=9)
    return seen


def test_the_answer_is_the_command_s(ann: Person, context: Context) -> None:
    job = asked(ann, **SETS, frontier=True, stores=["store 0"])
    assert (job["status"], job["kind"], job["params"]["set"]) == ("done", "whatif", SETS["set"])
    shop = lakes.read(context.root, lakes.ReplayScope(None, None, {"store_id": ("store 0",)}))
    changed = shop.policy.changed({"threshold_pct": 50.0, "reorder_point_qty": 4})
    whole = answers.answer(shop, changed, lambda *_: None, frontier=True)
    expected = records.as_record(shop, {}, whole)
    result = job["result"]
    same = ("differences", "most_changed", "frontier", "notes", "shelves", "wanted_units")
    assert {name: result[name] for name in same} == {name: expected[name] for name in same}
    assert (result["stores_total"], len(result["stores"])) == (1, 1)
    chief = [one for one in expected["stores"][0]["differences"] if one["measure"] in records.CHIEF]
    assert result["stores"][0]["differences"] == chief


def test_a_change_request_means_what_its_fields_mean(ann: Person) -> None:
    number = proposed(ann, insert("S0002", threshold_pct=0, min_qty=0))["number"]
    requested = asked(ann, change_request=number, items=["I2"])["result"]
    fields = {"threshold_pct": "0", "min_qty": "0", "target_pct": "80"}
    by_fields = asked(ann, set=fields, items=["I2"])["result"]
    assert requested["differences"] == by_fields["differences"]
    assert any(one["difference"] for one in requested["differences"])
    assert (requested["change_request"], requested["title"]) == (number, "x")
    both = ann.call("POST", WHATIF, {**SETS, "change_request": number})
    assert code(both) == "request_invalid"


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ({"set": {"treshold_pct": "1"}}, "threshold_pct"),
        ({"set": {"threshold_pct": "<script>"}}, "threshold_pct is"),
        ({"set": {"threshold_pct": "101"}}, "from 0 to 100"),
        ({"set": {"plan_source": "oracle"}}, "give rule or ml"),
        ({"change_request": 999}, "999"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_a_job_begins(
    ann: Person, question: dict[str, Any], words: str
) -> None:
    answer = ann.call("POST", WHATIF, question)
    assert answer.status_code in (404, 422)
    assert words in answer.json()["error"]["message"]
    assert ann.get("/api/v1/jobs") == []


@pytest.mark.parametrize(
    ("limit", "question", "code_", "words"),
    [
        (None, {"stores": ["none"]}, "request_invalid", "no store 'none'"),
        (None, {"until": "1999-01-01"}, "request_invalid", "no receipts"),
        (None, {"set": {"plan_source": "ml"}}, "request_invalid", "no version of a model"),
        (
            None,
            {"set": {"service_level": "0.9"}},
            "request_invalid",
            "the rule orders for every shelf",
        ),
        ("MOST_SHELF_DAYS", {}, "query_too_large", "280 days of shelves"),
        ("MOST_SECONDS", {}, "query_too_long", "longer than -1 s"),
    ],
)
def test_a_job_that_cannot_go_on_says_why(
    ann: Person,
    monkeypatch: pytest.MonkeyPatch,
    limit: str | None,
    question: dict[str, Any],
    code_: str,
    words: str,
) -> None:
    if limit:
        monkeypatch.setattr(replaying, limit, -1)
    job = asked(ann, **question)
    assert job["status"] == "failed"
    assert job["result"]["error"]["code"] == code_
    assert words in job["result"]["error"]["message"]


def test_one_at_a_time_is_replayed_of_a_user_and_is_cancelled_at_its_next_step(
    ann: Person, ben: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    going, begun, read = threading.Event(), threading.Event(), lakes.read

    def slow(*of: Any) -> lakes.ReplayedShop:
        begun.set()
        assert going.wait(30)
        return read(*of)

    monkeypatch.setattr(lakes, "read", slow)
    job = ann.call("POST", WHATIF, SETS).json()
    assert begun.wait(30)
    assert ann.get(f"/api/v1/jobs/{job['id']}")["progress"] == {"step": "read", "done": 0, "of": 0}
    assert code(ann.call("POST", WHATIF, SETS)) == "rate_limited"
    assert ben.call("POST", WHATIF, SETS).status_code == 202
    ann.post(f"/api/v1/jobs/{job['id']}/cancel")
    going.set()
    assert ann.get(f"/api/v1/jobs/{job['id']}", wait=9)["status"] == "cancelled"


def test_it_says_what_can_be_asked(vic: Person) -> None:
    told = vic.get(WHATIF)
    known = {one["name"]: one for one in told["fields"]}
    assert (known["threshold_pct"]["maximum"], known["threshold_pct"]["unit"]) == (100, "%")
    assert (known["plan_source"]["enum"], known["allow_zero"]["default"]) == (["rule", "ml"], False)
    assert told["limits"]["at_once"] == 1


def test_rules_are_compared_without_what_models_need_which_is_named_where_they_decide(
    vic: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: name != "lightgbm" or None)
    assert asked(vic, **SETS)["status"] == "done"

    def decides(*_: object) -> NoReturn:
        extras.require("ml")
        raise AssertionError

    monkeypatch.setattr(lakes, "foretold", decides)
    error = asked(vic, **SETS)["result"]["error"]
    assert error["code"] == "service_unavailable"
    assert "pip install 'lakeshelf[ml]'" in error["message"]
