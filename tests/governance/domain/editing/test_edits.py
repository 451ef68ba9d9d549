"""Edits are accepted cell by cell, come to what the sheet shows, and can all be taken back."""

from __future__ import annotations

from decimal import Decimal as Exact
from itertools import count
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.contracts.types import DOUBLE, LONG, STRING
from lakeshelf.governance.domain.definition import Column, Definition, made_key
from lakeshelf.governance.domain.editing.accepting import Accepted, IncomingEdit, accept
from lakeshelf.governance.domain.editing.edits import EDITS, Edit, folded, require_rows
from lakeshelf.governance.domain.values import text_of
from lakeshelf.governance.errors import GovernanceError
from tests.governance.domain.cases import PRICE, column

CELLS = (column("name", STRING), column("price", PRICE), column("weight", DOUBLE))
SYSTEM = Column(column("actor", STRING).field, system=True)
SHELVES = Definition(1, (column("shelf_id", STRING), *CELLS, SYSTEM), ("shelf_id",))
MADE = Definition(1, (made_key(), *CELLS, SYSTEM))
KEPT = Definition(1, SHELVES.columns, SHELVES.key, deletes=False)


def shelf(key: str, name: str | None = None, price: str = "1.00") -> dict[str, Any]:
    return {"shelf_id": key, "name": name, "price": Exact(price), "weight": None, "actor": "ann"}


def log(edits: list[Edit]) -> pa.Table:
    rows = [
        {
            **vars(edit),
            "session_id": "s",
            "seq": seq,
            "user_id": "ann",
            "ts": None,
            "validation": None,
        }
        for seq, edit in enumerate(edits)
    ]
    return pa.Table.from_pylist(list(reversed(rows)), EDITS)


def asked(*edits: IncomingEdit, rows: Any = None, definition: Definition = SHELVES) -> Accepted:
    keys = count(1)
    return accept(definition, edits, rows or {}, lambda: f"made-{next(keys)}")


ROWS = {"S1": shelf("S1", "tea"), "S2": shelf("S2", ""), "S3": shelf("S3", "null")}
NAMES = ["S1", "S2", "S3", "S4"]
CHANGES = st.one_of(
    st.builds(
        IncomingEdit,
        st.just("e"),
        st.just("set"),
        st.sampled_from(NAMES),
        st.just("name"),
        st.sampled_from([None, "", "null", "tea"]),
    ),
    st.builds(
        IncomingEdit,
        st.just("e"),
        st.just("set"),
        st.sampled_from(NAMES),
        st.just("price"),
        st.sampled_from(["1", "1.00", "2.50", None, "0.105", 5]),
    ),
    st.builds(
        IncomingEdit,
        st.just("e"),
        st.just("insert"),
        st.sampled_from(NAMES),
        st.none(),
        st.sampled_from([None, {}, {"name": "tea"}, {"name": "", "price": "1"}, {"what": 1}]),
    ),
    st.builds(IncomingEdit, st.just("e"), st.just("delete"), st.sampled_from(NAMES)),
)


def shown_rows(rows: Any) -> dict[str, Any]:
    return {
        key: row and {c.name: text_of(c, row[c.name]) for c in SHELVES.content}
        for key, row in rows.items()
        if row is not None
    }


@given(st.lists(CHANGES, max_size=12))
def test_the_fold_of_edits_is_the_sheet_that_they_left(changes: list[IncomingEdit]) -> None:
    answer = asked(*changes, rows=ROWS)
    assert len(answer.edits) + len(answer.refusals) == len(changes)
    base = pa.Table.from_pylist(list(ROWS.values()), SHELVES.schema)
    staged = folded(SHELVES, log(answer.edits), base).to_pylist()
    after = {**ROWS, **{row["row_id"]: row["new"] for row in staged}}
    assert shown_rows(after) == shown_rows(answer.rows)
    for row in staged:
        assert shown_rows({"": row["new"]}) != shown_rows({"": row["base"]})
        assert str(row["base"]) == str(ROWS.get(row["row_id"]))


@given(st.lists(CHANGES, max_size=12))
def test_edits_that_are_all_undone_come_to_nothing(changes: list[IncomingEdit]) -> None:
    edits = asked(*changes, rows=ROWS).edits
    undone = [edit.undone("u") for edit in reversed(edits)]
    base = pa.Table.from_pylist(list(ROWS.values()), SHELVES.schema)
    assert len(folded(SHELVES, log([*edits, *undone]), base)) == 0


def test_the_server_reads_what_was_there_before() -> None:
    answer = asked(
        IncomingEdit("1", "set", "S1", "price", "2"),
        IncomingEdit("2", "set", "S1", "price", "3"),
        rows=ROWS,
    )
    assert [(e.old_value, e.new_value) for e in answer.edits] == [
        ('"1.00"', '"2.00"'),
        ('"2.00"', '"3.00"'),
    ]


def test_a_key_that_the_server_makes_is_told_and_known_to_later_edits() -> None:
    answer = asked(
        IncomingEdit("1", "insert", "new:1", None, {"name": "tea"}),
        IncomingEdit("2", "set", "new:1", "price", "2"),
        definition=MADE,
    )
    assert answer.made == {"new:1": "made-1"}
    staged = folded(MADE, log(answer.edits), MADE.schema.empty_table()).to_pylist()
    assert [(row["row_id"], row["new"]["row_id"], row["new"]["name"]) for row in staged] == [
        ("made-1", "made-1", "tea")
    ]


