"""The lake's API: what a user of the library relies on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from lakeshelf.errors import ConfigurationError
from lakeshelf.lake import (
    Conflict,
    Dataset,
    Datasets,
    KeyViolation,
    Lake,
    NameRefused,
    NotFound,
    PredicateError,
    SchemaError,
    VersionNotFound,
)
from lakeshelf.lake.rows import tables

NOTES = "curated/notes"
ROWS = [{"id": 1, "note": "dusty"}, {"id": 2, "note": None}]


@pytest.fixture
def notes(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path, who="ann", why="spring clean")
    lake.append(NOTES, ROWS)
    return lake


def rows(lake: Lake, **how: object) -> list[dict[str, object]]:
    return lake.read(NOTES, **how).read_all().sort_by("id").to_pylist()  # type: ignore[arg-type]


def test_a_first_write_creates_the_table(notes: Lake) -> None:
    assert notes.names() == [NOTES]
    assert rows(notes) == ROWS
    assert rows(notes, columns=["note", "id"]) == [{"note": r["note"], "id": r["id"]} for r in ROWS]


def test_every_commit_says_who_why_and_over_which_schema(notes: Lake) -> None:
    kept = {"ticket": 7, "tags": ["a", "b"], "nested": {"ok": True}, "text": "7"}
    commit = notes.append(NOTES, [{"id": 3, "note": "x"}], metadata=kept)
    latest = notes.history(NOTES)[0]
    assert (commit.version, latest.version, commit.rows) == (2, 2, 1)
    assert latest.metadata == kept
    assert latest.stamp is not None
    assert (latest.stamp.who, latest.stamp.why) == ("ann", "spring clean")
    assert latest.stamp.schema == notes.history(NOTES)[-1].stamp.schema  # type: ignore[union-attr]
    assert "deltalake" in latest.stamp.runtime
    merged = notes.merge(NOTES, [{"id": 3, "note": "y"}], ["id"], order_by="id")
    assert notes.history(NOTES, 1)[0].stamp.order_by == ("id",)  # type: ignore[union-attr]
    assert merged.version == 3


@pytest.mark.parametrize("key", ["timestamp", "operation", "lakeshelf", "delta.x", "userMetadata"])
def test_reserved_metadata_is_refused_before_a_file_is_written(notes: Lake, key: str) -> None:
    before = sorted(notes.root.folder.rglob("*"))  # type: ignore[union-attr]
    with pytest.raises(NameRefused, match=key):
        notes.append(NOTES, ROWS, metadata={key: 1})
    assert sorted(notes.root.folder.rglob("*")) == before  # type: ignore[union-attr]


def test_a_write_with_an_identity_is_made_once(notes: Lake) -> None:
    first = notes.append(NOTES, [{"id": 3, "note": "x"}], txn=("app", 4))
    again = notes.append(NOTES, [{"id": 3, "note": "x"}], txn=("app", 4))
    older = notes.overwrite(NOTES, [], txn=("app", 3))
    assert first.version == 2
    assert [(c.version, c.skipped) for c in (again, older)] == [(None, "already committed")] * 2
    assert len(rows(notes)) == 3
    assert notes.append(NOTES, ROWS).version == 3, "without an identity it is made again"


def test_nothing_to_write_is_no_commit(notes: Lake) -> None:
    empty = pa.table({"id": pa.array([], pa.int64()), "note": pa.array([], pa.string())})
    assert notes.append(NOTES, empty).skipped == "no rows"
    assert notes.merge(NOTES, empty, ["id"]).skipped == "no rows"
    assert notes.merge(NOTES, ROWS, ["id"]).skipped == "nothing changed"
    assert notes.snapshot(NOTES).version == 1


def test_a_slice_is_replaced_and_an_empty_one_deletes_it(notes: Lake) -> None:
    notes.replace(NOTES, [{"id": 1, "note": "clean"}], [("id", "=", 1)])
    assert rows(notes) == [{"id": 1, "note": "clean"}, ROWS[1]]
    notes.replace(NOTES, [], [("id", "=", 1)])
    assert rows(notes) == [ROWS[1]]
    with pytest.raises(KeyViolation, match="curated/notes was not written"):
        notes.replace(NOTES, [{"id": 9, "note": "outside"}], [("id", "=", 2)])
    assert rows(notes) == [ROWS[1]]


def test_floats_choose_no_rows_to_be_replaced(tmp_path: Path) -> None:
    """The trap: statistics leave NaN out, so that delta-rs would delete it with every slice that 1.0 is in."""
    lake = Lake(tmp_path)
    lake.append(NOTES, [{"id": 1, "x": float("nan")}, {"id": 2, "x": 1.0}])
    nothing = lake.snapshot(NOTES).schema.empty_table()
    with pytest.raises(PredicateError, match="a slice cannot be chosen by x, which is double"):
        lake.replace(NOTES, nothing, [("x", "<", 5.0)])
    with pytest.raises(PredicateError, match="a row cannot be chosen by x"):
        lake.merge(NOTES, nothing, ["x"])
    write_deltalake(str(tmp_path / NOTES), nothing, mode="overwrite", predicate="x < 5.0")
    assert lake.read(NOTES).read_all().num_rows == 0, "delta-rs deletes both"


def test_an_overwrite_leaves_its_rows_alone(notes: Lake) -> None:
    notes.overwrite(NOTES, [{"id": 5, "note": "only"}])
    assert rows(notes) == [{"id": 5, "note": "only"}]
    assert rows(notes, at=1) == ROWS


def test_an_earlier_version_comes_back(notes: Lake) -> None:
    notes.overwrite(NOTES, [])
    assert notes.restore(NOTES, 1).version == 3
    assert rows(notes) == ROWS
    assert notes.restore(NOTES, 3).skipped == "it is the latest"


def test_a_difference_names_both_sides(notes: Lake) -> None:
    lake = notes
    lake.create("curated/keyed", pa.schema([("k", pa.int64()), ("v", pa.string())]), key=("k",))
    lake.append("curated/keyed", [{"k": 1, "v": "a"}, {"k": 2, "v": "b"}, {"k": 3, "v": "c"}])
    lake.overwrite("curated/keyed", [{"k": 1, "v": "a"}, {"k": 2, "v": None}, {"k": 4, "v": "d"}])
    found = (
        lake.diff("curated/keyed", 1, 2)
        .read_all()
        .sort_by([("k", "ascending"), ("_change_type", "ascending")])
    )
    assert found.to_pylist() == [
        {"_change_type": "update_postimage", "k": 2, "v": None},
        {"_change_type": "update_preimage", "k": 2, "v": "b"},
        {"_change_type": "delete", "k": 3, "v": "c"},
        {"_change_type": "insert", "k": 4, "v": "d"},
    ]


def test_rows_without_a_key_differ_by_their_number(notes: Lake) -> None:
    notes.append(NOTES, [ROWS[0], ROWS[0]])
    found = notes.diff(NOTES, 1, 2).read_all().to_pylist()
    assert found == [{"_change_type": "insert", **ROWS[0]}] * 2


def test_a_moved_lake_is_the_same_lake(notes: Lake, tmp_path: Path) -> None:
    shutil.move(tmp_path / "curated", tmp_path / "elsewhere" / "curated")
    moved = Lake(tmp_path / "elsewhere")
    assert rows(moved) == ROWS
    assert moved.append(NOTES, ROWS).version == 2


def test_a_table_says_what_its_dataset_is(tmp_path: Path) -> None:
    columns = pa.schema([("k", pa.int64()), ("day", pa.date32())])
    Lake(tmp_path).create("curated/own", columns, key=("k",), partition_by=("day",), doc="Mine.")
    found = Lake(tmp_path).dataset("curated/own")
    assert (found.key, found.partition_by, found.doc) == (("k",), ("day",), "Mine.")
    assert found.writers == "many"
    assert found.schema == columns


def test_a_pinned_dataset_is_always_read_at_its_version(tmp_path: Path, notes: Lake) -> None:
    pinned = notes.dataset(NOTES).pinned(1)
    notes.append(NOTES, [{"id": 3, "note": "later"}])
    lake = Lake(tmp_path, notes.catalog.with_also(pinned))
    assert rows(lake) == ROWS
    assert len(rows(lake, at=2)) == 3


@pytest.mark.slow
def test_tables_that_a_job_owns_have_no_second_writer(tmp_path: Path) -> None:
    tables.ensure_all(tmp_path)
    lake = Lake(tmp_path)
    name = "cleansed/shelf_state"
    empty = lake.snapshot(name).schema.empty_table()
    owner = lake.dataset(name).owner
    for write in (lake.append, lake.overwrite, lake.merge):
        with pytest.raises(Conflict, match=f"{name} is written by {owner} alone"):
            write(name, empty)
    with pytest.raises(Conflict, match="lakeshelf rebuild"):
        lake.restore(name, 0)
    assert Lake(tmp_path, writer=owner).append(name, empty).skipped == "no rows"


def test_a_catalogue_is_stable_json_without_secrets() -> None:
    options = {"AWS_SECRET_ACCESS_KEY": "hunter2", "aws_session_token": "t0k", "AWS_REGION": "eu"}
    one = Datasets([Dataset("a/b", storage_options=options), Dataset("a/a")])
    other = Datasets([Dataset("a/a"), Dataset("a/b", storage_options=options)])
    assert one.to_json() == other.to_json()
    assert "eu" in one.to_json()
    assert not any(secret in f"{one.to_json()}{one['a/b']!r}" for secret in ("hunter2", "t0k"))
    with pytest.raises(NotFound, match="did you mean a/b, a/a"):
        one["a/c"]


def test_the_root_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LAKESHELF_LAKE_ROOT", "LAKE_ROOT", "DELTA_ROOT", "DELTA_DATA_ROOT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("DELTA_DATA_ROOT", "DELTA_ROOT", "LAKE_ROOT", "LAKESHELF_LAKE_ROOT"):
        monkeypatch.setenv(name, str(tmp_path / name))
        assert Lake().root.uri == str(tmp_path / name), f"{name} beats those before"


def test_no_root_is_an_error_outside_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [n for n in os.environ if n.startswith(("LAKE", "DELTA"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LAKESHELF_HOME", str(tmp_path))
    with pytest.raises(
        ConfigurationError, match="no root of the lake is set; set LAKESHELF_LAKE_ROOT"
    ):
        Lake()


def test_secrets_are_never_shown() -> None:
    lake = Lake("s3://bucket/lake", storage_options={"aws_secret_access_key": "hunter2"})
    assert "hunter2" not in f"{lake.root!r}{lake!r}{lake.root}"
    with pytest.raises(ConfigurationError, match="credentials stand in the address") as refused:
        Lake("s3://key:hunter2@bucket/lake")
    assert "hunter2" not in str(refused.value)


def test_what_is_not_there_is_named_with_its_neighbours(notes: Lake) -> None:
    with pytest.raises(NotFound, match="did you mean curated/notes"):
        notes.read("curated/note")
    with pytest.raises(VersionNotFound, match="curated/notes has no version 9; its latest is 1"):
        notes.read(NOTES, at=9)
    with pytest.raises(VersionNotFound, match="no version -1"):
        notes.read(NOTES, at=-1)
    with pytest.raises(
        SchemaError, match=r"has no column 'nope'; did you mean note\? it has id, note"
    ):
        notes.read(NOTES, columns=["nope"])
    with pytest.raises(Conflict, match="curated/notes exists"):
        notes.create(NOTES, pa.schema([("id", pa.int64())]))
    assert notes.create(NOTES, exist_ok=True).skipped == "exists"


READ_ONLY = """
import os, sys
from pathlib import Path
from lakeshelf.lake import Lake, StorageError

