"""Cursors move with the output, once, and lead to a full refresh where the feed cannot be told."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lakeshelf.lake import Lake, NameRefused
from lakeshelf.lake.history import cursors
from lakeshelf.lake.history.changes import Changes
from lakeshelf.lake.history.cursors import Consumer

SOURCE, OUTPUT = "curated/source", "curated/output"
COPY = Consumer("copy", OUTPUT)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path)
    lake.create(SOURCE, pa.schema([("k", pa.int64()), ("v", pa.string())]), key=("k",))
    return lake


def rows(*pairs: tuple[int, str]) -> list[dict[str, Any]]:
    return [{"k": k, "v": v} for k, v in pairs]


def take_up(lake: Lake) -> Changes:
    """What a consumer does that keeps a copy."""
    found = lake.changes(SOURCE, COPY)
    if found.full_refresh:
        lake.overwrite(
            OUTPUT, lambda: found.rows.read_all().drop_columns(["_change_type"]), txn=found.txns
        )
    else:
        lake.merge(OUTPUT, lambda: found.rows, keys=("k",), txn=found.txns)
    return found


def held(lake: Lake, name: str = OUTPUT) -> list[tuple[Any, ...]]:
    return sorted((row["k"], row["v"]) for row in lake.read(name).read_all().to_pylist())


def test_a_copy_takes_up_inserts_updates_and_deletes_in_one_commit_each_time(lake: Lake) -> None:
    lake.merge(SOURCE, rows((1, "a"), (2, "b")))
    assert take_up(lake).full_refresh == "copy reads curated/source for the first time"
    lake.merge(SOURCE, rows((1, "a2"), (3, "c")))
    lake.snapshot(SOURCE).handle.delete("k = 2")
    before = lake.snapshot(OUTPUT).version
    found = take_up(lake)
    told = sorted(found.rows.read_all().to_pylist(), key=lambda row: row["k"])
    assert [(r["_change_type"], r["k"], r["v"]) for r in told] == [
        ("update_preimage", 1, "a"),
        ("update_postimage", 1, "a2"),
        ("delete", 2, "b"),
        ("insert", 3, "c"),
    ]
    assert held(lake) == held(lake, SOURCE) == [(1, "a2"), (3, "c")]
    assert lake.snapshot(OUTPUT).version == before + 1
    assert take_up(lake).rows.read_all().num_rows == 0


def test_what_was_taken_up_is_not_taken_up_again(lake: Lake) -> None:
    lake.append(SOURCE, rows((1, "a")))
    take_up(lake)
    lake.append(SOURCE, rows((2, "b")))
    found = lake.changes(SOURCE, COPY)
    given = found.rows.read_all().drop_columns(["_change_type"])
    assert lake.append(OUTPUT, given, txn=found.txns).rows == 1
    assert lake.append(OUTPUT, given, txn=found.txns).skipped == "already committed"
    assert held(lake) == [(1, "a"), (2, "b")]


def test_of_two_processes_of_one_consumer_the_second_doubles_nothing(lake: Lake) -> None:
    """Both read from the same place, and the second reads further: its rows hold those of the first."""
    lake.append(SOURCE, rows((1, "a")))
    take_up(lake)
    lake.append(SOURCE, rows((2, "b")))
    first = lake.changes(SOURCE, COPY)
    lake.append(SOURCE, rows((3, "c")))
    second = lake.changes(SOURCE, COPY)
    for found in (first, second):
        lake.append(OUTPUT, found.rows.read_all().drop_columns(["_change_type"]), txn=found.txns)
    assert held(lake) == [(1, "a"), (2, "b")]
    take_up(lake)
    assert held(lake) == held(lake, SOURCE)


def test_processes_that_commit_at_the_same_moment_double_nothing(lake: Lake) -> None:
    lake.append(SOURCE, rows((0, "a")))
    take_up(lake)
    for number in range(1, 6):
        lake.append(SOURCE, rows((number, "a")))
        found = lake.changes(SOURCE, COPY)
        given = found.rows.read_all().drop_columns(["_change_type"])
        together = threading.Barrier(3)

        def commit(given: pa.Table = given, found: Changes = found, at: Any = together) -> int:
            at.wait()
            return Lake(lake.root).append(OUTPUT, given, txn=found.txns).rows

        with ThreadPoolExecutor(3) as pool:
            made = [pool.submit(commit) for _ in range(3)]
        assert sorted(one.result() for one in made) == [0, 0, 1]
    assert held(lake) == held(lake, SOURCE)


def test_without_the_place_that_both_began_at_the_second_would_double_rows(lake: Lake) -> None:
    lake.append(SOURCE, rows((1, "a")))
    take_up(lake)
    lake.append(SOURCE, rows((2, "b")))
    first = lake.changes(SOURCE, COPY)
    lake.append(SOURCE, rows((3, "c")))
    second = lake.changes(SOURCE, COPY)
    for found in (first, second):
        plain = (found.txns[0].app_id, found.txns[0].version)
        lake.append(OUTPUT, found.rows.read_all().drop_columns(["_change_type"]), txn=plain)
    assert held(lake) == [(1, "a"), (2, "b"), (2, "b"), (3, "c")]


@pytest.mark.faults
def test_a_consumer_that_is_killed_before_or_after_its_commit_loses_and_doubles_nothing(
    lake: Lake, tmp_path: Path
) -> None:
    """Output and cursor are one commit, so that there is no moment between them."""
    lake.append(SOURCE, rows((1, "a")))
    take_up(lake)
    for place in ("before", "after"):
        last = held(lake)[-1][0]
        lake.append(SOURCE, rows((last + 1, place)))
        script = (
            "import os, sys\n"
            "from lakeshelf.lake import Lake\n"
            "from lakeshelf.lake.history.cursors import Consumer\n"
            "lake = Lake(sys.argv[1])\n"
            f"found = lake.changes({SOURCE!r}, Consumer('copy', {OUTPUT!r}))\n"
            "given = found.rows.read_all().drop_columns(['_change_type'])\n"
            f"if {place == 'after'}: lake.append({OUTPUT!r}, given, txn=found.txns)\n"
            "os.kill(os.getpid(), 9)\n"
        )
        env = {"PYTHONPATH": str(Path(__file__).parents[3] / "src")}
        command = [sys.executable, "-c", script, str(tmp_path)]
        assert subprocess.run(command, env=env, check=False).returncode == -9
        found = lake.changes(SOURCE, COPY)
        assert found.rows.read_all().num_rows == (1 if place == "before" else 0)
        given = found.rows.read_all().drop_columns(["_change_type"])
        lake.append(OUTPUT, given, txn=found.txns)
        assert held(lake) == held(lake, SOURCE)


def test_a_feed_that_nets_to_nothing_makes_no_commit(lake: Lake) -> None:
    lake.append(SOURCE, rows((1, "a")))
    take_up(lake)
    before = lake.snapshot(OUTPUT).version
    lake.overwrite(SOURCE, rows((1, "b")))
    lake.overwrite(SOURCE, rows((1, "a")))
    found = take_up(lake)
    assert (found.full_refresh, found.rows.read_all().num_rows) == (None, 0)
    assert lake.snapshot(OUTPUT).version == before
    assert lake.changes(SOURCE, COPY).start == found.start, "it is read again"


def test_a_cursor_that_has_no_effect_for_long_moves_by_itself(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cursors, "NOTE_AFTER", 4)
    lake.append(SOURCE, rows((1, "a")))
    take_up(lake)
    starts = []
    for value in ("b", "a", "b", "a", "b", "a"):
        lake.overwrite(SOURCE, rows((1, value)))
        if value == "a":
            starts.append(take_up(lake).start)
    assert starts == [1, 1, 5]
    assert lake.changes(SOURCE, COPY).start == 5


def test_a_cursor_is_noted_without_rows(lake: Lake) -> None:
    lake.append(SOURCE, rows((1, "a")))
    take_up(lake)
    lake.append(SOURCE, rows((2, "not wanted")))
    found = lake.changes(SOURCE, COPY)
    assert lake.note(OUTPUT, txn=found.txns).operation == "note"
    assert lake.changes(SOURCE, COPY).start == found.end


def test_a_note_that_stands_is_not_made_again(lake: Lake) -> None:
    lake.append(SOURCE, rows((1, "a")))
    take_up(lake)
    lake.append(SOURCE, rows((2, "not wanted")))
    found = lake.changes(SOURCE, COPY)
    noted = [lake.note(OUTPUT, txn=found.txns) for _ in range(2)]
    assert [note.skipped for note in noted] == ["", "already committed"]
    assert lake.snapshot(OUTPUT).version == noted[0].version


def listed(lake: Lake) -> list[tuple[Any, ...]]:
    found = lake.read(cursors.CURSORS).read_all().to_pylist()
    return [(row["consumer"], row["dataset"], row["output"]) for row in found]


def test_a_consumer_is_listed_once_however_often_it_reads(lake: Lake) -> None:
    for number in range(3):
        lake.append(SOURCE, rows((number, "a")))
        lake.changes(SOURCE, COPY)
        lake.changes(SOURCE, COPY)
        take_up(lake)
    assert listed(lake) == [(COPY.id, SOURCE, OUTPUT)]


def test_a_consumer_that_two_processes_list_at_once_is_listed_once(tmp_path: Path) -> None:
    def meanwhile() -> datetime:
        cursors.register(other, COPY, SOURCE)
        return other.clock()

    other = Lake(tmp_path)
    cursors.register(Lake(tmp_path, clock=meanwhile), COPY, SOURCE)
    assert listed(other) == [(COPY.id, SOURCE, OUTPUT)]


def test_a_source_that_was_created_again_is_read_anew(lake: Lake, tmp_path: Path) -> None:
    lake.append(SOURCE, rows((1, "a")))
    take_up(lake)
    shutil.rmtree(tmp_path / SOURCE)
    lake.create(SOURCE, pa.schema([("k", pa.int64()), ("v", pa.string())]), key=("k",))
    for number in range(3):
        lake.append(SOURCE, rows((number, "new")))
    assert "was created again" in str(take_up(lake).full_refresh)
    assert held(lake) == held(lake, SOURCE)
    assert take_up(lake).full_refresh is None


def test_a_source_that_a_copy_has_put_back_is_read_anew(lake: Lake, tmp_path: Path) -> None:
    lake.append(SOURCE, rows((1, "a")))
    shutil.copytree(tmp_path / SOURCE, tmp_path / "copy")
    lake.append(SOURCE, rows((2, "b")))
    take_up(lake)
    shutil.rmtree(tmp_path / SOURCE)
    shutil.copytree(tmp_path / "copy", tmp_path / SOURCE)
    assert "the cursor stands at 2" in str(take_up(lake).full_refresh)
    assert held(lake) == [(1, "a")]
    lake.append(SOURCE, rows((3, "c")))
    assert take_up(lake).full_refresh is None
    assert held(lake) == held(lake, SOURCE)


def test_a_feed_whose_files_were_deleted_is_read_anew(lake: Lake) -> None:
    lake.append(SOURCE, rows((1, "a")))
    take_up(lake)
    lake.merge(SOURCE, rows((1, "b"), (2, "b")))
    lake.overwrite(SOURCE, rows((1, "c")))
    handle = lake.snapshot(SOURCE).handle
    handle.vacuum(0, enforce_retention_duration=False, dry_run=False, full=True)
    assert "cannot be read" in str(take_up(lake).full_refresh)
    assert held(lake) == held(lake, SOURCE)
    assert take_up(lake).full_refresh is None


def test_a_feed_whose_log_was_cleaned_up_is_read_anew(lake: Lake, tmp_path: Path) -> None:
    lake.append(SOURCE, rows((1, "a")))
    take_up(lake)
    for number in range(3):
        lake.append(SOURCE, rows((number + 2, "b")))
    lake.snapshot(SOURCE).handle.create_checkpoint()
    for version in range(3):
        (tmp_path / SOURCE / "_delta_log" / f"{version:020}.json").unlink()
    assert "no version 1 any more" in str(take_up(lake).full_refresh)
    assert held(lake) == held(lake, SOURCE)


def test_a_feed_that_was_off_meanwhile_is_read_anew(lake: Lake) -> None:
    lake.append(SOURCE, rows((1, "a")))
    take_up(lake)
    for switched in ("false", "true"):
        handle = lake.snapshot(SOURCE).handle
        handle.alter.set_table_properties({"delta.enableChangeDataFeed": switched})
        lake.append(SOURCE, rows((2, switched)))
    assert "not enabled" in str(take_up(lake).full_refresh)
    assert held(lake) == held(lake, SOURCE)


def test_columns_that_are_added_stay_in_the_feed_and_others_lead_to_a_full_refresh(
    lake: Lake,
) -> None:
    lake.append(SOURCE, rows((1, "a")))
    take_up(lake)
    lake.append(SOURCE, [{"k": 2, "v": "b", "n": 5}], schema_mode="merge")
    found = lake.changes(SOURCE, COPY)
    assert found.rows.read_all().to_pylist() == [
        {"_change_type": "insert", "k": 2, "v": "b", "n": 5}
    ]
    lake.overwrite(SOURCE, [{"k": "text", "v": "b"}], schema_mode="overwrite")
    assert (
        lake.changes(SOURCE, COPY).full_refresh
        == "column k of curated/source changed since version 1"
    )


def test_a_restored_output_has_the_cursor_of_then(lake: Lake) -> None:
    for number in range(3):
        lake.append(SOURCE, rows((number, "a")))
        take_up(lake)
    lake.restore(OUTPUT, 2)
    assert held(lake) == [(0, "a"), (1, "a")]
    assert take_up(lake).full_refresh is None
    assert held(lake) == held(lake, SOURCE)
    lake.restore(OUTPUT, 0)
    assert take_up(lake).full_refresh is not None
    assert held(lake) == held(lake, SOURCE)


def test_without_keys_the_feed_is_told_as_it_is(lake: Lake) -> None:
    lake.append("curated/log", [{"v": 1}])
    reader = Consumer("reader", OUTPUT)
    lake.append(OUTPUT, [{"n": 0}], txn=lake.changes("curated/log", reader).txns)
    lake.overwrite("curated/log", [{"v": 1}])
    lake.append("curated/log", [{"v": 2}])
    found = lake.changes("curated/log", reader).rows.read_all()
    assert [tuple(r.values()) for r in found.to_pylist()] == [
        ("delete", 1),
        ("insert", 1),
        ("insert", 2),
    ]


def test_rows_with_null_keys_are_never_taken_for_updates(lake: Lake) -> None:
    lake.append(SOURCE, [{"k": None, "v": "a"}])
    take_up(lake)
    lake.overwrite(SOURCE, [{"k": None, "v": "b"}])
    kinds = lake.changes(SOURCE, COPY).rows.read_all()["_change_type"].to_pylist()
    assert sorted(kinds) == ["delete", "insert"]


def test_maintenance_is_told_the_oldest_version_that_a_consumer_needs(lake: Lake) -> None:
    assert cursors.oldest_version(lake.root, SOURCE) is None
    for number in range(3):
        lake.append(SOURCE, rows((number, "a")))
        if number == 0:
            take_up(lake)
    other = Consumer("other", "curated/other")
    found = lake.changes(SOURCE, other)
    assert cursors.oldest_version(lake.root, SOURCE) == 1, "a consumer without output needs none"
    lake.append("curated/other", [{"n": 1}], txn=found.txns)
    assert cursors.oldest_version(lake.root, SOURCE) == 1
    take_up(lake)
    assert cursors.oldest_version(lake.root, SOURCE) == 3
    listed = [(consumer.id, dataset) for consumer, dataset in cursors.consumers(lake.root)]
    assert sorted(listed) == [("copy", SOURCE), ("other", SOURCE)]
    cursors.forget(lake, "copy")
    cursors.forget(lake, "other")
    assert cursors.oldest_version(lake.root, SOURCE) is None


@pytest.mark.parametrize(("id_", "output"), [("", OUTPUT), ("a:b", OUTPUT), ("a", "../x")])
def test_names_of_consumers_are_checked(id_: str, output: str) -> None:
    with pytest.raises(NameRefused):
        Consumer(id_, output)
