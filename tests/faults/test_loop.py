"""Business days of three stores while driver, broker and components are killed again and again."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import time
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from lakeshelf.settings import Settings, load_settings
from lakeshelf.stack.demos.loop import LoopPlan, LoopReport, run
from lakeshelf.stack.supervision.supervisor import running_stack
from lakeshelf.streams.declare import registry
from lakeshelf.streams.recover.recovery import rebuild
from tests.faults.rig import COMPARED, OUTSIDE, red, rows

pytestmark = [pytest.mark.faults, pytest.mark.slow]
SEED = 20260302
TIMES = tuple(time(hour) for hour in (0, 8, 12, 21))
PARTS = ("streams", "broker", "components")
PAUSE_S = (2.0, 9.0)
DECIDED = (
    "ops/wh_supplier_orders",
    "ops/wh_supplier_receipts",
    "analytics/daily_discounts",
    "curated/features_store",
    "ops/stock_discrepancies",
    "staging/shelf_refill_pending",
)
"""Tables of what was decided that are equal to the row."""
REBUILT = (
    *COMPARED,
    "ops/stock_discrepancies",
    "ops/shelf_alerts",
    "ops/shelf_restock_plan",
    "ops/wh_supplier_plan",
    "staging/shelf_refill_pending",
    "curated/product_total_state",
)
PLANS = ("ops/shelf_restock_plan", "ops/wh_supplier_plan")


def shop(lake: Path, **simulation: Any) -> Settings:
    """Settings of three small stores that start again at once."""
    return load_settings(
        lake_root=lake,
        restart_backoff_s=0.2,
        restart_backoff_max_s=1.0,
        simulation_stores=3,
        simulation_shelves=12,
        simulation_seed=SEED,
        **simulation,
    )


def play(settings: Settings, days: int) -> LoopReport:
    """Play some days."""
    return run(settings, LoopPlan(days=days, times=TIMES), lambda *_: None)


@contextmanager
def killing(settings: Settings, parts: Iterable[str]) -> Iterator[Counter[str]]:
    """Kill one part after the other, every few seconds while everything runs; how often each was killed."""
    kills: Counter[str] = Counter()
    chance, done = random.Random(SEED), threading.Event()

    def kill() -> None:
        for part in parts:
            while not done.wait(chance.uniform(*PAUSE_S)):
                stack = running_stack(settings)
                if stack.get("state") == "running":
                    os.kill(stack["parts"][part]["pid"], signal.SIGKILL)
                    kills[part] += 1
                    break

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield kills
    finally:
        done.set()
        thread.join()


def shuffled(rounds: int) -> list[str]:
    """Every part so many times, in random order."""
    parts = list(PARTS) * rounds
    random.Random(SEED).shuffle(parts)
    return parts


def plans_acted_on(root: Path, name: str) -> list[tuple[Any, ...]]:
    """Plans that are open or were acted on; one that opened and closed inside a step may differ."""
    return _kept(root, name, lambda row: row["status"] != "canceled")


def open_alerts(root: Path) -> list[tuple[Any, ...]]:
    """Alerts that are open."""
    return _kept(root, "ops/alerts", lambda row: row["status"] in ("open", "ack"))


def _kept(root: Path, name: str, keep: Callable[[dict[str, Any]], bool]) -> list[tuple[Any, ...]]:
    found = DeltaTable(str(root / name)).to_pyarrow_table().to_pylist()
    return sorted(
        tuple(repr(value) for column, value in row.items() if column not in OUTSIDE)
        for row in found
        if keep(row)
    )


def require_equal(one: Path, other: Path) -> None:
    """Fail unless two lakes hold the same stock and the same decisions."""
    for name in (*COMPARED, "raw/lost_sales", *DECIDED):
        assert rows(one, name) == rows(other, name), name
    for name in PLANS:
        assert plans_acted_on(one, name) == plans_acted_on(other, name), name
    assert open_alerts(one) == open_alerts(other)


def require_rebuilt(settings: Settings) -> None:
    """Fail unless a rebuild gives the same tables, and leaves what was decided."""
    before = {name: rows(settings.lake_root, name) for name in REBUILT}
    rebuild(settings, registry.discover(settings.home).values())
    assert {name: rows(settings.lake_root, name) for name in REBUILT} == before


@pytest.mark.timeout(1500)
@pytest.mark.parametrize(
    ("days", "rounds"),
    [
        (1, 1),
        pytest.param(3, 4, marks=pytest.mark.nightly),
        pytest.param(30, 200, marks=[pytest.mark.nightly, pytest.mark.timeout(14400)]),
    ],
)
def test_a_shop_that_is_killed_again_and_again_does_what_it_would_have_done(
    tmp_path: Path, days: int, rounds: int
) -> None:
    calm, harried = tmp_path / "calm", tmp_path / "harried"
    assert red(play(shop(calm), days).reconciliation) == []

    settings = shop(harried, simulation_duplicates=0.05, simulation_reorder=True)
    with killing(settings, shuffled(rounds)) as kills:
        report = play(settings, days)
    assert red(report.reconciliation) == [], SEED
    assert set(kills) == set(PARTS), kills
    assert all(report.restarts[part] >= kills[part] for part in PARTS)
    require_equal(calm, harried)
    require_rebuilt(settings)
