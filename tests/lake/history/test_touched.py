"""Every key that was touched is named, whatever that nets to; by the same cursor as changes."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from lakeshelf.lake import Conflict, Consumer, Lake, SchemaError
from lakeshelf.lake.history import touching
from lakeshelf.lake.history.verification import verify

SOURCE = "curated/source"
SCHEMA = pa.schema([("k", pa.int64()), ("v", pa.string()), ("p", pa.string())])
CONSUMERS = [Consumer("one", "curated/output"), Consumer("two", "curated/other")]
ROWS = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from(["a", "b"]), st.sampled_from(["x", "y"])),
    max_size=4,
)
Row = tuple[int, str, str]
Write = Callable[[Lake, list[Row], st.DataObject], Any]


def records(rows: list[Row]) -> pa.Table:
    return pa.Table.from_pylist(
        [dict(zip(SCHEMA.names, row, strict=True)) for row in rows], schema=SCHEMA
    )


def content(lake: Lake) -> Counter[Row]:
    return Counter(tuple(row.values()) for row in lake.read(SOURCE).read_all().to_pylist())


def named(lake: Lake, consumer: Consumer = CONSUMERS[0], name: str = SOURCE) -> list[Any]:
    rows = lake.changes(name, consumer, touched=True).rows.read_all()
    return sorted(rows.column(0).to_pylist())


def take(lake: Lake, consumer: Consumer = CONSUMERS[0]) -> None:
    """Read on to the newest version."""
    txns = lake.changes(SOURCE, consumer, touched=True).txns
    lake.append(consumer.output, [{"n": 1}], txn=txns)


def replace_part(lake: Lake, rows: list[Row], data: st.DataObject) -> Any:
    part = data.draw(st.sampled_from(["x", "y"]))
    inside = [(k, v, part) for k, v, _ in rows]
    return lake.replace(SOURCE, records(inside), where=[("p", "=", part)])


def one(data: st.DataObject) -> list[tuple[str, str, int]]:
    return [("k", "=", data.draw(st.integers(0, 6)))]


def restore(lake: Lake, _: list[Row], data: st.DataObject) -> Any:
    return lake.restore(SOURCE, data.draw(st.integers(0, lake.snapshot(SOURCE).version)))


EXACT: dict[str, Write] = {
    "append": lambda lake, rows, _: lake.append(SOURCE, records(rows)),
    "merge": lambda lake, rows, _: lake.merge(SOURCE, records(rows)),
    "delete": lambda lake, _, data: lake.delete(SOURCE, one(data)),
    "update": lambda lake, _, data: lake.update(SOURCE, one(data), {"v": "c"}),
    "note": lambda lake, *_: lake.note(SOURCE),
    "optimize": lambda lake, *_: lake.snapshot(SOURCE).handle.optimize.compact(),
}
"""Writes that touch the rows that they change, and no others."""
WHOLE: dict[str, Write] = {
    "overwrite": lambda lake, rows, _: lake.overwrite(SOURCE, records(rows)),
    "replace": replace_part,
    "restore": restore,
}
"""Writes that may touch every row that is or was there."""


class Touching(RuleBasedStateMachine):
    """A random history, and consumers that read at random and fail at random before they have written."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.lake = Lake(Path(self.folder.name))
        self.lake.create(SOURCE, SCHEMA, key=("k",))
        self.ever: set[int] = set()
        self.must: dict[str, set[int]] = {}
        self.may: dict[str, set[int]] = {}

    @rule(how=st.sampled_from([*EXACT, *WHOLE]), rows=ROWS, data=st.data())
    def write(self, how: str, rows: list[Row], data: st.DataObject) -> None:
        before = content(self.lake)
        (EXACT | WHOLE)[how](self.lake, rows, data)
        after = content(self.lake)
        changed = {row[0] for row in ((before - after) + (after - before))}
        there = {row[0] for row in before + after}
        self.ever |= there
        for consumer in self.must:
            self.must[consumer] |= changed
            self.may[consumer] |= there if how in WHOLE else changed

    @rule(consumer=st.sampled_from(CONSUMERS), lives=st.booleans())
    def consume(self, consumer: Consumer, lives: bool) -> None:
        found = self.lake.changes(SOURCE, consumer, touched=True)
        assert found.touched
        keys = found.rows.read_all()
        assert keys.schema.names == ["k"]
        told = Counter(keys["k"].to_pylist())
        assert set(told.values()) <= {1}
        if consumer.id in self.must:
            assert found.full_refresh is None
            assert self.must[consumer.id] <= set(told) <= self.may[consumer.id]
        else:
            assert found.full_refresh is not None
            assert set(told) == self.ever
        again = found.rows.read_all().sort_by("k")
        assert keys.sort_by("k").equals(again), "from the beginning each time, in no order"
        if lives and found.txns:
            self.lake.append(consumer.output, [{"n": len(told)}], txn=found.txns)
            self.must[consumer.id], self.may[consumer.id] = set(), set()

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()


Touching.TestCase.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
TestTouching = pytest.mark.slow(Touching.TestCase)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path)
    lake.create(SOURCE, SCHEMA, key=("k",))
    lake.append(SOURCE, records([(1, "a", "x"), (2, "a", "x"), (3, "a", "x")]))
    return lake


def test_what_went_from_a_to_b_and_back_is_named_though_nothing_changed(lake: Lake) -> None:
    take(lake)
    for value in "ba":
        lake.merge(SOURCE, records([(2, value, "x")]))
    assert lake.changes(SOURCE, CONSUMERS[0]).rows.read_all().num_rows == 0, "it nets to nothing"
    assert named(lake) == [2]
    take(lake)
    assert named(lake) == []


