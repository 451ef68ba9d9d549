"""What is committed opens in every engine and equals what was written, or nothing was committed.

Random schemas, partitions and edge values of each type; after the write, the same after what rewrites its files.
"""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lakeshelf import query
from lakeshelf.lake import FeatureRefused, KeyViolation, Lake, SchemaError
from lakeshelf.lake.form.schemas import nullable
from lakeshelf.lake.upkeep import maintenance
from tests.query import model
from tests.query.test_serving import forget_tables, session

NAME = "test/edges"
ENGINES = [name for name in query.ENGINES if name != "spark"]
REFUSED = (SchemaError, KeyViolation, FeatureRefused)
"""Each says which column it is; nothing stops a writer half way."""
Tables = tuple[tuple[str, ...], list[pa.Table]]
D = Decimal

EDGES: dict[pa.DataType, list[Any]] = {
    pa.bool_(): [True, False],
    pa.int8(): [-128, 0, 127],
    pa.int16(): [-(2**15), 2**15 - 1],
    pa.int32(): [-(2**31), 2**31 - 1],
    pa.int64(): [-(2**63), 0, 2**53 + 1, 2**63 - 1],
    pa.float32(): [math.nan, math.inf, -math.inf, 0.0, 1e-45, 0.5],
    pa.float64(): [math.nan, math.inf, -math.inf, 0.0, 5e-324, 1.7976931348623157e308, 0.1],
    pa.decimal128(10, 2): [D("1.50"), D("-1.50"), D("-0.01"), D("0.00"), D("-99999999.99")],
    pa.decimal128(38, 0): [D("9" * 38), D("-" + "9" * 38), D(0)],
    pa.decimal128(38, 38): [D("0." + "9" * 38), D("1E-38"), D("0E-38"), D("-1E-38")],
    pa.decimal128(5, 5): [D("0.00001"), D("-0.00001"), D("-0.99999")],
    pa.date32(): [date(1, 1, 1), date(1582, 10, 10), date(1969, 12, 31), date(9999, 12, 31)],
    pa.timestamp("us", "UTC"): [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1677, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    ],
    pa.binary(): [b"", b"\x00", b"abc", b"\xff\xfe", b"\\x00"],
    pa.string(): [
        *("", "a", "a/b", "100%", "%41", "x=y", "a:b", "#", " a b ", "ä", "日本", "😀", "nul\0x"),
        *("new\nline", "'", '"', "\\", "..", "~", "*?", "__HIVE_DEFAULT_PARTITION__", "null", "é"),
        *("x" * 300, "ä" * 100, "x" * 70_000),
    ],
}
SCALARS = list(EDGES)


@dataclass(frozen=True)
class Column:
    """A column of a random table, with values that it may have."""

    field: pa.Field
    values: st.SearchStrategy[Any]
    is_partition: bool


@st.composite
def columns(draw: st.DrawFn) -> list[Column]:
    found = []
    for place in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(SCALARS))
        values = st.sampled_from(EDGES[kind])
        shape = draw(st.sampled_from(["plain", "plain", "partition", "struct", "list", "map"]))
        nullable = draw(st.booleans())
        made, inner = _shaped(shape, kind, values, draw(st.booleans()))
        field = pa.field(f"c{place}", made, nullable)
        found.append(Column(field, st.none() | inner if nullable else inner, shape == "partition"))
    return found


def _shaped(
    shape: str, kind: pa.DataType, values: st.SearchStrategy[Any], nullable: bool
) -> tuple[pa.DataType, st.SearchStrategy[Any]]:
    inner = st.none() | values if nullable else values
    if shape == "struct":
        return pa.struct([pa.field("a", kind, nullable)]), st.fixed_dictionaries({"a": inner})
    if shape == "list":
        return pa.list_(pa.field("element", kind, nullable)), st.lists(inner, max_size=2)
    if shape == "map":
        kept = st.dictionaries(st.sampled_from(["", "k"]), inner, max_size=2)
        field = pa.field("value", kind, nullable)
        return pa.map_(pa.string(), field), kept.map(lambda one: list(one.items()))
    return kind, values


@st.composite
def tables(draw: st.DrawFn) -> Tables:
    """Partition columns, and three tables of one schema: of keys 0 and 1, of 2 and 3, of 3 and 4."""
    drawn = draw(columns())
    schema = pa.schema([pa.field("k", pa.int64(), False), *(column.field for column in drawn)])
    made = []
    for keys in ((0, 1), (2, 3), (3, 4)):
        rows = [{c.field.name: draw(c.values) for c in drawn} | {"k": k} for k in keys]
        made.append(pa.Table.from_pylist(rows, schema))
    return tuple(c.field.name for c in drawn if c.is_partition), made


