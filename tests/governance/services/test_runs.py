"""Every judgement of a change request is kept whole, and a policy can require that one passed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from lakeshelf.governance.domain.definition import Definition, RowRule
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.metadata.tables.requests import ChangeRequest
from lakeshelf.governance.services import runs, upkeep
from lakeshelf.governance.services.changes import approving, defining
from lakeshelf.governance.services.context import Context
from tests.governance.services.acting import approved, done, insert, merged, proposed, set_
from tests.governance.services.conftest import ANN, BEN, CAT, DATASET, EVE, PROJECT, VIC

pytestmark = pytest.mark.timeout(300)


def redefined(context: Context, **changes: Any) -> Definition:
    """A definition that ben proposes and ann puts in force."""
    with context.metadata.reading() as tx:
        present = tx.datasets.definition(PROJECT, DATASET)
    later = present.next(**changes)
    change = defining.propose(context, BEN, PROJECT, DATASET, later, title="x")
    merged(context, approved(context, change, ANN))
    return later


def required(context: Context, *checks: str) -> None:
    with context.metadata.reading() as tx:
        policy = tx.datasets.definition(PROJECT, DATASET).policy
    redefined(context, policy=replace(policy, required_checks=checks))


def files(context: Context, run: str) -> Mapping[str, Any]:
    assert context.root.folder is not None
    folder = context.root.folder / context.folder(PROJECT, DATASET).validation(run)
    return {file.name: json.loads(file.read_bytes()) for file in folder.iterdir()}


def test_each_point_is_kept_with_its_files(context: Context) -> None:
    number = done(context, insert("A1")).number
    kept = runs.of_request(context, VIC, PROJECT, number)
    assert {(one.point, one.passed, one.revision) for one in kept} == {
        ("submit", True, 1),
        ("approve", True, 1),
        ("merge", True, 1),
    }
    for one in kept:
        content = files(context, one.id)
        assert content.keys() == {"summary.json", "full.json"}
        assert content["full.json"] == []
        assert content["summary.json"]["point"] == one.point


def test_a_run_that_blocked_is_kept_with_every_finding(context: Context) -> None:
    with pytest.raises(GovernanceError):
        proposed(context, ANN, *(insert(f"A{n}", threshold_pct=900) for n in range(300)))
    with context.metadata.reading() as tx:
        (request,) = tx.requests.all(PROJECT)
    (run,) = runs.of_request(context, VIC, PROJECT, request.number)
    assert (run.passed, run.counts) == (False, {"fatal": 300})
    assert len(files(context, run.id)["full.json"]) == 300
    page = runs.findings(context, VIC, PROJECT, run.id, 299, 10)
    assert (page.total, len(page.findings)) == (300, 1)
    with pytest.raises(GovernanceError) as error:
        runs.findings(context, EVE, PROJECT, run.id, 0, 10)
    assert error.value.code == "not_found"


def test_a_required_check_is_met_by_the_run_that_passed(context: Context) -> None:
    required(context, "submit", "approve")
    assert done(context, insert("A1")).status == "merged"


def test_without_a_run_of_its_content_a_required_check_is_not_met(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    required(context, "submit")
    monkeypatch.setattr(approving, "_passed_points", lambda *_: set())
    request = approved(context, proposed(context, ANN, insert("A1")))
    assert request.status == "pending_review"


def test_a_policy_with_a_check_that_nothing_runs_is_refused(context: Context) -> None:
    with pytest.raises(GovernanceError, match="there is no check nightly") as error:
        required(context, "nightly")
    assert error.value.code == "definition_invalid"


def unique_minimum(context: Context) -> None:
    with context.metadata.reading() as tx:
        rules = tx.datasets.definition(PROJECT, DATASET).rules
    redefined(context, rules=(*rules, RowRule("alone", "unique", ("min_qty",), {})))


def state(context: Context, request: ChangeRequest) -> str:
    upkeep.mark_open(context)
    with context.metadata.reading() as tx:
        mark = tx.requests.marked(PROJECT, request.number)
    assert mark is not None
    return mark.state


def test_a_value_that_another_row_got_meanwhile_marks_a_request_as_conflicting(
    context: Context,
) -> None:
    done(context, insert("A1"), insert("A2", min_qty=2))
    unique_minimum(context)
    waiting = proposed(context, CAT, set_("A1", "min_qty", 9))
    done(context, set_("A2", "target_pct", 70))
    assert state(context, waiting) == "behind"
    done(context, set_("A2", "min_qty", 9))
    assert state(context, waiting) == "conflicting"
    done(context, set_("A2", "min_qty", 8))
    assert state(context, waiting) == "behind"


def test_values_that_were_the_same_before_are_in_nobodys_way(context: Context) -> None:
    done(context, insert("A1"), insert("A2"), insert("A3", min_qty=3))
    unique_minimum(context)
    waiting = proposed(context, CAT, set_("A1", "target_pct", 70))
    done(context, set_("A3", "target_pct", 60))
    assert state(context, waiting) == "behind"
