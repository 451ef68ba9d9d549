"""A merge is taken back by its own history, and a table becomes another by their difference."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.governance.domain.requests.inverse import difference, reverted
from lakeshelf.governance.domain.requests.merge import Merged, merge
from lakeshelf.governance.errors import GovernanceError
from tests.governance.domain.cases import TYPES, column, values
from tests.governance.domain.model import equal

from .test_merge import SHELVES, Case, cases, content, shelf, staged_of, table_of


def written(main: dict[str, Any], merged: Merged, key: str = "key") -> dict[str, Any]:
    """Rows of main with a merge written to them."""
    rows = dict(main) | {row[key]: {**row, "actor": "ann"} for row in merged.upserts.to_pylist()}
    return rows | dict.fromkeys(merged.deletes[key].to_pylist())


def shown(case: Case, rows: dict[str, Any]) -> dict[str, Any]:
    return {key: content(case.definition, row) for key, row in rows.items() if row is not None}


@pytest.mark.slow
@settings(max_examples=60)
@given(cases())
def test_what_was_merged_is_taken_back_without_a_conflict(case: Case) -> None:
    definition = replace(case.definition, strictness="row")
    case = replace(case, definition=definition)
    first = merge(
        definition, staged_of(definition, case.staged), table_of(definition, case.main), force=True
    )
    after = written(case.main, first)
    back = reverted(definition, first.cells, table_of(definition, after))
    merged = merge(definition, back, table_of(definition, after))
    assert not merged.conflicts
    assert shown(case, written(after, merged)) == shown(case, case.main)


@pytest.mark.slow
@settings(max_examples=60)
@given(cases())
def test_a_difference_turns_one_table_into_the_other(case: Case) -> None:
    definition = case.definition
    before = {key: base for key, (base, _) in case.staged.items()}
    wanted = case.main
    staged = difference(definition, table_of(definition, before), table_of(definition, wanted))
    merged = merge(definition, staged, table_of(definition, before))
    assert not merged.conflicts
    rows = {key: row for key, row in written(before, merged).items() if row is not None}
    assert shown(case, rows) == shown(case, wanted)


@pytest.mark.slow
@settings(max_examples=60)
@given(cases())
def test_what_came_from_outside_changes_nothing_when_it_is_merged(case: Case) -> None:
    definition = case.definition
    ours = {key: base for key, (base, _) in case.staged.items()}
    found = table_of(definition, case.main)
    merged = merge(definition, difference(definition, table_of(definition, ours), found), found)
    assert set(merged.counts.values()) == {0}


def test_a_cell_that_changed_since_is_a_conflict_and_the_rest_of_the_row_stays() -> None:
    history = merge(
        SHELVES,
        staged_of(SHELVES, {"S1": (shelf("1"), shelf("2"))}),
        table_of(SHELVES, {"S1": shelf("1")}),
    ).cells
    elsewhere = table_of(SHELVES, {"S1": shelf("2", 7.0)})
    merged = merge(SHELVES, reverted(SHELVES, history, elsewhere), elsewhere)
    assert merged.upserts.select(["price", "weight"]).to_pylist() == [
        {"price": shelf("1")["price"], "weight": 7.0}
    ]
    same = table_of(SHELVES, {"S1": shelf("3")})
    conflict = merge(SHELVES, reverted(SHELVES, history, same), same).conflicts[0]
    assert (conflict.base, conflict.main, conflict.staged) == ("2.00", "3.00", "1.00")


def test_an_inserted_row_that_changed_since_is_not_simply_deleted() -> None:
    history = merge(
        SHELVES, staged_of(SHELVES, {"S1": (None, shelf("1"))}), SHELVES.schema.empty_table()
    ).cells
    later = table_of(SHELVES, {"S1": shelf("2")})
    merged = merge(SHELVES, reverted(SHELVES, history, later), later)
    assert [c.kind for c in merged.conflicts] == ["edit_delete"]
    gone = SHELVES.schema.empty_table()
    assert set(merge(SHELVES, reverted(SHELVES, history, gone), gone).counts.values()) == {0}


def test_the_history_of_two_merges_is_refused() -> None:
    history = merge(
        SHELVES,
        staged_of(SHELVES, {"S1": (shelf("1"), shelf("2"))}),
        table_of(SHELVES, {"S1": shelf("1")}),
    ).cells
    with pytest.raises(GovernanceError, match="twice"):
        reverted(SHELVES, pa.concat_tables([history, history]), SHELVES.schema.empty_table())


@settings(max_examples=20)
@given(st.sampled_from(TYPES), st.data())
def test_history_keeps_every_value(type_: Any, data: Any) -> None:
    definition = replace(SHELVES, columns=(SHELVES.columns[0], column("v", type_)))
    old, new = ({"shelf_id": "S1", "v": data.draw(st.none() | values(type_))} for _ in range(2))
    main = table_of(definition, {"S1": old})
    first = merge(definition, staged_of(definition, {"S1": (old, new)}), main)
    back = reverted(definition, first.cells, table_of(definition, {"S1": new})).to_pylist()
    assert len(back) == (not equal(old["v"], new["v"]))
    assert all(equal(row["new"]["v"], old["v"]) for row in back)
