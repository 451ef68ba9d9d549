"""Business days of three stores while driver, broker and components are killed again and again."""

from __future__ import annotations

import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.contracts.layers import Ops
from lakeshelf.contracts.messages import encode
from lakeshelf.lake.form.commits import Txn, Write
from lakeshelf.lake.rows import tables
from lakeshelf.lake.write import writing
from lakeshelf.settings import Settings, load_settings
from lakeshelf.simulation.stores import stores
from lakeshelf.stack.demos.demo import Show
from lakeshelf.stack.demos.loop import START, LoopPlan, LoopReport, Quiet, run
from lakeshelf.stack.embedded.clients import client_settings
from lakeshelf.stack.supervision import stack_file
from lakeshelf.stack.supervision.supervisor import running_stack
from lakeshelf.streams.commit.publisher import Publisher
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


class Teller:
    """Tells levels of half of all shelves, which a model may order for, before steps of the clock.

    Args:
        settings: Of the lake.
        show: Shows each step, too.
    """

    def __init__(self, settings: Settings, show: Show = lambda *_: None) -> None:
        self._settings, self._show = settings, show
        self._shelves = [shelf for store in stores(SEED, 3, 12) for shelf in store.shelves][::2]

    def show(self, name: str, step: int, steps: int) -> None:
        """Tell the policies at the second step, when the shop is there, and levels once a day."""
        if name == "play" and step % len(TIMES) == 1:
            now = LoopPlan(days=steps, times=TIMES).moments[step]
            if step == 1:
                champion(self._settings.lake_root, now)
            self._tell(now, step)
        self._show(name, step, steps)

    def _tell(self, now: datetime, step: int) -> None:
        publisher = Publisher(client_settings(self._settings))
        for topic, message in (("wh_policies", self._policy), ("order_levels", self._level)):
            told = [
                (shelf.shelf_id, message(n, now, step)) for n, shelf in enumerate(self._shelves)
            ]
            values = [(shelf, encode(CATALOG.topics[topic], row).decode()) for shelf, row in told]
            publisher.encoded(CATALOG.topics[topic], values)
        publisher.flush()
        quiet = Quiet(self._settings, client_settings(self._settings), ())
        quiet.wait()  # a level that comes beside a tick is in force for it or not, as luck will have it
        quiet.close()

    def _policy(self, number: int, now: datetime, _: int) -> dict[str, Any]:
        policy = {**self._shelves[number].policy(now), "plan_source": "ml", "version": 2}
        del policy["shelf_id"]
        return {**policy, "updated_at": datetime.combine(START, time.min, UTC)}

    def _level(self, number: int, now: datetime, step: int) -> dict[str, Any]:
        """A level that grows and shrinks, and of every third shelf ends before the next one comes."""
        day, shelf = now.date(), self._shelves[number]
        until = datetime.combine(day + timedelta(days=1 if number % 3 == 0 else 3), time.min, UTC)
        return {
            "store_id": shelf.store_id,
            "item_id": shelf.item_id,
            "level_qty": shelf.max_stock + (number * 7 + step) % (2 * shelf.reorder_point),
            "lot_level_qty": None if number % 2 else shelf.max_stock,
            "feature_date": day,
            "valid_until": until,
            "model_name": "M",
            "model_version": "V1",
            "version": day.toordinal(),
            "updated_at": now,
        }


def champion(root: Path | str, now: datetime) -> None:
    """Register the version whose levels are told."""
    schema = arrow_contract.schema(CATALOG.tables[Ops.MODELS].columns)
    words = {field.name: "-" for field in schema if field.type == pa.string()}
    row = {**words, "model_name": "M", "model_version": "V1", "status": "champion"}
    times = {"trained_until": now.date(), "created_at": now, "updated_at": now, "version": 1}
    handle = tables.open_table(root, Ops.MODELS)
    rows = pa.Table.from_pylist([{**row, "replaced": None, **times}], schema=schema)
    writing.append(handle, Ops.MODELS, rows, Write.once(Txn("test", 0)))


@pytest.mark.nightly
@pytest.mark.timeout(1500)
@pytest.mark.parametrize(("days", "rounds"), [(1, 1), (5, 6)])
def test_a_shop_with_both_sources_of_plans_that_is_killed_does_what_it_would_have_done(
    tmp_path: Path, days: int, rounds: int
) -> None:
    calm, harried = shop(tmp_path / "calm"), shop(tmp_path / "harried")
    assert red(play(calm, days, Teller(calm).show).reconciliation) == []
    with Killer(harried, shuffled(rounds)) as killer:
        report = play(harried, days, Teller(harried, killer.show).show)
    assert red(report.reconciliation) == [], SEED
    assert killer.kills == dict.fromkeys(PARTS, rounds)
    plans = DeltaTable(str(tmp_path / "harried" / PLANS[1])).to_pyarrow_table().to_pylist()
    on_the_first_day = {"ml"}  # no shelf that obeys the rule is low enough yet
    sources = on_the_first_day if days == 1 else {"rule", "ml"}
    assert {plan["source"] for plan in plans} == sources
    require_equal(tmp_path / "calm", tmp_path / "harried")
    require_rebuilt(harried)


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
