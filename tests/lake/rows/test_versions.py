"""A time is a version, once, by what the commits recorded: never by the times of files."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable
from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.lake import Lake, TimeOutOfRange, Vacuumed, VersionNotFound
from lakeshelf.lake.rows.versions import Timeline

NAME = "curated/notes"
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def with_times(root: Path, minutes: list[int]) -> Lake:
    """A lake whose versions say that they were committed at these minutes after noon."""
    lake = Lake(root, clock=lambda: NOON + timedelta(days=1))
    lake.append(NAME, [{"n": 0}])
    for n in range(1, len(minutes) - 1):
        lake.append(NAME, [{"n": n}])
    for version, minute in enumerate(minutes):
        log = root / NAME / "_delta_log" / f"{version:020}.json"
        actions = [json.loads(line) for line in log.read_text().splitlines()]
        for action in actions:
            if "commitInfo" in action:
                action["commitInfo"]["timestamp"] = int((NOON + minute * MINUTE).timestamp() * 1000)
        log.write_text("\n".join(json.dumps(action) for action in actions))
    return lake


def count(lake: Lake, at: object) -> int:
    return lake.read(NAME, at=at).read_all().num_rows  # type: ignore[arg-type]


def test_a_time_between_commits_is_the_version_before_it(tmp_path: Path) -> None:
    lake = with_times(tmp_path, [0, 1, 5, 9])
    assert [count(lake, NOON + m * MINUTE) for m in (0, 1, 4, 5, 8, 9, 600)] == [
        0,
        1,
        1,
        2,
        2,
        3,
        3,
    ]
    with pytest.raises(TimeOutOfRange, match="before its history; that begins with version 0"):
        lake.read(NAME, at=NOON - MINUTE)
    with pytest.raises(TimeOutOfRange, match="lies in the future"):
        lake.read(NAME, at=NOON + timedelta(days=2))
    with pytest.raises(TimeOutOfRange, match="has no zone"):
        lake.read(NAME, at=datetime(2024, 5, 1, 12))  # noqa: DTZ001 - refused


def test_a_clock_that_went_back_leaves_versions_in_order(tmp_path: Path) -> None:
    lake = with_times(tmp_path, [0, 5, 3, 6])
    assert [count(lake, NOON + m * MINUTE) for m in (3, 4, 5, 6)] == [0, 0, 2, 3]


def test_a_plain_copy_has_the_same_version_at_the_same_instant(tmp_path: Path) -> None:
    lake = with_times(tmp_path / "a", [0, 1, 5, 9])
    shutil.copytree(tmp_path / "a", tmp_path / "b", copy_function=shutil.copyfile)
    for place, file in enumerate(sorted((tmp_path / "b" / NAME / "_delta_log").glob("*.json"))):
        later = (NOON + timedelta(days=place)).timestamp()
        os.utime(file, (later, later))
    copied = Lake(tmp_path / "b", clock=lake.clock)
    instants = [NOON + m * MINUTE for m in (0, 2, 5, 7, 30)]
    assert [count(copied, at) for at in instants] == [count(lake, at) for at in instants]
    theirs = DeltaTable(str(tmp_path / "b" / NAME))
    theirs.load_as_version(NOON + 30 * MINUTE)
    assert theirs.version() == 0, "delta-rs goes by the times of files; ours says 3"


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=12), st.integers(-5, 1005))
def test_the_version_of_a_time_is_the_last_that_was_there(minutes: list[int], asked: int) -> None:
    running = [max(minutes[: n + 1]) for n in range(len(minutes))]
    timeline = Timeline(NAME, tuple(range(len(running))), tuple(NOON + m * MINUTE for m in running))
    expected = [version for version, minute in enumerate(running) if minute <= asked]
    instant, now = NOON + asked * MINUTE, NOON + 2000 * MINUTE
    if expected:
        assert timeline.at(instant, now) == expected[-1]
    else:
        with pytest.raises(TimeOutOfRange):
            timeline.at(instant, now)


def test_a_version_whose_files_were_vacuumed_is_named(tmp_path: Path) -> None:
    lake = with_times(tmp_path, [0, 1, 5])
    lake.overwrite(NAME, [{"n": 7}])
    handle = DeltaTable(str(tmp_path / NAME))
    handle.vacuum(0, dry_run=False, enforce_retention_duration=False)
    with pytest.raises(Vacuumed, match="curated/notes cannot be read"):
        count(lake, 2)
    assert count(lake, None) == 1


def test_a_version_whose_log_is_gone_is_named(tmp_path: Path) -> None:
    lake = with_times(tmp_path, [0, 1, 5, 9])
    lake.snapshot(NAME).handle.create_checkpoint()
    for version in (0, 1):
        (tmp_path / NAME / "_delta_log" / f"{version:020}.json").unlink()
    assert count(lake, 3) == 3
    with pytest.raises(VersionNotFound, match="no version 1 any more"):
        lake.read(NAME, at=1)
