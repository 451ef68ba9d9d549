"""Versions of the model by HTTP: what they are worth, and what becomes of them, as the commands do it and once."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest

from lakeshelf import extras
from lakeshelf.forecast.versions import registered, registry
from lakeshelf.governance.api.app import application
from lakeshelf.governance.api.routes.shop.model_shapes import ModelAnswer
from lakeshelf.governance.services.context import Context
from tests.governance.api.modelled import CANDIDATE, CHAMPION, FAILED, FORMER, act, add
from tests.governance.api.people import Person, code, issue

MODELS = "/api/v1/models"


def test_a_version_is_told_with_every_field_of_its_row_and_every_status() -> None:
    """The answer is written out, as what programs read: it does not change with the registry by itself."""
    told = ModelAnswer.model_fields
    assert {field.name for field in fields(registry.Model)} <= told.keys()
    assert get_args(told["status"].annotation) == registry.STATUSES


def statuses(context: Context) -> dict[str, str]:
    known = registered.read(registered.writer(context.root)).registry
    return {name: one.status for name, one in known.models.items()}


def told_of(person: Person, kind: str) -> list[dict[str, Any]]:
    return [
        one["details"] | {"user": one["user"]}
        for one in person.get("/api/v1/projects/retail/audit")
        if one["action"] == kind
    ]


def test_versions_are_told_with_what_they_are_worth_and_what_can_be_done(
    ann: Person, vic: Person
) -> None:
    seen = ann.get(MODELS)
    assert [one["model_version"] for one in seen["rows"]] == [FAILED, CANDIDATE, CHAMPION, FORMER]
    assert (seen["total"], seen["challenger"], seen["problems"]) == (4, None, [])
    assert seen["champion"]["model_version"] == CHAMPION
    failed, candidate, champion, _ = seen["rows"]
    assert [(one["name"], one["passed"], one["at_least"]) for one in failed["gates"]] == [
        ("pinball", True, True),
        ("bias", False, False),
    ]
    assert "did not pass: bias (0.093, bound 0.05)" in failed["can"]["promote"]
    assert (candidate["becomes"], candidate["can"]["promote"]) == ("challenger", True)
    assert champion["can"] == {
        "promote": f"version {CHAMPION} is champion: challenge is not allowed",
        "roll_back": True,
    }
    assert set(vic.get(MODELS)["rows"][1]["can"].values()) == {"a viewer may not; owners may"}
    page = ann.get(MODELS, offset=1, limit=2)
    assert [one["model_version"] for one in page["rows"]] == [CANDIDATE, CHAMPION]


def test_scores_stand_beside_every_baseline_and_health_is_of_the_latest_day(ann: Person) -> None:
    seen = ann.get(MODELS)
    [scores] = seen["scores"]
    assert (scores["model_version"], len(scores["folds"])) == (CHAMPION, 2)
    assert scores["means"].keys() == {"active"}
    assert scores["means"]["active"]["deviance"] == pytest.approx(
        {"lightgbm": 0.525, "sba": 0.5775, "zero": 1.3125}
    )
    assert {(one["store_id"], one["metric"], one["verdict"]) for one in seen["health"]} == {
        ("", "psi", "green"),
        ("S1", "bias_28d", "red"),
    }
    one = ann.get(f"{MODELS}/{CANDIDATE}")
    assert one["scores"]["model_version"] == one["model"]["model_version"] == CANDIDATE
    assert one["card"] is None
    assert "is not there" in one["damage"]


def test_a_step_is_taken_once_and_is_the_one_that_was_seen(ann: Person, context: Context) -> None:
    place, to = f"{MODELS}/{CANDIDATE}/promotion", {"to": "challenger", "reason": "=1+1 \u202e"}
    for _ in range(2):  # as one call that is sent again
        answer = ann.call("POST", place, to, X_Request_ID="once")
        assert [one["status"] for one in answer.json()] == ["challenger"]
    assert ann.post(place, to) == []
    assert statuses(context)[CANDIDATE] == "challenger"
    known = registered.read(registered.writer(context.root)).registry.model(CANDIDATE)
    assert (known.actor, known.reason) == ("ann", to["reason"])
    assert {one["model_version"] for one in ann.post(place, {"to": "champion"})} == {
        CANDIDATE,
        CHAMPION,
    }
    assert told_of(ann, "model.promote") == [
        {"model_version": CANDIDATE, **to, "user": "ann"},
        {"model_version": CANDIDATE, "to": "champion", "reason": "", "user": "ann"},
    ]
    back = ann.post(f"{MODELS}/{CANDIDATE}/rollback", {"reason": "worse"})
    assert {one["model_version"]: one["status"] for one in back} == {
        CANDIDATE: "retired",
        CHAMPION: "champion",
    }
    assert [one["reason"] for one in told_of(ann, "model.roll_back")] == ["worse"]


@pytest.mark.parametrize(
    ("version", "act_", "body", "why"),
    [
        (FAILED, "promotion", {"to": "challenger"}, "did not pass: bias"),
        (CANDIDATE, "promotion", {"to": "champion"}, "becomes challenger next"),
        (FORMER, "rollback", {}, "is retired, not the champion"),
        ("../none", "promotion", {"to": "champion"}, "there is no version '../none'"),
    ],
)
def test_what_may_not_be_is_refused_and_written_down_nowhere(
    ann: Person, context: Context, version: str, act_: str, body: dict[str, str], why: str
) -> None:
    before = statuses(context)
    answer = ann.call("POST", f"{MODELS}/{version.replace('/', '%2F')}/{act_}", body)
    assert code(answer) in ("transition_refused", "not_found")
    if "/" not in version:
        assert why in answer.json()["error"]["message"]
    assert statuses(context) == before
    assert not told_of(ann, "model.promote") + told_of(ann, "model.roll_back")


def test_of_two_at_once_the_second_is_told_so(
    ann: Person, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    advance, calls = registry.advance, iter(range(9))

    def overtaken(known: registry.Registry, *of: Any) -> Any:
        if next(calls) == 1:  # the version of the table that it is decided on was read
            lake = registered.writer(context.root)
            registered.change(lake, lambda other: registry.challenge(other, FAILED, act("eve")))
        return advance(known, *of)

    monkeypatch.setattr(registry, "advance", overtaken)
    answer = ann.call("POST", f"{MODELS}/{CANDIDATE}/promotion", {"to": "challenger"})
    assert code(answer) == "state_changed"
    assert statuses(context)[CANDIDATE] == "candidate"


def test_two_champions_are_told_and_everything_else_is_still_shown(
    ann: Person, context: Context
) -> None:
    name = "20260925-0123456789ab"
    add(Path(context.root.folder or ""), name, 5, (), status="champion")
    seen = ann.get(MODELS)
    assert seen["champion"] is None
    assert "2 versions as champion" in seen["problems"][0]
    assert seen["total"] == 5
    refused = ann.call("POST", f"{MODELS}/{name}/rollback", {})
    assert "2 versions as champion" in refused.json()["error"]["message"]


def test_without_versions_or_without_what_models_need_it_is_said(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = Person(application(context), issue(context, "ann", "ann"))
    assert ann.get(MODELS)["total"] == 0
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    error = ann.call("GET", MODELS).json()["error"]
    assert error["code"] == "service_unavailable"
    assert "pip install 'lakeshelf[ml]'" in error["message"]