def test_what_came_and_went_between_two_looks_is_named(lake: Lake) -> None:
    take(lake)
    lake.append(SOURCE, records([(9, "a", "x")]))
    lake.delete(SOURCE, [("k", "=", 9)])
    assert named(lake) == [9]


def test_of_two_that_read_on_from_the_same_place_one_is_refused_or_skipped(lake: Lake) -> None:
    take(lake)
    lake.merge(SOURCE, records([(2, "b", "x")]))
    first, second = (lake.changes(SOURCE, CONSUMERS[0], touched=True) for _ in range(2))
    output = CONSUMERS[0].output
    assert lake.append(output, [{"n": 1}], txn=first.txns).version is not None
    assert lake.append(output, [{"n": 1}], txn=second.txns).skipped == "already committed"


def test_after_a_full_refresh_all_keys_are_named_and_the_deleted_ones_that_the_feed_tells(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.delete(SOURCE, [("k", "=", 1)])
    gone = {*(lake.root.folder / SOURCE / "_change_data").rglob("*.parquet")}  # type: ignore[operator]
    lake.delete(SOURCE, [("k", "=", 2)])
    lake.append(SOURCE, records([(4, "a", "x")]))
    assert named(lake) == [1, 2, 3, 4]
    for at_once in (1, 2, 100):
        monkeypatch.setattr(touching, "AT_ONCE", at_once)
        assert named(lake) == [1, 2, 3, 4]
    assert gone
    for file in gone:  # as vacuum takes them, the oldest first
        file.unlink()
    for at_once in (1, 2, 100):
        monkeypatch.setattr(touching, "AT_ONCE", at_once)
        assert named(lake) == [2, 3, 4]


def test_a_feed_that_is_gone_leads_to_a_full_refresh_with_its_reason(lake: Lake) -> None:
    take(lake)
    lake.delete(SOURCE, [("k", "=", 1)])
    for file in (lake.root.folder / SOURCE / "_change_data").rglob("*.parquet"):  # type: ignore[operator]
        file.unlink()
    found = lake.changes(SOURCE, CONSUMERS[0], touched=True)
    assert found.full_refresh is not None
    assert found.start is None
    assert sorted(found.rows.read_all()["k"].to_pylist()) == [2, 3]


KINDS: dict[str, tuple[pa.Schema, list[dict[str, Any]]]] = {
    "two columns": (
        pa.schema([("a", pa.string()), ("b", pa.int64())]),
        [{"a": "x", "b": 1}, {"a": "x", "b": 2}, {"a": None, "b": 1}],
    ),
    "floats": (
        pa.schema([("a", pa.float64())]),
        [{"a": 0.5}, {"a": None}, {"a": float("inf")}],
    ),
    "decimals": (pa.schema([("a", pa.decimal128(9, 2))]), [{"a": None}]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_keys_of_every_kind_are_named_once(tmp_path: Path, kind: str) -> None:
    schema, keys = KINDS[kind]
    lake = Lake(tmp_path)
    lake.create(SOURCE, schema, key=schema.names)
    for _ in range(2):
        lake.append(SOURCE, pa.Table.from_pylist(keys, schema=schema))
    first = lake.changes(SOURCE, CONSUMERS[0], touched=True)
    assert sorted(first.rows.read_all().to_pylist(), key=str) == sorted(keys, key=str)
    lake.append(CONSUMERS[0].output, [{"n": 1}], txn=first.txns)
    for _ in range(2):
        lake.append(SOURCE, pa.Table.from_pylist(keys, schema=schema))
    found = lake.changes(SOURCE, CONSUMERS[0], touched=True).rows.read_all()
    assert sorted(found.to_pylist(), key=str) == sorted(keys, key=str)


def test_keys_are_gathered_without_holding_each_time_that_they_were_touched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(touching, "BATCH_ROWS", 100)
    schema = pa.schema([("k", pa.int64())])
    keys = touching.Keys(schema)
    batch = pa.RecordBatch.from_pydict({"k": list(range(50))}, schema=schema)
    before = pa.total_allocated_bytes()
    for _ in range(10_000):
        keys.add(batch)
    assert pa.total_allocated_bytes() - before < 1024 * batch.nbytes
    assert sorted(keys.table()["k"].to_pylist()) == list(range(50))


def test_a_dataset_without_a_key_is_refused_and_nobody_is_listed(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append(SOURCE, [{"n": 1}])
    with pytest.raises(SchemaError, match="has no key"):
        lake.changes(SOURCE, CONSUMERS[0], touched=True)
    assert lake.names() == [SOURCE]


def test_a_run_records_what_was_touched_and_is_verified(lake: Lake) -> None:
    take(lake)
    for value in "ba":
        lake.merge(SOURCE, records([(2, value, "x")]))
    with lake.run("look") as run:
        assert named(run) == [2]
    assert list(verify(lake, "look")) == []


def test_a_fold_of_touched_keys_stands_on_the_version_that_it_read(lake: Lake) -> None:
    """As somebody does who sends rows on, and fences what he has read."""
    take(lake)
    lake.merge(SOURCE, records([(2, "b", "x")]))
    found = lake.changes(SOURCE, CONSUMERS[0], touched=True)
    lake.merge(SOURCE, records([(2, "a", "x")]))
    with pytest.raises(Conflict):
        lake.note(SOURCE, expected=found.end)
    assert named(lake) == [2]
