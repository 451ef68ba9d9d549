"""Whatever people do in whatever order, and wherever a merger dies: the promises hold."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from lakeshelf import crash
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.metadata import Metadata
from lakeshelf.governance.metadata.tables.projects import Membership
from lakeshelf.governance.metadata.tables.requests import ChangeRequest
from lakeshelf.governance.services import history
from lakeshelf.governance.services.changes import (
    ending,
    merging,
    recovery,
    requests,
    reviewing,
    sessions,
)
from lakeshelf.governance.services.context import Caller
from lakeshelf.governance.storage.logs import CELLS, Log
from lakeshelf.governance.validation.remote import Worker
from tests.governance.services.acting import ROW, delete, insert, rows, set_
from tests.governance.services.conftest import DATASET, PROJECT, START, Clock, services

PEOPLE = st.sampled_from(["ann", "ben", "cat_"])
SHELVES = st.sampled_from(["A1", "A2", "A3"])
ACTS = st.sampled_from(["insert", "delete", "min_qty", "min_qty", "target_pct"])
Row = dict[str, Any]


class Died(BaseException):
    """The process is gone."""


@contextmanager
def dying_at(name: str | None) -> Iterator[None]:
    """A process that ends at a crash point."""
    reached = crash.point

    def point(here: str, number: int | None = None) -> None:
        if here == name:
            raise Died

    crash.point = point
    try:
        with suppress(Died):
            yield
    finally:
        crash.point = reached


class Life(RuleBasedStateMachine):
    """Three people, three shelves, and a model of the table that knows only applied requests."""

    worker: Worker
    open_requests = Bundle("open_requests")

    def __init__(self) -> None:
        super().__init__()
        self._folder = Path(tempfile.mkdtemp())
        self.metadata = Metadata.open(self._folder / "metadata.db")
        self.clock = Clock()
        self.context = services(self.metadata, self._folder / "lake", self.worker, self.clock)
        self.applied: list[int] = []
        self.cells: list[Row] = []

    def teardown(self) -> None:
        self.metadata.close()
        shutil.rmtree(self._folder)

    @rule(
        target=open_requests,
        who=PEOPLE,
        shelf=SHELVES,
        act=ACTS,
        value=st.integers(1, 9),
    )
    def propose(self, who: str, shelf: str, act: str, value: int) -> int:
        """Edit a row and submit it; what cannot be is refused and leaves nothing."""
        if act == "insert":
            edit = insert(shelf, min_qty=value)
        else:
            edit = delete(shelf) if act == "delete" else set_(shelf, act, value)
        caller = Caller(who)
        try:
            session = sessions.open_session(self.context, caller, PROJECT, DATASET)
            sessions.edit(self.context, caller, session.id, [edit])
            made = requests.submit_session(self.context, caller, session.id, title=act)
        except GovernanceError:
            return 0
        return made.number

    @initialize()
    def begin(self) -> None:
        """Two shelves are there."""
        for shelf in ("A1", "A2"):
            self.carry_through(shelf, "insert", 1, ["ann", "ben", "cat_"], None, False)

    @rule(
        shelf=SHELVES,
        act=ACTS,
        value=st.integers(1, 9),
        people=st.permutations(["ann", "ben", "cat_"]),
        point=st.sampled_from([None, None, None, *crash.MERGE_POINTS]),
        looks=st.booleans(),
    )
    def carry_through(
        self, shelf: str, act: str, value: int, people: list[str], point: str | None, looks: bool
    ) -> None:
        """One proposes, another approves, a third merges, and may die at it."""
        number = self.propose(people[0], shelf, act, value)
        self.approve(number, people[1])
        self.merge(number, people[2], point)
        if looks:
            self.look_after()

    @rule(
        number=open_requests,
        who=PEOPLE,
        act=st.sampled_from(["approve", "reject", "withdraw", "merge"]),
    )
    def decide(self, number: int, who: str, act: str) -> None:
        """Somebody does something with a request, which may be refused."""
        if act == "approve":
            self.approve(number, who)
        elif act == "merge":
            self.merge(number, who, None)
        elif act == "reject":
            self._try(
                number, lambda cr: reviewing.reject(self.context, Caller(who), *_seen(cr), "no")
            )
        else:
            self._try(
                number, lambda cr: ending.withdraw(self.context, Caller(who), PROJECT, cr.number)
            )

    def approve(self, number: int, who: str) -> None:
        self._try(number, lambda cr: reviewing.approve(self.context, Caller(who), *_seen(cr)))

    def merge(self, number: int, who: str, point: str | None) -> None:
        with dying_at(point):
            self._try(number, lambda cr: merging.merge(self.context, Caller(who), *_seen(cr)))

    @rule(who=st.sampled_from(["ben", "cat_"]), role=st.sampled_from(["contributor", "viewer"]))
    def change_role(self, who: str, role: Any) -> None:
        with self.metadata.transaction() as tx:
            tx.projects.set_role(Membership(PROJECT, who, role, "ann", START))

    @rule()
    def look_after(self) -> None:
        """Time passes, and somebody looks after what was left."""
        self.clock.pass_(seconds=90)
        recovery.recover(self.context)

    @precondition(lambda self: self.applied)
    @rule(who=PEOPLE)
    def revert(self, who: str) -> None:
        with suppress(GovernanceError):
            history.revert(self.context, Caller(who), PROJECT, self.applied[-1])

    @invariant()
    def what_is_applied_was_approved_by_somebody_else(self) -> None:
        with self.metadata.reading() as tx:
            for request in tx.requests.all(PROJECT):
                if request.merged_version is None:
                    continue
                givers = {one.giver for one in tx.reviews.approvals(PROJECT, request.number)}
                assert givers - tx.requests.authors(PROJECT, request.number)

    @invariant()
    def the_table_is_the_fold_of_its_history(self) -> None:
        log = Log(self.context.root, self.context.folder(PROJECT, DATASET).cells, CELLS)
        cells = log.rows().sort_by("version").to_pylist()
        with self.metadata.reading() as tx:
            closed = {r.number for r in tx.requests.all(PROJECT, statuses=["closed"])}
            pending = tx.requests.all(PROJECT, statuses=["merging", "merged"])
        if pending:
            return  # its cells are written when it is looked after
        assert {cell["change_request"] for cell in cells} <= closed
        assert cells[: len(self.cells)] == self.cells
        self.cells = cells
        self.applied = sorted(closed)
        folded: dict[str, Row] = {}
        for cell in cells:
            if cell["op"] == "delete":
                folded.pop(cell["row_id"], None)
            else:
                folded.setdefault(cell["row_id"], {})[cell["column"]] = cell["new_value"]
        now = rows(self.context)
        assert {shelf: row["min_qty"] for shelf, row in now.items()} == {
            shelf: int(row["min_qty"]) for shelf, row in folded.items()
        }
        assert all(row.keys() >= ROW.keys() for row in folded.values())

    @invariant()
    def the_audit_is_whole(self) -> None:
        with self.metadata.reading() as tx:
            assert tx.audit.verify(PROJECT) is None

    def _try(self, number: int, act: Callable[[ChangeRequest], Any]) -> None:
        if not number:
            return
        with self.metadata.reading() as tx:
            request = tx.requests.get(PROJECT, number)
        with suppress(GovernanceError):
            act(request)


def _seen(request: ChangeRequest) -> tuple[str, int, str]:
    return PROJECT, request.number, str(request.content_hash)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "examples", [4, pytest.param(60, marks=pytest.mark.nightly)], ids=["by day", "by night"]
)
def test_promises_hold_whatever_people_do(worker: Worker, examples: int) -> None:
    kind = type("LifeOnTheWorker", (Life,), {"worker": worker})
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(
        kind,
        settings=settings(
            max_examples=examples,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=checks,
        ),
    )
