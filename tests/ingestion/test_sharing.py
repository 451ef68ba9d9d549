"""Several workers share files; ids are given once; leases end."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from lakeshelf.ingestion import force, rebuild, retry
from lakeshelf.ingestion.domain.manifest import TAKEOVERS
from lakeshelf.ingestion.errors import TransitionRefused
from lakeshelf.ingestion.io import manifest as manifests
from lakeshelf.ingestion.io.manifest import Manifest
from lakeshelf.ingestion.services import loading, scanning
from lakeshelf.ingestion.services.discovery import discover
from lakeshelf.ingestion.services.workshop import Workshop
from lakeshelf.lake.form.commits import Txn
from tests.ingestion.conftest import DECLARED
from tests.ingestion.rig import AT_ONCE, Clock, Rig, sales, whole_and_once

FILES = 90
LEASE_S = WAIT_S = 400
"""Nobody dies here: a lease that a busy machine outlasts would have its files loaded twice."""


@pytest.mark.faults
def test_three_processes_share_the_files_and_load_each_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "lake")
    rig.drop("pos/_dataset.toml", DECLARED)
    for number in range(FILES):
        rig.drop(f"pos/{number:03}.csv", sales(number, number))
    workers = [rig.start(limit=5, lease=LEASE_S) for _ in range(3)]
    assert [(worker.wait(WAIT_S), worker.stderr.read()) for worker in workers] == [(0, "")] * 3
    rows = rig.rows()
    assert len(rows) == 2 * FILES
    assert whole_and_once(rows)
    files = rig.files()
    assert [file.file_id for file in files] == list(range(1, FILES + 1))
    assert {(file.status, file.attempt) for file in files} == {("success", 1)}
    claims = [e for e in rig.lake.history("ops/files") if e.operation == "MERGE"]
    assert len(claims) == 2 * FILES / 5, "a claim and an outcome a batch, whoever made them"


def test_two_that_discover_at_once_give_no_id_twice(rig: Rig) -> None:
    for number in range(20):
        rig.drop(f"pos/{number:02}.csv", sales(number))
    start = threading.Barrier(4)

    def run() -> None:
        start.wait()
        discover(Workshop(Rig(rig.root).lake), AT_ONCE, lambda _: None)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [file.file_id for file in rig.files()] == list(range(1, 21))


def test_without_one_application_id_two_that_discover_at_once_give_ids_twice(
    rig: Rig, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Appends never conflict: another process comes in between reading and writing."""
    rig.drop("pos/a.csv", sales(1))
    discovered = _rivals(rig, clock, monkeypatch)
    assert discovered == [1]
    monkeypatch.setattr(manifests, "Write", lambda txns, stamp: loading_write(stamp))
    rig.drop("pos/b.csv", sales(2))
    assert _rivals(rig, clock, monkeypatch) == [1, 2, 2]


def loading_write(stamp: object) -> object:
    """A write without an identity."""
    from lakeshelf.lake.form.commits import Write

    return Write((), stamp)  # type: ignore[arg-type]


