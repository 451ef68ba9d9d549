"""Alerts, plans, picks and arrivals: the jobs decide what the rules in plain Python decide."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from tests.streams.bench import (
    SHELF,
    START,
    Bench,
    arrive,
    lake,
    opened,
    planned,
    policy,
    stocked,
)


@pytest.fixture
def bench() -> Iterator[Bench]:
    with lake() as root:
        yield Bench(root)


LOW = ("refill_request", "open")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stock", "profile", "limits", "alerts", "plans"),
    [
        pytest.param(3, {}, {}, set(), [], id="exactly at the threshold"),
        pytest.param(2, {}, {}, {LOW}, [("pending", 6)], id="below the threshold"),
        pytest.param(4, {}, {"threshold_pct": 0.0, "min_qty": 4}, set(), [], id="exactly min_qty"),
        pytest.param(
            3, {}, {"threshold_pct": 0.0, "min_qty": 4}, {LOW}, [("pending", 5)], id="below min_qty"
        ),
        pytest.param(0, {}, {}, {LOW}, [("pending", 8)], id="zero stock"),
        pytest.param(0, {"max_stock": 0}, {}, set(), [], id="max_stock 0"),
        pytest.param(
            2, {"max_stock": 11}, {}, {LOW}, [("pending", 7)], id="the target is rounded up"
        ),
        pytest.param(2, {}, {"target_pct": 20.0}, {LOW}, [], id="the target is reached"),
    ],
)
def test_when_a_shelf_is_low_and_what_it_gets(
    bench: Bench, stock: int, profile: Any, limits: Any, alerts: Any, plans: Any
) -> None:
    if limits:
        policy(bench, **limits)
    stocked(bench, stock, **profile)
    assert (opened(bench), planned(bench)) == (alerts, plans)


@pytest.mark.slow
def test_without_a_profile_nothing_is_decided_until_it_comes(bench: Bench) -> None:
    bench.send("shelf_events", shelf_id=SHELF, item_id="I1", event_type="pickup", quantity=1)
    bench.tick(timedelta(0))
    bench.process()
    assert opened(bench) == set()
    stocked(bench, 0)
    assert opened(bench) == {LOW}


@pytest.mark.slow
def test_without_a_tick_nothing_is_decided(bench: Bench) -> None:
    bench.tell(
        "shelf_profiles",
        SHELF,
        store_id="S1",
        item_id="I1",
        name="milk",
        max_stock=10,
        unit_price=1,
        standard_batch_size=6,
    )
    bench.process()
    assert opened(bench) == set()


@pytest.mark.slow
def test_goods_on_the_way_are_not_planned_again(bench: Bench) -> None:
    stocked(bench, 2, back_room=20)
    bench.tick(timedelta(minutes=2))
    (wh_out,) = bench.process()
    assert (wh_out[0], wh_out[1]["quantity"]) == ("wh_events", 6)
    bench.process()
    assert planned(bench) == [("issued", 6)]
    assert opened(bench) == {LOW}
    bench.tick(timedelta(minutes=3))
    (restock,) = bench.process()
    assert (restock[1]["event_type"], restock[1]["cause_event_id"]) == (
        "restock",
        wh_out[1]["event_id"],
    )
    bench.process()
    assert planned(bench) == [("completed", 6)]
    assert opened(bench) == {("refill_request", "resolved")}


@pytest.mark.slow
def test_a_plan_larger_than_the_back_room_takes_what_there_is_oldest_first(bench: Bench) -> None:
    arrive(bench, "L2", 1, received_date=date(2026, 2, 1))
    arrive(
        bench, "L3", 9, received_date=date(2026, 2, 2), expiry_date=START.date() - timedelta(days=1)
    )
    arrive(bench, "L1", 2, received_date=date(2026, 2, 3), expiry_date=START.date())
    stocked(bench, 2)
    bench.tick(timedelta(minutes=1))
    picks = [(row["batch_code"], row["quantity"]) for _, row in bench.process()]
    assert picks == [("L2", 1), ("L1", 2)]


@pytest.mark.slow
def test_a_plan_with_nothing_to_pick_waits_for_goods(bench: Bench) -> None:
    stocked(bench, 2)
    bench.tick(timedelta(minutes=2))
    assert bench.process() == []
    arrive(bench, "L1", 4)
    (pick,) = bench.process()
    assert (pick[1]["quantity"], pick[1]["event_time"]) == (4, bench.now)


@pytest.mark.slow
def test_a_pick_counts_before_it_is_read_back(bench: Bench) -> None:
    stocked(bench, 2, back_room=6)
    bench.tick(timedelta(minutes=2))
    read_back_late = bench.process()
    bench.coming = []
    bench.tick(timedelta(minutes=1))
    assert bench.process() == []
    bench.coming = read_back_late
    bench.process()
    assert planned(bench) == [("issued", 6)]


@pytest.mark.slow
def test_what_a_person_ended_stays_closed_until_the_need_was_gone_at_a_tick(bench: Bench) -> None:
    stocked(bench, 2)
    for kind, command in (("plans", "cancel"), ("alerts", "dismiss")):
        (target,) = getattr(bench.shop, kind)["shelf"]
        bench.send("commands", event_type=command, command=command, target_id=target, actor="ada")
    bench.process()
    bench.tick(timedelta(minutes=1))
    bench.process()
    assert (opened(bench), planned(bench)) == ({("refill_request", "dismissed")}, [("canceled", 6)])
    for quantity in (5, -5):
        moved = {"event_type": "adjustment", "quantity": quantity}
        bench.send("shelf_events", shelf_id=SHELF, item_id="I1", **moved)
        bench.tick(timedelta(minutes=1))
        bench.process()
    assert LOW in opened(bench)
    assert planned(bench) == [("canceled", 6), ("pending", 6)]


@pytest.mark.slow
def test_policies_fall_back_when_they_are_switched_off(bench: Bench) -> None:
    stocked(bench, 4)
    policy(bench, "__GLOBAL__", min_qty=5)
    assert opened(bench) == {LOW}
    policy(bench, min_qty=4)
    assert opened(bench) == {("refill_request", "resolved")}
    bench.tick(timedelta(seconds=5))
    policy(bench, min_qty=4, active=False)
    assert opened(bench) == {("refill_request", "resolved"), LOW}


@pytest.mark.slow
def test_the_day_rolls_and_a_lot_is_near_its_end(bench: Bench) -> None:
    arrive(bench, "L1", 3, expiry_date=START.date() + timedelta(days=5))
    stocked(bench, 9)
    assert opened(bench, "wh") == set()
    for day in ("open", "open", "open", "open", "open", "resolved"):
        bench.tick(timedelta(days=1))
        bench.process()
        assert opened(bench, "wh") == {("near_expiry", day)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stock", "multiplier", "plans"),
    [
        pytest.param(10, 1, [], id="exactly at the reorder point"),
        pytest.param(9, 1, [("pending", 6)], id="one below: a whole lot"),
        pytest.param(3, 1, [("pending", 12)], id="rounded up to lots"),
        pytest.param(3, 2, [("pending", 12)], id="rounded up to the multiplier"),
        pytest.param(9, 3, [("pending", 18)], id="never less than the multiplier"),
    ],
)
def test_when_a_back_room_runs_low_and_what_it_orders(
    bench: Bench, stock: int, multiplier: int, plans: Any
) -> None:
    stocked(bench, 9, back_room=stock)
    bench.tell(
        "wh_policies",
        SHELF,
        reorder_point_qty=10,
        batch_multiplier=multiplier,
        near_expiry_days=4,
        active=True,
    )
    bench.process()
    assert planned(bench, "wh") == plans


@pytest.mark.slow
def test_an_order_beats_a_cancellation(bench: Bench) -> None:
    stocked(bench, 9, back_room=3)
    bench.tell(
        "wh_policies",
        SHELF,
        reorder_point_qty=10,
        batch_multiplier=1,
        near_expiry_days=4,
        active=True,
    )
    bench.process()
    (plan,) = bench.shop.plans["wh"]
    bench.send("commands", event_type="cancel", command="cancel", target_id=plan, actor="ada")
    bench.process()
    assert planned(bench, "wh") == [("canceled", 12)]
    order = {"supplier_plan_id": plan, "shelf_id": SHELF, "store_id": "S1", "total_qty": 12}
    dates = {"delivery_date": date(2026, 3, 2), "cutoff_ts": START, "created_at": START}
    for status, reached in (("issued", "issued"), ("delivered", "completed")):
        bench.tell("wh_supplier_orders", "O1", status=status, **order, **dates)
        bench.process()
        assert planned(bench, "wh") == [(reached, 12)]
