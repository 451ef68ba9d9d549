"""A write that expects a version is made on that version, or not at all, whatever others committed meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from lakeshelf.contracts import CATALOG
from lakeshelf.lake import Conflict, Lake, NotFound, VersionNotFound
from lakeshelf.lake.form.commits import Commit, Txn, Write
from lakeshelf.lake.rows import tables
from lakeshelf.lake.write import changing, merging, writing

NAME = "curated/counts"
ROWS = [{"k": 1, "v": 10}, {"k": 2, "v": 20}]
NEW = [{"k": 3, "v": 30}]
Write_ = Callable[[DeltaTable, Write], Commit]

WRITES: dict[str, Write_] = {
    "append": lambda handle, write: writing.append(handle, NAME, NEW, write),
    "overwrite": lambda handle, write: writing.overwrite(handle, NAME, NEW, write),
    "replace": lambda handle, write: writing.replace(
        handle, NAME, [{"k": 2, "v": 9}], write, [("k", "=", 2)]
    ),
    "merge": lambda handle, write: merging.upsert(
        handle, NAME, [{"k": 2, "v": 9}, *NEW], ["k"], write
    ),
    "delete": lambda handle, write: changing.delete(handle, NAME, [("k", "=", 2)], write),
    "update": lambda handle, write: changing.update(
        handle, NAME, [("k", "=", 2)], {"v": 9}, ["k"], write
    ),
    "note": lambda handle, write: writing.committed(
        handle, NAME, "note", write, lambda: writing.note(handle, NAME, write)
    ),
}
IDLE: dict[str, Write_] = {
    "append": lambda handle, write: writing.append(handle, NAME, [], write),
    "merge": lambda handle, write: merging.upsert(handle, NAME, ROWS, ["k"], write),
    "delete": lambda handle, write: changing.delete(handle, NAME, [("k", "=", 7)], write),
    "update": lambda handle, write: changing.update(
        handle, NAME, [("k", "=", 2)], {"v": 20}, ["k"], write
    ),
}
OTHERS: dict[str, Callable[[Lake, DeltaTable], object]] = {
    "an empty commit": lambda lake, _: lake.note(NAME, metadata={"kind": "fence"}),
    "a compaction": lambda _, handle: handle.optimize.compact(),
    "a property": lambda _, handle: handle.alter.set_table_properties(
        {"delta.logRetentionDuration": "interval 40 days"}
    ),
    "data": lambda lake, _: lake.append(NAME, [{"k": 8, "v": 80}]),
}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path, who="tests")
    lake.create(NAME, pa.schema([("k", pa.int64()), ("v", pa.int64())]), key=("k",))
    for row in ROWS:  # a file each, which can be compacted
        lake.append(NAME, [row])
    return lake


def stale(lake: Lake, other: str) -> DeltaTable:
    """A handle at the version before another commit."""
    handle = tables.open_table(lake.root, NAME)
    OTHERS[other](lake, tables.open_table(lake.root, NAME))
    assert version(lake) == handle.version() + 1
    return handle


def version(lake: Lake) -> int:
    return lake.snapshot(NAME).version


def content(lake: Lake) -> list[dict[str, Any]]:
    return lake.read(NAME).read_all().sort_by("k").to_pylist()


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("operation", WRITES)
def test_whatever_others_commit_meanwhile_the_write_is_refused(
    lake: Lake, operation: str, other: str
) -> None:
    handle = stale(lake, other)
    before, latest = content(lake), version(lake)
    with pytest.raises(Conflict, match=NAME):
        WRITES[operation](handle, Write(expected=latest - 1))
    assert (version(lake), content(lake)) == (latest, before)


@pytest.mark.parametrize("operation", [name for name in WRITES if name != "overwrite"])
def test_without_the_guard_the_write_goes_through_over_an_empty_commit(
    lake: Lake, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An overwrite has a guard of its own, against merges of files (`tests/s3/test_compacting.py`)."""
    handle = stale(lake, "an empty commit")
    latest = version(lake)
    monkeypatch.setattr(Write, "retries", None)
    WRITES[operation](handle, Write(expected=latest - 1))
    assert version(lake) == latest + 1


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("operation", IDLE)
def test_a_write_that_changes_nothing_does_not_succeed_on_an_old_version(
    lake: Lake, operation: str, other: str
) -> None:
    latest = version(lake)
    idle = IDLE[operation](tables.open_table(lake.root, NAME), Write(expected=latest))
    assert idle.skipped in ("no rows", "nothing changed")
    with pytest.raises(Conflict, match=f"expected was {latest}"):
        IDLE[operation](stale(lake, other), Write(expected=latest))


