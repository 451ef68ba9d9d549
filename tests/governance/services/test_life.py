"""The life of a change request: from edits to the canonical table, and each way that it does not get there."""

from __future__ import annotations

import pyarrow as pa
import pytest

from lakeshelf.governance.domain.definition import RowRule
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.metadata.tables.requests import ChangeRequest
from lakeshelf.governance.services import history
from lakeshelf.governance.services.changes import (
    defining,
    ending,
    merging,
    requests,
    reviewing,
    sessions,
)
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.storage.logs import CELLS, Log
from tests.governance.services.acting import (
    approved,
    delete,
    done,
    insert,
    merged,
    proposed,
    rows,
    set_,
)
from tests.governance.services.conftest import (
    ANN,
    BEN,
    CAT,
    DATASET,
    EVE,
    PROJECT,
    VIC,
    Clock,
)

pytestmark = pytest.mark.timeout(300)


def code(error: pytest.ExceptionInfo[GovernanceError]) -> str:
    return error.value.code


def test_what_is_edited_reviewed_and_merged_stands_in_the_table(context: Context) -> None:
    done(context, insert("A1"), insert("A2", min_qty=4), insert("A3"))
    request = done(context, set_("A1", "threshold_pct", 25), delete("A3"), insert("A4"))
    held = rows(context)
    assert sorted(held) == ["A1", "A2", "A4"]
    assert held["A1"]["threshold_pct"] == 25
    assert held["A2"]["min_qty"] == 4
    assert {row["actor"] for row in held.values()} == {"ann"}
    with context.metadata.reading() as tx:
        assert tx.requests.get(PROJECT, request.number).status == "closed"
        assert tx.datasets.meta(PROJECT, DATASET).row_count == 3


def test_an_author_does_not_approve(context: Context) -> None:
    request = proposed(context, ANN, insert("A1"))
    with pytest.raises(GovernanceError) as error:
        approved(context, request, ANN)
    assert code(error) == "author_approves"


@pytest.mark.parametrize(("caller", "expected"), [(VIC, "forbidden"), (EVE, "not_found")])
def test_who_may_not_review_is_refused(context: Context, caller: Caller, expected: str) -> None:
    request = proposed(context, ANN, insert("A1"))
    with pytest.raises(GovernanceError) as error:
        approved(context, request, caller)
    assert code(error) == expected


def test_nothing_is_merged_without_an_approval(context: Context) -> None:
    request = proposed(context, ANN, insert("A1"))
    with pytest.raises(GovernanceError) as error:
        merged(context, request)
    assert code(error) == "transition_refused"
    assert rows(context) == {}


def test_content_that_was_not_seen_is_neither_approved_nor_merged(context: Context) -> None:
    request = proposed(context, ANN, insert("A1"))
    with pytest.raises(GovernanceError) as error:
        reviewing.approve(context, BEN, PROJECT, request.number, "0" * 64)
    assert code(error) == "content_changed"
    approved(context, request)
    with pytest.raises(GovernanceError) as error:
        merging.merge(context, ANN, PROJECT, request.number, "0" * 64)
    assert code(error) == "content_changed"


def test_an_approval_counts_while_its_giver_may_give_it(context: Context) -> None:
    request = approved(context, proposed(context, ANN, insert("A1")))
    with context.metadata.transaction() as tx:
        tx.projects.remove(PROJECT, "ben")
    with pytest.raises(GovernanceError) as error:
        merged(context, request)
    assert code(error) == "approvals_missing"


def test_what_violates_a_rule_is_not_submitted(context: Context) -> None:
    session = sessions.open_session(context, ANN, PROJECT, DATASET)
    edited = sessions.edit(context, ANN, session.id, [insert("A1", threshold_pct=130)])
    assert {(one.row_id, one.column) for one in edited.findings} == {("A1", "threshold_pct")}
    with pytest.raises(GovernanceError) as error:
        requests.submit_session(context, ANN, session.id, title="too much")
    assert code(error) == "violations"
    assert error.value.details["findings"][0]["value"] == 130


def test_cells_of_two_requests_merge_and_the_same_cell_is_a_conflict(context: Context) -> None:
    done(context, insert("A1"))
    others = [
        proposed(context, ANN, set_("A1", "min_qty", 7)),
        proposed(context, CAT, set_("A1", "target_pct", 90)),
        proposed(context, CAT, set_("A1", "min_qty", 9)),
    ]
    for request in others:
        approved(context, request)
    merged(context, others[0])
    merged(context, others[1])
    assert (rows(context)["A1"]["min_qty"], rows(context)["A1"]["target_pct"]) == (7, 90)
    with pytest.raises(GovernanceError) as error:
        merged(context, others[2])
    (conflict,) = error.value.details["conflicts"]
    assert (conflict["base"], conflict["main"], conflict["staged"]) == (1, 7, 9)
    with context.metadata.reading() as tx:
        assert tx.requests.get(PROJECT, others[2].number).status == "pending_review"
        marked = tx.requests.marked(PROJECT, others[2].number)
    assert marked is not None
    assert (marked.state, marked.conflicts) == ("conflicting", 1)


def test_merged_twice_gives_the_first_result(context: Context) -> None:
    first = done(context, insert("A1"))
    again = merged(context, first)
    assert again.merged_version == first.merged_version


