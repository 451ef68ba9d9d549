"""An export is the rows of one version as parquet, whole or not there, outside the lake."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.lake import Conflict, Lake, NameRefused, SchemaError, Vacuumed, export
from lakeshelf.lake.rows.fingerprints import RowSums, canonical, content_fingerprint
from tests.conftest import Run

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NAME = "curated/notes"
ROWS = [{"shelf": "A 1/é%", "n": 1}, {"shelf": None, "n": 2}, {"shelf": "B", "n": 3}]
SCHEMA = pa.schema([("shelf", pa.string()), ("n", pa.int64())])


def filled(tmp_path: Path, partition_by: tuple[str, ...] = ()) -> Lake:
    lake = Lake(tmp_path / "lake", clock=lambda: NOW)
    lake.create(NAME, SCHEMA, partition_by=partition_by)
    lake.append(NAME, ROWS)
    return lake


def rows(folder: Path, partition_by: tuple[str, ...] = ()) -> list[dict[str, object]]:
    kinds = ds.partitioning(pa.schema([SCHEMA.field(c) for c in partition_by]), flavor="hive")
    found = ds.dataset(folder, partitioning=kinds if partition_by else None).to_table()
    return sorted(found.select(SCHEMA.names).to_pylist(), key=lambda row: row["n"])


@pytest.mark.parametrize("partition_by", [(), ("shelf",)])
def test_another_reader_finds_the_rows_and_the_note_tells_what_they_are(
    tmp_path: Path, partition_by: tuple[str, ...]
) -> None:
    lake, dest = filled(tmp_path, partition_by), tmp_path / "out" / "notes"
    made = lake.export_parquet(NAME, dest)
    assert rows(dest, partition_by) == ROWS
    note = json.loads((dest / "_export.json").read_text())
    snapshot = lake.snapshot(NAME)
    assert note == made.as_json()
    assert (note["dataset"], note["version"], note["rows"]) == (NAME, 1, 3)
    assert note["table_id"] == snapshot.table_id
    assert note["fingerprint"] == content_fingerprint(snapshot.scan())
    assert note["exported_at"] == "2026-03-01T00:00:00+00:00"
    assert note["files"] == sorted(
        path.relative_to(dest).as_posix() for path in dest.rglob("*.parquet")
    )


def test_an_older_version_can_be_exported_and_no_rows_keep_their_columns(tmp_path: Path) -> None:
    lake = filled(tmp_path)
    made = lake.export_parquet(NAME, tmp_path / "before", at=0)
    assert (made.version, made.rows) == (0, 0)
    assert pq.read_table(tmp_path / "before" / made.files[0]).schema.equals(SCHEMA)


def test_files_are_closed_at_their_size(tmp_path: Path) -> None:
    lake = filled(tmp_path)
    for _ in range(4):
        lake.append(NAME, ROWS)
    made = export.export(lake.snapshot(NAME), lake.root, tmp_path / "out", NOW, file_bytes=1)
    assert len(made.files) > 1
    assert len(rows(tmp_path / "out")) == 15


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    lake, dest = filled(tmp_path), tmp_path / "out"
    dest.mkdir()
    lake.export_parquet(NAME, dest)
    before = json.loads((dest / "_export.json").read_text())
    with pytest.raises(Conflict, match="--force"):
        lake.export_parquet(NAME, dest)
    lake.append(NAME, ROWS)
    lake.export_parquet(NAME, dest, force=True)
    assert json.loads((dest / "_export.json").read_text())["version"] == before["version"] + 1
    assert len(rows(dest)) == 6
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(Conflict, match="no export"):
        lake.export_parquet(NAME, other, force=True)
    assert [path.name for path in other.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    "place", ["lake", "lake/curated/notes", "lake/elsewhere", ".", "up/../lake/x"]
)
def test_nothing_is_exported_into_the_lake_or_over_it(tmp_path: Path, place: str) -> None:
    lake = filled(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(NameRefused, match="lie in each other"):
        lake.export_parquet(NAME, tmp_path / place, force=True)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_link_does_not_lead_into_the_lake(tmp_path: Path) -> None:
    lake = filled(tmp_path)
    (tmp_path / "door").symlink_to(tmp_path / "lake")
    with pytest.raises(NameRefused):
        lake.export_parquet(NAME, tmp_path / "door" / "out")


def test_an_export_that_fails_leaves_nothing(tmp_path: Path) -> None:
    lake = filled(tmp_path)
    next((tmp_path / "lake" / NAME).glob("*.parquet")).unlink()
    with pytest.raises(Vacuumed, match="curated/notes"):
        lake.export_parquet(NAME, tmp_path / "out" / "notes")
    assert list((tmp_path / "out").iterdir()) == []


def test_the_command_exports_and_answers_as_json(tmp_path: Path, lakeshelf: Run) -> None:
    lake = filled(tmp_path)
    done = lakeshelf("lake", "export", "curated.notes", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert told["fingerprint"] == content_fingerprint(lake.read(NAME))
    assert lakeshelf("lake", "export", NAME, tmp_path / "out").error.endswith(
        "`--force` replaces it"
    )
    assert "3" in lakeshelf("lake", "export", NAME, tmp_path / "out", "--force").out


values = {
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): st.floats(allow_nan=False).filter(lambda x: str(x) != "-0.0"),
    pa.string(): st.text(),
    pa.binary(): st.binary(),
    pa.bool_(): st.booleans(),
    pa.date32(): st.dates(),
    pa.timestamp("us", tz="UTC"): st.datetimes(timezones=st.just(UTC)),
    pa.decimal128(12, 3): st.decimals(-(10**6), 10**6, places=3),
    pa.list_(pa.int8()): st.lists(st.none() | st.integers(-128, 127), max_size=3),
    pa.struct([("a", pa.string()), ("b", pa.list_(pa.string()))]): st.fixed_dictionaries(
        {"a": st.none() | st.text(max_size=3), "b": st.none() | st.lists(st.text(max_size=2))}
    ),
}


@st.composite
def columns(draw: st.DrawFn) -> pa.Array:
    kind = draw(st.sampled_from(list(values)))
    return pa.array(draw(st.lists(st.none() | values[kind], max_size=12)), kind)


@given(column=columns())
@settings(max_examples=200, deadline=None)
def test_values_are_equal_where_their_bytes_are(column: pa.Array) -> None:
    texts = canonical(column).to_pylist()
    assert len(texts) == len(column)
    listed = column.to_pylist()
    for i, a in enumerate(listed):
        for j, b in enumerate(listed):
            assert (texts[i] == texts[j]) == (a == b)
    assert canonical(column.slice(1)).to_pylist() == texts[1:]


@given(
    rows=st.lists(st.tuples(st.text(max_size=2), st.none() | st.integers(0, 3)), max_size=12),
    data=st.data(),
)
@settings(max_examples=100, deadline=None)
def test_order_and_batches_do_not_count_but_each_row_does(
    rows: list[tuple[str, int | None]], data: st.DataObject
) -> None:
    def of(given: list[tuple[str, int | None]], size: int = 100) -> str:
        columns = list(zip(*given, strict=True)) or [[], []]
        table = pa.table(
            {"a": pa.array(columns[0], pa.string()), "b": pa.array(columns[1], pa.int64())}
        )
        return content_fingerprint(table.to_reader(max_chunksize=size))

    shuffled = data.draw(st.permutations(rows))
    assert of(shuffled, data.draw(st.integers(1, 5))) == of(rows)
    changed = data.draw(st.lists(st.sampled_from([*rows, ("", None)]), max_size=12))
    assert (of(changed) == of(rows)) == (sorted(changed, key=repr) == sorted(rows, key=repr))


def test_the_same_values_in_other_clothes_have_one_fingerprint() -> None:
    same = [
        (pa.array([1, None], pa.int8()), pa.array([1, None], pa.int64())),
        (pa.array([float("nan"), -0.0]), pa.array([-float("nan"), 0.0])),
        (pa.array([Decimal("1.5")], pa.decimal128(3, 1)), pa.array([Decimal("1.500")], pa.decimal128(30, 3))),
        (pa.array(["a", "a"]).dictionary_encode(), pa.array(["a", "a"], pa.large_string())),
        (pa.array([NOW], pa.timestamp("s", tz="Europe/Paris")), pa.array([NOW], pa.timestamp("ns", tz="UTC"))),
        (pa.array([date(2020, 1, 1)], pa.date64()), pa.array([date(2020, 1, 1)], pa.date32())),
        (pa.array([[1, 2]], pa.list_(pa.int8(), 2)), pa.array([[1, 2]], pa.large_list(pa.int64()))),
        (pa.array([1.5], pa.float32()), pa.array([1.5], pa.float64())),
    ]  # fmt: skip
    for a, b in same:
        assert canonical(a).to_pylist() == canonical(b).to_pylist()


def test_values_do_not_run_into_their_neighbours() -> None:
    def of(**columns: list[object]) -> str:
        return RowSums.of(pa.table(columns).to_batches()).fingerprint

    found = [
        of(a=["ab"], b=["c"]), of(a=["a"], b=["bc"]), of(a=["ab"], c=["c"]), of(a=["c"], b=["ab"]),
        of(a=[["a", "b"]], b=["c"]), of(a=[["ab"]], b=["c"]), of(a=[["a", None]], b=["c"]),
        of(a=[["a", "-"]], b=["c"]), of(a=[["a"], None], b=["c", "d"]), of(a=[["a"], []], b=["c", "d"]),
    ]  # fmt: skip
    assert len(set(found)) == len(found)


def test_what_has_no_canonical_form_is_refused() -> None:
    column = pa.array([pa.MonthDayNano([1, 2, 3])])
    with pytest.raises(SchemaError, match="month_day_nano_interval cannot be compared"):
        canonical(column)