lake = Lake(sys.argv[1])
lake.append("curated/notes", [{"id": 1}])
assert lake.read("curated/notes").read_all().num_rows == 1
for folder in (Path(sys.argv[1]), *Path(sys.argv[1]).rglob("*")):
    folder.chmod(0o555)
if os.geteuid() == 0:  # who may write anywhere
    os.setuid(65534)
try:
    lake.append("curated/notes", [{"id": 2}])
except StorageError as error:
    print(error)
print(lake.read("curated/notes").read_all().to_pylist())
"""


@pytest.mark.slow
def test_a_read_only_folder_is_named_and_can_be_read() -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", READ_ONLY, f"{folder}/lake"]
        Path(folder).chmod(0o755)
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        for place in Path(folder).rglob("*"):
            place.chmod(0o755)
    refused, read = done.stdout.splitlines()
    assert refused.startswith("curated/notes was not written: ")
    assert "permission" in refused.lower()
    assert read == "[{'id': 1}]"


def test_tables_made_here_can_be_read_by_old_readers(notes: Lake, tmp_path: Path) -> None:
    protocol = DeltaTable(str(tmp_path / NOTES)).protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 4)
    assert not protocol.reader_features


def test_history_keeps_what_others_wrote_as_they_wrote_it(notes: Lake, tmp_path: Path) -> None:
    from deltalake import CommitProperties

    more = pa.Table.from_pylist([{"id": 3, "note": "x"}])
    foreign = CommitProperties(custom_metadata={"job": "x", "mine": "7"})
    write_deltalake(str(tmp_path / NOTES), more, mode="append", commit_properties=foreign)
    latest = notes.history(NOTES, 1)[0]
    assert (latest.stamp, latest.metadata) == (None, {"mine": "7"})
    assert latest.committed_at <= datetime.now(UTC)


FULL_DISK = """
import resource, signal, sys
import pyarrow as pa
from lakeshelf.lake import Lake, StorageError

lake = Lake(sys.argv[1])
rows = pa.table({"id": list(range(100_000)), "note": [str(n) for n in range(100_000)]})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
for write in (lake.append, lake.overwrite, lambda name, rows: lake.merge(name, rows, ["id"])):
    try:
        write("curated/notes", rows)
    except StorageError as error:
        print(error)
"""


@pytest.mark.slow
def test_a_disk_without_room_is_named_and_nothing_is_committed(notes: Lake, tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.startswith("curated/notes was not written") for line in told] == [True] * 3
    assert all("nothing was committed" in line for line in told)
    assert rows(notes) == ROWS
    assert notes.append(NOTES, [{"id": 3, "note": "room again"}]).version == 2
