"""What others do between the moment a call looks and the moment it writes takes nothing away and breaks nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakeshelf.governance.domain.definition import RowRule
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.metadata.tables.projects import Membership
from lakeshelf.governance.metadata.tables.requests import ChangeRequest
from lakeshelf.governance.services import history, upkeep
from lakeshelf.governance.services.changes import (
    defining,
    ending,
    merging,
    proposals,
    requests,
    reviewing,
    sessions,
    settling,
)
from lakeshelf.governance.services.changes.desks import Desk
from lakeshelf.governance.services.context import Context
from lakeshelf.lake.place import storage
from tests.governance.services.acting import approved, delete, done, insert, merged, proposed, set_
from tests.governance.services.conftest import ANN, BEN, CAT, DATASET, PROJECT, START

pytestmark = pytest.mark.timeout(300)
Patch = pytest.MonkeyPatch


@pytest.fixture
def database(sqlite_template: Path, tmp_path: Path) -> Path:
    """One database is enough here: what both do alike is tested where they are."""
    file = tmp_path / "metadata.db"
    file.write_bytes(sqlite_template.read_bytes())
    return file


def before(patch: Patch, place: object, name: str, act: Callable[[], object]) -> None:
    """Have something happen once, before a function is called."""
    called, acts = getattr(place, name), [act]

    def first(*args: Any, **named: Any) -> Any:
        if acts:
            acts.pop()()
        return called(*args, **named)

    patch.setattr(place, name, first)


def session_with(context: Context, *edits: Any) -> str:
    session = sessions.open_session(context, ANN, PROJECT, DATASET).id
    assert not sessions.edit(context, ANN, session, edits).refusals
    return session


def submitted(context: Context, session: str, title: str = "x") -> ChangeRequest:
    return requests.submit_session(context, ANN, session, title=title)


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(GovernanceError) as error:
        act()
    return error.value.code


def all_requests(context: Context) -> list[ChangeRequest]:
    with context.metadata.reading() as tx:
        return tx.requests.all(PROJECT)


def cells(context: Context, request: ChangeRequest) -> dict[str, Any]:
    """What a request would write: row → its least quantity."""
    preview = merging.dry_run(context, ANN, PROJECT, request.number)
    return {row["shelf_id"]: row["min_qty"] for row in preview.merged.upserts.to_pylist()}


def test_a_session_becomes_one_request_however_often_it_is_submitted(context: Context) -> None:
    session = session_with(context, insert("A1"))
    submitted(context, session)
    assert refusal(lambda: submitted(context, session)) == "already_submitted"
    assert len(all_requests(context)) == 1


def test_what_is_rejected_and_submitted_again_is_the_same_request_as_it_is_called_now(
    context: Context,
) -> None:
    first = submitted(context, session_with(context, insert("A1")), "too few")
    reviewing.reject(context, BEN, PROJECT, first.number, str(first.content_hash), "more")
    session = settling.take_up(context, ANN, PROJECT, first.number).id
    sessions.edit(context, ANN, session, [set_("A1", "min_qty", 7)])
    again = submitted(context, session, "enough")
    assert [(one.number, one.title) for one in all_requests(context)] == [(1, "enough")]
    assert again.revision == 2


def test_a_session_that_was_discarded_is_gone(context: Context) -> None:
    session = session_with(context, insert("A1"))
    sessions.discard(context, ANN, session)
    assert refusal(lambda: submitted(context, session)) == "gone"


@pytest.mark.parametrize("place", ["drafted", "submit"])
def test_of_two_that_submit_a_session_at_once_one_is_first(
    context: Context, monkeypatch: Patch, place: str
) -> None:
    session = session_with(context, insert("A1"))
    before(monkeypatch, requests, place, lambda: submitted(context, session))
    assert refusal(lambda: submitted(context, session)) == "gone"
    assert sorted(one.status for one in all_requests(context)) == ["pending_review", "withdrawn"]


def test_an_edit_that_comes_while_its_session_is_submitted_is_not_left_behind(
    context: Context, monkeypatch: Patch
) -> None:
    session = session_with(context, insert("A1"))
    late = [set_("A1", "min_qty", 7)]
    before(monkeypatch, proposals, "keep", lambda: sessions.edit(context, ANN, session, late))
    assert refusal(lambda: submitted(context, session)) == "state_changed"
    assert cells(context, submitted(context, session)) == {"A1": 7}


def test_an_edit_that_is_written_after_its_session_ended_is_not_called_taken(
    context: Context, monkeypatch: Patch
) -> None:
    session = session_with(context, insert("A1"))
    before(monkeypatch, Desk, "keep", lambda: submitted(context, session))
    late = [set_("A1", "min_qty", 7)]
    assert refusal(lambda: sessions.edit(context, ANN, session, late)) == "gone"


def test_a_session_goes_on_where_a_row_was_deleted_while_a_cell_of_it_was_set(
    context: Context, monkeypatch: Patch
) -> None:
    done(context, insert("A1"), insert("A2"))
    session = session_with(context, set_("A2", "min_qty", 5))
    gone = [delete("A1")]
    before(monkeypatch, sessions, "_keep", lambda: sessions.edit(context, ANN, session, gone))
    sessions.edit(context, ANN, session, [set_("A1", "min_qty", 7)])
    counts = sessions.preview(context, ANN, session).merged.counts
    assert (counts["updated"], counts["deleted"]) == (1, 1)
    assert not sessions.edit(context, ANN, session, [insert("A1", min_qty=8)]).refusals


def test_who_may_edit_no_longer_submits_nothing_again(context: Context) -> None:
    request = proposed(context, CAT, insert("A1"))
    reviewing.reject(context, BEN, PROJECT, request.number, str(request.content_hash), "no")
    session = settling.take_up(context, CAT, PROJECT, request.number).id
    _demote(context)
    again = lambda: requests.submit_session(context, CAT, session, title="x")  # noqa: E731
    assert refusal(again) == "forbidden"


def test_who_may_reject_no_longer_when_it_is_written_rejects_no_cell(
    context: Context, monkeypatch: Patch
) -> None:
    request = proposed(context, ANN, insert("A1"), insert("A2"))
    before(monkeypatch, proposals, "keep", lambda: _demote(context))
    place = (PROJECT, request.number, str(request.content_hash))
    rejected = lambda: reviewing.reject_cells(context, CAT, *place, [("A1", None)])  # noqa: E731
    assert refusal(rejected) == "forbidden"
    assert cells(context, request) == {"A1": 1, "A2": 1}


def test_of_two_that_reject_cells_at_once_the_second_takes_nothing_from_the_first(
    context: Context, monkeypatch: Patch
) -> None:
    request = proposed(context, ANN, insert("A1"), insert("A2"))
    place = (PROJECT, request.number, str(request.content_hash))

    def reject(row: str) -> None:
        reviewing.reject_cells(context, CAT, *place, [(row, None)])

    before(monkeypatch, proposals, "keep", lambda: reject("A1"))
    assert refusal(lambda: reject("A2")) == "content_changed"
    assert cells(context, request) == {"A2": 1}


def test_of_two_that_settle_conflicts_at_once_the_second_takes_nothing_from_the_first(
    context: Context, monkeypatch: Patch
) -> None:
    done(context, insert("A1"), insert("A2"))
    request = proposed(context, CAT, set_("A1", "min_qty", 7), set_("A2", "min_qty", 7))
    done(context, set_("A1", "min_qty", 5))

    def settle(choice: str) -> None:
        decided = {("A1", "min_qty"): proposals.CHOICES[choice]}
        digest = str(request.content_hash)
        settling.resolve(context, CAT, PROJECT, request.number, digest, decided)

    before(monkeypatch, proposals, "keep", lambda: settle("take_staged"))
    assert refusal(lambda: settle("keep_main")) == "state_changed"
    assert cells(context, request) == {"A1": 7, "A2": 7}
    with context.metadata.reading() as tx:
        request = tx.requests.get(PROJECT, request.number)
    assert merged(context, approved(context, request, BEN)).merged_version is not None


def test_what_is_damaged_of_one_request_does_not_keep_others_from_being_compared(
    context: Context,
) -> None:
    damaged, whole = (proposed(context, ANN, insert(row)) for row in ("A1", "A2"))
    storage.remove(context.root, context.folder(PROJECT, DATASET).staging(damaged.number))
    done(context, insert("A3"))
    upkeep.mark_open(context)
    with context.metadata.reading() as tx:
        mark = tx.requests.marked(PROJECT, whole.number)
    assert mark is not None
    assert mark.state == "behind"


@pytest.mark.parametrize("status", ["draft", "withdrawn", "closed"])
def test_what_has_no_staged_rows_is_not_merged_and_has_no_dry_run(
    context: Context, status: str
) -> None:
    number = _ended(context, status)
    assert refusal(lambda: merging.dry_run(context, ANN, PROJECT, number)) == "transition_refused"


def test_a_proposal_that_is_refused_leaves_no_draft_behind(context: Context) -> None:
    version = done(context, insert("A1", target_pct=90)).merged_version
    done(context, set_("A1", "target_pct", 50))
    with context.metadata.reading() as tx:
        present = tx.datasets.definition(PROJECT, DATASET)
    rule = RowRule("least", "between", ("target_pct",), {"maximum": 60})
    change = defining.propose(
        context, BEN, PROJECT, DATASET, present.next(rules=(*present.rules, rule)), title="x"
    )
    merged(context, approved(context, change, ANN))
    assert version is not None
    restored = lambda: history.restore(context, ANN, PROJECT, DATASET, version)  # noqa: E731
    assert refusal(restored) == "violations"
    assert all_requests(context)[0].status == "withdrawn"


def _ended(context: Context, status: str) -> int:
    """Number of a request in a state in which it has no staged rows."""
    if status == "closed":
        return done(context, insert("A1")).number
    if status == "withdrawn":
        return ending.withdraw(
            context, ANN, PROJECT, proposed(context, ANN, insert("A1")).number
        ).number
    asked = {"title": "x", "description": "", "base_version": 0, "origin": {}}
    with requests.drafted(context, ANN, PROJECT, DATASET, "edit", **asked) as number:
        return number


def _demote(context: Context) -> None:
    with context.metadata.transaction() as tx:
        tx.projects.set_role(Membership(PROJECT, CAT.user, "viewer", "ann", START))
