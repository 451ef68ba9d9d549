"""A key and its text stand for each other, one to one."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.contracts.types import DOUBLE, LONG, STRING, TIMESTAMP, Type
from lakeshelf.governance.domain.definition import Definition, made_key
from lakeshelf.governance.domain.keys import key_of, require_distinct, row_id, row_ids
from lakeshelf.governance.errors import GovernanceError

from .cases import TYPES, column, values

KEYS = [type_ for type_ in TYPES if type_ != DOUBLE]


def keyed(*types: Type) -> Definition:
    columns = [column(f"k{number}", type_) for number, type_ in enumerate(types)]
    return Definition(1, tuple(columns), tuple(c.name for c in columns))


SHELVES = keyed(STRING)


@given(st.lists(st.sampled_from(KEYS), min_size=1, max_size=3), st.data())
def test_a_key_goes_into_its_text_and_back(types: list[Type], data: Any) -> None:
    dataset = keyed(*types)
    rows = [
        {f"k{number}": data.draw(values(type_)) for number, type_ in enumerate(types)}
        for _ in range(3)
    ]
    rows = [row for row in rows if list(row.values()) != [""]]
    texts = [row_id(dataset, row) for row in rows]
    assert [key_of(dataset, text) for text in texts] == rows
    table = pa.Table.from_pylist(rows, dataset.schema)
    assert row_ids(dataset, table).to_pylist() == texts
    assert len(set(texts)) == len({tuple(row.values()) for row in rows})


def test_one_text_is_its_own_text_and_other_keys_are_arrays() -> None:
    assert row_id(SHELVES, {"k0": "[1]"}) == "[1]"
    assert row_id(keyed(STRING, LONG), {"k0": "a", "k1": 2**60}) == f'["a","{2**60}"]'


@pytest.mark.parametrize(
    "text", ["", "a", "[]", "[1]", '["a"]', '["a",null]', '["a","x"]', "[" * 9999]
)
def test_a_text_that_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(GovernanceError) as refusal:
        key_of(keyed(STRING, LONG), text)
    assert refusal.value.code == "key_invalid"


@pytest.mark.parametrize("key", [None, ""])
def test_an_empty_key_is_refused(key: str | None) -> None:
    with pytest.raises(GovernanceError, match="empty"):
        row_id(SHELVES, {"k0": key})


def test_a_null_in_a_key_of_a_table_is_refused() -> None:
    table = pa.table({"k0": pa.array(["a", None])})
    with pytest.raises(GovernanceError, match="empty part"):
        row_ids(SHELVES, table)


def test_a_key_that_is_there_twice_is_refused_by_name() -> None:
    require_distinct(SHELVES, pa.array(["a", "b"]))
    with pytest.raises(GovernanceError) as refusal:
        require_distinct(SHELVES, pa.array(["a", "b", "a"]))
    assert refusal.value.details["row_ids"] == ["a"]


def test_a_float_is_no_key() -> None:
    with pytest.raises(GovernanceError, match="float"):
        keyed(DOUBLE)


def test_keys_that_the_server_makes_are_one_text() -> None:
    dataset = Definition(1, (made_key(), column("c", TIMESTAMP)))
    assert row_id(dataset, {"row_id": "x"}) == "x"
