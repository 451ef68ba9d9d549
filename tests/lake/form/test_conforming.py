"""Rows keep their values when they take the types of a schema, whatever is null."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.lake import Lake
from lakeshelf.lake.form.conforming import conformed, conformed_table

PAIRS = st.none() | st.fixed_dictionaries(
    {"a": st.text(max_size=3), "b": st.none() | st.text(max_size=3)}
)
VALUES = st.lists(st.none() | st.lists(PAIRS, max_size=3), max_size=5)


def pair(text: pa.DataType) -> pa.DataType:
    """A struct with a required text and another one."""
    return pa.struct([pa.field("a", text, nullable=False), pa.field("b", text)])


def holder(values: pa.DataType) -> pa.Schema:
    """A schema with a column of pairs, and one of lists of pairs."""
    return pa.schema([pa.field("pair", values), pa.field("pairs", pa.list_(values))])


@given(VALUES, st.integers(0, 5))
def test_every_value_is_kept(values: list[list[dict[str, Any] | None] | None], start: int) -> None:
    rows = [{"pair": next(iter(pairs or ()), None), "pairs": pairs} for pairs in values]
    schema = holder(pair(pa.string()))
    table = pa.Table.from_pylist(rows, schema=holder(pair(pa.string_view()))).slice(start)
    found = conformed_table(table, schema)
    found.validate(full=True)
    assert found.schema == schema
    assert found.to_pylist() == rows[start:]


def test_a_value_that_its_type_does_not_hold_is_refused() -> None:
    batch = pa.record_batch({"n": [1 << 40]})
    with pytest.raises(pa.ArrowInvalid):
        conformed(batch, pa.schema([pa.field("n", pa.int32())]))


def test_a_null_is_refused_in_a_column_that_has_to_have_values() -> None:
    batch = pa.record_batch({"n": pa.array([1, None], pa.int64())})
    with pytest.raises(pa.ArrowInvalid, match="n has a null"):
        conformed(batch, pa.schema([pa.field("n", pa.int64(), nullable=False)]))


def test_a_null_struct_with_required_fields_is_read_as_it_was_written(tmp_path: Path) -> None:
    amount = pa.struct([pa.field("a", pa.decimal128(38, 38), nullable=False)])
    schema = pa.schema([("k", pa.binary()), ("amount", amount)])
    rows = pa.Table.from_pylist([{"k": b"x", "amount": None}], schema=schema)
    lake = Lake(tmp_path)
    lake.append("test/amounts", rows)
    assert lake.snapshot("test/amounts").scan().read_all().to_pylist() == rows.to_pylist()
    lake.append("test/amounts", rows)
    changes = lake.diff("test/amounts", 1, 2)
    assert [row["amount"] for row in changes.read_all().to_pylist()] == [None]
