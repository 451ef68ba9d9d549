"""Traps of the libraries (docs/design/pitfalls.md#delta-in-python), each shown as it is: so we learn when it is gone.

What the product does instead is tested where it does it; `SHOWN` says where.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import duckdb as duckdb_module
import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, TableFeatures, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from lakeshelf.lake import Lake
from lakeshelf.lake.form import features
from lakeshelf.lake.place.errors import FeatureRefused
from lakeshelf.lake.upkeep import optimizing
from lakeshelf.query import duck

ROWS = pa.table({"k": pa.array([1, 2, None], pa.int64()), "v": ["a", "b", "c"]})
TESTS = Path(__file__).parents[1]
SHOWN = {
    "features set together lock delta-rs out": ["matrix/test_traps.py::test_features_that_are_set_together"],
    "features that a plain table lacks": ["matrix/test_traps.py::test_what_a_plain_table_lacks",
        "matrix/test_traps.py::test_deletion_vectors_and_column_mapping_are_turned_on"],
    "delta-rs writes no row tracking, in-commit timestamps, identity, clustering": [
        "lake/form/test_features.py::test_the_words_are_what_the_engines_do", "matrix/test_writes.py::test_a_write"],
    "times without a zone upgrade a table": [
        "lake/form/test_features.py::test_left_to_delta_a_table_would_be_upgraded"],
    "silent and lossy casts": ["lake/form/test_schemas.py::test_plain_delta_casts_what_we_refuse"],
    "nulls on a column-mapped table": ["matrix/test_engines.py::test_rows_as_nulls_without_an_error"],
    "count ignores deletion vectors": ["matrix/test_engines.py::test_rows_that_are_deleted_in_place"],
    "DataFusion's provider and deletion vectors": ["query/test_features.py::test_the_own_route_of_an_engine",
        "matrix/test_engines.py::test_the_own_route_is_still_wrong"],
    "DataFusion's INSERT": ["matrix/test_traps.py::test_datafusion_inserts_nothing"],
    "the version read by opening the path again": ["matrix/test_traps.py::test_the_path_opened_again"],
    "times by the age of files": ["lake/rows/test_versions.py::test_a_plain_copy_has_the_same_version"],
    "a one-shot reader commits zero rows": ["matrix/test_traps.py::test_a_reader_that_was_read",
        "lake/write/test_races.py::test_a_stream_that_was_read_is_never_committed"],
    "application ids are stored, not enforced": ["matrix/test_traps.py::test_an_application_id_is_stored",
        "lake/form/test_commits.py::test_without_the_check_a_repeat_doubles_rows"],
    "merges starve beside busy appenders": ["matrix/test_traps.py::test_a_merge_loses_against_an_append",
        "lake/write/test_races.py::test_a_writer_that_always_loses_says_so"],
    "`configuration=` on an existing table": ["matrix/test_traps.py::test_a_configuration_given_to_a_table"],
    "an identical alter still commits": ["matrix/test_traps.py::test_an_identical_alter",
        "lake/form/test_features.py::test_enabling_twice_commits_once"],
    "vacuum counts files twice": ["matrix/test_traps.py::test_vacuum_counts_files_again",
        "lake/upkeep/test_vacuum.py::test_delta_itself_would_count_files_again"],
    "light vacuum and orphans": ["matrix/test_traps.py::test_light_vacuum"],
    "`keep_versions` is undone by log clean-up": ["matrix/test_traps.py::test_versions_that_vacuum_keeps",
        "lake/upkeep/test_vacuum.py::test_what_a_run_has_read_stays_readable"],
    "log clean-up runs by itself": ["lake/upkeep/test_maintenance.py::test_left_to_delta_commits_would_delete"],
    "z-order rewrites everything": ["matrix/test_traps.py::test_z_order_rewrites_everything",
        "lake/upkeep/test_optimize.py::test_z_order_touches_changed_partitions_alone"],
    "duplicate source keys": ["matrix/test_traps.py::test_duplicate_source_keys",
        "lake/write/test_merging.py::test_of_several_rows_of_a_key_the_newest_counts"],
    "`=` never matches null keys": ["matrix/test_traps.py::test_null_keys_never_match",
        "lake/write/test_merging.py::test_a_null_key_is_refused"],
    "copy-on-write": ["matrix/test_traps.py::test_one_changed_row_copies_its_file"],
    "IS DISTINCT FROM without parentheses": ["matrix/test_traps.py::test_is_distinct_from"],
    "what follows a semicolon": ["lake/rows/test_predicates.py::test_plain_delta_ignores_what_follows_a_semicolon"],
    "a literal percent in a path": ["lake/place/test_errors.py::test_delta_would_decode_a_percent_sign"],
    "letters beyond ASCII in a path of Spark": ["matrix/test_traps.py::test_a_file_whose_path_spark_wrote"],
    "damage": ["matrix/test_traps.py::test_a_commit_of_zero_bytes", "lake/rows/test_tables.py::test_a_damaged_log",
        "lake/upkeep/test_doctor.py::test_damage_is_named_with_its_way_out"],
    "errors of many types": ["lake/place/test_errors.py::test_what_libraries_raise"],
    "DuckDB's external access": ["matrix/test_traps.py::test_without_external_access"],
    "AT on a view over delta_scan": ["matrix/test_traps.py::test_at_does_not_work_on_a_view"],
    "a commit on a version that was read": [
        "lake/write/test_expecting.py::test_without_the_guard_the_write_goes_through_over_an_empty_commit"],
    "a write that changes nothing": [
        "lake/write/test_expecting.py::test_a_write_that_changes_nothing_does_not_succeed_on_an_old_version"],
    "two that merge the same files": [
        "lake/upkeep/test_optimize.py::test_what_another_has_merged_is_not_doubled_and_would_be"],
}  # fmt: skip
"""Trap → where it is shown, and where what the product does instead is tested.

