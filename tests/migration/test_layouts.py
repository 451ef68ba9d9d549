"""Whatever the layout of the files: the table has their rows, or nothing was written."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakeshelf.lake import Lake
from lakeshelf.migration import Options, migrate, verify
from tests.migration.layouts import NAME, counted, in_lake, left_over, place, put

times = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
small = st.integers(-128, 127)
text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
KINDS: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.int8(), small),
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.uint32(), st.integers(0, 2**32 - 1)),
    (pa.float32(), st.floats(width=32, allow_nan=False).filter(bool)),
    (pa.float64(), st.floats(allow_nan=False).filter(bool)),
    (pa.bool_(), st.booleans()),
    (pa.string(), text),
    (pa.large_string(), text),
    (pa.dictionary(pa.int32(), pa.string()), text),
    (pa.binary(), st.binary(max_size=5)),
    (pa.binary(3), st.binary(min_size=3, max_size=3)),
    (pa.date32(), st.dates()),
    (pa.timestamp("us", tz="UTC"), times),
    (pa.timestamp("us", tz="Europe/Amsterdam"), times),
    (pa.timestamp("ms", tz="UTC"), times.map(lambda t: t.replace(microsecond=5000))),
    (pa.decimal128(12, 2), st.decimals(-(10**9), 10**9, places=2)),
    (pa.list_(pa.int16()), st.lists(st.none() | small, max_size=3)),
    (pa.list_(pa.list_(pa.string())), st.lists(st.none() | st.lists(text, max_size=2), max_size=2)),
    (pa.map_(pa.string(), pa.int32()), st.dictionaries(text, small, max_size=2).map(lambda d: list(d.items()))),
    (
        pa.struct([("a", pa.int32()), ("b", pa.struct([("c", pa.string())]))]),
        st.fixed_dictionaries({"a": st.none() | small, "b": st.none() | st.fixed_dictionaries({"c": text})}),
    ),
]  # fmt: skip
PARTITIONS = {
    pa.int64(): st.none() | st.integers(-5, 5),
    pa.string(): st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=4),
    pa.date32(): st.none() | st.dates(),
}  # fmt: skip


@st.composite
def sources(
    draw: st.DrawFn,
) -> tuple[list[tuple[dict[str, Any], pa.Table]], dict[str, pa.DataType]]:
    """Files: partition values and rows; and the types of the partitions."""
    columns = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=4))
    partitions = draw(st.lists(st.sampled_from(list(PARTITIONS)), max_size=2))
    files = []
    for _ in range(draw(st.integers(1, 4))):
        n = draw(st.integers(0, 4))
        table = pa.table(
            {
                f"c{i}": pa.array(draw(st.lists(st.none() | some, min_size=n, max_size=n)), kind)
                for i, (kind, some) in enumerate(columns)
            }
        )
        files.append(({f"p{i}": draw(PARTITIONS[k]) for i, k in enumerate(partitions)}, table))
    return files, {f"p{i}": kind for i, kind in enumerate(partitions)}


@pytest.mark.slow
@given(source=sources())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_table_has_the_rows_of_the_files(source: Any) -> None:
    files, kinds = source
    with tempfile.TemporaryDirectory() as folder:
        root, lake = Path(folder) / "in", Lake(Path(folder) / "lake")
        rows = []
        for n, (values, table) in enumerate(files):
            put(root / place(values), f"part-{n}.parquet", table)
            rows += [row | values for row in table.to_pylist()]
        made = migrate(lake, root, NAME, Options(partitions=kinds))
        assert in_lake(lake) == counted(rows)
        assert (made.outcome, made.rows, made.target_rows) == ("migrated", len(rows), len(rows))
        assert made.partition_by == tuple(kinds)
        assert verify(lake, root, NAME, Options()).outcome == "verified"
        assert migrate(lake, root, NAME, Options()).outcome == "unchanged"
        assert left_over(Path(folder) / "lake") == []


WIDER = [
    (pa.int8(), pa.int64(), small), (pa.int32(), pa.float64(), small), (pa.uint16(), pa.int64(), st.integers(0, 9)),
    (pa.float32(), pa.int32(), small.filter(bool)), (pa.int32(), pa.decimal128(5, 2), small),
    (pa.decimal128(9, 1), pa.decimal128(9, 4), st.integers(1, 9).map(lambda n: Decimal(n) / 2)),
    (pa.null(), pa.string(), st.none()), (pa.null(), pa.list_(pa.int8()), st.none()),
    (pa.list_(pa.int8()), pa.list_(pa.int64()), st.lists(small)),
    (pa.struct([("a", pa.int8()), ("b", pa.int64())]), pa.struct([("a", pa.int64()), ("b", pa.int8())]),
     st.fixed_dictionaries({"a": small, "b": small})),
]  # fmt: skip


@pytest.mark.slow
@given(data=st.data(), pair=st.sampled_from(WIDER))
@settings(max_examples=30, deadline=None)
def test_merge_widens_to_what_keeps_every_value_and_fills_what_is_missing(
    data: st.DataObject, pair: tuple[pa.DataType, pa.DataType, st.SearchStrategy[Any]]
) -> None:
    a, b, some = pair
    with tempfile.TemporaryDirectory() as folder:
        root, lake = Path(folder) / "in", Lake(Path(folder) / "lake")
        values = [data.draw(st.lists(some, min_size=1, max_size=3)) for _ in range(2)]
        put(root, "a.parquet", {"v": pa.array(values[0], a), "x": ["only"] * len(values[0])})
        put(root, "b.parquet", {"v": pa.array(values[1], b), "y": [True] * len(values[1])})
        made = migrate(lake, root, NAME, Options(schema="merge"))
        found = lake.read(NAME).read_all().to_pylist()
        given_ = [{"v": v, "x": "only", "y": None} for v in values[0]]
        given_ += [{"v": v, "x": None, "y": True} for v in values[1]]
        assert len(found) == len(given_)
        assert all(row in found for row in given_)
        assert {line.partition(":")[0] for f in made.files for line in f.drift} == {"b.parquet"}
        assert verify(lake, root, NAME, Options()).outcome == "verified"