def test_a_row_that_the_session_deleted_comes_back_by_its_key() -> None:
    row = {"row_id": "r1", "name": "tea", "price": None, "weight": None, "actor": None}
    answer = asked(
        IncomingEdit("1", "delete", "r1"),
        IncomingEdit("2", "insert", "r1", None, {"name": "tea"}),
        rows={"r1": row},
        definition=MADE,
    )
    assert not answer.refusals
    base = pa.Table.from_pylist([row], MADE.schema)
    assert len(folded(MADE, log(answer.edits), base)) == 0


REFUSED: list[tuple[Definition, IncomingEdit, str, str | None]] = [
    (SHELVES, IncomingEdit("1", "set", "S1", "nothing", 1), "request_invalid", "nothing"),
    (SHELVES, IncomingEdit("1", "set", "S1", None, 1), "request_invalid", "None"),
    (SHELVES, IncomingEdit("1", "set", "S1", "actor", "eve"), "request_invalid", "actor"),
    (SHELVES, IncomingEdit("1", "set", "S1", "shelf_id", "S9"), "key_invalid", "shelf_id"),
    (SHELVES, IncomingEdit("1", "set", "S1", "price", "0.105"), "value_invalid", "price"),
    (SHELVES, IncomingEdit("1", "set", "S9", "price", "1"), "row_not_found", "price"),
    (SHELVES, IncomingEdit("1", "set", "", "price", "1"), "key_invalid", "price"),
    (SHELVES, IncomingEdit("1", "upsert", "S1", "price", "1"), "request_invalid", "price"),
    (SHELVES, IncomingEdit("1", "insert", "S1"), "key_invalid", None),
    (SHELVES, IncomingEdit("1", "insert", ""), "key_invalid", None),
    (
        SHELVES,
        IncomingEdit("1", "insert", "S9", None, {"shelf_id": "S8"}),
        "key_invalid",
        "shelf_id",
    ),
    (
        SHELVES,
        IncomingEdit("1", "insert", "S9", None, {"actor": "eve"}),
        "request_invalid",
        "actor",
    ),
    (SHELVES, IncomingEdit("1", "insert", "S9", None, {"price": 0.1}), "value_invalid", "price"),
    (SHELVES, IncomingEdit("1", "insert", "S9", None, [1]), "request_invalid", None),
    (SHELVES, IncomingEdit("1", "delete", "S9"), "row_not_found", None),
    (KEPT, IncomingEdit("1", "delete", "S1"), "deletes_not_allowed", None),
    (MADE, IncomingEdit("1", "insert", "r1"), "key_invalid", None),
    (MADE, IncomingEdit("1", "insert", "new:x"), "key_invalid", None),
    (MADE, IncomingEdit("1", "set", "new:1", "price", "1"), "row_not_found", "price"),
]


@pytest.mark.parametrize(("definition", "edit", "code", "named"), REFUSED, ids=range(len(REFUSED)))
def test_an_edit_that_cannot_be_is_refused_by_cell(
    definition: Definition, edit: IncomingEdit, code: str, named: str | None
) -> None:
    good = IncomingEdit("2", "set", "S2", "name", "kept")
    answer = asked(edit, good, rows=ROWS, definition=definition)
    refusal = answer.refusals[0]
    assert (refusal.error.code, refusal.edit_id, refusal.row_id) == (code, "1", edit.row_id)
    assert refusal.column == named
    assert [e.edit_id for e in answer.edits] == ["2"]


def test_a_made_key_is_asked_for_once() -> None:
    answer = asked(
        IncomingEdit("1", "insert", "new:1"), IncomingEdit("2", "insert", "new:1"), definition=MADE
    )
    assert [r.edit_id for r in answer.refusals] == ["2"]


def test_a_cell_of_a_row_that_is_not_there_is_refused_and_counts_for_nothing() -> None:
    lost = log([Edit("1", "set", "S9", "price", '"1.00"', '"2.00"')])
    with pytest.raises(GovernanceError) as refusal:
        require_rows(SHELVES, lost, SHELVES.schema.empty_table())
    assert refusal.value.code == "row_not_found"
    assert folded(SHELVES, lost, SHELVES.schema.empty_table()).num_rows == 0


def test_a_row_that_is_inserted_anew_has_nothing_of_the_one_that_was_deleted() -> None:
    edits = [
        Edit("1", "delete", "S1", None, "{}", None),
        Edit("2", "insert", "S1", None, None, '{"name": "milk"}'),
    ]
    base = pa.Table.from_pylist([ROWS["S1"]], SHELVES.schema)
    row = folded(SHELVES, log(edits), base).to_pylist()[0]
    assert (row["op"], row["new"]["name"], row["new"]["price"]) == ("set", "milk", None)


def test_a_key_of_several_parts_is_named_by_any_json_of_it() -> None:
    dataset = Definition(1, (column("a", STRING), column("b", LONG), *CELLS), ("a", "b"))
    row = {"a": "x", "b": 1, "name": None, "price": None, "weight": None}
    answer = accept(
        dataset, [IncomingEdit("1", "set", '["x", "1"]', "name", "t")], {'["x",1]': row}, str
    )
    assert [e.row_id for e in answer.edits] == ['["x",1]']