Two processes on one local path, one of them Spark, can overwrite each other's commit: Spark looks whether the entry is
there and then renames. No test has it, because nothing outside the JVM can step in between the two.
"""


@pytest.fixture
def place(tmp_path: Path) -> str:
    """A table of three rows; one key is null."""
    write_deltalake(str(tmp_path / "t"), ROWS)
    return str(tmp_path / "t")


def values(place: str) -> list[str]:
    return sorted(
        pa.RecordBatchReader.from_stream(DeltaTable(place).scan()).read_all()["v"].to_pylist()
    )


def upsert(table: DeltaTable, source: pa.Table, on: str = "t.k = s.k") -> None:
    merge = table.merge(source, on, source_alias="s", target_alias="t")
    merge.when_matched_update_all().when_not_matched_insert_all().execute()


@pytest.mark.parametrize("trap", SHOWN)
def test_every_trap_has_its_tests(trap: str) -> None:
    for named in SHOWN[trap]:
        file, test = named.split("::")
        assert re.search(rf"^def {test}\w*\(", (TESTS / file).read_text(), re.M), named


def test_features_that_are_set_together_lock_delta_rs_out_of_its_own_table(tmp_path: Path) -> None:
    place = str(tmp_path / "matrix" / "t")
    names = ("RowTracking", "DeletionVectors", "ChangeDataFeed", "AppendOnly", "Invariants")
    write_deltalake(place, ROWS)
    table = DeltaTable(place)
    table.alter.add_feature(
        [getattr(TableFeatures, name) for name in names], allow_protocol_versions_increase=True
    )
    for write in (
        lambda: write_deltalake(place, ROWS, mode="append"),
        lambda: DeltaTable(place).restore(0),
        lambda: DeltaTable(place).delete(),
    ):
        with pytest.raises(DeltaError, match=r"(?i)unsupported|not supported"):
            write()
    with pytest.raises(FeatureRefused, match=r"cannot have|cannot be"):
        Lake(tmp_path, catalog={}).enable("matrix/t", "rowTracking")


@pytest.mark.parametrize(
    "setting",
    ["delta.enableRowTracking", "delta.enableTypeWidening", "delta.enableInCommitTimestamps"],
)
def test_what_a_plain_table_lacks_is_no_property_of_it(place: str, setting: str) -> None:
    with pytest.raises(DeltaError, match=f"Error parsing property '{setting}'"):
        DeltaTable(place).alter.set_table_properties({setting: "true"})
    assert DeltaTable(place).version() == 0


def test_deletion_vectors_and_column_mapping_are_turned_on_for_whoever_asks(tmp_path: Path) -> None:
    for feature, setting in (
        ("deletionVectors", {"delta.enableDeletionVectors": "true"}),
        ("columnMapping", {"delta.columnMapping.mode": "name"}),
    ):
        write_deltalake(str(tmp_path / feature), ROWS, configuration=setting)
        assert feature in features.in_force(DeltaTable(str(tmp_path / feature)))
        with pytest.raises(FeatureRefused):
            Lake(tmp_path / "ours").create(
                "a/b", pa.schema(ROWS.schema), profile="shared", properties=setting
            )


def test_datafusion_inserts_nothing(place: str) -> None:
    from datafusion import SessionContext

    context = SessionContext()
    context.register_table("t", DeltaTable(place))
    with pytest.raises(Exception, match=r"(?i)insert|not implemented"):
        context.sql("INSERT INTO t VALUES (9, 'x')").collect()
    assert values(place) == ["a", "b", "c"]


def test_the_path_opened_again_may_tell_the_version_of_somebody_else(place: str) -> None:
    ours = DeltaTable(place)
    write_deltalake(ours, ROWS, mode="append")
    write_deltalake(place, ROWS, mode="append")
    assert (ours.version(), DeltaTable(place).version()) == (1, 2)


def test_a_reader_that_was_read_is_committed_as_no_rows(place: str) -> None:
    reader = ROWS.to_reader()
    reader.read_all()
    write_deltalake(place, reader, mode="overwrite")
    assert values(place) == []


def test_an_application_id_is_stored_and_not_enforced(place: str) -> None:
    once = CommitProperties(app_transactions=[Transaction("app", 1)])
    for _ in range(2):
        write_deltalake(place, ROWS, mode="append", commit_properties=once)
    assert DeltaTable(place).transaction_version("app") == 1
    assert len(values(place)) == 9


def test_a_merge_loses_against_an_append_that_comes_first(place: str) -> None:
    late = DeltaTable(place)
    write_deltalake(place, ROWS, mode="append")
    with pytest.raises(CommitFailedError, match="concurrent"):
        upsert(late, pa.table({"k": [1], "v": ["late"]}))
    assert "late" not in values(place)


def test_a_configuration_given_to_a_table_that_is_there_is_ignored(place: str) -> None:
    write_deltalake(place, ROWS, mode="append", configuration={"delta.appendOnly": "true"})
    assert DeltaTable(place).metadata().configuration == {}


def test_an_identical_alter_still_commits(place: str) -> None:
    for version in (1, 2):
        DeltaTable(place).alter.set_table_properties({"delta.appendOnly": "true"})
        assert DeltaTable(place).version() == version


def test_vacuum_counts_files_again_that_are_gone(place: str) -> None:
    write_deltalake(place, ROWS, mode="overwrite")
    table = DeltaTable(place)
    first, second = (
        table.vacuum(0, dry_run=False, enforce_retention_duration=False, full=False)
        for _ in range(2)
    )
    assert len(first) == 1
    assert [Path(file).name for file in second] == first, (
        "the second names them by their whole path"
    )


def test_light_vacuum_never_sees_orphans(place: str) -> None:
    orphan = Path(place) / "part-of-a-killed-writer.parquet"
    orphan.write_bytes(b"half")
    os.utime(orphan, (0, 0))
    table = DeltaTable(place)
    assert table.vacuum(0, enforce_retention_duration=False, full=False) == []
    assert len(table.vacuum(0, enforce_retention_duration=False, full=True)) == 1


def test_versions_that_vacuum_keeps_are_lost_with_their_log(place: str) -> None:
    DeltaTable(place).alter.set_table_properties(
        {"delta.logRetentionDuration": "interval 0 seconds"}
    )
    write_deltalake(place, ROWS, mode="overwrite")
    table = DeltaTable(place)
    table.vacuum(0, dry_run=False, enforce_retention_duration=False, full=True, keep_versions=[1])
    assert DeltaTable(place, version=1).count() == 3
    table = DeltaTable(place)
    table.create_checkpoint()
    table.cleanup_metadata()
    with pytest.raises(DeltaError):
        DeltaTable(place, version=1)


def test_z_order_rewrites_everything_each_time(place: str) -> None:
    table = DeltaTable(place)
    for _ in range(2):
        table.optimize.z_order(["k"])
        added = table.history(1)[0]
        assert added["operationMetrics"]["numFilesRemoved"] == 1
    assert table.version() == 2


def test_duplicate_source_keys_fail_or_are_inserted_twice(place: str) -> None:
    double = pa.table({"k": [1, 1], "v": ["x", "y"]})
    with pytest.raises(Exception, match=r"(?i)merge|multiple|duplicate"):
        upsert(DeltaTable(place), double)
    upsert(DeltaTable(place), pa.table({"k": [7, 7], "v": ["x", "y"]}))
    assert values(place) == ["a", "b", "c", "x", "y"]


def test_null_keys_never_match(place: str) -> None:
    upsert(DeltaTable(place), pa.table({"k": pa.array([None], pa.int64()), "v": ["new"]}))
    assert values(place) == ["a", "b", "c", "new"]


def test_one_changed_row_copies_its_file(place: str) -> None:
    table = DeltaTable(place)
    upsert(table, pa.table({"k": [1], "v": ["x"]}))
    metrics = table.history(1)[0]["operationMetrics"]
    assert (metrics["num_target_rows_updated"], metrics["num_target_rows_copied"]) == (1, 2)


def test_is_distinct_from_needs_parentheses(place: str) -> None:
    source = pa.table({"k": [1], "v": ["x"]})

    def update(predicate: str) -> None:
        merge = DeltaTable(place).merge(source, "t.k = s.k", source_alias="s", target_alias="t")
        merge.when_matched_update_all(predicate=predicate).execute()

    with pytest.raises(Exception, match=r"(?s)."):
        update("t.v IS DISTINCT FROM s.v OR t.k IS DISTINCT FROM s.k")
    assert values(place) == ["a", "b", "c"]
    update("(t.v IS DISTINCT FROM s.v) OR (t.k IS DISTINCT FROM s.k)")
    assert values(place) == ["b", "c", "x"]


def test_a_commit_of_zero_bytes_counts_as_a_version(place: str) -> None:
    (Path(place) / "_delta_log" / f"{1:020d}.json").write_bytes(b"")
    assert DeltaTable(place).version() == 1
    assert values(place) == ["a", "b", "c"]


@pytest.mark.slow
def test_without_external_access_duckdb_scans_what_is_allowed_alone(place: str) -> None:
    ask = f"SELECT count(*) FROM delta_scan('{place}')"
    for allowed, works in (("[]", False), (f"['{place}/']", True)):
        with duck.connected() as connection:
            connection.execute(f"SET allowed_directories = {allowed}")
            connection.execute("SET enable_external_access = false")
            if works:
                assert connection.execute(ask).fetchone() == (3,)
            else:
                with pytest.raises(duckdb_module.Error, match=r"(?i)disabled by configuration"):
                    connection.execute(ask)


def test_at_does_not_work_on_a_view_over_delta_scan_and_does_on_an_attached_table(
    place: str,
) -> None:
    write_deltalake(place, ROWS, mode="append")
    with duck.connected() as connection:
        connection.execute(f"CREATE VIEW seen AS FROM delta_scan('{place}')")
        with pytest.raises(duckdb_module.Error, match=r"(?i)time travel|AT clause|not support"):
            connection.execute("FROM seen AT (VERSION => 0)")
        connection.execute(f"ATTACH '{place}' AS held (TYPE delta)")
        found = connection.execute("SELECT count(*) FROM held AT (VERSION => 0)").fetchone()
        assert found == (3,)


def test_a_file_whose_path_spark_wrote_with_other_letters_is_never_removed(tmp_path: Path) -> None:
    """Spark logs `part=ä/…` as it is; delta-rs logs its removal as `part=%C3%A4/…`, which is another file."""
    place = str(tmp_path / "a" / "t")
    write_deltalake(place, pa.table({"v": ["old"], "part": ["x"]}), partition_by="part")
    Path(place, "part=x").rename(Path(place, "part=ä"))
    first = Path(place) / "_delta_log" / f"{0:020d}.json"
    told = first.read_text().replace("part=x/", "part=ä/").replace('"part":"x"', '"part":"ä"')
    first.write_text(told)
    assert values(place) == ["old"]
    lake, name = Lake(tmp_path, catalog={}), "a/t"
    row = pa.table({"v": ["new"], "part": ["ä"]})
    for change in (lambda: lake.overwrite(name, row), lambda: lake.merge(name, row, keys=["part"])):
        with pytest.raises(FeatureRefused, match="would not remove part=ä/"):
            change()
    assert DeltaTable(place).version() == 0
    assert optimizing.files_of(DeltaTable(place)) == [], "and it is not compacted"
    write_deltalake(place, pa.table({"v": ["new"], "part": ["x"]}), mode="overwrite")
    assert values(place) == ["new", "old"], "overwritten, and still there"
