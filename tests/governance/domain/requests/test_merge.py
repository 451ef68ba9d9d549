"""The merge of tables does what the merge of single cells does, and nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from decimal import Decimal as Exact
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.contracts.types import DOUBLE, LONG, STRING
from lakeshelf.governance.domain.definition import Column, Definition
from lakeshelf.governance.domain.requests.merge import HISTORY, Merged, merge
from lakeshelf.governance.domain.rows import OrderedRows
from lakeshelf.governance.domain.staged import cells, columns_of, schema, staged_rows, without
from lakeshelf.governance.domain.values import text_of
from lakeshelf.governance.errors import GovernanceError
from tests.governance.domain.cases import PRICE, TYPES, column, values
from tests.governance.domain.model import Model, Result, Row, equal

STRICTNESS = ("cell", "row", "any_change")
SYSTEM = Column(column("actor", STRING).field, system=True)


def staged_of(definition: Definition, rows: dict[str, tuple[Row, Row]]) -> pa.Table:
    """Staged rows: id → (base, new)."""
    ids = pa.array(list(rows), pa.string())
    base, new = (
        OrderedRows.of_table(
            definition,
            pa.Table.from_pylist(
                [pair[side] for pair in rows.values() if pair[side]], definition.schema
            ),
            ids,
        )
        for side in (0, 1)
    )
    return staged_rows(definition, ids, base, new)


def table_of(definition: Definition, rows: dict[str, Row]) -> pa.Table:
    return pa.Table.from_pylist([row for row in rows.values() if row], definition.schema)


@dataclass(frozen=True)
class Case:
    """Staged rows and main of a dataset at random.

    Attributes:
        definition: The dataset; `key` is its key.
        staged: Id → (base, new).
        main: Id → row.
    """

    definition: Definition
    staged: dict[str, tuple[Row, Row]]
    main: dict[str, Row]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.definition.editable)


@st.composite
def cases(draw: Any) -> Case:
    types = draw(st.lists(st.sampled_from(TYPES), min_size=1, max_size=4))
    columns = [column(f"c{number}", type_) for number, type_ in enumerate(types)]
    definition = Definition(
        1,
        (column("key", STRING), *columns, SYSTEM),
        ("key",),
        strictness=draw(st.sampled_from(STRICTNESS)),
    )
    pools = [
        st.sampled_from(draw(st.lists(st.none() | values(type_), min_size=1, max_size=3)))
        for type_ in types
    ]

    def row(key: str) -> st.SearchStrategy[Row]:
        parts = {f"c{number}": pool for number, pool in enumerate(pools)}
        return st.none() | st.fixed_dictionaries(
            {"key": st.just(key), **parts, "actor": st.sampled_from(["ann", "ben", None])}
        )

    keys = [f"k{number}" for number in range(draw(st.integers(0, 5)))]
    staged = {key: (draw(row(key)), draw(row(key))) for key in keys}
    main = {key: draw(row(key) | st.just(staged[key][0])) for key in keys}
    return Case(definition, {k: v for k, v in staged.items() if _changes(v, definition)}, main)


@st.composite
def some_resolutions(draw: Any, case: Case, merged: Merged) -> dict[Any, Any]:
    """Sides for some conflicts; what has one base is resolved together or not at all."""
    strict = case.definition.strictness
    inserted = {c.row_id for c in merged.conflicts if c.kind == "insert"}
    begun = draw(st.sets(st.sampled_from(["", *case.staged])))
    found = {}
    for c in merged.conflicts:
        whole = strict == "row" or c.row_id in inserted
        together = "" if strict == "any_change" else c.row_id
        if together in begun and (whole or strict == "any_change" or draw(st.booleans())):
            found[c.row_id, c.column] = draw(st.sampled_from(["main", "staged", "rebase"]))
    return found


def _changes(pair: tuple[Row, Row], definition: Definition) -> bool:
    base, new = pair
    if base is None or new is None:
        return base is not new
    return any(not equal(base[c.name], new[c.name]) for c in definition.editable)


def content(definition: Definition, row: Row) -> Any:
    """A row as texts, to compare whatever its values are."""
    return row and {c.name: text_of(c, row[c.name]) for c in definition.content}


def after(case: Case, merged: Merged) -> dict[str, Any]:
    """Rows of main that are staged, with what the merge says written over them."""
    rows = {key: case.main.get(key) for key in case.staged}
    rows |= {row["key"]: row for row in merged.upserts.to_pylist()}
    rows |= dict.fromkeys(merged.deletes["key"].to_pylist())
    return {key: content(case.definition, row) for key, row in rows.items()}


def history(definition: Definition, result: Result, case: Case) -> set[Any]:
    found = set()
    for (row, name), (old, new) in result.cells.items():
        there = definition[str(name)]
        comes, goes = case.main.get(row) is None, result.rows[row] is None
        found.add(
            (
                row,
                name,
                None if comes else text_of(there, old),
                None if goes else text_of(there, new),
            )
        )
    return found


def agree(case: Case, merged: Merged, result: Result) -> None:
    """Whether the merge of tables and that of cells say the same."""
    definition = case.definition
    assert after(case, merged) == {k: content(definition, row) for k, row in result.rows.items()}
    assert {(c.row_id, c.column): c.kind for c in merged.conflicts} == result.conflicts
    assert len(merged.conflicts) == len(result.conflicts)
    found = [tuple(row.values()) for row in merged.cells.to_pylist()]
    assert set(found) == history(definition, result, case)
    assert len(found) == len(result.cells) == merged.counts["cells"]


@pytest.mark.slow
@given(cases(), st.booleans(), st.booleans())
def test_tables_are_merged_as_cells_are(case: Case, moved: bool, force: bool) -> None:
    staged, main = staged_of(case.definition, case.staged), table_of(case.definition, case.main)
    model = Model(
        case.columns, frozenset(case.columns), case.definition.strictness, moved, force=force
    )
    agree(
        case,
        merge(case.definition, staged, main, moved=moved, force=force),
        model.merge(case.staged, case.main),
    )


@pytest.mark.slow
@given(cases(), st.booleans(), st.data())
def test_conflicts_go_the_way_that_they_were_resolved(case: Case, moved: bool, data: Any) -> None:
    staged, main = staged_of(case.definition, case.staged), table_of(case.definition, case.main)
    first = merge(case.definition, staged, main, moved=moved)
    resolutions = data.draw(some_resolutions(case, first))
    merged = merge(case.definition, staged, main, moved=moved, resolutions=resolutions)
    model = Model(
        case.columns, frozenset(case.columns), case.definition.strictness, moved, resolutions
    )
    agree(case, merged, model.merge(case.staged, case.main))


@pytest.mark.slow
@given(cases(), st.booleans(), st.data())
def test_what_was_rebased_says_the_same_of_the_same_main(
    case: Case, moved: bool, data: Any
) -> None:
    """What is decided is merged without a conflict, what is left is the conflict that it was."""
    definition = case.definition
    staged, main = staged_of(definition, case.staged), table_of(definition, case.main)
    first = merge(definition, staged, main, moved=moved)
    resolutions = data.draw(some_resolutions(case, first))
    merged = merge(definition, staged, main, moved=moved, resolutions=resolutions)
    again = merge(definition, merged.rebased, main, moved=moved and not resolutions)
    assert again.conflicts == merged.conflicts
    assert after(case, again) == after(case, merged)
    assert sorted(again.cells.to_pylist(), key=str) == sorted(merged.cells.to_pylist(), key=str)


@settings(max_examples=40)
@given(cases())
def test_columns_go_by_name_and_strangers_are_left_alone(case: Case) -> None:
    staged, main = staged_of(case.definition, case.staged), table_of(case.definition, case.main)
    turned = main.select(list(reversed(main.column_names))).append_column(
        "stranger", pa.array([1] * len(main), pa.int64())
    )
    plain, other = merge(case.definition, staged, main), merge(case.definition, staged, turned)
    assert str(other.upserts.to_pylist()) == str(plain.upserts.to_pylist())
    assert other.conflicts == plain.conflicts
    assert "stranger" not in other.upserts.column_names


@settings(max_examples=40)
@given(cases(), st.data())
def test_a_column_that_the_dataset_gained_since_stays_as_main_has_it(case: Case, data: Any) -> None:
    gained = column("gained", LONG)
    definition = replace(case.definition, version=2, columns=(*case.definition.columns, gained))
    main = {
        key: row and {**row, "gained": data.draw(st.sampled_from([None, 2**60]))}
        for key, row in case.main.items()
    }
    staged = {
        key: tuple(row and {**row, "gained": None} for row in pair)
        for key, pair in case.staged.items()
    }
    model = Model((*case.columns, "gained"), frozenset(case.columns), definition.strictness)
    agree(
        Case(definition, staged, main),  # type: ignore[arg-type]
        merge(definition, staged_of(case.definition, case.staged), table_of(definition, main)),
        model.merge(staged, main),  # type: ignore[arg-type]
    )


@settings(max_examples=40)
@given(cases(), st.data())
def test_a_rejected_cell_is_as_it_was_and_the_rest_is_staged_still(case: Case, data: Any) -> None:
    staged = staged_of(case.definition, case.staged)
    there = list(cells(staged))
    rejected = set(data.draw(st.lists(st.sampled_from(there), unique=True))) if there else set()
    rest = without(case.definition, staged, rejected)
    assert set(cells(rest)) == set(there) - rejected
    untouched = {row_id for row_id, _ in there} - {row_id for row_id, _ in rejected}
    kept = [row for row in rest.to_pylist() if row["row_id"] in untouched]
    assert str(kept) == str([row for row in staged.to_pylist() if row["row_id"] in untouched])


SHELVES = Definition(
    1,
    (column("shelf_id", STRING), column("price", PRICE), column("weight", DOUBLE), SYSTEM),
    ("shelf_id",),
)


def shelf(price: str | None, weight: float | None = None, key: str = "S1") -> dict[str, Any]:
    value = None if price is None else Exact(price)
    return {"shelf_id": key, "price": value, "weight": weight, "actor": "ann"}


def merged_shelf(base: Row, main: Row, new: Row, **options: Any) -> Merged:
    definition = replace(SHELVES, **{k: options.pop(k) for k in ("strictness",) if k in options})
    staged = staged_of(definition, {"S1": (base, new)})
    return merge(definition, staged, table_of(definition, {"S1": main}), **options)


def test_a_conflict_tells_all_three_values_as_json() -> None:
    merged = merged_shelf(shelf("1"), shelf("2"), shelf("3"))
    assert [c.as_json() for c in merged.conflicts] == [
        {
            "row_id": "S1",
            "column": "price",
            "base": "1.00",
            "main": "2.00",
            "staged": "3.00",
            "kind": "cell",
        }
    ]
    assert len(merged.upserts) == 0


def test_a_row_that_is_gone_tells_the_cells_that_were_staged() -> None:
    conflict = merged_shelf(shelf("1", 5.0), None, shelf("3", 5.0)).conflicts[0]
    assert (conflict.column, conflict.kind) == (None, "edit_delete")
    assert (conflict.base, conflict.main, conflict.staged) == (
        {"price": "1.00"},
        None,
        {"price": "3.00"},
    )
    conflict = merged_shelf(shelf("1", 5.0), shelf("1", math.nan), None).conflicts[0]
    assert (conflict.base, conflict.main, conflict.staged) == (
        {"weight": 5.0},
        {"weight": "NaN"},
        None,
    )


def test_a_null_that_main_inserted_is_a_value_that_can_conflict() -> None:
    conflict = merged_shelf(None, shelf(None), shelf("2")).conflicts[0]
    assert (conflict.kind, conflict.main, conflict.staged) == ("insert", None, "2.00")


def test_who_submitted_is_no_change() -> None:
    main = {**shelf("1"), "actor": "ben"}
    assert not merged_shelf(shelf("1"), main, None, strictness="row").conflicts
    assert "actor" not in merged_shelf(shelf("1"), main, shelf("2")).upserts.column_names


def test_minus_zero_and_nan_are_no_change() -> None:
    assert not len(staged_of(SHELVES, {"S1": (shelf("1", 0.0), shelf("1", -0.0))}))
    assert not len(staged_of(SHELVES, {"S1": (shelf("1", math.nan), shelf("1", math.nan))}))


def test_force_takes_the_staged_values_and_tells_what_they_overwrite() -> None:
    merged = merged_shelf(shelf("1"), shelf("2"), shelf("3"), force=True)
    assert merged.upserts["price"].to_pylist() == [Exact("3.00")]
    assert [c.main for c in merged.overwritten] == ["2.00"]
    assert not merged.conflicts
    assert merged.cells.to_pylist() == [
        {"row_id": "S1", "column": "price", "old": '"2.00"', "new": '"3.00"'}
    ]


def test_a_key_that_is_there_twice_is_refused() -> None:
    staged = staged_of(SHELVES, {"S1": (shelf("1"), shelf("2"))})
    main = pa.Table.from_pylist([shelf("1"), shelf("1")], SHELVES.schema)
    with pytest.raises(GovernanceError, match="twice"):
        merge(SHELVES, staged, main)
    with pytest.raises(GovernanceError, match="twice"):
        merge(SHELVES, pa.concat_tables([staged, staged]), main.slice(0, 1))


def test_a_staged_column_that_the_dataset_does_not_have_is_refused() -> None:
    smaller = replace(SHELVES, columns=(SHELVES.columns[0], SHELVES.columns[2]))
    staged = staged_of(SHELVES, {"S1": (shelf("1"), shelf("2"))})
    with pytest.raises(GovernanceError, match="price"):
        merge(smaller, staged, table_of(SHELVES, {"S1": shelf("1")}))


def test_what_is_resolved_has_to_be_a_conflict() -> None:
    with pytest.raises(GovernanceError) as refusal:
        merged_shelf(shelf("1"), shelf("1"), shelf("2"), resolutions={("S1", "price"): "main"})
    assert refusal.value.code == "state_changed"


def test_a_row_that_both_sides_inserted_is_resolved_as_a_whole() -> None:
    with pytest.raises(GovernanceError) as refusal:
        merged_shelf(None, shelf("1", 1.0), shelf("2", 2.0), resolutions={("S1", "price"): "main"})
    assert refusal.value.code == "conflicts"
    merged = merged_shelf(
        None, shelf("1", 1.0), shelf("2", 2.0), resolutions={("S1", "price"): "rebase"}
    )
    assert merged.upserts["weight"].to_pylist() == [2.0]


@pytest.mark.parametrize(("choice", "weight"), [("main", []), ("staged", [2.0]), ("rebase", [2.0])])
def test_one_choice_settles_all_cells_of_a_row(choice: Any, weight: list[float]) -> None:
    both = (None, shelf("1", 1.0), shelf("2", 2.0))
    merged = merged_shelf(*both, resolutions={("S1", None): choice})
    assert not merged.conflicts
    assert merged.upserts["weight"].to_pylist() == weight


def test_a_rejected_cell_of_an_insert_is_null_and_what_is_not_staged_cannot_be_rejected() -> None:
    staged = staged_of(SHELVES, {"S1": (None, shelf("2", 1.0))})
    rest = without(SHELVES, staged, {("S1", "price")}).to_pylist()
    assert (rest[0]["op"], rest[0]["changed"], rest[0]["new"]["price"]) == (
        "insert",
        ["weight"],
        None,
    )
    with pytest.raises(GovernanceError) as refusal:
        without(SHELVES, staged, {("S2", "price")})
    assert refusal.value.code == "not_found"


def test_a_row_that_comes_or_goes_is_about_all_columns() -> None:
    update = staged_of(SHELVES, {"S1": (shelf("1"), shelf("2"))})
    assert columns_of(SHELVES, update) == {"price"}
    removal = staged_of(SHELVES, {"S1": (shelf("1"), None)})
    assert columns_of(SHELVES, removal) == {"shelf_id", "price", "weight"}


def test_nothing_staged_is_merged_into_nothing() -> None:
    merged = merge(SHELVES, schema(SHELVES).empty_table(), SHELVES.schema.empty_table())
    assert merged.cells.schema == HISTORY
    assert set(merged.counts.values()) == {0}
