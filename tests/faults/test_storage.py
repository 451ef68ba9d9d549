"""F6, F7, F13, F14: full disks, two drivers, damaged checkpoints, records that retention took."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from lakeshelf.status_files import STREAMS
from lakeshelf.streams.commit import ledger
from lakeshelf.streams.recover import recovery
from lakeshelf.streams.resume import checkpoint
from tests.faults.rig import STOCK, Rig, red
from tests.support import eventually, mounted

pytestmark = [pytest.mark.faults, pytest.mark.slow]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    with mounted(tmp_path / "small", 24) as folder:
        yield folder


@pytest.fixture
def small_volume(tmp_path: Path) -> Iterator[Rig]:
    """A rig whose lake, state and checkpoints are on one file system of 64 MB, Kafka's data elsewhere."""
    with mounted(tmp_path / "lake", 64) as lake:
        (tmp_path / "broker").mkdir()
        (lake / "_stack").mkdir()
        (lake / "_stack" / "broker").symlink_to(tmp_path / "broker")
        rig = Rig(lake)
        yield rig
        rig.close()


def _fill(folder: Path) -> Path:
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 65_536)
        except OSError:
            return filler


@pytest.mark.parametrize(
    "place",
    [
        "raw/shelf_events",
        pytest.param("cleansed/shelf_state", marks=pytest.mark.nightly),
        "_checkpoints",
    ],
)
def test_a_full_disk_stops_the_query_and_room_lets_it_go_on(
    rig: Rig, small_disk: Path, place: str
) -> None:
    full = rig.settings.lake_root / place
    full.parent.mkdir(exist_ok=True)
    if full.exists():
        shutil.copytree(full, small_disk / "data")
        shutil.rmtree(full)
    else:
        (small_disk / "data").mkdir()
    full.symlink_to(small_disk / "data", target_is_directory=True)
    filler = _fill(small_disk)
    rig.send()
    rig.start()
    eventually(lambda: STOCK in rig.errors(), "the query tells of the full disk")
    assert rig.driver is not None
    assert rig.driver.poll() is None
    filler.unlink()
    rig.await_folded()
    rig.stop()
    assert red(rig.reconcile()) == []


def test_a_full_volume_ends_nothing_that_runs_and_refuses_to_start_in_one_line(
    small_volume: Rig,
) -> None:
    """The driver cannot even tell its status in the file; its health does."""
    rig = small_volume
    filler = _fill(rig.settings.lake_root)
    refused = _started(rig)
    assert refused.returncode == 1
    (line,) = refused.stderr.decode().strip().splitlines()
    assert re.search(
        rf"^error: {rig.settings.lake_root}/\S+: No space left .+; free some space", line
    )
    filler.unlink()
    rig.start()
    eventually(lambda: _problem(rig) == "", "the driver runs")
    filler = _fill(rig.settings.lake_root)
    rig.send()
    eventually(lambda: "No space left" in _problem(rig), "the driver tells of the full volume")
    filler.unlink()
    rig.await_folded()
    assert rig.stop() == 0
    assert red(rig.reconcile()) == []


def _problem(rig: Rig) -> str:
    """What keeps the queries from folding, as the driver itself tells it."""
    address = STREAMS.read(rig.settings.stack_dir).get("telemetry")
    if address is None:
        return "it does not run yet"
    try:
        with urlopen(f"{address}/health/ready"):
            return ""
    except HTTPError as error:
        return " ".join(json.load(error)["problems"])


def test_a_second_driver_is_refused_before_it_writes(rig: Rig) -> None:
    rig.send(baskets=20)
    rig.start()
    rig.await_folded()
    before = _written(rig.settings.lake_root)
    second = _started(rig)
    assert second.returncode == 1
    assert len(second.stderr.decode().strip().splitlines()) == 1
    assert b"is held by the streams driver" in second.stderr
    assert _written(rig.settings.lake_root) == before


def _started(rig: Rig) -> subprocess.CompletedProcess[bytes]:
    """A driver that is refused."""
    environment = os.environ | {"LAKESHELF_LAKE_ROOT": str(rig.settings.lake_root)}
    return subprocess.run(
        [sys.executable, "-m", "lakeshelf.stack.supervision.streams_process"],
        env=environment,
        capture_output=True,
        check=False,
    )


def _written(root: Path) -> dict[str, int]:
    """Everything below the tables and checkpoints, with its size."""
    files = (
        f
        for part in ("raw", "cleansed", "staging", "ops", "curated", "_checkpoints")
        for f in (root / part).rglob("*")
    )
    return {str(file): file.stat().st_size for file in files if file.is_file()}


def _delete_one(folder: Path) -> None:
    sorted((folder / "offsets").glob("[0-9]*"), key=lambda f: int(f.name))[-2].unlink()


def _truncate_last(folder: Path) -> None:
    sorted((folder / "offsets").glob("[0-9]*"), key=lambda f: int(f.name))[-1].write_text("v1\n{")


def _remove_commits(folder: Path) -> None:
    shutil.rmtree(folder / "commits")
    (folder / "commits").mkdir()


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_truncate_last, "is truncated"),
        pytest.param(_delete_one, "is missing", marks=pytest.mark.nightly),
        pytest.param(_remove_commits, "commit", marks=pytest.mark.nightly),
    ],
)
def test_a_damaged_checkpoint_is_named_and_a_rebuild_makes_the_tables_right(
    rig: Rig, damage: Callable[[Path], None], told: str
) -> None:
    rig.send()
    rig.start(max_batch_rows=1_500)
    rig.await_folded()
    rig.stop()
    before = rig.contents()
    found = checkpoint.current(rig.settings.checkpoint_dir, STOCK)
    damage(found.path)
    assert any(told in problem for problem in checkpoint.problems(found)), checkpoint.problems(
        found
    )
    recovery.rebuild(rig.settings, rig.jobs.values())
    assert checkpoint.problems(checkpoint.current(rig.settings.checkpoint_dir, STOCK)) == []
    assert rig.contents() == before
    rig.send(baskets=250)
    rig.start()
    rig.await_folded()
    rig.stop()
    assert red(rig.reconcile(250)) == []


def test_records_that_retention_took_stop_the_query_until_the_gap_is_accepted(rig: Rig) -> None:
    rig.send(baskets=20)
    rig.start()
    rig.await_folded()
    rig.stop()
    reached = ledger.reached(rig.settings.lake_root, "shelf_events", STOCK)
    rig.send(baskets=100)
    gone = [TopicPartition("shelf_events", int(p), end + 5) for p, end in reached.items()]
    admin = AdminClient(dict(rig.client))
    for future in admin.delete_records(gone).values():
        future.result()
    rig.start()
    eventually(lambda: STOCK in rig.errors(), "the query refuses to skip records")
    assert f"`lakeshelf jobs accept-gap {STOCK}`" in rig.errors()[STOCK]
    rig.stop()
    lost = recovery.accept_gap(rig.settings, rig.jobs.values(), rig.client, STOCK)
    assert {p: (a, b) for p, (a, b) in lost["shelf_events"].items()} == {
        p: (end, end + 5) for p, end in reached.items()
    }
    assert [
        row["offsets"]
        for row in ledger.entries(rig.settings.lake_root)
        if row["kind"] == "gap_accepted"
    ]
    rig.start()
    rig.await_folded()
    rig.stop()
