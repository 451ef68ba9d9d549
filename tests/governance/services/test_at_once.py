"""An owner restores without a review only where the policy lets owners, with a reason, validated and audited."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lakeshelf.governance.domain import permissions
from lakeshelf.governance.domain.definition import RowRule
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.services import history
from lakeshelf.governance.services.changes import defining, merging, recovery
from lakeshelf.governance.services.context import Caller, Context
from tests.governance.services.acting import approved, done, insert, merged, rows, set_
from tests.governance.services.conftest import ANN, BEN, CAT, DATASET, EVE, PROJECT, VIC, Clock

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def first(context: Context) -> int:
    """The version of a shelf before somebody broke it; the policy lets owners restore."""
    version = done(context, insert("A1")).merged_version
    with context.metadata.reading() as tx:
        present = tx.datasets.definition(PROJECT, DATASET)
    later = present.next(policy=replace(present.policy, restore_by_owner=True))
    change = defining.propose(context, BEN, PROJECT, DATASET, later, title="Owners restore")
    merged(context, approved(context, change, ANN))
    done(context, set_("A1", "min_qty", 50))
    assert version is not None
    return version


def at_once(context: Context, caller: Caller, version: int, reason: str = "shelves empty") -> None:
    history.restore_at_once(context, caller, PROJECT, DATASET, version, reason)


def test_an_owner_restores_at_once_and_the_reason_is_audited(context: Context, first: int) -> None:
    at_once(context, ANN, first)
    assert rows(context)["A1"]["min_qty"] == 1
    with context.metadata.reading() as tx:
        request, *_ = tx.requests.all(PROJECT, statuses=["closed"])
        acts = tx.audit.after(PROJECT)
    assert (request.kind, request.forced_by) == ("restore", "ann")
    (act,) = [one for one in acts if one.details.get("action") == "restore_at_once"]
    assert (act.user, act.details["reason"]) == ("ann", "shelves empty")


def test_it_is_off_unless_the_policy_says_otherwise(context: Context) -> None:
    version = done(context, insert("A1")).merged_version
    done(context, set_("A1", "min_qty", 50))
    assert version is not None
    with pytest.raises(GovernanceError, match="policy of the dataset") as error:
        at_once(context, ANN, version)
    assert error.value.code == "forbidden"
    assert rows(context)["A1"]["min_qty"] == 50


@pytest.mark.parametrize(
    ("caller", "expected"),
    [(BEN, "forbidden"), (CAT, "forbidden"), (VIC, "forbidden"), (EVE, "not_found")],
)
def test_nobody_but_an_owner_may(
    context: Context, first: int, caller: Caller, expected: str
) -> None:
    with pytest.raises(GovernanceError) as error:
        at_once(context, caller, first)
    assert error.value.code == expected
    assert rows(context)["A1"]["min_qty"] == 50


def test_without_a_reason_nothing_is_restored(context: Context, first: int) -> None:
    with pytest.raises(GovernanceError) as error:
        at_once(context, ANN, first, "  ")
    assert error.value.code == "comment_required"
    assert rows(context)["A1"]["min_qty"] == 50


def test_what_the_rules_refuse_is_not_restored(context: Context, first: int) -> None:
    with context.metadata.reading() as tx:
        present = tx.datasets.definition(PROJECT, DATASET)
    rule = RowRule("enough", "between", ("min_qty",), {"minimum": 20})
    change = defining.propose(
        context, BEN, PROJECT, DATASET, present.next(rules=(*present.rules, rule)), title="x"
    )
    merged(context, approved(context, change, ANN))
    with pytest.raises(GovernanceError) as error:
        at_once(context, ANN, first)
    assert error.value.code == "violations"
    assert rows(context)["A1"]["min_qty"] == 50


def test_no_other_kind_of_request_goes_past_its_review(context: Context, first: int) -> None:
    waiting = history.restore(context, ANN, PROJECT, DATASET, first)
    with pytest.raises(GovernanceError) as error:
        merging.restore_at_once(context, ANN, waiting)
    assert error.value.code == "comment_required"
    assert rows(context)["A1"]["min_qty"] == 50


def test_one_whose_merger_died_is_under_review_and_not_approved(
    context: Context, first: int, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Died(BaseException):
        pass

    def die(*_: object) -> None:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(merging.Merger, "carried_out", die)
        with pytest.raises(Died):
            at_once(context, ANN, first)
    clock.pass_(minutes=2)
    (back,) = recovery.recover(context)
    assert back.status == "pending_review"
    merged(context, approved(context, back), CAT)
    assert rows(context)["A1"]["min_qty"] == 1


def test_with_its_guard_off_anybody_would(
    context: Context, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(permissions, "_reason", lambda *_: None)
    at_once(context, BEN, first)
    assert rows(context)["A1"]["min_qty"] == 1