@pytest.mark.parametrize("operation", WRITES)
def test_on_the_version_that_is_expected_it_is_one_commit_with_identity_and_metadata(
    lake: Lake, operation: str
) -> None:
    handle = tables.open_table(lake.root, NAME)
    expected = int(handle.version())
    write = Write((Txn("cr:7", 2),), metadata={"cr": 7}, expected=expected)
    assert WRITES[operation](handle, write).version == expected + 1
    latest = lake.history(NAME)[0]
    assert (latest.version, latest.metadata) == (expected + 1, {"cr": 7})
    assert tables.open_table(lake.root, NAME).transaction_version("cr:7") == 2
    again = WRITES[operation](tables.open_table(lake.root, NAME), write)
    assert again.skipped == "already committed", "whoever asks again is told so, not refused"


DOORS: dict[str, Callable[..., Commit]] = {
    "append": lambda lake, **how: lake.append(NAME, NEW, **how),
    "overwrite": lambda lake, **how: lake.overwrite(NAME, NEW, **how),
    "replace": lambda lake, **how: lake.replace(NAME, NEW, [("k", ">", 2)], **how),
    "merge": lambda lake, **how: lake.merge(NAME, NEW, **how),
    "delete": lambda lake, **how: lake.delete(NAME, [("k", "=", 2)], **how),
    "update": lambda lake, **how: lake.update(NAME, [("k", "=", 2)], {"v": 9}, **how),
    "note": lambda lake, **how: lake.note(NAME, metadata={"kind": "fence"}, **how),
}


@pytest.mark.parametrize("door", DOORS)
def test_the_lake_takes_the_version_that_was_read_and_no_other(lake: Lake, door: str) -> None:
    latest = version(lake)
    for wrong in (latest - 1, latest + 1):
        with pytest.raises(Conflict, match=f"is at version {latest}, expected was {wrong}"):
            DOORS[door](lake, expected=wrong)
    assert DOORS[door](lake, expected=latest).version == latest + 1
    with pytest.raises(Conflict, match="read it again"):
        DOORS[door](lake, expected=latest)


@pytest.mark.parametrize("other", OTHERS)
def test_who_commits_between_the_look_and_the_write_stops_it(lake: Lake, other: str) -> None:
    latest, made = version(lake), list[object]()

    def rows() -> pa.RecordBatchReader:
        if not made:  # the lake has opened the table, and has not written yet
            made.append(OTHERS[other](lake, tables.open_table(lake.root, NAME)))
        return pa.Table.from_pylist(NEW).to_reader()

    with pytest.raises(Conflict, match=NAME):
        lake.merge(NAME, rows, expected=latest)
    assert version(lake) == latest + 1
    assert NEW[0] not in content(lake)


def test_a_fence_stops_whoever_read_before_it(lake: Lake) -> None:
    read = version(lake)
    fence = lake.note(NAME, txn=("cr:7", 1), metadata={"kind": "fence"}, expected=read)
    assert (fence.version, fence.rows) == (read + 1, 0)
    with pytest.raises(Conflict):
        lake.merge(NAME, NEW, expected=read)
    assert lake.history(NAME)[0].metadata == {"kind": "fence"}
    assert content(lake) == ROWS


def test_there_is_no_version_of_a_table_that_is_not_there(lake: Lake) -> None:
    with pytest.raises(NotFound, match="curated/others"):
        lake.append("curated/others", NEW, expected=0)
    assert lake.names() == [NAME]


@pytest.mark.parametrize("no_version", [-1, True, "3", 1.0])
def test_what_is_no_version_is_refused(lake: Lake, no_version: Any) -> None:
    with pytest.raises(VersionNotFound, match="is no version"):
        lake.append(NAME, NEW, expected=no_version)


def test_a_table_of_the_contract_is_written_on_the_version_that_was_read(tmp_path: Path) -> None:
    contract = CATALOG.tables["curated/features_store"]
    tables.ensure(tmp_path, contract)
    lake = Lake(tmp_path, writer=contract.owner)
    read = lake.snapshot(contract.name).version
    assert lake.note(contract.name, expected=read).version == read + 1
    with pytest.raises(Conflict):
        lake.overwrite(contract.name, [], expected=read)
    assert lake.overwrite(contract.name, [], expected=read + 1).version == read + 2
