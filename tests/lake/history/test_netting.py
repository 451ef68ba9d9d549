"""The net effect of a feed is the same whether rows pass as they come or are counted by their content."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.lake.history import netting
from lakeshelf.lake.history.feed import with_change_type
from lakeshelf.lake.rows.diff import AFTER, BEFORE, CHANGE_TYPE, DELETE, INSERT

COLUMNS = {
    "a": (pa.int64(), st.none() | st.integers(0, 3)),
    "b": (pa.string(), st.sampled_from(["", "x"])),
    "v": (pa.float64(), st.none() | st.sampled_from([0.0, -0.0, 1.5, math.nan])),
    "tags": (pa.list_(pa.int64()), st.none() | st.just([1])),
}
SCHEMA = with_change_type(pa.schema([(name, kind) for name, (kind, _) in COLUMNS.items()]))
ROW = st.tuples(*(values for _, values in COLUMNS.values()))
PAIR = st.tuples(ROW, ROW).map(lambda rows: [(BEFORE, *rows[0]), (AFTER, *rows[1])])
SAME_KEY = st.tuples(ROW, ROW).map(
    lambda rows: [(BEFORE, *rows[0]), (AFTER, *rows[0][:2], *rows[1][2:])]
)
ALONE = st.tuples(st.sampled_from([INSERT, DELETE, BEFORE, AFTER]), ROW).map(
    lambda found: [(found[0], *found[1])]
)
FEED = st.lists(SAME_KEY | PAIR | ALONE, max_size=8).map(
    lambda parts: list(itertools.chain(*parts))
)


def batches(rows: list[Any], cuts: list[int]) -> list[pa.RecordBatch]:
    whole = pa.RecordBatch.from_pylist(
        [dict(zip(SCHEMA.names, row, strict=True)) for row in rows], schema=SCHEMA
    )
    ends = [0, *sorted({cut % (len(rows) + 1) for cut in cuts}), len(rows)]
    return [whole.slice(a, b - a) for a, b in itertools.pairwise(ends)]


def told(rows: pa.Table) -> Counter[str]:
    return Counter(repr(row) for row in rows.to_pylist()) if rows.num_rows else Counter()


@pytest.mark.slow
@pytest.mark.parametrize("key", [("a",), ("a", "b"), ("v",), ("b",)])
@given(feed=FEED, cuts=st.lists(st.integers(0, 20), max_size=3))
def test_what_passes_at_once_is_what_counting_gives(
    key: tuple[str, ...], feed: list[Any], cuts: list[int]
) -> None:
    parts = batches(feed, cuts)
    whole = pa.Table.from_batches(parts, schema=SCHEMA)
    several = netting.repeated(parts, key, SCHEMA)
    passed = pa.Table.from_batches(netting.netted(parts, key, several), schema=SCHEMA)
    assert told(passed) == told(netting.net(whole, key))
    places = [n for n, row in enumerate(passed.to_pylist()) if row[CHANGE_TYPE] == BEFORE]
    assert all(passed[CHANGE_TYPE][n + 1].as_py() == AFTER for n in places)


def test_rows_of_keys_that_changed_once_are_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netting, "net", lambda *_: pytest.fail("rows were held back"))
    once = [(BEFORE, 1, "", 0.0, None), (AFTER, 1, "", 1.5, None), (INSERT, 2, "", None, None)]
    parts = batches(once, [1])
    several = netting.repeated(parts, ("a",), parts[0].schema)
    assert sum(batch.num_rows for batch in netting.netted(parts, ("a",), several)) == 3
