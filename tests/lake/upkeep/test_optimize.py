"""Compaction and z-order rewrite what is worth it, and leave every row where it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from deltalake.table import TableOptimizer
from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.errors import LakeError
from lakeshelf.lake import Lake
from lakeshelf.lake.history import pins
from lakeshelf.lake.place.errors import Conflict, SchemaError
from lakeshelf.lake.rows import tables
from lakeshelf.lake.upkeep import maintenance, optimizing
from lakeshelf.lake.upkeep.alone import rewriting
from lakeshelf.lake.upkeep.maintenance import Maintenance, UpkeepLimits, maintain, optimize
from lakeshelf.lake.upkeep.optimizing import DataFile, to_compact, to_z_order
from tests.lake.upkeep.rig import NAME, add, made, on_disk, paths, rows, without_retention

Rewrite = Callable[[DeltaTable], optimizing.Optimized]
DAYS = ("2026-01-01", "2026-01-02", None, "a b/ü%41'")


def test_partitions_with_enough_small_files_are_merged_and_no_others(tmp_path: Path) -> None:
    handle = made(tmp_path, DAYS, files=5)
    add(handle, 3, "2026-01-03")
    before, content = paths(handle), rows(tmp_path)
    report = optimize(handle, min_small_files=5)
    after = paths(handle)
    assert {part.partition for part in report.done} == {
        "day=2026-01-01", "day=2026-01-02", "day=", "day=a b/ü%41'",
    }  # fmt: skip
    assert all((part.files, part.made) == (5, 1) for part in report.done)
    assert {
        day: len(found) for day, found in after.items() if day != "2026-01-03"
    } == dict.fromkeys(DAYS, 1)
    assert after["2026-01-03"] == before["2026-01-03"]
    assert rows(tmp_path) == content


def test_a_second_run_does_nothing_and_commits_nothing(tmp_path: Path) -> None:
    handle = made(tmp_path, DAYS, files=4)
    assert optimize(handle, min_small_files=2).done
    version, files = handle.version(), on_disk(tmp_path)
    assert optimize(handle, min_small_files=2) == optimizing.Optimized()
    assert (handle.version(), on_disk(tmp_path)) == (version, files)


def merged(handle: DeltaTable) -> optimizing.Optimized:
    return optimizing.compact(handle, NAME, to_compact(optimizing.files_of(handle), 2))


def ordered(handle: DeltaTable) -> optimizing.Optimized:
    plan = to_z_order(optimizing.files_of(handle), {})
    return optimizing.z_order(handle, NAME, plan, ["n"], None)


@pytest.mark.parametrize("rewrite", [merged, ordered])
@pytest.mark.parametrize("guarded", [True, False])
def test_what_another_has_merged_is_not_doubled_and_would_be_by_two_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rewrite: Rewrite, guarded: bool
) -> None:
    handle = made(tmp_path, ("a",), files=4)
    content = rows(tmp_path)
    if not guarded:
        monkeypatch.setattr(optimizing, "rewriting", lambda *_: nullcontext())
    merged(tables.open_table(tmp_path, NAME))
    assert not rewrite(handle).failed
    assert len(rows(tmp_path)) == len(content) * (1 if guarded else 2)


def test_of_two_that_merge_at_once_one_waits_until_the_other_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle, other = made(tmp_path, ("a",), files=4), tables.open_table(tmp_path, NAME)
    content, compact = rows(tmp_path), TableOptimizer.compact

    def compacted(own: TableOptimizer, **how: Any) -> Any:
        with (
            pytest.raises(Conflict, match="another process rewrites files of"),
            rewriting(other, NAME),
        ):
            pass
        return compact(own, **how)

    monkeypatch.setattr(TableOptimizer, "compact", compacted)
    assert merged(handle).done
    assert not merged(other).failed
    assert rows(tmp_path) == content


@pytest.mark.parametrize("columns", [(), ("n",)])
def test_a_dry_run_names_what_a_run_does_and_writes_nothing(
    tmp_path: Path, columns: tuple[str, ...]
) -> None:
    handle = made(tmp_path, DAYS[:2], files=4)
    before = on_disk(tmp_path)
    planned = optimize(handle, None, columns, 2, dry_run=True)
    assert on_disk(tmp_path) == before
    done = optimize(handle, None, columns, 2)
    assert [(p.partition, p.files, p.bytes) for p in planned.done] == [
        (p.partition, p.files, p.bytes) for p in done.done
    ]
    assert json.loads(json.dumps(maintenance.asdict(done)))["done"][0]["made"] == 1


def test_a_partition_that_fails_does_not_stop_the_rest(tmp_path: Path) -> None:
    handle = made(tmp_path, DAYS[:3], files=3)
    (tmp_path / NAME / next(iter(paths(handle)["2026-01-01"]))).unlink()
    report = optimize(handle, min_small_files=2)
    assert [part.partition for part in report.failed] == ["day=2026-01-01"]
    assert "2026-01-01" in report.failed[0].note
    assert {part.partition for part in report.done} == {"day=2026-01-02", "day="}


def test_one_partition_is_rewritten_where_one_is_named(tmp_path: Path) -> None:
    handle = made(tmp_path, DAYS[:2], files=3)
    before = paths(handle)
    optimize(handle, {"day": "2026-01-02"}, min_small_files=2)
    assert paths(handle)["2026-01-01"] == before["2026-01-01"]
    assert len(paths(handle)["2026-01-02"]) == 1
    with pytest.raises(SchemaError, match="not partitioned by n"):
        optimize(handle, {"n": "1"})


def test_z_order_touches_changed_partitions_alone_even_when_the_log_is_short(
    tmp_path: Path,
) -> None:
    handle = made(tmp_path, DAYS, files=3)
    content = rows(tmp_path)
    assert len(optimize(handle, columns=["n", "m"]).done) == len(DAYS)
    ordered = paths(handle)
    assert optimize(handle, columns=["n", "m"]) == optimizing.Optimized(), "nothing has changed"
    add(handle, 1, DAYS[1])
    maintain(without_retention(handle))
    assert len(list((tmp_path / NAME / "_delta_log").glob("*.json"))) < handle.version()
    again = optimize(DeltaTable(handle.table_uri), columns=["n", "m"])
    assert [part.partition for part in again.done] == [f"day={DAYS[1]}"]
    after = paths(handle)
    assert {day for day in ordered if ordered[day] != after[day]} == {DAYS[1]}
    assert rows(tmp_path) == sorted(content + [("0", str(m), DAYS[1]) for m in range(3)])


def test_z_order_by_other_columns_is_another_order(tmp_path: Path) -> None:
    handle = made(tmp_path, DAYS[:2], files=2)
    optimize(handle, columns=["n"])
    assert len(optimize(handle, columns=["m"]).done) == 2
    with pytest.raises(SchemaError, match="cannot be z-ordered by day"):
        optimize(handle, columns=["day"])


def test_rows_that_come_during_a_z_order_are_ordered_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle, real = made(tmp_path, DAYS[:2], files=2), optimizing.files_of
    calls: list[int] = []

    def files_of(given: DeltaTable) -> list[DataFile]:
        calls.append(1)
        if len(calls) == 2:  # the first partition has just been rewritten
            add(DeltaTable(given.table_uri), 1, DAYS[0])
            given.update_incremental()
        return real(given)

    monkeypatch.setattr(optimizing, "files_of", files_of)
    optimize(handle, columns=["n"])
    assert [p.partition for p in optimize(handle, columns=["n"]).done] == [f"day={DAYS[0]}"]


def test_a_table_without_partitions_is_z_ordered_again_beyond_a_share_of_new_bytes(
    tmp_path: Path,
) -> None:
    handle = made(tmp_path, files=12)
    assert optimize(handle, columns=["n"]).done
    files = optimizing.files_of(handle)
    mark = optimizing.recorded(handle, ["n"], files)
    add(handle, 1)
    total = sum(file.size for file in optimizing.files_of(handle))
    newer = sum(file.size for file in optimizing.files_of(handle) if file not in files)
    assert not to_z_order(optimizing.files_of(handle), mark, newer / total + 0.01).due
    assert to_z_order(optimizing.files_of(handle), mark, newer / total - 0.01).due


FILES = st.lists(
    st.builds(
        DataFile,
        path=st.uuids().map(str),
        size=st.integers(1, 100),
        modified=st.integers(0, 9),
        partition=st.sampled_from([(("day", d),) for d in "abc"]),
    ),
    unique_by=lambda file: file.path,
)


@given(files=FILES, least=st.integers(2, 5), bound=st.integers(0, 500))
def test_a_plan_keeps_its_bounds_and_forgets_nothing(
    files: list[DataFile], least: int, bound: int
) -> None:
    plan = to_compact(files, least, 50, bound)
    whole = to_compact(files, least, 50)
    assert sum(f.size for found in plan.due.values() for f in found) <= bound
    assert {**plan.due, **plan.left} == whole.due
    for partition, found in whole.due.items():
        assert len(found) >= least
        assert all(f.size < 50 and f.partition == partition for f in found)


def test_a_round_of_an_owner_stays_within_its_bounds(tmp_path: Path) -> None:
    handle = made(tmp_path, DAYS[:2], files=3)
    one = sum(f.size for f in optimizing.files_of(handle)) // 2
    report = maintain(handle, UpkeepLimits(min_small_files=2, bytes_a_round=one))
    assert (report.merged, report.left) == (3, 1)
    without_retention(handle)
    report = maintain(handle, UpkeepLimits(min_small_files=100, files_a_round=2))
    assert (report.deleted, report.left) == (2, 1)


def test_an_owner_rests_so_that_maintenance_takes_a_small_share_of_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(maintenance, "EVERY", 1)
    monkeypatch.setattr(maintenance, "maintain", lambda *_: now.__setitem__(0, now[0] + 2))
    handle = made(tmp_path, files=1)
    owner = Maintenance(UpkeepLimits(share_of_time=0.1), lambda: now[0])
    owner.take_due([handle])
    add(handle, 1)
    owner.attend([handle])
    add(handle, 1)
    for now[0], is_due in ((2.0, False), (21.9, False), (22.0, True)):
        assert bool(owner.take_due([handle])) == is_due


def test_pins_that_cannot_be_read_hold_back_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(*_: object) -> int:
        raise LakeError("ops/runs cannot be read")

    handle = without_retention(made(tmp_path, files=3))
    monkeypatch.setattr(pins, "oldest", unreadable)
    before = on_disk(tmp_path)
    report = maintain(handle, UpkeepLimits(min_small_files=2))
    assert (report.merged, report.deleted, report.log) == (3, 0, 0)
    assert "ops/runs" in report.kept
    assert before <= on_disk(tmp_path)


def test_times_and_numbers_name_partitions_as_delta_writes_them(tmp_path: Path) -> None:
    at = datetime(2026, 1, 1, 5, 0, 0, 5, tzinfo=UTC)
    schema = pa.schema(
        [("n", pa.int64()), ("t", pa.timestamp("us", "UTC")), ("k", pa.int32()), ("b", pa.bool_())]
    )
    lake = Lake(tmp_path)
    lake.create("curated/typed", schema, partition_by=("t", "k", "b"))
    for n in range(3):
        lake.append("curated/typed", pa.table({"n": [n], "t": [at], "k": [7], "b": [True]}, schema))
    handle = lake.snapshot("curated/typed").handle
    (part,) = optimize(handle, min_small_files=2).done
    assert (part.files, part.made) == (3, 1)
    assert len(optimize(handle, columns=["n"]).done) == 1
    assert optimize(handle, columns=["n"]).done == ()
