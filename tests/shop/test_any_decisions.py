"""Any events, messages, levels, commands and ticks: the jobs decide what the rules in plain Python decide."""

from __future__ import annotations

import os
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.streams.bench import START, Bench, lake, level
from tests.streams.moving import millis

SHELVES = ("S1-I1", "S1-I2")
LOTS = ("L1", "L2")


class Deciding(RuleBasedStateMachine):
    """Any events, messages, commands and ticks, in any batches, with crashes."""

    def __init__(self) -> None:
        super().__init__()
        self._lake = lake()
        self.bench = Bench(self._lake.__enter__())

    def teardown(self) -> None:
        self._lake.__exit__(None, None, None)

    @rule(minutes=st.sampled_from((0, 1, 2, 5, 60 * 24)))
    def tick(self, minutes: int) -> None:
        self.bench.tick(timedelta(minutes=minutes, seconds=1))

    @rule(
        shelf=st.sampled_from(SHELVES),
        kind=st.sampled_from(("pickup", "putback", "restock", "adjustment", "removal")),
        quantity=st.integers(1, 6),
        lot=st.sampled_from((None, *LOTS)),
        opening=st.booleans(),
    )
    def on_the_shelf(
        self, shelf: str, kind: str, quantity: int, lot: str | None, opening: bool
    ) -> None:
        values = {"shelf_id": shelf, "item_id": "I1", "event_type": kind, "quantity": quantity}
        reason = "opening_balance" if opening and kind == "restock" else None
        self.bench.send("shelf_events", **values, batch_code=lot, reason=reason)

    @rule(
        shelf=st.sampled_from(SHELVES),
        kind=st.sampled_from(("wh_in", "wh_in", "wh_out", "wh_removal", "wh_adjustment")),
        quantity=st.integers(1, 12),
        lot=st.sampled_from(LOTS),
        days=st.none() | st.integers(-1, 12),
        replay=st.booleans(),
    )
    def in_the_back_room(
        self, shelf: str, kind: str, quantity: int, lot: str, days: int | None, replay: bool
    ) -> None:
        expiry = None if days is None else self.bench.now.date() + timedelta(days=days)
        values = {"shelf_id": shelf, "item_id": "I1", "event_type": kind, "quantity": quantity}
        reason = "replay" if replay and kind == "wh_out" else None
        self.bench.send("wh_events", **values, batch_code=lot, expiry_date=expiry, reason=reason)

    @rule(
        shelf=st.sampled_from(SHELVES),
        max_stock=st.sampled_from((0, 10, 20)),
        weight=st.none() | st.just(2.5),
        deleted=st.booleans(),
    )
    def profile(self, shelf: str, max_stock: int, weight: float | None, deleted: bool) -> None:
        values = {"store_id": "S1", "item_id": "I1", "name": "milk", "max_stock": max_stock}
        sizes = {"unit_weight": weight, "standard_batch_size": 6, "unit_price": 1}
        self.bench.tell(
            "shelf_profiles", shelf, **values, **sizes, deleted=deleted and weight is None
        )

    @rule(
        shelf=st.sampled_from((*SHELVES, "__GLOBAL__")),
        threshold=st.sampled_from((0.0, 30.0, 50.0)),
        min_qty=st.sampled_from((0, 1, 4)),
        refill_to=st.sampled_from((50.0, 80.0)),
        active=st.booleans(),
        deleted=st.booleans(),
    )
    def shelf_policy(
        self,
        shelf: str,
        threshold: float,
        min_qty: int,
        refill_to: float,
        active: bool,
        deleted: bool,
    ) -> None:
        limits = {"threshold_pct": threshold, "min_qty": min_qty, "target_pct": refill_to}
        self.bench.tell(
            "shelf_policies", shelf, **limits, near_expiry_days=3, active=active, deleted=deleted
        )

    @rule(
        shelf=st.sampled_from((*SHELVES, "__GLOBAL__")),
        point=st.sampled_from((0, 5, 20)),
        multiplier=st.sampled_from((1, 2)),
        source=st.sampled_from((None, "rule", "ml", "ml")),
        zero=st.none() | st.booleans(),
        active=st.booleans(),
    )
    def warehouse_policy(
        self,
        shelf: str,
        point: int,
        multiplier: int,
        source: str | None,
        zero: bool | None,
        active: bool,
    ) -> None:
        limits = {"reorder_point_qty": point, "batch_multiplier": multiplier}
        models = {"plan_source": source, "allow_zero": zero}
        self.bench.tell("wh_policies", shelf, **limits, **models, near_expiry_days=4, active=active)

    @rule(
        shelf=st.sampled_from(SHELVES),
        units=st.integers(0, 40),
        pays=st.none() | st.integers(0, 40),
        days=st.sampled_from((0, 1, 2, 8)),
        deleted=st.sampled_from((False, False, True)),
    )
    def told_level(
        self, shelf: str, units: int, pays: int | None, days: int, deleted: bool
    ) -> None:
        level(self.bench, units, shelf, days, lot_level_qty=pays, deleted=deleted)

    @rule(data=st.data(), command=st.sampled_from(("ack", "dismiss", "cancel", "order")))
    def command(self, data: st.DataObject, command: str) -> None:
        """About anything that there is, was, or comes into being with this very batch."""
        shop, shelf = self.bench.shop, data.draw(st.sampled_from(SHELVES))
        known = {k for rows in (shop.alerts, shop.plans) for held in rows.values() for k in held}
        stamp = millis(self.bench.now)
        coming = (f"refill_request:store:{shelf}:{stamp}", f"supply:{shelf}:{stamp}:0", shelf)
        fits = {k for k in known if (":store:" in k or ":warehouse:" in k) == (command != "cancel")}
        targets = st.sampled_from(coming) if not fits else st.sampled_from(sorted(fits))
        target = data.draw(targets | st.sampled_from((*coming, *sorted(known))))
        asked = {"command": command, "target_id": target, "actor": "ada"}
        self.bench.send("commands", event_type=command, **asked)

    @rule(data=st.data())
    def order(self, data: st.DataObject) -> None:
        plans = [p for p in self.bench.shop.plans["wh"].values() if p["status"] == "pending"]
        if plans:
            plan = data.draw(st.sampled_from(plans))
            self._order(plan["supplier_plan_id"], plan["shelf_id"], plan["suggested_qty"], "issued")

    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        orders = [o for o in self.bench.shop.orders.values() if o["status"] == "issued"]
        if orders:
            order = data.draw(st.sampled_from(orders))
            self._order(
                order["supplier_plan_id"], order["shelf_id"], order["total_qty"], "delivered"
            )

    def _order(self, plan: str, shelf: str, quantity: int, status: str) -> None:
        values = {
            "supplier_plan_id": plan,
            "shelf_id": shelf,
            "total_qty": quantity,
            "status": status,
        }
        dates = {"delivery_date": date(2026, 3, 2), "cutoff_ts": START, "created_at": START}
        self.bench.tell("wh_supplier_orders", f"order:{plan}", store_id="S1", **values, **dates)

    @precondition(lambda self: self.bench.coming)
    @rule(crash_after=st.none() | st.integers(0, 14))
    def process(self, crash_after: int | None) -> None:
        self.bench.process(crash_after)

    @invariant()
    def one_plan_a_shelf_is_pending(self) -> None:
        for plans in self.bench.shop.plans.values():
            pending = [p["shelf_id"] for p in plans.values() if p["status"] == "pending"]
            assert len(set(pending)) == len(pending)


def _settings(examples: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=30,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.slow
class TestDeciding(Deciding.TestCase):  # type: ignore[name-defined,misc]
    """Runs the machine."""

    settings = _settings(int(os.environ.get("LAKESHELF_TEST_EXAMPLES", "10")))


@pytest.mark.nightly
@pytest.mark.timeout(3600)
class TestDecidingOften(Deciding.TestCase):  # type: ignore[name-defined,misc]
    """Runs it ten times as often."""

    settings = _settings(100)
