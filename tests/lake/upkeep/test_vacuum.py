"""Vacuum and log clean-up delete what nobody needs, and nothing that a run or a cursor refers to."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from lakeshelf.errors import LakeError
from lakeshelf.lake import Lake
from lakeshelf.lake.form.commits import HOOKS
from lakeshelf.lake.history import pins
from lakeshelf.lake.history.cursors import Consumer
from lakeshelf.lake.place.errors import VersionNotFound
from lakeshelf.lake.rows.diff import CHANGE_TYPE
from lakeshelf.lake.upkeep import maintenance, vacuuming
from lakeshelf.lake.upkeep.maintenance import UpkeepLimits, maintain, optimize, vacuum
from lakeshelf.lake.upkeep.vacuuming import Swept
from tests.lake.upkeep.rig import NAME, SCHEMA, add, made, on_disk, paths, rows, without_retention

ALL = UpkeepLimits(min_small_files=2)
COPY = "curated/copy"
READER = Consumer("reader", COPY)


def log(root: Path) -> list[str]:
    return sorted(p.name for p in (root / NAME / "_delta_log").glob("*.json"))


def merged(root: Path) -> DeltaTable:
    """A table without retention whose files have been replaced."""
    handle = without_retention(made(root, ("a", "b"), files=4))
    optimize(handle, min_small_files=2)
    return handle


def test_replaced_files_and_orphans_go_and_a_second_run_does_nothing(tmp_path: Path) -> None:
    handle, content = merged(tmp_path), rows(tmp_path)
    orphans = [
        tmp_path / NAME / "part-of-a-killed-writer.parquet",
        tmp_path / NAME / "day=a" / "other.parquet",
    ]
    for orphan in orphans:
        orphan.write_bytes(b"half")
        os.utime(orphan, (0, 0))
    version = handle.version()
    report = vacuum(handle)
    assert report.files == 8 + len(orphans)
    assert on_disk(tmp_path) - set().union(*paths(handle).values()) == {
        name for name in on_disk(tmp_path) if name.startswith("_delta_log")
    }
    assert vacuum(handle) == Swept()
    assert handle.version() == version == DeltaTable(handle.table_uri).version()
    assert rows(tmp_path) == content


def test_delta_itself_would_count_files_again_and_commit_each_time(tmp_path: Path) -> None:
    handle = merged(tmp_path)
    version = handle.version()
    for _ in range(2):
        handle.vacuum(
            0, dry_run=False, enforce_retention_duration=False, full=True, keep_versions=[5]
        )
    assert handle.version() > version


def test_a_dry_run_names_the_files_and_deletes_none(tmp_path: Path) -> None:
    handle = merged(tmp_path)
    before = on_disk(tmp_path)
    planned = vacuum(handle, dry_run=True)
    assert on_disk(tmp_path) == before
    done = vacuum(handle)
    assert (planned.files, planned.bytes, planned.log) == (done.files, done.bytes, done.log)
    assert set(planned.names) == {
        p for p in before - on_disk(tmp_path) if not p.startswith("_delta_log")
    }


def test_files_in_partitions_of_any_name_are_found(tmp_path: Path) -> None:
    days = ("a b", "ü", "50%", "x/y", "o'c", "%41", None)
    handle = without_retention(made(tmp_path, days, files=2))
    optimize(handle, min_small_files=2)
    assert vacuum(handle).files == 2 * len(days)
    assert len(
        [p for p in on_disk(tmp_path) if p.endswith("parquet") and "_delta_log" not in p]
    ) == len(days)


def test_seven_days_protect_readers_unless_the_table_says_otherwise(tmp_path: Path) -> None:
    handle = made(tmp_path, files=4, profile="shared")
    optimize(handle, min_small_files=2)
    with pytest.raises(LakeError, match="keeps them 7 days"):
        vacuum(handle, timedelta(hours=1))
    assert vacuum(handle).files == 0
    without_retention(handle)
    assert vacuum(handle, timedelta(hours=1)).files == 0, "they were replaced a moment ago"
    assert vacuum(handle, timedelta(0)).files == 4


def test_a_longer_retention_keeps_what_the_log_still_tells_of(tmp_path: Path) -> None:
    handle = merged(tmp_path)
    assert vacuum(handle, timedelta(days=1)).files == 0
    assert rows(tmp_path, at=3)


@pytest.fixture
def published(tmp_path: Path) -> tuple[Path, str, list[tuple[str, ...]]]:
    """A table that a run has read before it was rewritten."""
    handle = made(tmp_path, ("a", "b"), files=4)
    with Lake(tmp_path).run("reading") as run:
        content = run.read(NAME).read_all().num_rows
    then = rows(tmp_path)
    assert content == len(then)
    add(handle, 30, "a")
    without_retention(handle)
    return tmp_path, "reading", then


def test_what_a_run_has_read_stays_readable_through_maintenance(
    published: tuple[Path, str, list[tuple[str, ...]]],
) -> None:
    root, run, then = published
    for _ in range(3):
        maintain(DeltaTable(str(root / NAME)), ALL)
    fresh = Lake(root)
    found = sorted(
        tuple(str(v) for v in row.values()) for row in fresh.read(NAME, run).read_all().to_pylist()
    )
    assert found == then
    assert len(rows(root)) == len(then) + 90


def test_without_its_pin_the_run_could_not_be_read(
    published: tuple[Path, str, list[tuple[str, ...]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, run, _ = published
    monkeypatch.setattr(pins, "oldest", lambda *_: None)
    maintain(DeltaTable(str(root / NAME)), ALL)
    with pytest.raises(LakeError):
        Lake(root).read(NAME, run).read_all()


def test_a_run_holds_nothing_back_once_it_has_expired(
    published: tuple[Path, str, list[tuple[str, ...]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, _, _ = published
    assert pins.oldest(Lake(root).root, NAME) == 8
    monkeypatch.setattr(pins, "configured_retention", lambda: timedelta(0))
    assert pins.oldest(Lake(root).root, NAME) is None


def changed(root: Path) -> DeltaTable:
    """A table with change data that a registered consumer has not read, without retention."""
    lake = Lake(root)
    handle = made(root, files=3)
    copied(lake)
    handle.update_incremental()
    handle.update({"m": "m + 10"}, predicate="n = 1", post_commithook_properties=HOOKS)
    handle.delete("n = 2", post_commithook_properties=HOOKS)
    add(handle, 25)
    return without_retention(handle)


def copied(lake: Lake) -> str | None:
    """Bring the copy up to date, and say whether all rows had to be read."""
    found = lake.changes(NAME, READER)
    if found.full_refresh:
        rows = found.rows.read_all().drop_columns([CHANGE_TYPE])
        lake.overwrite(COPY, rows, txn=found.txns)
    else:
        lake.merge(COPY, found.rows, ["n", "m"], txn=found.txns)
    return found.full_refresh


def test_changes_that_a_cursor_has_not_read_stay(tmp_path: Path) -> None:
    handle = changed(tmp_path)
    feed = {p for p in on_disk(tmp_path) if p.startswith("_change_data")}
    assert feed
    for _ in range(2):
        maintain(DeltaTable(handle.table_uri), ALL)
    assert feed <= on_disk(tmp_path)
    assert not Lake(tmp_path).changes(NAME, READER).full_refresh, "no full refresh"


def test_without_its_pin_a_cursor_would_have_to_read_all_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = changed(tmp_path)
    monkeypatch.setattr(pins, "oldest", lambda *_: None)
    maintain(DeltaTable(handle.table_uri), ALL)
    assert Lake(tmp_path).changes(NAME, READER).full_refresh


def test_the_log_is_shortened_behind_a_checkpoint_and_every_version_it_tells_of_can_be_read(
    tmp_path: Path,
) -> None:
    handle = without_retention(made(tmp_path, files=45))
    folder = tmp_path / NAME / "_delta_log"
    handle.alter.set_table_properties(
        {"delta.logRetentionDuration": "interval 1 hours"}, post_commithook_properties=HOOKS
    )
    for version in range(30):
        os.utime(folder / f"{version:020d}.json", (0, 0))
    for checkpoint in folder.glob("*.checkpoint.parquet"):
        os.utime(checkpoint, (0, 0))
    vacuum(handle)
    left = [int(name[:20]) for name in log(tmp_path)]
    assert min(left) in vacuuming.checkpoints(os.listdir(folder))
    assert 0 < min(left) <= 30
    for version in left:
        DeltaTable(handle.table_uri, version=version)
    with pytest.raises(VersionNotFound):
        Lake(tmp_path).read(NAME, min(left) - 1)


def test_an_unfinished_checkpoint_is_no_reason_to_shorten_the_log() -> None:
    whole = ["00000000000000000020.checkpoint.0000000001.0000000002.parquet",
             "00000000000000000020.checkpoint.0000000002.0000000002.parquet"]  # fmt: skip
    assert vacuuming.checkpoints(whole) == [20]
    assert vacuuming.checkpoints(whole[:1]) == []
    assert vacuuming.entries_before(
        ["00000000000000000019.json", "00000000000000000019.00000000000000000021.compacted.json",
         "00000000000000000020.json", "_last_checkpoint", "00000000000000000018.crc"], 20,
    ) == ["00000000000000000019.json", "00000000000000000018.crc"]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [("interval 5 minutes", timedelta(minutes=5)), ("7 days", timedelta(days=7)),
     ("interval 1 week", timedelta(weeks=1)),
     ("INTERVAL 2 HOURS", timedelta(hours=2)), ("soon", None), ("interval 3 moons", None)],
)  # fmt: skip
def test_durations_are_read_as_delta_writes_them(
    tmp_path: Path, text: str, expected: timedelta | None
) -> None:
    handle = made(tmp_path, properties={"lakeshelf.kept": text})
    if expected is None:
        with pytest.raises(LakeError, match="no duration"):
            vacuuming.duration(handle, ("lakeshelf.kept", timedelta(0)))
    else:
        assert vacuuming.duration(handle, ("lakeshelf.kept", timedelta(0))) == expected


@pytest.mark.slow
def test_every_commit_of_the_library_leaves_the_log_to_maintenance(tmp_path: Path) -> None:
    handle = without_retention(made(tmp_path, ("a",), files=25))
    lake = Lake(tmp_path)
    optimize(handle, min_small_files=2)
    optimize(handle, columns=["n"])
    lake.restore(NAME, 26)  # with its properties
    lake.enable(NAME, "timestampNtz")
    lake.append(NAME, pa.table({"n": [1] * 40, "m": [1] * 40, "day": ["z"] * 40}, SCHEMA))
    for number in range(20):
        lake.append(NAME, pa.table({"n": [number], "m": [1], "day": ["z"]}, SCHEMA))
    assert len(log(tmp_path)) == DeltaTable(handle.table_uri).version() + 1
    vacuum(DeltaTable(handle.table_uri))
    assert len(log(tmp_path)) < 25


def test_spark_alone_vacuums_tables_with_deletion_vectors(tmp_path: Path) -> None:
    handle = made(tmp_path, files=0, profile="spark_only")
    with pytest.raises(LakeError, match="deletionVectors"):
        vacuum(handle)
    with pytest.raises(LakeError, match="deletionVectors"):
        optimize(handle)
    assert maintain(handle).kept == "Spark maintains it"
    assert maintenance.ACTIONS == ("optimize", "vacuum")
