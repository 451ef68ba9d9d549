"""What would happen without the guards that keep commits of others, folders and uploads in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.publication import commits
from lakeshelf.governance.services import imports, upkeep
from lakeshelf.governance.services.changes import (
    finishing,
    merging,
    outside,
    requests,
    reviewing,
    sessions,
)
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.imports import forgetting
from lakeshelf.governance.storage.logs import Log
from tests.governance.services.acting import ROW, approved, done, insert, merged, proposed, rows
from tests.governance.services.conftest import ANN, BEN, DATASET, PROJECT, Clock
from tests.governance.services.test_meanwhile import database
from tests.governance.services.test_outside import stopped, updated
from tests.governance.services.test_upkeep import age, place

__all__ = ["database"]
pytestmark = pytest.mark.timeout(300)


def left(context: Context) -> list[str]:
    """Names below the folder of staged rows."""
    folder = place(context, "staging")
    return sorted(one.name for one in folder.iterdir()) if folder.exists() else []


def test_without_the_look_at_stamps_a_commit_of_others_would_be_sent(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(context, insert("A1"))
    updated(context, "A1", min_qty="9")
    assert stopped(context)
    monkeypatch.setattr(commits, "_is_of_others", lambda _: False)
    assert not stopped(context)
    with pytest.raises(GovernanceError) as error:
        outside.propose(context, ANN, PROJECT, DATASET)
    assert error.value.code == "nothing_changed"


def test_without_the_look_for_later_commits_a_request_would_merge_over_them(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(context, insert("A1"))
    updated(context, "A1", min_qty="9")
    request = approved(context, outside.propose(context, ANN, PROJECT, DATASET))
    updated(context, "A1", target_pct="70")
    monkeypatch.setattr(merging, "require_covered", lambda *_: None)
    assert merged(context, request).status == "merged"
    assert stopped(context)


def test_if_what_others_did_could_be_taken_apart_a_rejected_cell_would_be_sent(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(context, insert("A1"))
    updated(context, "A1", min_qty="9", target_pct="70")
    request = outside.propose(context, ANN, PROJECT, DATASET)
    monkeypatch.setattr(reviewing, "require_divisible", lambda _: None)
    cells = [("A1", "min_qty")]
    smaller = reviewing.reject_cells(
        context, BEN, PROJECT, request.number, str(request.content_hash), cells, "no"
    )
    merged(context, approved(context, smaller))
    assert rows(context)["A1"]["min_qty"] == 9
    assert not stopped(context)


@pytest.fixture
def needed(context: Context, clock: Clock) -> list[Path]:
    """Folders of an open request and of a session, which nobody touched for long."""
    request = proposed(context, ANN, insert("A1"))
    session = sessions.open_session(context, BEN, PROJECT, DATASET)
    sessions.edit(context, BEN, session.id, [insert("A2")])
    folders = [
        place(context, path) for path in (f"staging/{request.number}", f"live_edit/{session.id}")
    ]
    for one in folders:
        age(one, clock, days=8)
    return folders


def test_without_the_look_at_what_is_needed_open_work_would_be_removed(
    context: Context, needed: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    upkeep.remove_orphans(context)
    assert all(one.exists() for one in needed)
    nothing = dict.fromkeys(upkeep.NEEDED, lambda *_: frozenset())
    monkeypatch.setattr(upkeep, "NEEDED", nothing)
    upkeep.remove_orphans(context)
    assert not any(one.exists() for one in needed)


def test_without_the_look_at_its_age_a_folder_that_is_just_made_would_be_removed(
    context: Context, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    young = place(context, "staging/98")
    young.mkdir(parents=True)
    age(young, clock, hours=1)
    assert upkeep.remove_orphans(context) == []
    monkeypatch.setattr(upkeep, "_is_old", lambda *_: True)
    upkeep.remove_orphans(context)
    assert not young.exists()


def test_without_the_look_at_requests_the_file_of_an_open_one_would_be_forgotten(
    context: Context, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = f"shelf_id,{','.join(ROW)}\nA1,30,1,80,5,true\n".encode()
    upload = imports.receive(context, ANN, PROJECT, DATASET, "x.csv", [lines]).id
    assert imports.load(context, ANN, PROJECT, upload).request is not None
    clock.pass_(days=8)
    assert forgetting.forget_uploads(context) == []
    monkeypatch.setattr(forgetting, "_needed", lambda _: frozenset())
    assert [one.id for one in forgetting.forget_uploads(context)] == [upload]
    assert not place(context, f"imports/{upload}").exists()


def test_staged_rows_go_with_their_request_and_would_stay_without_its_clean_up(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(context, insert("A1"))
    assert left(context) == []
    monkeypatch.setattr(finishing.Log, "remove", lambda _: None)
    second = done(context, insert("A2"))
    assert left(context) == [str(second.number)]


def test_what_could_not_be_submitted_leaves_no_rows_and_would_without_its_withdrawal(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise GovernanceError("state_changed", "somebody was quicker")

    session = sessions.open_session(context, ANN, PROJECT, DATASET)
    sessions.edit(context, ANN, session.id, [insert("A1")])
    monkeypatch.setattr(requests, "next_revision", refuse)
    for kept in (False, True):
        if kept:
            monkeypatch.setattr(Log, "remove", lambda _: None)
        with pytest.raises(GovernanceError):
            requests.submit_session(context, ANN, session.id, title="x")
        assert bool(left(context)) is kept