def test_some_cells_are_rejected_and_the_rest_is_approved_anew(context: Context) -> None:
    request = proposed(context, ANN, insert("A1"), insert("A2"))
    smaller = reviewing.reject_cells(
        context, BEN, PROJECT, request.number, str(request.content_hash), [("A2", None)]
    )
    assert (smaller.revision, smaller.status) == (2, "pending_review")
    assert smaller.content_hash != request.content_hash
    merged(context, approved(context, smaller))
    assert sorted(rows(context)) == ["A1"]


def test_a_rejection_says_why_and_a_withdrawn_request_is_over(context: Context) -> None:
    request = proposed(context, ANN, insert("A1"))
    place = (PROJECT, request.number, str(request.content_hash))
    with pytest.raises(GovernanceError) as error:
        reviewing.reject(context, BEN, *place, comment=" ")
    assert code(error) == "comment_required"
    assert reviewing.reject(context, BEN, *place, comment="too low").status == "rejected"
    assert ending.withdraw(context, ANN, PROJECT, request.number).status == "withdrawn"
    with pytest.raises(GovernanceError) as error:
        approved(context, request)
    assert code(error) == "transition_refused"


def test_a_change_is_blamed_taken_back_and_restored(context: Context) -> None:
    first = done(context, insert("A1"), title="first")
    second = done(context, set_("A1", "min_qty", 8), title="more")
    blamed = history.blame(context, VIC, PROJECT, DATASET, "A1")
    assert "actor" not in blamed
    least, most = blamed["min_qty"], blamed["target_pct"]
    assert least is not None
    assert most is not None
    assert (least.change_request, least.actor, least.approvers) == (second.number, "ann", ("ben",))
    assert most.change_request == first.number
    back = history.revert(context, CAT, PROJECT, second.number)
    merged(context, approved(context, back))
    assert rows(context)["A1"]["min_qty"] == 1
    assert second.merged_version is not None
    again = history.restore(context, CAT, PROJECT, DATASET, second.merged_version)
    merged(context, approved(context, again))
    assert rows(context)["A1"]["min_qty"] == 8


def test_silence_ends_a_request(context: Context, clock: Clock) -> None:
    request = proposed(context, ANN, insert("A1"))
    clock.pass_(days=29)
    assert ending.expire(context) == []
    clock.pass_(days=2)
    assert [one.number for one in ending.expire(context)] == [request.number]
    with context.metadata.reading() as tx:
        assert tx.requests.get(PROJECT, request.number).status == "expired"


def tightened(context: Context, most: int) -> ChangeRequest:
    """A request of ann for a definition with one more rule."""
    with context.metadata.reading() as tx:
        present = tx.datasets.definition(PROJECT, DATASET)
    rule = RowRule("least_is_small", "between", ("min_qty",), {"maximum": most})
    later = present.next(rules=(*present.rules, rule))
    return defining.propose(context, ANN, PROJECT, DATASET, later, title="Small shelves")


def test_a_tighter_rule_is_reviewed_and_approvals_are_given_anew(context: Context) -> None:
    done(context, insert("A1", min_qty=50))
    waiting = approved(context, proposed(context, CAT, set_("A1", "target_pct", 70)), BEN)
    merged(context, approved(context, tightened(context, 9), BEN))
    with context.metadata.reading() as tx:
        assert tx.datasets.get(PROJECT, DATASET).definition_version == 2
        assert tx.requests.get(PROJECT, waiting.number).status == "pending_review"
    session = sessions.open_session(context, CAT, PROJECT, DATASET)
    edited = sessions.edit(context, CAT, session.id, [insert("A2", min_qty=10)])
    assert [one.rule for one in edited.findings] == ["least_is_small"]
    merged(context, approved(context, waiting, BEN))
    assert rows(context)["A1"]["target_pct"] == 70


def test_a_definition_that_another_one_overtook_is_not_approved(context: Context) -> None:
    first, second = tightened(context, 9), tightened(context, 8)
    merged(context, approved(context, first, BEN))
    with pytest.raises(GovernanceError) as error:
        approved(context, second, BEN)
    assert code(error) == "state_changed"


def test_what_was_wrong_before_a_rule_came_does_not_block(context: Context) -> None:
    done(context, insert("A1", min_qty=50))
    merged(context, approved(context, tightened(context, 9), BEN))
    done(context, set_("A1", "target_pct", 70))
    assert rows(context)["A1"]["target_pct"] == 70
    with pytest.raises(GovernanceError) as error:
        proposed(context, ANN, insert("A2", min_qty=51))
    assert code(error) == "violations"


def test_a_revert_is_of_its_own_merge_where_an_older_copy_of_the_database_gave_its_number_again(
    context: Context,
) -> None:
    request = done(context, insert("A1"))
    log = Log(context.root, context.folder(PROJECT, DATASET).cells, CELLS)
    others = [{**row, "version": 0, "row_id": "B7"} for row in log.rows().to_pylist()]
    log.append(pa.Table.from_pylist(others, CELLS))
    back = history.revert(context, ANN, PROJECT, request.number)
    counts = merging.dry_run(context, ANN, PROJECT, back.number).merged.counts
    assert (counts["deleted"], counts["conflicts"]) == (1, 0)
