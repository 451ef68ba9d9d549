"""Rows that others do not share a key with, as the driver committer picks them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.streams.commit.committers.driver import without

SCHEMA = pa.schema([("shelf_id", pa.string()), ("batch_code", pa.string()), ("line", pa.int64())])
TEXTS = st.text("a1\x1f", max_size=3)
ROWS = st.lists(st.tuples(TEXTS, TEXTS, st.integers(-2, 11)), max_size=12)


@given(rows=ROWS, others=ROWS, keys=st.permutations(SCHEMA.names), parts=st.integers(1, 3))
def test_what_is_left_shares_its_whole_key_with_no_other_row(
    rows: list[tuple[Any, ...]],
    others: list[tuple[Any, ...]],
    keys: Sequence[str],
    parts: int,
) -> None:
    chosen = [SCHEMA.names.index(name) for name in keys[:parts]]
    theirs = {tuple(row[i] for i in chosen) for row in others}
    left = without(_table(rows), _table(others), keys[:parts])
    expected = [row for row in rows if tuple(row[i] for i in chosen) not in theirs]
    assert [tuple(row.values()) for row in left.to_pylist()] == expected


def test_rows_in_several_chunks_are_compared_across_them() -> None:
    rows = pa.concat_tables([_table([("a", "b", n)]) for n in range(5)])
    others = pa.concat_tables([_table([("a", "b", n)]) for n in (1, 3)])
    left = without(rows, others, ["shelf_id", "line"])
    assert left["line"].to_pylist() == [0, 2, 4]


def _table(rows: list[tuple[Any, ...]]) -> pa.Table:
    return pa.Table.from_pylist(
        [dict(zip(SCHEMA.names, row, strict=True)) for row in rows], schema=SCHEMA
    )
