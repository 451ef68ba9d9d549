"""Tables that we write, by any history of writes, are read back equal by every engine at every version."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lakeshelf import query
from lakeshelf.lake import Lake
from lakeshelf.lake.upkeep.maintenance import optimize
from tests.matrix import cells
from tests.query import model
from tests.query.test_serving import session
from tests.streams.conftest import own_settings, spark  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NAME = "test/history"
ENGINES = [name for name in query.ENGINES if name != "spark"]
KEY = pa.field("k", pa.int64())
PARTS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "part": (pa.string(), ["a", "b/c %41", "ä=1", " "]),
    "on": (pa.date32(), [model.date(1899, 12, 31), model.date(2026, 2, 28)]),
}
MORE: dict[str, tuple[pa.DataType, Any]] = {
    "more": (pa.int64(), 7),
    "again": (pa.struct([("a", pa.string())]), {"a": "new"}),
}
FIRST = pa.schema(
    [KEY, *(pa.field(name, kind) for name, (kind, _) in PARTS.items()), *model.SCHEMA]
)

_rows = st.lists(
    st.fixed_dictionaries(
        {"k": st.integers(0, 4)}
        | {name: st.none() | st.sampled_from(held) for name, (_, held) in PARTS.items()}
        | {name: st.none() | held for name, held in model.VALUES.items()}
    ),
    max_size=4,
)
_steps = st.lists(
    st.tuples(
        st.sampled_from(["append", "merge", "overwrite", "delete", "evolve", "optimize"]), _rows
    ),
    min_size=1,
    max_size=6,
)
_partitions = st.sampled_from([(), ("part",), ("on",), ("part", "on")])
_settings = {
    "phases": [Phase.explicit, Phase.generate],
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}


class History:
    """A table, and what it must hold after each step."""

    def __init__(self, folder: str, partitions: tuple[str, ...]) -> None:
        self.lake = Lake(folder)
        self.schema = FIRST
        self.held: list[model.Row] = []
        self.states: dict[int, tuple[pa.Schema, list[model.Row]]] = {}
        self.lake.create(NAME, FIRST, partition_by=partitions, key=("k",))
        self._noted()

    def take(self, step: str, rows: list[model.Row]) -> None:
        """Make a write, and the same change to the rows that are held."""
        getattr(self, f"_{step}")(rows)
        self._noted()

    def _append(self, rows: list[model.Row]) -> None:
        self.lake.append(NAME, self._table(rows))
        self.held = [*self.held, *rows]

    def _merge(self, rows: list[model.Row]) -> None:
        self.lake.merge(NAME, self._table(rows))
        newest = {row["k"]: row for row in rows}
        kept = [newest.get(row["k"], row) for row in self.held]
        there = {row["k"] for row in self.held}
        self.held = [*kept, *(row for key, row in newest.items() if key not in there)]

    def _overwrite(self, rows: list[model.Row]) -> None:
        self.lake.overwrite(NAME, self._table(rows))
        self.held = list(rows)

    def _delete(self, rows: list[model.Row]) -> None:
        for key in {row["k"] for row in rows}:
            self.lake.replace(NAME, self._table([]), [("k", "=", key)])
            self.held = [row for row in self.held if row["k"] != key]

    def _evolve(self, rows: list[model.Row]) -> None:
        new = next((name for name in MORE if name not in self.schema.names), None)
        if new is None or not rows:
            return
        kind, value = MORE[new]
        self.schema = self.schema.append(pa.field(new, kind))
        rows = [row | {new: value} for row in rows]
        self.lake.append(NAME, self._table(rows), schema_mode="merge")
        self.held = [*self.held, *rows]

    def _optimize(self, rows: list[model.Row]) -> None:
        del rows
        optimize(self.lake.snapshot(NAME).handle, min_small_files=2)

    def _table(self, rows: list[model.Row]) -> pa.Table:
        return pa.Table.from_pylist(rows, self.schema)

    def _noted(self) -> None:
        self.states[self.lake.snapshot(NAME).version] = (self.schema, self.held)


def require_equal(history: History, engine: str, own: Any, version: int) -> None:
    schema, held = history.states[version]
    served = query.serve(history.lake.snapshot(NAME, version), engine, session=own)
    found = cells.multiset(model.read(served))
    wanted = cells.multiset([{name: row.get(name) for name in schema.names} for row in held])
    assert found == wanted, (engine, served.route, version, found - wanted, wanted - found)


@pytest.mark.slow
@settings(max_examples=25, **_settings)
@given(_partitions, _steps)
def test_every_version_is_read_back_equal_by_every_engine(
    partitions: tuple[str, ...], steps: list[tuple[str, list[model.Row]]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        history = History(folder, partitions)
        for step, rows in steps:
            history.take(step, rows)
        for version in history.states:
            for engine in ENGINES:
                require_equal(history, engine, session(engine), version)


@pytest.mark.slow
@pytest.mark.spark
@settings(max_examples=6, **_settings)
@given(_partitions, _steps)
def test_the_last_version_is_read_back_equal_by_spark(
    spark: SparkSession,  # noqa: F811 - the fixture
    partitions: tuple[str, ...],
    steps: list[tuple[str, list[model.Row]]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        history = History(folder, partitions)
        for step, rows in steps:
            history.take(step, rows)
        require_equal(history, "spark", spark, max(history.states))