def content(table: pa.Table) -> Counter[str]:
    """Rows as a multiset; times as numbers, because Python has no years beyond 9999."""
    rows = table.select(sorted(table.column_names)).to_pylist()
    return model.multiset([{"": _plain(row)} for row in rows])


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return [(name, _plain(part)) for name, part in sorted(value.items())]
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


def arrow(served: query.Served) -> pa.Table:
    if served.engine == "pandas":
        return pa.Table.from_pandas(served.value, preserve_index=False)
    if served.engine == "polars":
        return served.value.collect().to_arrow()
    ways = {"arrow": "read_all", "ibis": "to_pyarrow"}
    return getattr(served.value, ways.get(served.engine, "to_arrow_table"))()


def free(schema: pa.Schema) -> pa.Schema:
    """Columns without what is said of nulls, which engines do not keep."""
    return pa.schema([pa.field(f.name, nullable(f.type)) for f in schema])


def log(lake: Lake) -> list[str]:
    folder = Path(lake.root.uri) / NAME / "_delta_log"
    return sorted(p.name for p in folder.glob("*.json")) if folder.exists() else []


def require_equal(lake: Lake, wanted: pa.Table) -> None:
    for engine in ENGINES:
        served = query.serve(lake.snapshot(NAME), engine, session=session(engine))
        found = arrow(served).cast(free(lake.snapshot(NAME).schema))
        assert content(found) == content(wanted), (engine, served.route)
    forget_tables()


def after(lake: Lake, held: pa.Table, done: Callable[[], object], wanted: pa.Table) -> pa.Table:
    """What the table holds after a step that is done whole or not at all."""
    before = log(lake)
    try:
        done()
    except REFUSED:
        assert log(lake) == before, "what was refused was not committed"
        wanted = held
    if log(lake):
        require_equal(lake, wanted)
    return wanted


def _compacted(lake: Lake) -> None:
    done = maintenance.optimize(lake.snapshot(NAME).handle, min_small_files=2)
    assert not any(part.note for part in done.failed), done.failed


def more(table: pa.Table, kind: pa.DataType) -> pa.Table:
    """The rows under other keys, with a column more that no row before has."""
    column = pa.field("new", kind, nullable=False)
    keys = pc.add(table["k"], 10).cast(pa.int64())
    with_keys = table.set_column(0, pa.field("k", pa.int64(), nullable=False), keys)
    return with_keys.append_column(column, pa.array([EDGES[kind][0]] * table.num_rows, kind))


def _settings(examples: int) -> settings:
    return settings(
        max_examples=examples,
        phases=[Phase.explicit, Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.slow
@_settings(12)
@given(tables(), st.sampled_from(SCALARS))
def test_what_is_committed_equals_what_was_written_in_every_engine(
    given_tables: Tables, kind: pa.DataType
) -> None:
    require_exact(given_tables, kind)


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@_settings(500)
@given(tables(), st.sampled_from(SCALARS))
def test_it_does_so_for_many_schemas(given_tables: Tables, kind: pa.DataType) -> None:
    require_exact(given_tables, kind)


def require_exact(given_tables: Tables, kind: pa.DataType) -> None:
    partition_by, (first, second, third) = given_tables
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(folder, catalog={})
        empty = first.slice(0, 0)
        try:
            lake.create(NAME, first.schema, partition_by=partition_by)
        except SchemaError:
            assert log(lake) == []
            return
        held = after(lake, empty, lambda: lake.append(NAME, first), first)
        both = pa.concat_tables([held, second])
        appended = after(lake, held, lambda: lake.append(NAME, second), both)
        version = lake.snapshot(NAME).version
        after(lake, appended, lambda: _compacted(lake), appended)
        merged = pa.concat_tables([appended.filter(pc.less(appended["k"], 3)), third])
        held = after(lake, appended, lambda: lake.merge(NAME, third, keys=("k",)), merged)
        gone = held.filter(pc.not_equal(held["k"], 4))
        held = after(lake, held, lambda: lake.replace(NAME, empty, [("k", "=", 4)]), gone)
        evolved = more(second, kind)
        wider = pa.concat_tables([held, evolved], promote_options="default")
        after(lake, held, lambda: lake.append(NAME, evolved, schema_mode="merge"), wider)
        held = after(lake, held, lambda: lake.restore(NAME, version), appended)
        after(lake, held, lambda: lake.overwrite(NAME, first), first)
