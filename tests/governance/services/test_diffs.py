"""What a change request changes, shown a page at a time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lakeshelf.contracts.types import STRING, Field
from lakeshelf.governance.domain.definition import Column, Definition, RowRule
from lakeshelf.governance.domain.editing.accepting import IncomingEdit
from lakeshelf.governance.domain.findings import ValidationReport, Violations
from lakeshelf.governance.domain.requests.merge import Merged
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.metadata.tables.requests import ChangeRequest
from lakeshelf.governance.services import datasets
from lakeshelf.governance.services.changes import requests, sessions, settling
from lakeshelf.governance.services.changes.proposals import Proposal
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.reading import diffs
from lakeshelf.governance.storage.main import OpenedTable
from tests.governance.services.acting import (
    ROW,
    approved,
    delete,
    done,
    insert,
    merged,
    proposed,
    set_,
)
from tests.governance.services.conftest import ANN, CAT, PROJECT

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def database(sqlite_template: Path, tmp_path: Path) -> Path:
    """What is shown does not depend on the database."""
    file = tmp_path / "metadata.db"
    file.write_bytes(sqlite_template.read_bytes())
    return file


@pytest.fixture
def changed(context: Context) -> tuple[Context, int]:
    """A change request of five changes, one of them in conflict."""
    done(context, insert("A1"), insert("A2"), insert("A3"), insert("B1"))
    edits = (
        set_("A3", "min_qty", 7),
        set_("A3", "target_pct", 90),
        insert("A4"),
        delete("A2"),
        set_("A1", "min_qty", 6),
    )
    request = proposed(context, ANN, *edits)
    done(context, set_("A3", "min_qty", 3), set_("A1", "active", False))
    return context, request.number


def test_pages_hold_each_cell_once_beside_what_main_has_now(changed: tuple[Context, int]) -> None:
    context, number = changed
    read = [diffs.diff(context, CAT, PROJECT, number, offset, 2) for offset in (0, 2, 4)]
    assert [page.total for page in read] == [5, 5, 5]
    first, *others = [one for page in read for one in page.cells]
    assert (first.row_id, first.column, first.conflict) == ("A3", "min_qty", "cell")
    assert (first.base, first.main, first.staged) == (1, 3, 7)
    assert {(one.row_id, one.column): (one.op, *_sides(one)) for one in others} == {
        ("A1", "min_qty"): ("set", 1, 1, 6),
        ("A2", None): ("delete", ROW["min_qty"], ROW["min_qty"], None),
        ("A3", "target_pct"): ("set", 80, 80, 90),
        ("A4", None): ("insert", None, None, ROW["min_qty"]),
    }


@pytest.mark.parametrize(
    ("chosen", "cells"),
    [
        ({"op": "set"}, ["A3.min_qty", "A3.target_pct", "A1.min_qty"]),
        ({"op": "insert"}, ["A4.None"]),
        ({"column": "min_qty"}, ["A3.min_qty", "A1.min_qty"]),
        ({"only": "conflict"}, ["A3.min_qty"]),
        ({"only": "warning"}, []),
        ({"op": "set", "sort": "row"}, ["A1.min_qty", "A3.min_qty", "A3.target_pct"]),
        ({"sort": "column"}, ["A2.None", "A4.None", "A1.min_qty", "A3.min_qty", "A3.target_pct"]),
    ],
)
def test_what_is_chosen_and_its_order_hold_across_pages(
    changed: tuple[Context, int], chosen: dict[str, str], cells: list[str]
) -> None:
    context, number = changed
    picked = diffs.Chosen(**chosen)
    read = [
        diffs.diff(context, CAT, PROJECT, number, offset, 2, picked) for offset in range(0, 6, 2)
    ]
    assert [f"{one.row_id}.{one.column}" for page in read for one in page.cells] == cells
    assert {page.total for page in read} == {len(cells)}


def test_a_request_is_compared_with_main_once_and_again_after_each_merge(
    changed: tuple[Context, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    context, number = changed
    compared: list[int] = []
    merged = Proposal.merged

    def counted(self: Proposal, opened: OpenedTable, **options: Any) -> Merged:
        compared.append(opened.version)
        return merged(self, opened, **options)

    monkeypatch.setattr(Proposal, "merged", counted)

    def main() -> Any:
        return diffs.diff(context, CAT, PROJECT, number, 0, 1).cells[0].main

    assert [main(), main()] == [3, 3]
    done(context, set_("A3", "min_qty", 4))
    compared.clear()
    assert [main(), main()] == [4, 4]
    assert len(compared) == 1


def test_what_is_settled_meanwhile_is_no_conflict_of_later_pages(
    changed: tuple[Context, int],
) -> None:
    context, number = changed
    with context.metadata.reading() as tx:
        digest = str(tx.requests.get(PROJECT, number).content_hash)

    def conflicts() -> int:
        page = diffs.diff(context, CAT, PROJECT, number, 0, 9, diffs.Chosen(only="conflict"))
        return page.total

    assert conflicts() == 1
    decided = {("A3", "min_qty"): "staged"}
    settling.resolve(context, CAT, PROJECT, number, digest, decided)
    assert conflicts() == 0


def test_what_a_merge_did_is_chosen_too_and_a_column_that_is_not_there_is_refused(
    context: Context,
) -> None:
    request = done(context, insert("A1"))
    request = done(context, set_("A1", "min_qty", 6), insert("A2"))
    merged = diffs.diff(context, CAT, PROJECT, request.number, 0, 9, diffs.Chosen(op="insert"))
    assert [one.row_id for one in merged.cells] == ["A2"]
    waiting = proposed(context, ANN, set_("A1", "min_qty", 7))
    with pytest.raises(GovernanceError, match="no column 'min_qtty'"):
        diffs.diff(context, CAT, PROJECT, waiting.number, 0, 9, diffs.Chosen(column="min_qtty"))


def test_violations_are_chosen_by_their_severity_where_the_change_brings_them() -> None:
    ids, values = pa.array(["S1", "S2"]), pa.array(["1", "2"])
    of = Violations("r", "warning", "min_qty", "m", ids, values, pa.array([True, False]))
    report = ValidationReport("preview", 1, 2, (of,))
    assert report.cells({"warning"}) == {("S1", "min_qty"), ("S1", None)}
    assert report.cells({"error", "fatal"}) == set()


def _sides(one: diffs.CellDiff) -> list[Any]:
    """Base, main and staged: of a row the cell that tells it apart."""
    sides = (one.base, one.main, one.staged)
    return [side["min_qty"] if isinstance(side, Mapping) else side for side in sides]


def _changed(context: Context, dataset: str, edit: IncomingEdit) -> ChangeRequest:
    session = sessions.open_session(context, ANN, PROJECT, dataset)
    sessions.edit(context, ANN, session.id, [edit])
    return requests.submit_session(context, ANN, session.id, title="x")


def test_a_diff_is_made_anew_when_a_dataset_changes_that_a_rule_asks(context: Context) -> None:
    id_, store = Column(Field("id", STRING, "The key.")), Column(Field("store", STRING, "Where."))
    known = RowRule("known store", "references", ("store",), {"dataset": "stores", "column": "id"})
    datasets.create(context, ANN, PROJECT, "stores", Definition(1, (id_,), ("id",)))
    visits = Definition(1, (id_, store), ("id",), rules=(known,))
    datasets.create(context, ANN, PROJECT, "visits", visits)
    merged(
        context,
        approved(
            context,
            _changed(context, "stores", IncomingEdit("e1", "insert", "S1", None, {"id": "S1"})),
        ),
    )
    cells = {"id": "V1", "store": "S1"}
    visit = _changed(context, "visits", IncomingEdit("e2", "insert", "V1", None, cells))

    def rules() -> list[str]:
        summary = diffs.diff(context, CAT, PROJECT, visit.number, 0, 9).summary
        assert summary is not None
        return [one["rule"] for one in summary["rules"]]

    assert [rules(), rules()] == [[], []]
    gone = _changed(context, "stores", IncomingEdit("e3", "delete", "S1"))
    merged(context, approved(context, gone))
    assert rules() == ["known store"]