def _rivals(rig: Rig, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Ids after two processes have discovered, one in the middle of the other."""
    committed = Manifest._commit

    def overtaken(self: Manifest, *given: object) -> None:
        monkeypatch.setattr(Manifest, "_commit", committed)
        discover(Workshop(Rig(rig.root, clock).lake), AT_ONCE, lambda _: None)
        committed(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Manifest, "_commit", overtaken)
    discover(Workshop(rig.lake), AT_ONCE, lambda _: None)
    return [file.file_id for file in rig.files()]


@pytest.mark.slow
def test_ids_are_not_given_again_after_the_manifest_was_restored(rig: Rig) -> None:
    rig.drop("pos/a.csv", sales(1))
    rig.scan()
    before = rig.lake.snapshot("ops/files").version
    rig.drop("pos/b.csv", sales(2))
    rig.scan()
    rig.lake.restore("ops/files", before)
    rig.drop("pos/c.csv", sales(3))
    rig.scan()
    assert [file.file_id for file in rig.files()] == [1, 3, 4]


@pytest.mark.slow
def test_ids_stay_through_force_and_rebuild(rig: Rig) -> None:
    rig.drop("pos/a.csv", sales(1))
    rig.drop("pos/b.csv", sales(2, "x"))
    rig.scan()
    before, files = rig.rows(), [(f.file_id, f.created_at) for f in rig.files()]
    force(rig.lake, [1])
    rebuild(rig.lake, "silver/pos")
    assert rig.rows() == before
    assert [(f.file_id, f.created_at) for f in rig.files()] == files


def _left_behind(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that claims the files and is never seen again."""
    with monkeypatch.context() as patch:
        patch.setattr(scanning, "load", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            rig.scan()


def test_a_lease_that_has_ended_may_be_taken_over_and_no_other(
    rig: Rig, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.drop("pos/a.csv", sales(1))
    _left_behind(rig, monkeypatch)
    assert rig.scan().elsewhere == 1
    assert rig.statuses() == {"pos/a.csv": "running"}
    clock.forward(minutes=1)
    assert rig.scan().is_complete
    [file] = rig.files()
    assert (file.status, file.attempt, len(rig.rows())) == ("success", 2, 1)


def test_a_scan_waits_for_a_lease_to_end(
    rig: Rig, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.drop("pos/a.csv", sales(1))
    _left_behind(rig, monkeypatch)
    waited: list[float] = []

    def pause(seconds: float) -> None:
        waited.append(seconds)
        clock.forward(seconds=10)

    assert rig.scan(wait=True, pause=pause).is_complete
    assert waited
    assert rig.statuses() == {"pos/a.csv": "success"}


@pytest.mark.slow
def test_a_file_whose_workers_keep_ending_is_given_up_alone(
    rig: Rig, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ab":
        rig.drop(f"pos/{name}.csv", sales(1))
    read = loading.read_files

    def deadly(shop: Workshop, files: list[loading.File]) -> loading.ReadBatch:
        if any(file.path == "pos/a.csv" for file in files):
            raise KeyboardInterrupt
        return read(shop, files)

    monkeypatch.setattr(loading, "read_files", deadly)
    monkeypatch.setattr(scanning, "read_files", read)
    for _ in range(TAKEOVERS):
        with pytest.raises(KeyboardInterrupt):
            rig.scan(limit=10)
        clock.forward(minutes=1)
    rig.scan(limit=10)
    clock.forward(minutes=1)
    rig.scan(limit=10)
    assert rig.statuses() == {"pos/a.csv": "dead", "pos/b.csv": "success"}


CHANGES = {
    "retry success": (retry, "pos/good.csv", "is success and cannot be retried"),
    "retry running": (retry, "pos/held.csv", "is running for .* and cannot be retried"),
    "force running": (force, "pos/held.csv", "is running for .* and cannot be forced"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_other_change_is_refused_and_leaves_the_tables(
    rig: Rig, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.drop("pos/good.csv", sales(1))
    rig.scan()
    rig.drop("pos/held.csv", sales(2))
    _left_behind(rig, monkeypatch)
    service, path, why = CHANGES[change]
    before = (rig.lake.snapshot("ops/files").version, rig.rows())
    [file_id] = [file.file_id for file in rig.files() if file.path == path]
    with pytest.raises(TransitionRefused, match=why):
        service(rig.lake, [file_id])
    with pytest.raises(TransitionRefused, match="cannot be rebuilt"):
        rebuild(rig.lake, "silver/pos")
    assert (rig.lake.snapshot("ops/files").version, rig.rows()) == before


@pytest.mark.slow
def test_a_file_that_fails_is_dead_after_the_last_attempt_and_comes_back_by_force(rig: Rig) -> None:
    rig.drop("pos/a.csv", "wrong\n")
    rig.scan(max_attempts=3)
    states = [rig.files()[0].status]
    while states[-1] == "failed":
        retry(rig.lake, [1], max_attempts=3)
        states.append(rig.files()[0].status)
    assert states == ["failed", "failed", "dead"]
    with pytest.raises(TransitionRefused, match="is dead and cannot be retried"):
        retry(rig.lake, [1])
    rig.drop("pos/_dataset.toml", '[columns]\nwrong = "string"\n')
    force(rig.lake, [1])
    assert rig.statuses() == {"pos/a.csv": "success"}


def test_a_change_that_lost_its_race_is_decided_again(rig: Rig) -> None:
    rig.drop("pos/a.csv", sales(1))
    rig.scan()
    handle = rig.lake.snapshot("ops/files").handle
    number = handle.transaction_version(manifests.CHANGES)
    assert number == 3, "registered, claimed, ended"
    rig.lake.merge("ops/files", [], txn=Txn(manifests.CHANGES, number))
    retry(rig.lake)
    rig.drop("pos/b.csv", sales(2))
    assert rig.scan().is_complete
