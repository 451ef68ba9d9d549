"""What others do to a table past the service is reviewed like any other change: taken up, or taken back."""

from __future__ import annotations

from typing import Any

import pytest
from deltalake import write_deltalake

from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.publication.commits import commits
from lakeshelf.governance.services import history
from lakeshelf.governance.services.changes import (
    ending,
    merging,
    outside,
    recovery,
    reviewing,
    settling,
)
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.datasets import table_of
from lakeshelf.governance.storage.main import OpenedTable
from tests.governance.services.acting import ROW, approved, done, insert, merged, rows, set_
from tests.governance.services.acting import proposed as edited
from tests.governance.services.conftest import ANN, BEN, CAT, DATASET, EVE, PROJECT, VIC, Clock

pytestmark = pytest.mark.timeout(300)


def opened(context: Context) -> OpenedTable:
    with context.metadata.reading() as tx:
        return table_of(context, tx, PROJECT, DATASET).opened()


def written(context: Context, shelf: str, **cells: Any) -> int:
    """Somebody writes a row by another tool; the version."""
    table = opened(context)
    schema = table.table.definition.schema
    row = schema.empty_table().from_pylist([{"shelf_id": shelf, **ROW, **cells}], schema)
    write_deltalake(table.snapshot.handle, row, mode="append")
    return opened(context).version


def updated(context: Context, shelf: str, **cells: str) -> int:
    opened(context).snapshot.handle.update(cells, predicate=f"shelf_id = '{shelf}'")
    return opened(context).version


def stopped(context: Context) -> bool:
    """Whether the publisher would stop at a commit of others."""
    return commits(opened(context).snapshot, 0).stranger is not None


def code(error: pytest.ExceptionInfo[GovernanceError]) -> str:
    return error.value.code


def test_what_others_did_is_listed_and_upkeep_is_not(context: Context) -> None:
    done(context, insert("A1"))
    opened(context).snapshot.handle.optimize.compact()
    assert outside.commits_of_others(context, VIC, PROJECT, DATASET) == ()
    assert not stopped(context)
    versions = [written(context, "X1"), updated(context, "A1", min_qty="9")]
    listed = outside.commits_of_others(context, VIC, PROJECT, DATASET)
    assert [one.version for one in listed] == versions[::-1]
    assert stopped(context)
    with pytest.raises(GovernanceError) as error:
        outside.commits_of_others(context, EVE, PROJECT, DATASET)
    assert code(error) == "not_found"


def test_it_is_taken_up_as_it_stands_once_somebody_else_approves(context: Context) -> None:
    done(context, insert("A1"), insert("A2"))
    written(context, "X1")
    updated(context, "A1", min_qty="9")
    opened(context).snapshot.handle.delete("shelf_id = 'A2'")
    there = rows(context)
    request = outside.propose(context, ANN, PROJECT, DATASET)
    assert request.kind == "outside"
    with pytest.raises(GovernanceError) as error:
        approved(context, request, ANN)
    assert code(error) == "author_approves"
    merged(context, approved(context, request))
    assert rows(context) == there
    assert not stopped(context)
    blamed = history.blame(context, VIC, PROJECT, DATASET, "A1")["min_qty"]
    assert blamed is not None
    assert (blamed.kind, blamed.new_value, blamed.approvers) == ("outside", "9", ("ben",))
    with pytest.raises(GovernanceError) as error:
        outside.propose(context, ANN, PROJECT, DATASET)
    assert code(error) == "nothing_changed"


def test_it_is_taken_back_by_the_inverse_cells_of_what_others_did_alone(context: Context) -> None:
    done(context, insert("A1"), insert("A2"), insert("A3"))
    before = rows(context)
    updated(context, "A1", min_qty="9")
    done(context, set_("A2", "min_qty", 5))
    opened(context).snapshot.handle.delete("shelf_id = 'A3'")
    request = outside.propose(context, ANN, PROJECT, DATASET, take_back=True)
    assert request.kind == "revert"
    merged(context, approved(context, request))
    assert rows(context) == {**before, "A2": {**before["A2"], "min_qty": 5}}
    assert not stopped(context)


