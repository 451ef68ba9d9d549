"""`diff` leads from one version to the other, whatever keys repeat and whichever columns came between."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.lake import Lake, SchemaError, Vacuumed
from lakeshelf.lake.history.verification import verify

NAME = "curated/counts"
SCHEMA = pa.schema([("k", pa.int64()), ("v", pa.int64())])
Row = tuple[int | None, int | None]
_rows = st.lists(
    st.tuples(st.none() | st.integers(0, 2), st.none() | st.integers(0, 2)), max_size=6
)


def told(lake: Lake, a: int, b: int) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in lake.diff(NAME, a, b).read_all().to_pylist()]


def table(rows: list[Row]) -> pa.Table:
    return pa.Table.from_pylist([{"k": k, "v": v} for k, v in rows], SCHEMA)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(_rows, _rows)
def test_what_went_and_what_came_leads_from_one_version_to_the_other(
    before: list[Row], after: list[Row]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(folder, catalog={})
        lake.create(NAME, SCHEMA, key=("k",))
        lake.overwrite(NAME, table(before))
        lake.overwrite(NAME, table(after))
        found = told(lake, 1, 2)
    went = Counter((k, v) for kind, k, v in found if kind in ("delete", "update_preimage"))
    came = Counter((k, v) for kind, k, v in found if kind in ("insert", "update_postimage"))
    assert Counter(before) - went + came == Counter(after)
    assert not went & came, "what is in both versions is no difference"
    for key in {row[0] for row in (*went, *came)}:
        counts = [sum(n for row, n in side.items() if row[0] == key) for side in (went, came)]
        kinds = {kind for kind, k, _ in found if k == key}
        is_update = counts == [1, 1] and key is not None
        assert kinds <= (
            {"update_preimage", "update_postimage"} if is_update else {"insert", "delete"}
        )


def test_rows_of_a_repeated_key_are_there_once_each(tmp_path: Path) -> None:
    lake = Lake(tmp_path, catalog={})
    lake.create(NAME, SCHEMA, key=("k",))
    lake.append(NAME, table([(1, 1), (1, 2)]))
    lake.merge(NAME, table([(1, 9)]))
    assert sorted(told(lake, 1, 2)) == [
        ("delete", 1, 1), ("delete", 1, 2), ("insert", 1, 9), ("insert", 1, 9),
    ]  # fmt: skip


def test_a_column_that_came_between_counts_where_it_has_a_value(tmp_path: Path) -> None:
    lake = Lake(tmp_path, catalog={})
    lake.create(NAME, SCHEMA, key=("k",))
    lake.append(NAME, table([(1, 1), (2, 2)]))
    more = pa.schema([*SCHEMA, ("w", pa.string())])
    lake.append(NAME, pa.Table.from_pylist([{"k": 3, "v": 3, "w": "c"}], more), schema_mode="merge")
    lake.merge(NAME, [{"k": 1, "v": 1, "w": "a"}])
    assert told(lake, 1, 2) == [("insert", 3, 3, "c")]
    forth = [("update_postimage", 1, 1, "a"), ("update_preimage", 1, 1, None)]
    assert sorted(told(lake, 1, 3)) == [("insert", 3, 3, "c"), *forth]
    back = [("update_postimage", 1, 1, None), ("update_preimage", 1, 1, "a")]
    assert sorted(told(lake, 3, 1)) == [("delete", 3, 3, "c"), *back], (
        "what a version lacks is null"
    )


def test_a_column_of_another_type_is_refused(tmp_path: Path) -> None:
    lake = Lake(tmp_path, catalog={})
    lake.append(NAME, table([(1, 1)]))
    lake.overwrite(NAME, [{"k": 1, "v": "one"}], schema_mode="overwrite")
    with pytest.raises(SchemaError, match="v of curated/counts is int64 in one version and string"):
        lake.diff(NAME, 1, 2)


def test_a_run_that_merged_into_repeated_keys_is_verified(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append(NAME, table([(1, 1), (1, 2), (2, 2)]))
    with lake.run("monday") as run:
        run.merge(NAME, table([(1, 9), (2, 2), (3, 3)]), keys=("k",))
    assert list(verify(lake, "monday")) == []


def test_a_version_whose_files_are_gone_is_neither_compared_nor_restored(tmp_path: Path) -> None:
    lake = Lake(tmp_path, catalog={})
    lake.append(NAME, table([(1, 1)]))
    lake.overwrite(NAME, table([(2, 2)]))
    handle = lake.snapshot(NAME).handle
    handle.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    with pytest.raises(Vacuumed, match=f"the versions of {NAME} cannot be compared"):
        lake.diff(NAME, 1, 2).read_all()
    with pytest.raises(Vacuumed, match=f"{NAME} was not restored"):
        lake.restore(NAME, 1)
