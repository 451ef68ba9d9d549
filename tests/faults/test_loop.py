"""Business days of three stores while driver, broker and components are killed again and again."""

from __future__ import annotations

import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import time
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from lakeshelf.settings import Settings, load_settings
from lakeshelf.stack.demos.demo import Show
from lakeshelf.stack.demos.loop import LoopPlan, LoopReport, run
from lakeshelf.stack.supervision import stack_file
from lakeshelf.stack.supervision.supervisor import running_stack
from lakeshelf.streams.declare import registry
from lakeshelf.streams.recover.recovery import rebuild
from tests.faults.rig import COMPARED, OUTSIDE, red, rows

pytestmark = [pytest.mark.faults, pytest.mark.slow]
SEED = 20260302
TIMES = tuple(time(hour) for hour in (0, 8, 12, 21))
PARTS = ("streams", "broker", "components")
PAUSE_S = (0.0, 3.0)
DECIDED = (
    "ops/wh_supplier_orders",
    "ops/wh_supplier_receipts",
    "analytics/daily_discounts",
    "curated/daily_demand",
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


def play(settings: Settings, days: int, show: Show = lambda *_: None) -> LoopReport:
    """Play some days."""
    return run(settings, LoopPlan(days=days, times=TIMES), show)


class Killer:
    """Kills parts of a stack while it plays: all in the steps before the last, so many in each.

    A step begins when the kills of the one before it are done: a fast machine is not spared.

    Args:
        settings: Of the lake.
        parts: What to kill, in order.

    Attributes:
        kills: Part → how often it was killed.
    """

    def __init__(self, settings: Settings, parts: Sequence[str]) -> None:
        self.kills: Counter[str] = Counter()
        self._settings, self._parts = settings, parts
        self._chance, self._over = random.Random(SEED), threading.Event()
        self._thread = ThreadPoolExecutor(1)
        self._of_step: Future[None] = self._thread.submit(lambda: None)

    def __enter__(self) -> Killer:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.shutdown()

    def show(self, name: str, step: int, steps: int) -> None:
        """Take up a step of the demo."""
        if name == "play" and step < steps:
            self._of_step.result()
            first, end = (len(self._parts) * n // (steps - 1) for n in (step, step + 1))
            self._of_step = self._thread.submit(self._kill, self._parts[first:end])

    def _kill(self, parts: Iterable[str]) -> None:
        for part in parts:
            while not self._over.wait(self._chance.uniform(*PAUSE_S)):
                if self._is_killed(part):
                    self.kills[part] += 1
                    break

    def _is_killed(self, part: str) -> bool:
        stack = running_stack(self._settings)
        process = stack_file.process(stack["parts"][part]) if stack else None
        if process is None or stack["state"] != "running" or not process.is_alive:
            return False
        process.send(signal.SIGKILL)
        return True


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
        pytest.param(30, 40, marks=pytest.mark.nightly),
    ],
)
def test_a_shop_that_is_killed_again_and_again_does_what_it_would_have_done(
    tmp_path: Path, days: int, rounds: int
) -> None:
    calm, harried = tmp_path / "calm", tmp_path / "harried"
    assert red(play(shop(calm), days).reconciliation) == []

    settings = shop(harried, simulation_duplicates=0.05, simulation_reorder=True)
    with Killer(settings, shuffled(rounds)) as killer:
        report = play(settings, days, killer.show)
    assert red(report.reconciliation) == [], SEED
    assert killer.kills == dict.fromkeys(PARTS, rounds)
    assert all(report.restarts[part] >= rounds for part in PARTS)
    require_equal(calm, harried)
    require_rebuilt(settings)
