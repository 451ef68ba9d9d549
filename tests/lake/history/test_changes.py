"""What a consumer is told replays the dataset, whatever was done to it and wherever the cursor stands."""

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
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lakeshelf.lake import Lake
from lakeshelf.lake.history.cursors import Consumer
from lakeshelf.lake.rows.diff import AFTER, BEFORE, CHANGE_TYPE, DELETE, INSERT

SOURCE, OUTPUT = "curated/source", "curated/output"
SCHEMA = pa.schema([("k", pa.int64()), ("v", pa.string()), ("p", pa.string())])
CONSUMERS = [Consumer("one", OUTPUT), Consumer("two", "curated/other")]

VALUES = st.one_of(st.none(), st.sampled_from(["", "a", "b"]))
ROW = st.tuples(st.integers(0, 4), VALUES, st.sampled_from(["x", "y"]))
ROWS = st.lists(ROW, max_size=4)
Row = tuple[Any, ...]


def table(rows: list[Row]) -> pa.Table:
    return pa.Table.from_pylist(
        [dict(zip(SCHEMA.names, r, strict=True)) for r in rows], schema=SCHEMA
    )


def bag(lake: Lake, name: str, at: int | None = None) -> Counter[Row]:
    return Counter(
        tuple(r.values()) for r in lake.read(name, at, SCHEMA.names).read_all().to_pylist()
    )


def replayed(held: Counter[Row], changes: pa.Table) -> Counter[Row]:
    """What one has who applies changes to what he had; applying what is not there fails."""
    made = Counter(held)
    for row in changes.to_pylist():
        content = tuple(row[name] for name in SCHEMA.names)
        made[content] += 1 if row[CHANGE_TYPE] in (INSERT, AFTER) else -1
    assert min(made.values(), default=0) >= 0
    return +made


def require_net(changes: pa.Table) -> None:
    """No row both comes and goes, and an update stands in a pair of the same key."""
    rows = changes.to_pylist()
    came = {tuple(r[n] for n in SCHEMA.names) for r in rows if r[CHANGE_TYPE] in (INSERT, AFTER)}
    went = {tuple(r[n] for n in SCHEMA.names) for r in rows if r[CHANGE_TYPE] in (DELETE, BEFORE)}
    assert not came & went
    for place, row in enumerate(rows):
        if row[CHANGE_TYPE] == BEFORE:
            after = rows[place + 1]
            assert (after[CHANGE_TYPE], after["k"]) == (AFTER, row["k"])


def replace_part(lake: Lake, rows: list[Row], data: st.DataObject) -> None:
    part = data.draw(st.sampled_from(["x", "y"]))
    inside = [(k, v, part) for k, v, _ in rows]
    lake.replace(SOURCE, table(inside), where=[("p", "=", part)])


def delete(lake: Lake, _: list[Row], data: st.DataObject) -> None:
    lake.snapshot(SOURCE).handle.delete(f"k = {data.draw(st.integers(0, 4))}")


def restore(lake: Lake, _: list[Row], data: st.DataObject) -> None:
    lake.restore(SOURCE, data.draw(st.integers(0, lake.snapshot(SOURCE).version)))


WRITES: dict[str, Callable[[Lake, list[Row], st.DataObject], Any]] = {
    "append": lambda lake, rows, _: lake.append(SOURCE, table(rows)),
    "overwrite": lambda lake, rows, _: lake.overwrite(SOURCE, table(rows)),
    "merge": lambda lake, rows, _: lake.merge(SOURCE, table(rows)),
    "replace": replace_part,
    "delete": delete,
    "restore": restore,
    "optimize": lambda lake, *_: lake.snapshot(SOURCE).handle.optimize.compact(),
}


class Replay(RuleBasedStateMachine):
    """Random writes of one dataset; consumers that read at random and keep a copy."""

    @initialize(partitioned=st.booleans())
    def begin(self, partitioned: bool) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.lake = Lake(Path(self.folder.name))
        by = ("p",) if partitioned else ()
        self.lake.create(SOURCE, SCHEMA, key=("k",), partition_by=by)
        self.copies: dict[str, Counter[Row]] = {c.id: Counter() for c in CONSUMERS}
        self.refreshed = 0

    @rule(how=st.sampled_from(sorted(WRITES)), rows=ROWS, data=st.data())
    def write(self, how: str, rows: list[Row], data: st.DataObject) -> None:
        WRITES[how](self.lake, rows, data)

    @rule(consumer=st.sampled_from(CONSUMERS))
    def consume(self, consumer: Consumer) -> None:
        found = self.lake.changes(SOURCE, consumer)
        rows = found.rows.read_all()
        held = self.copies[consumer.id]
        if found.full_refresh:
            assert found.full_refresh.endswith("for the first time")
            held = Counter()
        else:
            require_net(rows)
            assert found.start is not None
            assert bag(self.lake, SOURCE, found.start) == held
        self.copies[consumer.id] = replayed(held, rows)
        assert self.copies[consumer.id] == bag(self.lake, SOURCE)
        state = table([r for r, n in self.copies[consumer.id].items() for _ in range(n)])
        if found.full_refresh or rows.num_rows:
            self.lake.overwrite(consumer.output, state, txn=found.txns)

    @invariant()
    def outputs_hold_what_was_read(self) -> None:
        for consumer in CONSUMERS:
            if consumer.output in self.lake.names():
                assert bag(self.lake, consumer.output) == self.copies[consumer.id]

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()


Replay.TestCase.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
TestReplay = pytest.mark.slow(Replay.TestCase)
