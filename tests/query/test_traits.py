"""What tables have beside their features: every route is right, or not taken; nothing is copied that would change."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.transaction import AddAction
from pyarrow import parquet

from lakeshelf import query
from lakeshelf.lake import FeatureRefused, Lake
from lakeshelf.lake.history.verification import verify
from lakeshelf.lake.rows import traits
from lakeshelf.lake.upkeep import maintenance
from lakeshelf.lake.write import int96
from lakeshelf.query import engines
from tests.query import model
from tests.query.test_serving import session

NAME = "other/times"
ENGINES = [name for name in query.ENGINES if name != "spark"]
FAR, NEAR = datetime(9999, 12, 31, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
KINDS = {"k": "long", "v": "long", "till": "timestamp"}


def times(root: Path, *till: datetime | None, statistics: dict[str, Any] | None = None) -> Lake:
    """A table of a foreign writer with times as INT96: `k` from 1 on, `v` 1, and `till`."""
    folder = root / NAME
    (folder / "_delta_log").mkdir(parents=True)
    columns = {"k": list(range(1, len(till) + 1)), "v": [1] * len(till)}
    plain = [at and at.replace(tzinfo=None) for at in till]
    rows = pa.table({**columns, "till": pa.array(plain, pa.timestamp("us"))})
    parquet.write_table(
        rows, folder / "a.parquet", use_deprecated_int96_timestamps=True, store_schema=False
    )
    fields = [{"name": n, "type": t, "nullable": True, "metadata": {}} for n, t in KINDS.items()]
    schema = json.dumps({"type": "struct", "fields": fields})
    form = {"format": {"provider": "parquet", "options": {}}, "configuration": {}}
    add = {
        "path": "a.parquet",
        "partitionValues": {},
        "size": (folder / "a.parquet").stat().st_size,
        "modificationTime": 0,
        "dataChange": True,
    }
    if statistics is not None:
        add["stats"] = json.dumps({"numRecords": len(till)} | statistics)
    actions: list[dict[str, Any]] = [
        {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
        {"metaData": {"id": str(root), "schemaString": schema, "partitionColumns": []} | form},
        {"add": add},
    ]
    text = "\n".join(json.dumps(action) for action in actions)
    (folder / "_delta_log" / f"{0:020d}.json").write_text(text)
    return Lake(root, catalog={})


@pytest.mark.parametrize("engine", ENGINES)
def test_times_that_nanoseconds_do_not_hold_are_right_or_refused(
    tmp_path: Path, engine: str
) -> None:
    lake = times(tmp_path, FAR, NEAR, datetime(1, 1, 1, tzinfo=UTC), None)
    snapshot = lake.snapshot(NAME)
    if engine in ("duckdb", "ibis"):
        found = model.read(query.serve(snapshot, engine, session=session(engine)))
        assert [row["till"] and row["till"].year for row in found] == [9999, 2026, 1, None]
    else:
        with pytest.raises(FeatureRefused, match=r"through `scan`.*till has INT96 times beyond"):
            query.serve(snapshot, engine, session=session(engine))
        with pytest.raises(FeatureRefused, match="till has INT96"):
            query.serve(snapshot, engine, ["k"], [("till", ">", NEAR)], session(engine))
    others = model.read(query.serve(snapshot, engine, ["k", "v"], session=session(engine)))
    assert len(others) == 4, "columns without such times are served"


def test_sql_reads_them_and_the_library_refuses_them(tmp_path: Path) -> None:
    lake = times(tmp_path, FAR)
    with query.run(lake, "SELECT year(till) AS y FROM other.times") as result:
        assert result.read_all().to_pylist() == [{"y": 9999}]
    with pytest.raises(FeatureRefused, match="till has INT96"):
        lake.read(NAME)
    with pytest.raises(FeatureRefused, match="till has INT96"):
        lake.diff(NAME, 0, 0).read_all()


def more(k: int = 2) -> pa.Table:
    return pa.table({"k": [k], "v": [2], "till": pa.array([NEAR], pa.timestamp("us", "UTC"))})


COPYING: dict[str, Callable[[Lake], object]] = {
    "merge": lambda lake: lake.merge(NAME, more(), keys=("k",)),
    "replace": lambda lake: lake.replace(NAME, more(), [("k", "=", 2)]),
    "delete": lambda lake: lake.delete(NAME, [("k", "=", 2)]),
    "update": lambda lake: lake.update(NAME, [("k", "=", 2)], {"v": 3}),
    "optimize": lambda lake: maintenance.optimize(lake.snapshot(NAME).handle, min_small_files=2),
}
"""What copies rows that it does not name."""


def appended(root: Path) -> Lake:
    lake = times(root, FAR, NEAR)
    for number in range(2):
        lake.append(NAME, more(10 + number))
    return lake


@pytest.mark.parametrize("write", COPYING)
def test_rows_with_such_times_are_copied_as_they_are_and_read_by_every_engine_then(
    tmp_path: Path, write: str
) -> None:
    lake = appended(tmp_path)
    before = lake.snapshot(NAME).version
    COPYING[write](lake)
    for engine in ENGINES:
        found = model.read(query.serve(lake.snapshot(NAME), engine, session=session(engine)))
        (kept,) = (row for row in found if row["k"] == 1)
        assert (kept["v"], kept["till"].year) == (1, 9999), engine
    log = tmp_path / NAME / "_delta_log" / f"{before + 1:020d}.json"
    actions = [json.loads(line) for line in log.read_text().splitlines()]
    files = [one.get("add") or one.get("remove") for one in actions]
    assert [file["dataChange"] for file in files if file] == [False, False], "no row has changed"


@pytest.mark.parametrize("write", COPYING)
def test_without_that_they_are_refused_and_nothing_is_written(
    tmp_path: Path, write: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(int96, "rewrite", lambda *_: None)
    lake = appended(tmp_path)
    with pytest.raises(FeatureRefused, match="cannot be written again by delta-rs: till"):
        COPYING[write](lake)
    assert lake.snapshot(NAME).version == 2
    assert lake.overwrite(NAME, more()).version == 3, "what copies no row is done"


def test_times_within_lists_and_structs_and_beside_partitions_are_copied_as_they_are(
    tmp_path: Path,
) -> None:
    folder, naive = tmp_path / NAME / "day=2026-01-01", pa.timestamp("us")
    folder.mkdir(parents=True)
    deep = pa.struct({"at": naive, "n": pa.int64()})
    rows = pa.table(
        {
            "k": [1, 2],
            "times": pa.array([[FAR.replace(tzinfo=None)], None], pa.list_(naive)),
            "deep": pa.array([{"at": FAR.replace(year=1, tzinfo=None), "n": 1}, None], deep),
        }
    )
    path = folder / "a.parquet"
    parquet.write_table(rows, path, use_deprecated_int96_timestamps=True, store_schema=False)
    utc = pa.timestamp("us", "UTC")
    kinds = {
        "k": pa.int64(),
        "times": pa.list_(utc),
        "deep": pa.struct({"at": utc, "n": pa.int64()}),
        "day": pa.date32(),
    }
    handle = DeltaTable.create(str(tmp_path / NAME), pa.schema(kinds), partition_by=["day"])
    size = path.stat().st_size
    add = AddAction("day=2026-01-01/a.parquet", size, {"day": "2026-01-01"}, 0, True, "{}")
    handle.create_write_transaction([add], "append", handle.schema(), ["day"])
    lake = Lake(tmp_path, catalog={})
    lake.delete(NAME, [("k", "=", 2)])
    (found,) = lake.read(NAME).read_all().to_pylist()
    assert (found["times"][0].year, found["deep"]["at"].year) == (9999, 1)
    assert found["day"] == date(2026, 1, 1)


@pytest.mark.parametrize("value", ["a b", "100%", "%41", "ü/ö=1:x", "plain"])
def test_such_times_in_a_partition_whose_name_is_encoded_are_copied_once(
    tmp_path: Path, value: str
) -> None:
    rows = pa.table({"k": [1, 2], "till": pa.array([FAR, NEAR], pa.timestamp("us", "UTC"))})
    day = pa.array([value] * 2)
    write_deltalake(tmp_path / NAME, rows.append_column("p", day), partition_by=["p"])
    written_as_int96(tmp_path / NAME, rows)
    lake = Lake(tmp_path, catalog={})
    lake.delete(NAME, [("k", "=", 2)])
    (found,) = lake.read(NAME).read_all().to_pylist()
    assert (found["k"], found["p"], found["till"].year) == (1, value, 9999)


def written_as_int96(table: Path, rows: pa.Table) -> None:
    """Write the one file of a table again as another writer would, and take its statistics from the log."""
    log = table / "_delta_log" / f"{0:020d}.json"
    actions = [json.loads(line) for line in log.read_text().splitlines()]
    (add,) = (action["add"] for action in actions if "add" in action)
    path = table / unquote(add["path"])
    parquet.write_table(rows, path, use_deprecated_int96_timestamps=True, store_schema=False)
    add |= {"size": path.stat().st_size, "stats": None}
    log.write_text("".join(json.dumps(action) + "\n" for action in actions))


@pytest.mark.parametrize(
    "statistics",
    [
        None,
        {
            "minValues": {"till": "2026-01-01T00:00:00.000Z"},
            "maxValues": {"till": "2026-01-01T00:00:00.000Z"},
        },
        {"nullCount": {"till": 2}},
    ],
)
def test_times_that_nanoseconds_hold_are_served_as_ever(
    tmp_path: Path, statistics: dict[str, Any] | None
) -> None:
    till = None if statistics and "nullCount" in statistics else NEAR
    lake = times(tmp_path, till, till, statistics=statistics)
    assert traits.of(lake.snapshot(NAME).handle) == []
    for engine in ENGINES:
        found = model.read(query.serve(lake.snapshot(NAME), engine, session=session(engine)))
        assert [row["till"] for row in found] == [till, till]
    assert lake.merge(NAME, [{"k": 1, "v": 9}], keys=("k",), schema_mode="merge").version == 1


def test_a_footer_is_not_read_where_statistics_tell(tmp_path: Path) -> None:
    at = "2026-01-01T00:00:00.000Z"
    lake = times(tmp_path, NEAR, statistics={"minValues": {"till": at}, "maxValues": {"till": at}})
    (tmp_path / NAME / "a.parquet").unlink()
    assert traits.of(lake.snapshot(NAME).handle) == []


@pytest.mark.parametrize("engine", ENGINES)
def test_empty_texts_as_partitions_are_texts_by_every_engine(lake: Lake, engine: str) -> None:
    rows = pa.table({"k": [1, 2, 3], "p": ["", None, "a"]})
    lake.create("test/texts", rows.schema, partition_by=("p",))
    lake.append("test/texts", rows)
    served = query.serve(lake.snapshot("test/texts"), engine, session=session(engine))
    assert model.multiset(model.read(served)) == model.multiset(rows.to_pylist())
    own = engine == "datafusion"
    assert served.route == (query.ENGINES[engine].route if own else engines.SCAN)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("most", ["32", "2"])
def test_structs_are_filtered_whatever_statistics_tell_of_them(
    lake: Lake, engine: str, most: str
) -> None:
    inner = pa.struct([("a", pa.int64()), ("b", pa.int64())])
    parted = pa.struct([("a", pa.int64()), ("l", pa.list_(pa.int64()))])
    schema = pa.schema([("k", pa.int64()), ("whole", inner), ("parted", parted)])
    lake.create("test/structs", schema)
    only = {"delta.dataSkippingNumIndexedCols": most}
    lake.snapshot("test/structs").handle.alter.set_table_properties(only)
    rows = [{"k": 1, "whole": {"a": 1, "b": 2}, "parted": {"a": 1, "l": [1]}}, {"k": 2}]
    lake.append("test/structs", pa.Table.from_pylist(rows, schema))
    for column in ("whole", "parted"):
        where = [(column, "is null")]
        served = query.serve(lake.snapshot("test/structs"), engine, None, where, session(engine))
        assert [row["k"] for row in model.read(served)] == [2], (column, served.route)
    found = traits.of(lake.snapshot("test/structs").handle, ["whole"])
    assert found == ([] if most == "32" else [traits.PARTIAL_STATISTICS])


@pytest.mark.parametrize("number", ["9007199254740993.5000000001", "-" + "9" * 28 + "." + "9" * 10])
@pytest.mark.parametrize("engine", ENGINES)
def test_decimals_of_more_digits_than_statistics_keep_are_found(
    lake: Lake, engine: str, number: str
) -> None:
    schema = pa.schema([("k", pa.int64()), ("d", pa.decimal128(38, 10))])
    value, name = Decimal(number), "test/decimals"
    lake.create(name, schema)
    for k, one in enumerate((value, Decimal("1.5"))):
        lake.append(name, pa.Table.from_pylist([{"k": k, "d": one}], schema))
    for op, wanted in (("=", [0]), ("!=", [1]), ("in", [0])):
        where = [("d", op, [value] if op == "in" else value)]
        served = query.serve(lake.snapshot(name), engine, None, where, session(engine))
        assert [row["k"] for row in model.read(served)] == wanted, (op, served.route)
    with query.run(lake, f"SELECT k FROM test.decimals WHERE d = {number}") as result:
        assert result.read_all()["k"].to_pylist() == [0]
    assert lake.update(name, [("d", "=", value)], {"k": 7}).rows == 1
    assert lake.delete(name, [("d", "!=", value)]).rows == 1
    assert lake.read(name).read_all().to_pylist() == [{"k": 7, "d": value}]


def test_decimals_that_statistics_keep_are_read_by_duckdb_itself(lake: Lake) -> None:
    rows = pa.table({"d": pa.array([Decimal("12.50")], pa.decimal128(38, 10))})
    lake.append("test/decimals", rows)
    assert query.serve(lake.snapshot("test/decimals"), "duckdb").route == "delta_scan"


def test_columns_with_nulls_below_required_fields_are_served_to_pandas(lake: Lake) -> None:
    kind = pa.struct([pa.field("a", pa.int64(), nullable=False)])
    rows = pa.table({"s": pa.array([{"a": 1}, None], kind)})
    lake.append("test/nested", rows)
    frame = query.serve(lake.snapshot("test/nested"), "pandas").value
    assert [
        None if value is None else dict(value) for value in frame["s"].array.to_numpy(na_value=None)
    ] == [
        {"a": 1},
        None,
    ]


def test_a_run_of_such_a_table_is_verified_by_what_can_be_read(tmp_path: Path) -> None:
    times(tmp_path, NEAR)
    lake = Lake(tmp_path)
    with lake.run("monday") as run:
        run.read(NAME).read_all()
    assert list(verify(lake, "monday")) == []


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path, catalog={})
