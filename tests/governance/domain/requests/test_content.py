"""The hash of content changes with what is approved, and with nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.contracts.types import LONG, STRING
from lakeshelf.governance.domain.definition import Column, Definition
from lakeshelf.governance.domain.requests.content import content_hash
from lakeshelf.governance.domain.requests.merge import merge
from lakeshelf.governance.domain.staged import cells, without
from lakeshelf.governance.domain.values import text_of
from tests.governance.domain.cases import column

from .test_merge import Case, cases, staged_of, table_of

SHELVES = Definition(
    1,
    (
        column("id", STRING),
        column("name", STRING),
        column("size", LONG),
        Column(column("actor", STRING).field, system=True),
    ),
    ("id",),
)


def shelf(name: str | None = "tea", size: int | None = 1, actor: str = "ann") -> dict[str, Any]:
    return {"id": "S1", "name": name, "size": size, "actor": actor}


def hashed(base: Any, new: Any, definition: Definition = SHELVES) -> str:
    return content_hash(definition, staged_of(definition, {"S1": (base, new)}))


def facts(case: Case) -> Any:
    """What the hash covers, as plain values."""
    found = set()
    for row_id, (base, new) in case.staged.items():
        op = "insert" if base is None else "delete" if new is None else "set"
        if op != "set":
            found.add((op, row_id))
        for there in case.definition.editable:
            old, wanted = (text_of(there, row and row[there.name]) for row in (base, new))
            if old != wanted:
                found.add((op, row_id, there.name, old, wanted))
    return found


@settings(max_examples=40)
@given(cases(), st.data())
def test_contents_have_one_hash_if_and_only_if_they_want_the_same(case: Case, data: Any) -> None:
    staged = staged_of(case.definition, case.staged)
    there = list(cells(staged))
    rejected = set(data.draw(st.lists(st.sampled_from(there)))) if there else set()
    rest = without(case.definition, staged, rejected)
    fewer = {row["row_id"]: (row["base"], row["new"]) for row in rest.to_pylist()}
    same_content = facts(case) == facts(replace(case, staged=fewer))
    alike = content_hash(case.definition, staged) == content_hash(case.definition, rest)
    assert alike is same_content


@settings(max_examples=40)
@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_columns_is_no_content(case: Case, random: Any) -> None:
    staged = staged_of(case.definition, case.staged)
    order = list(range(len(staged)))
    random.shuffle(order)
    first, *others = case.definition.columns
    turned = replace(case.definition, columns=(*reversed(others), first))
    shuffled = staged.take(pa.array(order, pa.int64()))
    assert content_hash(turned, shuffled) == content_hash(case.definition, staged)


@settings(max_examples=40)
@given(cases())
def test_a_rebase_that_changes_no_base_of_a_staged_cell_keeps_the_hash(case: Case) -> None:
    definition = replace(case.definition, strictness="cell")
    staged = staged_of(definition, case.staged)
    merged = merge(definition, staged, table_of(definition, case.main))
    if list(cells(merged.rebased)) == list(cells(staged)):
        assert content_hash(definition, merged.rebased) == content_hash(definition, staged)


def test_each_part_of_a_change_is_content() -> None:
    plain = hashed(shelf(), shelf("milk"))
    others = [
        hashed(shelf(), shelf("bread")),
        hashed(shelf(None), shelf("milk")),
        hashed(shelf(""), shelf("milk")),
        hashed(shelf(), shelf(None)),
        hashed(shelf(), shelf("null")),
        hashed(shelf(), shelf("milk", 2)),
        hashed(None, shelf("milk")),
        hashed(shelf("milk"), None),
        hashed(None, shelf(None, None)),
        hashed(shelf(None, None), None),
        hashed(shelf(), shelf()),
        hashed(shelf(), shelf("milk"), replace(SHELVES, version=2)),
    ]
    assert len({plain, *others}) == 1 + len(others)


def test_other_cells_of_the_row_and_who_submitted_are_no_content() -> None:
    plain = hashed(shelf(), shelf("milk"))
    assert hashed(shelf(size=9), shelf("milk", 9)) == plain
    assert hashed(shelf(actor="ben"), shelf("milk", actor="cat")) == plain
