"""A merger that dies or is stopped at any step: its merge is made once or not at all, and goes on."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from lakeshelf.crash import MERGE_POINTS, VARIABLE
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.metadata.tables.requests import ChangeRequest
from lakeshelf.governance.services import history
from lakeshelf.governance.services.changes import merging, recovery
from lakeshelf.governance.services.context import Context
from tests.governance.services.acting import approved, done, insert, merged, proposed, rows, set_
from tests.governance.services.conftest import ANN, DATASET, PROJECT, START, VIC, Clock
from tests.governance.services.merger import NOW, REFUSED, STOP_AT
from tests.governance.worker import Process
from tests.support import eventually

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]
BEFORE_COMMIT = ("merge_after_lease", "merge_after_plan")


def waiting(context: Context) -> ChangeRequest:
    """A request that raises a limit from 1 to 8, approved."""
    done(context, insert("A1"))
    return approved(context, proposed(context, ANN, set_("A1", "min_qty", 8)))


def merger(
    context: Context, database: Path | str, request: ChangeRequest, **environment: str
) -> subprocess.Popen[str]:
    """A process that merges it."""
    command = [sys.executable, "-m", "tests.governance.services.merger", str(database)]
    place = [context.root.uri, context.worker.address, str(request.number)]
    return subprocess.Popen(
        [*command, *place, str(request.content_hash)],
        env={**os.environ, NOW: START.isoformat(), **environment},
        stderr=subprocess.PIPE,
        text=True,
    )


def status(context: Context, request: ChangeRequest) -> str:
    with context.metadata.reading() as tx:
        return tx.requests.get(PROJECT, request.number).status


def merges(context: Context, request: ChangeRequest) -> int:
    """Commits of the table that hold the request's change."""
    with context.metadata.reading() as tx:
        definition = tx.datasets.definition(PROJECT, DATASET)
    lake = context.table(PROJECT, DATASET, definition).lake
    entries = lake.history(f"{PROJECT}/{DATASET}")
    return sum(entry.metadata.get("cr_id") == request.number for entry in entries)


@pytest.mark.parametrize("point", MERGE_POINTS)
def test_a_merge_whose_merger_is_killed_is_made_once(
    context: Context, database: Path | str, clock: Clock, point: str
) -> None:
    request = waiting(context)
    killed = merger(context, database, request, **{VARIABLE: point})
    assert killed.wait() == -signal.SIGKILL
    clock.pass_(seconds=30)
    if status(context, request) == "merging":
        assert recovery.recover(context) == []
    clock.pass_(seconds=60)
    recovery.recover(context)
    if point in BEFORE_COMMIT:
        assert status(context, request) == "approved"
        assert rows(context)["A1"]["min_qty"] == 1
        merged(context, request)
    assert status(context, request) == "closed"
    assert rows(context)["A1"]["min_qty"] == 8
    assert merges(context, request) == 1
    listed, _ = history.changes(context, VIC, PROJECT, DATASET, request=request.number)
    assert [(one.column, one.old_value, one.new_value) for one in listed] == [("min_qty", "1", "8")]
    assert recovery.recover(context) == []


@pytest.mark.parametrize("point", BEFORE_COMMIT)
def test_a_merger_that_was_overtaken_while_it_stood_still_writes_nothing(
    context: Context, database: Path | str, clock: Clock, point: str
) -> None:
    request = waiting(context)
    stopped = merger(context, database, request, **{STOP_AT: point})
    eventually(lambda: _is_stopped(stopped.pid), "the merger stands still")
    clock.pass_(seconds=90)
    recovery.recover(context)
    assert status(context, request) == "approved"
    stopped.send_signal(signal.SIGCONT)
    assert stopped.wait() == REFUSED, stopped.stderr
    assert rows(context)["A1"]["min_qty"] == 1
    assert merges(context, request) == 0
    merged(context, request)
    assert rows(context)["A1"]["min_qty"] == 8


def test_a_merger_that_stood_still_after_its_commit_finds_it_settled(
    context: Context, database: Path | str, clock: Clock
) -> None:
    request = waiting(context)
    stopped = merger(context, database, request, **{STOP_AT: "merge_after_commit"})
    eventually(lambda: _is_stopped(stopped.pid), "the merger stands still")
    clock.pass_(seconds=90)
    recovery.recover(context)
    assert status(context, request) == "closed"
    stopped.send_signal(signal.SIGCONT)
    assert stopped.wait() == REFUSED
    assert merges(context, request) == 1


def test_without_the_fence_a_merger_that_wakes_would_write(
    context: Context, database: Path | str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = waiting(context)
    stopped = merger(context, database, request, **{STOP_AT: "merge_after_plan"})
    eventually(lambda: _is_stopped(stopped.pid), "the merger stands still")
    clock.pass_(seconds=90)
    monkeypatch.setattr("lakeshelf.governance.storage.main.OpenedTable.fence", lambda *_: None)
    recovery.recover(context)
    stopped.send_signal(signal.SIGCONT)
    stopped.wait()
    assert merges(context, request) == 1
    assert status(context, request) == "approved"


def test_two_who_merge_at_once_merge_once(context: Context, database: Path | str) -> None:
    request = waiting(context)
    codes = sorted(p.wait() for p in [merger(context, database, request) for _ in range(2)])
    assert codes[0] == 0
    assert merges(context, request) == 1
    assert status(context, request) == "closed"


def test_a_merge_that_is_refused_gives_the_request_back(context: Context, process: Process) -> None:
    request = waiting(context)
    process.kill()
    try:
        with pytest.raises(GovernanceError) as error:
            merging.merge(context, ANN, PROJECT, request.number, str(request.content_hash))
        assert error.value.code == "validator_unavailable"
        assert status(context, request) == "approved"
        assert rows(context)["A1"]["min_qty"] == 1
    finally:
        process.start()
    merged(context, request)
    assert rows(context)["A1"]["min_qty"] == 8


def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_a_number_that_a_database_put_back_gives_again_is_another_change(
    context: Context, database: Path | str, clock: Clock
) -> None:
    if isinstance(database, str):
        pytest.skip("PostgreSQL is put back by its own tools, while nobody is connected")
    done(context, insert("A1"))
    with closing(sqlite3.connect(database)) as live, closing(sqlite3.connect(":memory:")) as copy:
        live.backup(copy)
        first = done(context, set_("A1", "min_qty", 8))
        copy.backup(live)
    clock.pass_(days=1)
    again = done(context, set_("A1", "min_qty", 5))
    assert again.number == first.number
    assert rows(context)["A1"]["min_qty"] == 5
    changes, _ = history.changes(context, ANN, PROJECT, DATASET, row_id="A1")
    cells = [(one.old_value, one.new_value) for one in changes if one.column == "min_qty"]
    assert cells[:2] == [("8", "5"), ("1", "8")]
