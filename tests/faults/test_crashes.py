"""F1, F2, F3: processes killed at any moment, and at each named point."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from lakeshelf import crash
from lakeshelf.streams.commit import ledger
from lakeshelf.streams.resume import checkpoint
from tests.faults.rig import PATIENCE_S, STOCK, STOCK_JOBS, Rig, red
from tests.support import eventually

pytestmark = [pytest.mark.faults, pytest.mark.slow]
Contents = dict[str, list[tuple[Any, ...]]]


@pytest.mark.nightly
@pytest.mark.parametrize("kills", [2, 6])
def test_a_driver_killed_at_random_moments_leaves_the_tables_of_an_undisturbed_run(
    rig: Rig, undisturbed: Contents, kills: int
) -> None:
    rig.send()
    for _ in range(kills):
        rig.start(max_batch_rows=800)
        goal = rig.batches() + rig.random.randint(1, 2)
        eventually(lambda goal=goal: rig.batches() >= goal or rig._folded(), f"batch {goal}")
        rig.kill()
    rig.start()
    rig.await_folded()
    rig.stop()
    assert red(rig.reconcile()) == []
    assert rig.contents() == undisturbed


@pytest.mark.parametrize("committer", ["driver", pytest.param("spark", marks=pytest.mark.nightly)])
def test_a_driver_killed_at_each_named_point_leaves_the_tables_of_an_undisturbed_run(
    rig: Rig, undisturbed: Contents, committer: str
) -> None:
    rig.send()
    for number, point in enumerate(crash.BATCH_POINTS):
        # Another batch each time: one that the driver dies in twice is done in parts.
        variables = {"LAKESHELF_CRASH_AT": f"{point}:{number}", "LAKESHELF_COMMITTER": committer}
        driver = rig.start(jobs=STOCK_JOBS, max_batch_rows=400, **variables)
        assert driver.wait(PATIENCE_S) == -signal.SIGKILL, (point, rig.log())
    rig.start()
    rig.await_folded()
    rig.stop()
    assert red(rig.reconcile()) == []
    assert rig.contents() == undisturbed


@pytest.mark.nightly
def test_a_batch_in_which_one_committer_was_killed_is_done_by_the_other(
    rig: Rig, undisturbed: Contents
) -> None:
    rig.send()
    small, large = (
        {"LAKESHELF_COMMITTER": "size", "LAKESHELF_DRIVER_BATCH_ROWS": most}
        for most in ("10000", "100")
    )
    for number, sizes in enumerate((large, small)):
        crash_at = f"between_tables:{number}"
        driver = rig.start(
            jobs=STOCK_JOBS, max_batch_rows=400, LAKESHELF_CRASH_AT=crash_at, **sizes
        )
        assert driver.wait(PATIENCE_S) == -signal.SIGKILL, rig.log()
    rig.start(jobs=STOCK_JOBS, max_batch_rows=400, **large)
    eventually(lambda: rig.batches() > 1, "a batch of Spark", PATIENCE_S)
    rig.stop()
    rows = [r for r in ledger.entries(rig.settings.lake_root, STOCK) if r["kind"] == "batch"]
    assert [row["committer"] for row in rows[:2]] == ["driver", "spark"]
    rig.start(**small)
    rig.await_folded()
    rig.stop()
    assert red(rig.reconcile()) == []
    assert rig.contents() == undisturbed


def test_a_driver_killed_while_it_writes_the_first_offsets_of_a_query_goes_on(rig: Rig) -> None:
    rig.send()
    found = checkpoint.begin(rig.settings.checkpoint_dir, STOCK, {})
    half_written = found.path / "offsets" / ".0.72f0c9c4-5e8e-4f0d-9d0c-0d6a3c5f1c55.tmp"
    half_written.parent.mkdir(parents=True)
    half_written.write_bytes(b"v1\n")
    rig.start(jobs=STOCK_JOBS)
    eventually(lambda: rig.batches() > 0, "the query folds")
    rig.stop()


def test_without_the_record_of_commits_a_repeated_batch_is_counted_twice(rig: Rig) -> None:
    rig.send()
    driver = rig.start(jobs=STOCK_JOBS, LAKESHELF_CRASH_AT="after_publish")
    assert driver.wait(PATIENCE_S) == -signal.SIGKILL
    rig.start(program=str(Path(__file__).with_name("forgetful_driver.py")))
    rig.await_folded()
    rig.stop()
    assert {"I5", "I5 ids"} <= set(red(rig.reconcile()))


def test_a_broker_killed_while_receipts_are_sent_loses_nothing_that_it_acknowledged(
    rig: Rig, undisturbed: Contents
) -> None:
    rig.start()
    sender = threading.Thread(target=lambda: rig.send(speed=200_000.0))
    sender.start()
    for _ in range(3):
        before = rig.sent()
        eventually(
            lambda before=before: rig.sent() > before or not sender.is_alive(), "records are sent"
        )
        rig.broker.kill()
        rig.broker.start()
        rig.broker.wait_healthy(PATIENCE_S)
    sender.join(PATIENCE_S)
    assert not sender.is_alive()
    rig.await_folded()
    rig.stop()
    assert red(rig.reconcile()) == []
    assert rig.contents() == undisturbed
