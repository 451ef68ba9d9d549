"""Components as real processes on a real broker: killed anywhere, they leave what an undisturbed run leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lakeshelf import crash
from lakeshelf.components.clock import Ticker
from lakeshelf.errors import LakeError
from tests.support import eventually

from .rig import SECONDS, Rig, Row
from .test_supplier import PLANS, PROFILES, at, plan, profile

pytestmark = pytest.mark.slow
SUPPLIER = "wh-supplier-manager"
JOURNAL = "ops/journal_wh_supplier_manager"
ORDERS, RECEIPTS = "ops/wh_supplier_orders", "ops/wh_supplier_receipts"
SUPPLY = (JOURNAL, ORDERS, RECEIPTS, PLANS, PROFILES)
SALES = (
    "ops/journal_producer_shelf",
    "ops/journal_producer_pos",
    "raw/shelf_events",
    "analytics/daily_discounts",
)
CUTOFFS = (at("Sun", 12), at("Tue", 12))
DELIVERIES = (at("Mon", 8), at("Wed", 8))

KILLS = (
    (CUTOFFS[0], ("before_journal", "after_journal")),
    (DELIVERIES[0], ("after_messages",)),
    (CUTOFFS[1], ("after_journal",)),
    (DELIVERIES[1], ("before_journal", "after_messages")),
)
"""Business time → where the processes end that act on it, one after the other."""
assert {point for _, points in KILLS for point in points} == set(crash.DECISION_POINTS)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path / "lake", (*SUPPLY, *SALES))
    yield made
    made.close()


def planned(rig: Rig) -> None:
    """A first tick, then plans for two cutoffs."""
    rig.tick(at("Sun", 9))
    told = {"version": 1, "updated_at": at("Sun", 9), "standard_batch_size": 5, "source": "rule"}
    more = {"name": "milk", "max_stock": 20, "version": 1, "updated_at": at("Sun", 9)}
    rig.put(PLANS, plan("A", at("Sun", 9), 12, **told), plan("B", at("Mon", 9), 7, **told))
    for shelf in "AB":
        rig.put(PROFILES, {**profile(shelf, 5), "store_id": "S1", **more})


def left(rig: Rig) -> dict[str, Any]:
    """Everything that a supplier manager has left; messages with one id must be equal."""
    found: dict[str, Any] = {name: rig.rows(name) for name in (ORDERS, RECEIPTS)}
    found[JOURNAL] = rig.rows(JOURNAL, "decided_at")
    for topic, names in (
        ("wh_events", ["event_id"]),
        ("wh_supplier_orders", ["order_id", "version"]),
    ):
        by_id: dict[tuple[Any, ...], Row] = {}
        for message in rig.sent(topic):
            key = tuple(message.get(name) for name in names)
            assert by_id.setdefault(key, message) == message
        found[topic] = by_id
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What two cutoffs and two deliveries leave when nothing goes wrong."""
    with closing(Rig(tmp_path_factory.mktemp("undisturbed") / "lake", SUPPLY)) as rig:
        planned(rig)
        process = rig.start(SUPPLIER)
        rig.await_reached(SUPPLIER)
        for cutoff, delivery in zip(CUTOFFS, DELIVERIES, strict=True):
            for moment in (cutoff, delivery):
                rig.tick(moment)
                rig.await_reached(SUPPLIER)
        assert rig.stop(process) == 0
        return left(rig)


@pytest.mark.faults
def test_a_component_killed_at_each_named_point_leaves_what_an_undisturbed_run_leaves(
    rig: Rig, undisturbed: dict[str, Any]
) -> None:
    planned(rig)
    process = rig.start(SUPPLIER)
    rig.await_reached(SUPPLIER)
    rig.stop(process)
    for number, (moment, points) in enumerate(KILLS, start=2):
        rig.tick(moment)
        for point in points:
            killed = rig.start(SUPPLIER, LAKESHELF_CRASH_AT=f"{point}:{number}")
            assert killed.wait(SECONDS) == -signal.SIGKILL, (point, rig.log())
    process = rig.start(SUPPLIER)
    rig.await_reached(SUPPLIER)
    rig.stop(process)
    assert left(rig) == undisturbed


def test_a_second_process_of_a_component_is_refused_until_the_first_ends(rig: Rig) -> None:
    rig.tick(at("Sun", 9))
    first = rig.start(SUPPLIER)
    rig.await_reached(SUPPLIER)
    second = rig.start(SUPPLIER)

    errors: list[str] = []

    def refused() -> bool:
        health = rig.health(SUPPLIER)
        is_refused = health.get("pid") == second.pid and health["state"] == "failed"
        if is_refused:
            errors.append(health["error"])
        return is_refused

    eventually(refused, "the second is refused")
    assert f"is held by component {SUPPLIER} (process {first.pid})" in errors[0]
    assert "\n" not in errors[0]
    assert len(rig.rows(JOURNAL)) == 1
    assert rig.stop(first) == 0
    rig.tick(CUTOFFS[0])
    rig.await_reached(SUPPLIER)
    eventually(lambda: rig.health(SUPPLIER).get("state") == "running", "the second has taken over")
    assert len(rig.rows(JOURNAL)) == 2
    assert rig.stop(second) == 0


def test_a_follower_waits_for_the_component_that_acts_first(rig: Rig) -> None:
    begin = datetime(2026, 3, 6, 6, tzinfo=UTC)
    rig.tick(begin)
    shelves = rig.start("producer-shelf")
    rig.await_reached("producer-shelf")
    rig.stop(shelves)
    pos = rig.start("producer-pos")
    rig.await_reached("producer-pos")
    rig.tick(begin + timedelta(hours=7))
    eventually(lambda: rig.health("producer-pos").get("state") == "running", "it runs")
    assert rig.reached("producer-pos") == 1
    assert rig.sent("pos_transactions") == []
    shelves = rig.start("producer-shelf")
    rig.await_reached("producer-shelf", "producer-pos")
    assert (rig.stop(pos), rig.stop(shelves)) == (0, 0)
    (entry,) = rig.rows("ops/journal_producer_pos")
    assert len(entry["messages"]) == len(rig.sent("pos_transactions")) > 0


def test_a_clock_goes_on_from_the_topic_and_runs_once(rig: Rig) -> None:
    rig.tick(at("Sun", 9), at("Sun", 10))
    with Ticker(rig.context) as ticker:
        assert ticker.now == at("Sun", 10)
        assert ticker.tick(at("Sun", 8), "scaled", 2.0) == 3
        with pytest.raises(LakeError, match="is held by the clock"):
            Ticker(rig.context).__enter__()
    times = [tick["now"] for tick in rig.sent("clock")]
    assert times == ["2026-03-01T09:00:00Z", "2026-03-01T10:00:00Z", "2026-03-01T10:00:00Z"]


def test_an_unknown_component_ends_the_process_with_one_line(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "lakeshelf.stack.supervision.components_process",
        "--components",
        "clok",
    ]
    variables = os.environ | {"LAKESHELF_LAKE_ROOT": str(tmp_path)}
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: no component 'clok'")
