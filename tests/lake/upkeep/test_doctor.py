"""Damage is named with its way out, on tables that cannot be opened as well, and repair does only what is safe."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from deltalake import DeltaTable

from lakeshelf.errors import LakeError
from lakeshelf.lake import Lake
from lakeshelf.lake.place.errors import Conflict, NotFound
from lakeshelf.lake.place.locks import FileLock
from lakeshelf.lake.upkeep import doctor
from lakeshelf.lake.upkeep.doctor import (
    BAD_CHECKPOINT,
    BAD_COMMIT,
    BAD_FILE,
    EMPTY_COMMIT,
    GAP,
    MISSING_FILE,
    STALE_HINT,
    examine,
)
from lakeshelf.lake.upkeep.maintenance import vacuum
from lakeshelf.lake.upkeep.repair import repair
from tests.lake.upkeep.rig import LOG, NAME, add, made, on_disk, owned, rows, without_retention

FILES = 45
"""With the checkpoints 19 and 39, and the latest version 45."""


def entry(root: Path, version: int) -> Path:
    return root / NAME / "_delta_log" / f"{version:020d}.json"


def checkpoint(root: Path, version: int) -> Path:
    return root / NAME / "_delta_log" / f"{version:020d}.checkpoint.parquet"


def hint(root: Path) -> Path:
    return root / NAME / "_delta_log" / "_last_checkpoint"


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def garble(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'{"', b'{{"', 1))


def a_file(root: Path) -> Path:
    return root / NAME / sorted(doctor.data_files(DeltaTable(str(root / NAME))))[0]


Break = Callable[[Path], object]
CUT_LAST: Break = lambda root: cut(entry(root, 45))  # noqa: E731

DAMAGES: dict[str, tuple[Break, str, bool, bool]] = {
    # what is done: kind, whether the table can still be opened, whether repair does it
    "the last commit is cut off": (CUT_LAST, BAD_COMMIT, False, True),
    "the last commit is garbled": (lambda r: garble(entry(r, 45)), BAD_COMMIT, False, False),
    "a commit in between is cut off": (lambda r: cut(entry(r, 42)), BAD_COMMIT, False, False),
    "an old commit is cut off": (lambda r: cut(entry(r, 25)), BAD_COMMIT, True, False),
    "the last commit is empty": (lambda r: entry(r, 45).write_bytes(b""), EMPTY_COMMIT, True, False),
    "a commit is gone": (lambda r: entry(r, 42).unlink(), GAP, False, False),
    "an old commit is gone": (lambda r: entry(r, 25).unlink(), GAP, True, False),
    "the checkpoint is cut off": (lambda r: cut(checkpoint(r, 39)), BAD_CHECKPOINT, False, True),
    "the checkpoint is gone": (lambda r: checkpoint(r, 39).unlink(), STALE_HINT, False, True),
    "the hint is cut off": (lambda r: cut(hint(r)), STALE_HINT, True, True),
    "a part of the checkpoint is gone": (
        lambda r: checkpoint(r, 39).rename(entry(r, 39).with_suffix(".checkpoint.0000000001.0000000002.parquet")),
        BAD_CHECKPOINT, False, True,
    ),
    "a data file is gone": (lambda r: a_file(r).unlink(), MISSING_FILE, True, True),
    "a data file is cut off": (lambda r: cut(a_file(r)), BAD_FILE, True, False),
    "a data file is garbled": (
        lambda r: a_file(r).write_bytes(bytes(a_file(r).stat().st_size)), BAD_FILE, True, False,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sound")
    made(root, files=FILES)
    return root


@pytest.fixture
def root(sound: Path, tmp_path: Path) -> Path:
    shutil.copytree(sound, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_a_sound_table_is_one_line_without_damage(root: Path) -> None:
    health = examine(Lake(root).root, NAME)
    assert (health.version, health.rows, health.protocol) == (45, 3 * FILES, "1/4")
    assert (health.files, health.small_files, health.orphans) == (FILES, FILES, 0)
    assert (health.log_entries, health.damage) == (46, ())
    assert json.loads(json.dumps(health.as_json()))["rows"] == 3 * FILES


@pytest.mark.parametrize("what", DAMAGES)
def test_damage_is_named_with_its_way_out_and_nothing_is_changed(root: Path, what: str) -> None:
    done, kind, opens, repairable = DAMAGES[what]
    done(root)
    before = {p: (root / NAME / p).read_bytes() for p in on_disk(root)}
    health = examine(Lake(root).root, NAME)
    assert kind in {d.kind for d in health.damage}
    assert all(d.way_out and d.detail for d in health.damage)
    assert any(d.repairable for d in health.damage) == repairable
    assert (health.rows is not None) == opens, "the table is opened where that is possible"
    assert health.version == 45
    assert {p: (root / NAME / p).read_bytes() for p in on_disk(root)} == before


@pytest.mark.parametrize("what", DAMAGES)
def test_repair_does_what_is_safe_and_only_that(root: Path, what: str) -> None:
    done, kind, opens, repairable = DAMAGES[what]
    content = rows(root)
    done(root)
    before = on_disk(root)
    planned = repair(Lake(root), NAME, dry_run=True)
    assert on_disk(root) == before, "a dry run writes nothing"
    report = repair(Lake(root), NAME)
    assert (report.aside, report.lost, report.lost_rows) == (
        planned.aside,
        planned.lost,
        planned.lost_rows,
    )
    if not repairable:
        assert on_disk(root) == before
        assert [d.kind for d in report.left] == [kind]
        return
    assert examine(Lake(root).root, NAME).damage == ()
    expected = {CUT_LAST: 3, DAMAGES["a data file is gone"][0]: 3}.get(done, 0)
    found = rows(root)
    assert len(found) == len(content) - expected
    assert set(found) <= set(content)
    files = on_disk(root)
    again = repair(Lake(root), NAME)
    assert (again.aside, again.lost, again.version) == ((), (), None), "a second run does nothing"
    assert on_disk(root) == files
    assert opens or any(p.startswith("_damaged/") for p in files), "nothing is thrown away"


def misplace(path: Path) -> None:
    """Values of partitions that are no numbers: sound JSON that no reader opens."""
    lines = path.read_text().splitlines()
    actions = [json.loads(line) for line in lines]
    fields = [{"name": "p", "type": "decimal(10,2)", "nullable": True, "metadata": {}}]
    action = {"id": "0", "format": {"provider": "parquet", "options": {}}, "configuration": {}}
    action |= {
        "schemaString": json.dumps({"type": "struct", "fields": fields}),
        "partitionColumns": ["p"],
    }
    for add_ in (a["add"] for a in actions if "add" in a):
        add_["partitionValues"] = {"p": "-1.-50"}
    path.write_text("\n".join(map(json.dumps, [{"metaData": action}, *actions])))


LAST: dict[str, Break] = {
    "cut off": CUT_LAST,
    "garbled": lambda r: garble(entry(r, 45)),
    "empty": lambda r: entry(r, 45).write_bytes(b""),
    "no action": lambda r: entry(r, 45).write_text("[]"),
    "with values that nobody reads": lambda r: misplace(entry(r, 45)),
}


@pytest.mark.parametrize("what", LAST)
def test_a_last_commit_that_nobody_reads_is_put_aside_by_a_command(root: Path, what: str) -> None:
    content = rows(root)
    written = entry(root, 45)
    LAST[what](root)
    broken, before = written.read_bytes(), on_disk(root)
    lake = Lake(root)
    assert lake.read(NAME, at=44).read_all().num_rows == len(content) - 3, "history stays readable"
    (damage,) = examine(lake.root, NAME).damage
    assert (damage.path, "version 44" in damage.way_out) == (f"_delta_log/{written.name}", True)
    planned = repair(lake, NAME, dry_run=True, drop_last_commit=True)
    assert planned.aside == (f"_delta_log/{written.name}",)
    assert on_disk(root) == before, "a dry run writes nothing"
    assert repair(lake, NAME, drop_last_commit=True).aside == planned.aside
    assert (root / NAME / "_damaged" / written.name).read_bytes() == broken
    assert examine(lake.root, NAME).damage == ()
    assert len(rows(root)) == len(content) - 3
    with pytest.raises(Conflict, match="can be read, so it is not dropped"):
        repair(lake, NAME, drop_last_commit=True)


def test_what_is_put_aside_never_replaces_what_lies_there(root: Path) -> None:
    for _ in range(2):
        entry(root, 45).write_bytes(b"")
        repair(Lake(root), NAME, drop_last_commit=True)
    names = sorted(p.name for p in (root / NAME / "_damaged").iterdir())
    assert names == [entry(root, 45).name, f"{entry(root, 45).name}.1"]


def test_a_repaired_table_is_written_and_vacuumed_like_any_other(root: Path) -> None:
    CUT_LAST(root)
    repair(Lake(root), NAME)
    handle = DeltaTable(str(root / NAME))
    add(handle, 1)
    vacuum(without_retention(handle))
    assert any(p.startswith("_damaged/") for p in on_disk(root))
    assert len(rows(root)) == 3 * FILES


def test_lost_rows_are_counted_and_the_commit_says_so(root: Path) -> None:
    a_file(root).unlink()
    report = repair(Lake(root, who="a test"), NAME)
    assert (report.lost_rows, report.version) == (3, 46)
    (latest, *_) = Lake(root).history(NAME)
    assert latest.stamp is not None
    assert (latest.operation, latest.stamp.why, latest.metadata["lost_files"]) == (
        "FSCK",
        "repair",
        1,
    )


def test_a_checkpoint_without_the_log_before_it_stays(root: Path) -> None:
    for version in range(38):
        entry(root, version).unlink()
    checkpoint(root, 19).unlink()
    assert examine(Lake(root).root, NAME).damage == ()
    cut(checkpoint(root, 39))
    report = repair(Lake(root), NAME)
    assert report.aside == ()
    assert {d.kind for d in report.left} == {BAD_CHECKPOINT}
    checkpoint(root, 39).unlink()
    hint(root).unlink()
    kinds = {d.kind: d.detail for d in examine(Lake(root).root, NAME).damage}
    assert kinds == {GAP: "it begins with version 38, without a checkpoint"}


def test_orphans_are_files_that_no_version_knows(root: Path) -> None:
    orphan = root / NAME / "part-of-a-killed-writer.parquet"
    orphan.write_bytes(b"half")
    assert examine(Lake(root).root, NAME).orphans == 0, "it may be about to be committed"
    os.utime(orphan, (0, 0))
    assert examine(Lake(root).root, NAME).orphans == 1


def test_a_table_that_is_not_there_has_no_damage(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        examine(Lake(tmp_path).root, NAME)
    with pytest.raises(NotFound):
        repair(Lake(tmp_path), NAME)


def test_a_table_with_an_owner_is_repaired_while_that_is_down(tmp_path: Path) -> None:
    handle = owned(tmp_path, 3)
    (tmp_path / LOG.name / sorted(doctor.data_files(handle))[0]).unlink()
    with (
        FileLock(tmp_path / "_stack" / "locks" / f"{LOG.owner}.lock", "its owner"),
        pytest.raises(Conflict, match="lakeshelf down"),
    ):
        repair(Lake(tmp_path), LOG.name)
    assert DeltaTable(handle.table_uri).version() == handle.version()
    assert repair(Lake(tmp_path), LOG.name).lost_rows == 1


def test_a_lake_in_a_bucket_is_looked_at_as_well() -> None:
    with pytest.raises(LakeError, match="no files can be listed"):
        examine(Lake("gs://bucket/lake").root, NAME)
