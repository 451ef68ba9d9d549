"""An upsert is what a dictionary does: whatever is merged, in whichever order, however often."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lakeshelf.lake import KeyViolation, Lake, SchemaError
from lakeshelf.lake.write import merging

NAME = "curated/stock"
SCHEMA = pa.schema(
    [
        ("a", pa.string()), ("b", pa.int64()), ("seq", pa.int64()), ("value", pa.float64()),
        ("tags", pa.list_(pa.field("element", pa.string()))),
    ]
)  # fmt: skip
Row = dict[str, Any]
rows_of = st.lists(
    st.fixed_dictionaries(
        {
            "a": st.sampled_from(["x", "y;", "z'"]), "b": st.integers(0, 2),
            "seq": st.none() | st.integers(0, 5),
            "value": st.none() | st.sampled_from([0.0, -0.5, float("inf")]),
            "tags": st.none() | st.lists(st.sampled_from("pq"), max_size=2),
        }
    ),
    max_size=8,
)  # fmt: skip


def as_table(rows: list[Row]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def is_older(row: Row, there: Row) -> bool:
    """Null is older than everything."""
    if row["seq"] is None:
        return there["seq"] is not None
    return there["seq"] is not None and row["seq"] < there["seq"]


class Model:
    """A dictionary by key."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int], Row] = {}

    def merge(self, rows: list[Row], ordered: bool) -> None:
        newest: dict[tuple[str, int], Row] = {}
        for row in rows:
            key = (row["a"], row["b"])
            if not (ordered and key in newest and is_older(row, newest[key])):
                newest[key] = row
        for key, row in newest.items():
            if not (ordered and key in self.rows and is_older(row, self.rows[key])):
                self.rows[key] = row


class Upserts(RuleBasedStateMachine):
    """Merges, repeats of merges, and appends of new keys against the dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.lake = Lake(self.folder.name)
        self.lake.create(NAME, SCHEMA, key=("a", "b"))
        self.model = Model()

    @rule(rows=rows_of, ordered=st.booleans())
    def merge(self, rows: list[Row], ordered: bool) -> None:
        before = dict(self.model.rows)
        self.model.merge(rows, ordered)
        order_by = "seq" if ordered else None
        commit = self.lake.merge(NAME, as_table(rows), order_by=order_by)
        assert (commit.version is None) == (before == self.model.rows)
        changed = [key for key, row in self.model.rows.items() if before.get(key) != row]
        assert commit.rows == len(changed)
        if ordered:
            again = self.lake.merge(NAME, as_table(rows), order_by=order_by)
            assert again.version is None, "a rerun changes nothing"

    @invariant()
    def same_rows(self) -> None:
        found = self.lake.read(NAME).read_all().to_pylist()
        assert len(found) == len(self.model.rows)
        assert {(row["a"], row["b"]): row for row in found} == self.model.rows

    def teardown(self) -> None:
        self.folder.cleanup()


TestUpserts = pytest.mark.slow(Upserts.TestCase)
TestUpserts.settings = settings(
    max_examples=15, stateful_step_count=8, deadline=None, suppress_health_check=list(HealthCheck)
)


@given(rows_of, st.booleans())
def test_of_several_rows_of_a_key_the_newest_counts(rows: list[Row], ordered: bool) -> None:
    model = Model()
    model.merge(rows, ordered)
    order = ["seq"] if ordered else []
    found = merging.newest(as_table(rows), ["a", "b"], order, NAME).to_pylist()
    assert len(found) == len(model.rows)
    assert {(row["a"], row["b"]): row for row in found} == model.rows


def test_a_null_key_is_refused(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.create(NAME, SCHEMA, key=("a", "b"))
    rows = as_table([{"a": "x", "b": 1}, {"a": "x", "b": None}])
    with pytest.raises(KeyViolation, match="1 row for curated/stock without b, the first is row 1"):
        lake.merge(NAME, rows)
    assert lake.snapshot(NAME).version == 0


def test_a_dataset_without_a_key_needs_one(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append("curated/notes", [{"n": 1}])
    with pytest.raises(
        SchemaError, match=r"curated/notes has no key; .* name the key with `keys=`"
    ):
        lake.merge("curated/notes", [{"n": 1}])
    with pytest.raises(SchemaError, match="has no column 'm'"):
        lake.merge("curated/notes", [{"n": 1}], keys=["m"])


def test_equal_rows_are_not_in_the_feed(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.merge(NAME, [{"k": n, "v": "same"} for n in range(5)], keys=["k"])
    commit = lake.merge(NAME, [{"k": 1, "v": "same"}, {"k": 2, "v": "new"}], keys=["k"])
    assert commit.rows == 1
    handle = lake.snapshot(NAME).handle
    feed = pa.table(handle.load_cdf(starting_version=commit.version or 0)).to_pylist()
    assert [(row["k"], row["_change_type"]) for row in feed] == [
        (2, "update_preimage"),
        (2, "update_postimage"),
    ]


def test_a_merge_of_nothing_but_keys_inserts_new_ones(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.merge(NAME, [{"k": 1}, {"k": 2}], keys=["k"])
    assert lake.merge(NAME, [{"k": 2}, {"k": 3}], keys=["k"]).rows == 1
    assert sorted(lake.read(NAME).read_all()["k"].to_pylist()) == [1, 2, 3]
