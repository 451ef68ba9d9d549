"""What one process at a time does for all: marks, ends of what nobody touches, maintenance that was asked for."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest

from lakeshelf.governance.services import counting, imports, runs, upkeep
from lakeshelf.governance.services.changes import ending, requests, sessions
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.imports.forgetting import forget_uploads
from lakeshelf.governance.services.upkeep import Upkeep, lock_of
from lakeshelf.lake.place.locks import is_held
from lakeshelf.lake.upkeep import requests as maintenance
from lakeshelf.telemetry.serving import Values
from tests.governance.services.acting import ROW, approved, done, insert, merged, proposed, set_
from tests.governance.services.conftest import ANN, BEN, CAT, DATASET, PROJECT, Clock
from tests.support import eventually
from tests.telemetry.test_metrics import samples, values

__all__ = ["values"]
pytestmark = pytest.mark.timeout(300)


def place(context: Context, path: str) -> Path:
    folder = context.root.folder
    assert folder is not None
    return folder / context.folder(PROJECT, DATASET).path / path


def age(folder: Path, clock: Clock, **of: float) -> None:
    when = (clock.now - timedelta(**of)).timestamp()
    os.utime(folder, (when, when))


def test_requests_are_marked_after_a_commit_and_their_authors_told(context: Context) -> None:
    done(context, insert("A1"), insert("A2"))
    clean = proposed(context, ANN, insert("A3"))
    conflicting = proposed(context, CAT, set_("A1", "min_qty", 5))
    merged(context, approved(context, proposed(context, ANN, set_("A1", "min_qty", 6))))
    marks = {one.request: (one.state, one.conflicts) for one in upkeep.mark_open(context)}
    assert marks == {clean.number: ("behind", 0), conflicting.number: ("conflicting", 1)}
    with context.metadata.reading() as tx:
        told = [event.kind for _, event in tx.events.notices(CAT.user, limit=1)]
    assert told == ["cr.marked"]
    assert upkeep.mark_open(context) == []


def test_requests_are_counted_by_dataset_and_state(
    context: Context, values: Values, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many datasets there are, and also those that are no longer in a state."""
    request = proposed(context, ANN, insert("A1"))
    name, dataset = "lakeshelf_change_requests", f"{PROJECT}/{DATASET}"
    counting.tell_requests(context)
    assert samples(values, name)[tuple(sorted((dataset, "pending_review")))] == 1
    requests.withdraw(context, ANN, PROJECT, request.number)
    counting.tell_requests(context)
    assert samples(values, name)[tuple(sorted((dataset, "pending_review")))] == 0
    monkeypatch.setattr(counting, "MOST_DATASETS", 0)
    counting.tell_requests(context)
    assert samples(values, name)["other", "withdrawn"] == 1


def test_a_session_that_nobody_edits_for_a_day_ends(context: Context, clock: Clock) -> None:
    old = sessions.open_session(context, ANN, PROJECT, DATASET)
    sessions.edit(context, ANN, old.id, [insert("A1")])
    clock.pass_(hours=23)
    young = sessions.open_session(context, BEN, PROJECT, DATASET)
    assert upkeep.end_idle(context) == 0
    clock.pass_(hours=1)
    assert upkeep.end_idle(context) == 1
    assert not place(context, f"live_edit/{old.id}").exists()
    with context.metadata.reading() as tx:
        assert [one.id for one in tx.sessions.open(PROJECT)] == [young.id]


def test_only_old_folders_to_which_nothing_refers_are_removed(
    context: Context, clock: Clock
) -> None:
    request = proposed(context, ANN, insert("A1"))
    session = sessions.open_session(context, BEN, PROJECT, DATASET)
    sessions.edit(context, BEN, session.id, [insert("A2")])
    (run,) = runs.of_request(context, ANN, PROJECT, request.number)
    kept = [
        f"staging/{request.number}",
        f"live_edit/{session.id}",
        f"audit/validation_runs/{run.id}",
    ]
    orphans = [
        "staging/99",
        *(f"{folder}/{'f' * 32}" for folder in ("live_edit", "imports", "audit/validation_runs")),
    ]
    young = "staging/98"
    for path in (*orphans, young):
        place(context, path).mkdir(parents=True)
    for path in (*orphans, *kept):
        age(place(context, path), clock, days=8)
    age(place(context, young), clock, days=6)
    removed = upkeep.remove_orphans(context)
    folder = context.folder(PROJECT, DATASET).path
    assert sorted(removed) == sorted(f"{folder}/{path}" for path in orphans)
    assert all(place(context, path).exists() for path in (*kept, young))


def test_uploads_go_after_a_week_unless_an_open_request_was_made_of_them(
    context: Context, clock: Clock
) -> None:
    def sent(shelf: str) -> str:
        lines = f"shelf_id,{','.join(ROW)}\n{shelf},30,1,80,5,true\n".encode()
        return imports.receive(context, ANN, PROJECT, DATASET, "x.csv", [lines]).id

    old, loaded = sent("A1"), sent("A2")
    request = imports.load(context, ANN, PROJECT, loaded).request
    assert request is not None
    clock.pass_(days=6)
    young = sent("A3")
    clock.pass_(days=1)
    assert [one.id for one in forget_uploads(context)] == [old]
    assert not place(context, f"imports/{old}").exists()
    assert place(context, f"imports/{loaded}").exists()
    ending.withdraw(context, ANN, PROJECT, request.number)
    assert [one.id for one in forget_uploads(context)] == [loaded]
    with context.metadata.reading() as tx:
        assert [one.id for one in tx.uploads.all(PROJECT)] == [young]
        assert [one.action for one in tx.audit.after(PROJECT, action="upload.forgotten")]


def test_what_shall_merge_by_itself_is_merged_when_nobody_else_did(context: Context) -> None:
    session = sessions.open_session(context, ANN, PROJECT, DATASET)
    sessions.edit(context, ANN, session.id, [insert("A1")])
    request = requests.submit_session(context, ANN, session.id, title="x", merge_when_approved=True)
    assert upkeep.merge_approved(context) == []
    approved(context, request)
    [found] = upkeep.merge_approved(context)
    assert found.merged_by == "ann"


def test_one_that_fails_keeps_no_other_from_being_done(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Context) -> None:
        raise RuntimeError("no")

    done_: list[str] = []
    work = {"first": broken, "second": lambda _: done_.append("second")}
    monkeypatch.setattr(upkeep, "WORK", work)
    Upkeep(context, tmp_path, lambda: 0.0).all()
    assert done_ == ["second"]


def test_maintenance_is_done_by_who_keeps_the_datasets_up(context: Context, tmp_path: Path) -> None:
    done(context, insert("A1"))
    done(context, insert("A2"))
    stack, stop = tmp_path / "lake" / maintenance.STACK, Event()
    beside = Event()
    kept_up = Upkeep(context, stack, lambda: 0.0, [lambda end: (beside.set(), end.wait())])
    with context.metadata.reading() as tx:
        definition = tx.datasets.definition(PROJECT, DATASET)
    lake = context.table(PROJECT, DATASET, definition).lake
    outside = type(lake)(context.root, lake.catalog)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(kept_up.run, stop)
        try:
            eventually(lambda: is_held(lock_of(stack).path), "it has the lock")
            assert beside.wait(60)
            answer = maintenance.carry_out(
                outside, f"{PROJECT}/{DATASET}", "optimize", {}, stack=stack, timeout_s=240
            )
        finally:
            stop.set()
        running.result()
    assert answer.by == "governance"
    assert not is_held(lock_of(stack).path)