def test_a_cell_that_was_changed_by_review_since_is_a_conflict(context: Context) -> None:
    done(context, insert("A1"))
    updated(context, "A1", min_qty="9")
    done(context, set_("A1", "min_qty", 5))
    request = outside.propose(context, ANN, PROJECT, DATASET)
    with pytest.raises(GovernanceError) as error:
        merged(context, approved(context, request))
    assert code(error) == "conflicts"
    with context.metadata.reading() as tx:
        again = tx.requests.get(PROJECT, request.number)
    place = (PROJECT, again.number, str(again.content_hash))
    with pytest.raises(GovernanceError) as error:
        settling.resolve(context, ANN, *place, {("A1", "min_qty"): "staged"})
    assert code(error) == "request_invalid"
    kept = settling.resolve(context, ANN, *place, {("A1", "min_qty"): "main"})
    merged(context, approved(context, kept))
    assert rows(context)["A1"]["min_qty"] == 5
    assert not stopped(context)


def test_what_violates_rules_is_not_taken_up_and_can_be_taken_back(context: Context) -> None:
    done(context, insert("A1"))
    updated(context, "A1", threshold_pct="900")
    with pytest.raises(GovernanceError) as error:
        outside.propose(context, ANN, PROJECT, DATASET)
    assert code(error) == "violations"
    merged(
        context, approved(context, outside.propose(context, ANN, PROJECT, DATASET, take_back=True))
    )
    assert rows(context)["A1"]["threshold_pct"] == 30


def test_what_others_did_after_the_request_is_not_taken_up_with_it(context: Context) -> None:
    done(context, insert("A1"))
    updated(context, "A1", min_qty="9")
    request = approved(context, outside.propose(context, ANN, PROJECT, DATASET))
    updated(context, "A1", target_pct="70")
    with pytest.raises(GovernanceError) as error:
        merged(context, request)
    assert code(error) == "state_changed"
    assert stopped(context)
    ending.withdraw(context, ANN, PROJECT, request.number)
    merged(context, approved(context, outside.propose(context, ANN, PROJECT, DATASET)))
    assert not stopped(context)


def test_what_nets_to_nothing_is_taken_up_all_the_same(context: Context) -> None:
    done(context, insert("A1"))
    updated(context, "A1", min_qty="9")
    updated(context, "A1", min_qty="1")
    merged(context, approved(context, outside.propose(context, ANN, PROJECT, DATASET)))
    assert not stopped(context)


def test_its_cells_stay_together(context: Context) -> None:
    done(context, insert("A1"))
    updated(context, "A1", min_qty="9", target_pct="70")
    request = outside.propose(context, ANN, PROJECT, DATASET)
    seen = str(request.content_hash)
    with pytest.raises(GovernanceError) as error:
        reviewing.reject_cells(
            context, BEN, PROJECT, request.number, seen, [("A1", "min_qty")], "no"
        )
    assert code(error) == "transition_refused"
    reviewing.reject(context, BEN, PROJECT, request.number, seen, "take it back")
    with pytest.raises(GovernanceError) as error:
        settling.take_up(context, ANN, PROJECT, request.number)
    assert code(error) == "transition_refused"


@pytest.mark.parametrize("take_back", [False, True])
def test_a_merger_that_died_after_its_commit_is_finished(
    context: Context, clock: Clock, monkeypatch: pytest.MonkeyPatch, take_back: bool
) -> None:
    done(context, insert("A1"))
    updated(context, "A1", min_qty="9")
    request = approved(
        context, outside.propose(context, ANN, PROJECT, DATASET, take_back=take_back)
    )

    class Died(BaseException):
        pass

    def die(*_: object) -> None:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(merging.Merger, "settled", die)
        with pytest.raises(Died):
            merged(context, request)
    version = opened(context).version
    clock.pass_(minutes=2)
    (finished,) = recovery.recover(context)
    assert (finished.status, finished.merged_version) == ("closed", version)
    assert rows(context)["A1"]["min_qty"] == (1 if take_back else 9)
    assert not stopped(context)


def test_merges_go_on_while_others_are_not_taken_up(context: Context) -> None:
    done(context, insert("A1"))
    updated(context, "A1", min_qty="9")
    merged(context, approved(context, edited(context, CAT, set_("A1", "target_pct", 70))))
    assert rows(context)["A1"]["target_pct"] == 70
    assert stopped(context)
