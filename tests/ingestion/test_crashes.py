"""A worker killed at any step leaves no file lost, doubled or half loaded; another one ends its work."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pytest

from lakeshelf import crash
from lakeshelf.ingestion import rebuild
from lakeshelf.ingestion.io import fencing, target
from lakeshelf.ingestion.services import loading
from tests.ingestion.conftest import DECLARED
from tests.ingestion.rig import Clock, Rig, sales, whole_and_once
from tests.support import eventually

FILES = 6
WAIT_S = 180
pytestmark = pytest.mark.faults


@pytest.fixture
def shop(tmp_path: Path) -> Rig:
    """A lake with files that nobody has loaded; every second has a row that is refused."""
    made = Rig(tmp_path / "lake")
    made.drop("pos/_dataset.toml", DECLARED)
    for number in range(FILES):
        made.drop(f"pos/{number}.csv", sales(number, "x" if number % 2 else number))
    return made


def expected(rig: Rig) -> list[tuple[int, int, int]]:
    numbers = {f.file_id: int(Path(f.path).stem) for f in rig.files()}
    return sorted(
        (file_id, line, number)
        for file_id, number in numbers.items()
        for line in ((2,) if number % 2 else (2, 3))
    )


def assert_all_loaded(rig: Rig) -> None:
    assert rig.rows("silver/pos", "qty") == expected(rig)
    refused = {f.file_id: rig.rules(f.file_id) for f in rig.files() if int(Path(f.path).stem) % 2}
    assert set(map(repr, refused.values())) == {repr([(3, "type", "qty", "x")])}
    assert {f.status for f in rig.files()} == {"success", "partial"}
    assert [f.file_id for f in rig.files()] == list(range(1, FILES + 1))


@pytest.mark.parametrize("point", [p for p in crash.FILE_POINTS if p != "files_after_resolve"])
def test_a_worker_killed_at_each_step_leaves_work_that_another_ends(shop: Rig, point: str) -> None:
    killed = shop.start(lease=0, LAKESHELF_CRASH_AT=point)
    assert killed.wait(WAIT_S) == -signal.SIGKILL, killed.stderr.read()
    shop.scan()
    assert_all_loaded(shop)


def test_workers_killed_at_every_step_one_after_another_lose_nothing(shop: Rig) -> None:
    for point in crash.FILE_POINTS:
        killed = shop.start(lease=0, LAKESHELF_CRASH_AT=point)
        killed.wait(WAIT_S)
    shop.scan()
    assert_all_loaded(shop)


@pytest.mark.parametrize(
    "point", ["files_after_claim", "files_after_data", "files_after_resolve", "files_after_outcome"]
)
def test_a_rebuild_killed_at_each_step_leaves_the_rows(
    shop: Rig, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.scan()
    before = shop.rows()
    monkeypatch.setattr(crash.os, "kill", _die)
    monkeypatch.setenv(crash.VARIABLE, point)
    with pytest.raises(_DeadError):
        rebuild(shop.lake, "silver/pos")
    monkeypatch.delenv(crash.VARIABLE)
    later = Clock()
    Rig(shop.root, later).scan()
    assert shop.rows() == before
    assert_all_loaded(shop)


def written(shop: Rig) -> int:
    """Files of the lake: how far a worker has come, in steps smaller than a commit."""
    return sum(len(files) for _, _, files in os.walk(shop.root))


def test_workers_killed_at_random_times_load_every_file_once(shop: Rig) -> None:
    for number in range(FILES, 30):
        shop.drop(f"pos/{number}.csv", sales(number))
    chance = random.Random(7)
    for _ in range(4):
        goal = written(shop) + chance.randint(1, 12)
        worker = shop.start(limit=3, lease=0.5)
        eventually(
            lambda goal=goal, worker=worker: written(shop) >= goal or worker.poll() is not None,
            "the worker writes",
        )
        worker.kill()
        worker.wait(WAIT_S)
    shop.scan(wait=True, limit=5)
    rows = shop.rows()
    assert whole_and_once(rows)
    assert {row[0] for row in rows} == {f.file_id for f in shop.files()}
    assert {f.status for f in shop.files()} <= {"success", "partial"}


def test_without_asking_the_dataset_a_batch_is_loaded_twice(
    shop: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = shop.start(lease=0, LAKESHELF_CRASH_AT="files_after_data")
    assert killed.wait(WAIT_S) == -signal.SIGKILL
    monkeypatch.setattr(target, "fence", lambda *_: False)
    shop.scan()
    assert not whole_and_once(shop.rows())


def test_a_worker_that_was_given_up_commits_nothing_any_more(
    rig: Rig, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker sleeps before its data commit until its lease is over and another has its files."""
    _overtaken(rig, clock, monkeypatch)
    assert whole_and_once(rig.rows())
    assert rig.statuses() == {"pos/a.csv": "success"}


def test_without_the_fence_a_worker_that_was_given_up_doubles_rows(
    rig: Rig, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, "fence", lambda *_: False)
    _overtaken(rig, clock, monkeypatch)
    assert not whole_and_once(rig.rows())


def _overtaken(rig: Rig, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.drop("pos/a.csv", sales(1, 2))
    point = crash.point

    def overtaken(name: str) -> None:
        if name == "files_after_rejects":
            monkeypatch.setattr(loading.crash, "point", point)
            clock.forward(minutes=10)
            Rig(rig.root, clock).scan()

    monkeypatch.setattr(loading.crash, "point", overtaken)
    rig.scan()


class _DeadError(BaseException):
    """Stands for the kill in a test that stays in its process."""


def _die(*_: object) -> None:
    raise _DeadError


def test_a_fence_tells_whether_the_batch_was_quicker(rig: Rig) -> None:
    rig.drop("pos/a.csv", sales(1))
    rig.scan()
    [file] = rig.files()
    table = target.Target(rig.lake, "silver/pos")
    assert table.fence(str(file.batch_id))
    assert not table.fence("other")
    assert fencing.fenced(rig.lake.snapshot("silver/pos").handle, "other")
    schema = table.schema()
    assert not table.append(schema.empty_table(), "other")
