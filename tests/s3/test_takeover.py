"""Two drivers on one lake in a bucket take its queries from each other while they fold: nothing is lost or doubled.

The holder is stopped in whatever it does (SIGSTOP) for longer than its lease lasts, and goes on when the other one has
taken over: it has to notice by itself that its commits are late.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lakeshelf.errors import LakeshelfError
from lakeshelf.lake.place.folders import at
from lakeshelf.lake.place.leases import LEASES, Holder
from lakeshelf.settings import project_home
from lakeshelf.stack.observing import lag
from tests.faults.rig import STOCK, Rig, red
from tests.support import eventually

PATIENCE_S = 400.0
LEASE_S = 3


@pytest.fixture
def rig(root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    monkeypatch.setenv("LAKESHELF_CACHE_DIR", str(project_home() / ".cache"))
    monkeypatch.setenv("LAKESHELF_STATE_DIR", str(tmp_path / "one"))
    made = Rig(root)
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.faults
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("times", "baskets"),
    [(1, 60), pytest.param(50, 1000, marks=[pytest.mark.nightly, pytest.mark.timeout(5400)])],
)
def test_two_drivers_take_the_queries_from_each_other(
    rig: Rig, root: str, tmp_path: Path, times: int, baskets: int
) -> None:
    chance = random.Random(times)
    rig.send(baskets=baskets)
    drivers = {name: start(rig, tmp_path, name) for name in ("one", "other")}
    try:
        eventually(lambda: holder(root) is not None, "a driver has the lease", PATIENCE_S)
        terms = [term(root)]
        for _ in range(times):
            before = rig.batches()
            paused = taken_over(rig, root, tmp_path, drivers)
            paused.send_signal(signal.SIGCONT)
            eventually(
                lambda before=before: rig.batches() > before + 1 or folded(rig),
                f"batches after a takeover; {rig.log()}",
                PATIENCE_S,
            )
            terms.append(term(root))
            if folded(rig):
                rig.send(baskets=baskets)  # the same receipts again: each counts once
            chance.random()
    finally:
        for driver in drivers.values():
            driver.kill()
            driver.wait(60)
    assert terms == sorted(set(terms)), "each takeover is a term of its own"
    assert len(terms) == times + 1
    rig.start()
    rig.await_folded()
    assert rig.stop() == 0
    assert red(rig.reconcile(baskets)) == []


def start(rig: Rig, tmp_path: Path, name: str) -> subprocess.Popen[bytes]:
    return rig.start(
        max_batch_rows=60,
        LAKESHELF_STATE_DIR=str(tmp_path / name),
        LAKESHELF_BOOTSTRAP_SERVERS=rig.client["bootstrap.servers"],
        LAKESHELF_LEASE_SECONDS=str(LEASE_S),
    )


def taken_over(
    rig: Rig, root: str, tmp_path: Path, drivers: dict[str, subprocess.Popen[bytes]]
) -> subprocess.Popen[bytes]:
    """Stop the holder; it, once the other driver has the lease."""
    name = owner(root, tmp_path)
    drivers[name].send_signal(signal.SIGSTOP)
    eventually(
        lambda: owner(root, tmp_path) != name, f"the other one takes over; {rig.log()}", PATIENCE_S
    )
    return drivers[name]


def folded(rig: Rig) -> bool:
    """Whether the query has folded all that was sent, as far as it can be told while it changes hands."""
    plans = [plan for plan in rig.plans if plan.name == STOCK]
    with suppress(LakeshelfError):
        return lag.total(lag.behind(rig.settings, rig.client, plans)) == 0
    return False


def holder(root: str) -> Holder | None:
    try:
        content, _ = (at(root) / LEASES / f"{STOCK}.json").tagged()
    except FileNotFoundError:
        return None
    return Holder.read(content, STOCK)


def term(root: str) -> int:
    held = holder(root)
    assert held is not None
    return held.term


def owner(root: str, tmp_path: Path) -> str:
    """Name of the driver that has the lease."""
    held = holder(root)
    assert held is not None
    identities = {
        json.loads((tmp_path / name / "state.json").read_bytes())["id"]: name
        for name in ("one", "other")
        if (tmp_path / name / "state.json").exists()
    }
    return identities[held.owner.partition("@")[0]]
