"""What cannot be migrated is refused by name, with the way out, and nothing is published."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakeshelf.lake import Conflict, Lake, LakeError
from lakeshelf.migration import Options, dry_run, migrate
from tests.conftest import Run
from tests.migration.layouts import NAME, in_lake, left_over, lines, put

AT = datetime(2020, 1, 1, tzinfo=UTC)
CASES: dict[str, tuple[pa.Array, str]] = {
    "unsigned": (pa.array([2**64 - 1], pa.uint64()), r"uint64: Delta has no unsigned.*decimal\(20, 0\)"),
    "time": (pa.array([time(1)]), "no time of day; cast it to text"),
    "duration": (pa.array([timedelta(1)]), "no durations; cast it to microseconds"),
    "no zone": (pa.array([AT.replace(tzinfo=None)]), "has no zone; `--assume-utc`"),
    "nested": (pa.array([[{"a": 1}]], pa.list_(pa.struct([("a", pa.uint64())]))), "uint64"),
    "digits": (pa.array([Decimal(1)], pa.decimal256(60, 2)), "Delta has 38 digits"),
    "nanoseconds": (pa.array([1], pa.timestamp("ns", tz="UTC")), "part-0.parquet: a value of column v"),
}  # fmt: skip


def refused(tmp_path: Path, source: Path, told: str, **options: Any) -> LakeError:
    lake = Lake(tmp_path / "lake")
    with pytest.raises(LakeError, match=told) as caught:
        migrate(lake, source, NAME, Options(**options))
    assert lake.names() == []
    assert not (tmp_path / "lake" / NAME).exists()
    return caught.value


@pytest.mark.parametrize("case", CASES)
def test_a_type_that_delta_does_not_have_is_refused_with_the_way_out(
    tmp_path: Path, case: str
) -> None:
    column, told = CASES[case]
    put(tmp_path / "in", "part-0.parquet", pa.table({"v": column}))
    refused(tmp_path, tmp_path / "in", told)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["a b"], "character that Delta refuses"), (["a;"], "character that Delta refuses"),
        ([""], "character that Delta refuses"), (["Sku", "sku"], "there twice; capitals"),
        (["_change_type"], "change feed"),
    ],
)  # fmt: skip
def test_a_name_that_delta_does_not_take_is_refused(
    tmp_path: Path, names: list[str], told: str
) -> None:
    put(tmp_path / "in", "a.parquet", pa.table([pa.array([1])] * len(names), names=names))
    refused(tmp_path, tmp_path / "in", told)


def test_fields_of_structs_that_differ_in_capitals_are_refused(tmp_path: Path) -> None:
    kind = pa.struct([("a", pa.int8()), ("A", pa.int8())])
    put(tmp_path / "in", "a.parquet", {"v": pa.array([None], kind)})
    refused(tmp_path, tmp_path / "in", "has a field twice")


def test_what_is_no_parquet_is_named(tmp_path: Path) -> None:
    source = lines(tmp_path / "in")
    (source / "notes.csv").write_text("a,b\n1,2\n3,4\n")
    refused(tmp_path, source, "notes.csv is no parquet file")
    (source / "notes.csv").unlink()
    whole = (source / "store_id=1/part-0.parquet").read_bytes()
    (source / "store_id=1/part-0.parquet").write_bytes(whole[: len(whole) // 2])
    refused(tmp_path, source, "store_id=1/part-0.parquet is no parquet file, or was cut off")


@pytest.mark.parametrize("place", [6, -12])
def test_a_corrupt_file_is_named_and_nothing_is_published(tmp_path: Path, place: int) -> None:
    source = lines(tmp_path / "in")
    file = source / "store_id=2/part-0.parquet"
    content = bytearray(file.read_bytes())
    content[place : place + 6] = b"\xff" * 6
    file.write_bytes(content)
    refused(tmp_path, source, "store_id=2/part-0.parquet cannot be read")


def test_an_empty_folder_a_missing_one_and_a_delta_table_are_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "_SUCCESS").touch()
    (tmp_path / "in" / ".part.crc").touch()
    refused(tmp_path, tmp_path / "in", "has no parquet files")
    refused(tmp_path, tmp_path / "elsewhere", "no .*elsewhere")
    Lake(tmp_path / "other").append(NAME, [{"a": 1}])
    refused(tmp_path, tmp_path / "other", "is a Delta table already")


def test_a_folder_behind_a_link_is_not_left_out_in_silence(tmp_path: Path) -> None:
    source = lines(tmp_path / "in")
    shutil.move(source / "store_id=2", tmp_path / "away")
    (source / "store_id=2").symlink_to(tmp_path / "away")
    refused(tmp_path, source, "is a link")


def test_files_that_differ_are_refused_until_merge_is_asked_for(tmp_path: Path) -> None:
    source = lines(tmp_path / "in")
    put(source, "store_id=9/part-0.parquet", {"sku": ["x"], "qty": [1.5], "new": [1]})
    error = refused(tmp_path, source, r"\(2 more; `--dry-run` lists them\)")
    assert "column qty is double, expected is int64" in str(error)
    found = dry_run(Lake(tmp_path / "lake"), source, NAME, Options())
    assert [len(file.drift) for file in found.files] == [0, 0, 0, 2]
    assert (found.outcome, found.exit_code, len(found.problems)) == ("refused", 1, 3)
    refused(tmp_path, source, "does not go together with int64", schema="merge")


def test_partitions_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    source = lines(tmp_path / "in")
    refused(tmp_path, source, "no folder names a partition 'shop'", partitions={"shop": pa.int8()})
    put(source, "store_id=north/a.parquet", {"sku": ["x"], "qty": [1]})
    refused(tmp_path, source, "store_id=north is no int64", partitions={"store_id": pa.int64()})
    put(source, "b.parquet", {"sku": ["x"], "qty": [1]})
    refused(
        tmp_path,
        source,
        "has partitions .*store_id.* has none|has partitions store_id, b.parquet has none",
    )
    both = tmp_path / "both"
    put(both, "k=1/a.parquet", {"k": [1], "v": [2]})
    refused(tmp_path, both, "`--no-hive`")
    migrate(Lake(tmp_path / "lake"), both, NAME, Options(hive=False))
    assert Lake(tmp_path / "lake").read(NAME).read_all().to_pylist() == [{"k": 1, "v": 2}]


def test_types_of_partitions_are_declared_or_seen_in_their_values(tmp_path: Path) -> None:
    for place in ("a=1/b=007/c=2020-01-01", "a=2/b=8/c=__HIVE_DEFAULT_PARTITION__"):
        put(tmp_path / "in", f"{place}/x.parquet", {"v": [1]})
    lake = Lake(tmp_path / "lake")
    columns = dry_run(lake, tmp_path / "in", NAME, Options()).columns
    assert (columns["a"], columns["b"], columns["c"]) == ("int64", "string", "date32[day]")
    migrate(lake, tmp_path / "in", NAME, Options(partitions={"b": pa.int32()}))
    assert sorted(lake.read(NAME).read_all()["b"].to_pylist()) == [7, 8]


def test_conversions_are_listed(tmp_path: Path) -> None:
    naive = [datetime(2020, 1, 1), datetime(9999, 12, 31), None]  # noqa: DTZ001
    columns = {
        "old": pa.array(naive, pa.timestamp("us")),
        "u": pa.array([1, 255, None], pa.uint8()),
        "d": pa.array(["a", "b", None]).dictionary_encode(),
        "nothing": pa.nulls(3),
    }
    put(tmp_path / "in", "a.parquet", columns, use_deprecated_int96_timestamps=True)
    lake = Lake(tmp_path / "lake")
    made = migrate(lake, tmp_path / "in", NAME, Options(assume_utc=True))
    assert set(made.conversions) == {
        "old: int96 becomes timestamp[us, tz=UTC]",
        "u: uint8 becomes int16",
        "d: dictionary<values=string, indices=int32, ordered=0> becomes string",
        "nothing: null becomes string",
    }
    found = lake.read(NAME).read_all()
    assert found["old"].to_pylist() == [at and at.replace(tzinfo=UTC) for at in naive]
    assert found["u"].to_pylist() == [1, 255, None]


def test_int96_between_microseconds_is_refused(tmp_path: Path) -> None:
    column = pa.array([1_500], pa.timestamp("ns"))
    put(tmp_path / "in", "a.parquet", {"v": column}, use_deprecated_int96_timestamps=True)
    refused(tmp_path, tmp_path / "in", "between microseconds", assume_utc=True)


def test_files_without_rows_make_a_table_without_rows(tmp_path: Path) -> None:
    put(tmp_path / "in", "k=1/a.parquet", pa.schema([("v", pa.int8())]).empty_table())
    lake = Lake(tmp_path / "lake")
    assert migrate(lake, tmp_path / "in", NAME, Options()).rows == 0
    assert lake.read(NAME).schema.names == ["k", "v"]
    assert migrate(lake, tmp_path / "in", NAME, Options()).outcome == "unchanged"


@pytest.mark.slow
def test_one_file_and_a_thousand_columns_are_sources_too(tmp_path: Path) -> None:
    file = put(tmp_path, "wide.parquet", {f"c{i}": [i] for i in range(1000)})
    lake = Lake(tmp_path / "lake")
    migrate(lake, file, NAME, Options())
    assert lake.read(NAME).read_all().equals(pq.read_table(file))


def test_the_table_itself_a_job_s_table_and_a_folder_in_use_are_no_target(tmp_path: Path) -> None:
    source = lines(tmp_path / "lake" / NAME)
    with pytest.raises(LakeError, match="lie in each other"):
        migrate(Lake(tmp_path / "lake"), source, NAME, Options())
    with pytest.raises(LakeError, match="lie in each other"):
        migrate(Lake(tmp_path / "lake"), tmp_path, NAME, Options())
    other = lines(tmp_path / "in")
    with pytest.raises(Conflict, match="alone"):
        migrate(Lake(tmp_path / "lake"), other, "cleansed/shelf_state", Options())
    with pytest.raises(Conflict, match="holds files that are no table"):
        migrate(Lake(tmp_path / "lake"), other, NAME, Options())


def test_rows_that_break_a_constraint_of_the_target_are_refused(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    lake.create(NAME, pa.schema([("n", pa.int64())]), constraints={"positive": "n > 0"})
    put(tmp_path / "in", "a.parquet", {"n": [1, -1]})
    with pytest.raises(LakeError, match="validation check"):
        migrate(lake, tmp_path / "in", NAME, Options(), incremental=True)
    assert lake.snapshot(NAME).version <= 1
    put(tmp_path / "in", "a.parquet", {"n": [1, 2]})
    migrate(lake, tmp_path / "in", NAME, Options(), incremental=True)
    assert sum(in_lake(lake).values()) == 2
    assert left_over(tmp_path / "lake") == []


def test_the_command_says_what_is_wrong_in_one_line(tmp_path: Path, lakeshelf: Run) -> None:
    source = lines(tmp_path / "in")
    assert (
        "int7" in lakeshelf("lake", "migrate", source, NAME, "--partition", "store_id:int7").error
    )
    assert lakeshelf("lake", "migrate", source, NAME, "--verify", "--dry-run").code == 2
    assert "is no name of a dataset" in lakeshelf("lake", "migrate", source, "../x").error
