"""Orders by a model's level: while it holds and the policy lets it decide, else by the rule, at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.streams.bench import (
    SHELF,
    START,
    Bench,
    arrive,
    lake,
    level,
    midnight,
    planned,
    policy,
    stocked,
)
from tests.streams.refusing import ask, ghosts, moved

pytestmark = pytest.mark.slow
DAY = timedelta(days=1)
RULE = {"reorder_point_qty": 10, "batch_multiplier": 1, "near_expiry_days": 4, "active": True}
ML = {**RULE, "plan_source": "ml"}


@pytest.fixture
def bench() -> Iterator[Bench]:
    with lake() as root:
        yield Bench(root)


def shop(bench: Bench, stock: int = 5, back_room: int = 3, **limits: Any) -> None:
    """A shelf with lots of six units, and the policy of its back room."""
    stocked(bench, stock, back_room)
    bench.tell("wh_policies", SHELF, **{**ML, **limits})
    bench.process()


def source(bench: Bench) -> tuple[str, str | None, int | None]:
    """Of the latest plan."""
    plan = list(bench.shop.plans["wh"].values())[-1]
    return plan["source"], plan["model_version"], plan["level_qty"]


@pytest.mark.parametrize(
    ("units", "values", "plans"),
    [
        pytest.param(8, {}, [], id="the position is the level"),
        pytest.param(20, {}, [("pending", 12)], id="whole lots"),
        pytest.param(17, {}, [("pending", 12)], id="the nearer rounding, of two the larger"),
        pytest.param(16, {}, [("pending", 6)], id="the nearer rounding is down"),
        pytest.param(16, {"lot_level_qty": 15}, [("pending", 12)], id="one more lot pays"),
        pytest.param(16, {"lot_level_qty": 14}, [("pending", 6)], id="one more lot does not pay"),
        pytest.param(9, {"lot_level_qty": 0}, [], id="no lot pays"),
    ],
)
def test_a_level_asks_for_what_its_position_lacks(
    bench: Bench, units: int, values: Any, plans: Any
) -> None:
    shop(bench, reorder_point_qty=0)
    level(bench, units, **values)
    bench.process()
    assert planned(bench, "wh") == plans
    if plans:
        assert source(bench) == ("ml", "V1", units)


def test_the_position_is_shelf_transit_back_room_and_orders_less_what_expires(bench: Bench) -> None:
    shop(bench, stock=2, back_room=7, reorder_point_qty=0)
    arrive(bench, "L7", 4, expiry_date=START.date() + DAY)
    level(bench, 30, days=3)
    bench.process()
    assert planned(bench, "wh") == [("pending", 24)]
    bench.tick(timedelta(minutes=2))
    bench.process()  # goods leave for the shelf, later arrive: the position is the same
    bench.tick(timedelta(minutes=3))
    bench.process()
    assert planned(bench, "wh") == [("pending", 24)]
    (plan,) = bench.shop.plans["wh"]
    order = {"supplier_plan_id": plan, "shelf_id": SHELF, "store_id": "S1", "total_qty": 24}
    dates = {"delivery_date": START.date(), "cutoff_ts": START, "created_at": START}
    bench.tell("wh_supplier_orders", "O1", status="issued", **order, **dates)
    bench.process()
    assert planned(bench, "wh") == [("issued", 24)]
    bench.send("shelf_events", shelf_id=SHELF, item_id="I1", event_type="pickup", quantity=6)
    bench.process()
    assert planned(bench, "wh") == [("issued", 24), ("pending", 6)]


def test_the_floor_is_min_qty_and_zero_needs_to_be_allowed(bench: Bench) -> None:
    shop(bench, stock=0, back_room=0, reorder_point_qty=0)
    level(bench, 0, lot_level_qty=0)
    bench.process()
    assert planned(bench, "wh") == [("pending", 6)]
    policy(bench, min_qty=8)
    assert planned(bench, "wh") == [("pending", 12)]
    bench.tell("wh_policies", SHELF, **ML, allow_zero=True)
    bench.process()
    assert planned(bench, "wh") == [("canceled", 12)]


def test_a_change_of_source_changes_the_pending_plan_in_place(bench: Bench) -> None:
    shop(bench)
    (plan,) = bench.shop.plans["wh"]
    assert (planned(bench, "wh"), source(bench)) == ([("pending", 12)], ("rule", None, None))
    level(bench, 30)
    bench.process()
    assert (planned(bench, "wh"), source(bench)) == ([("pending", 24)], ("ml", "V1", 30))
    bench.tell("wh_policies", SHELF, **RULE)
    bench.process()
    assert (planned(bench, "wh"), source(bench)) == ([("pending", 12)], ("rule", None, None))
    assert list(bench.shop.plans["wh"]) == [plan]


@pytest.mark.parametrize("days", [1, 3, 8])
def test_when_a_level_ends_the_rule_decides_with_the_first_tick_of_the_day(
    bench: Bench, days: int
) -> None:
    shop(bench)
    level(bench, 30, days=days)
    bench.process()
    end = midnight(START.date() + days * DAY)
    bench.tick(end - timedelta(seconds=1) - bench.now)
    bench.process()
    assert source(bench) == ("ml", "V1", 30)
    bench.tick(timedelta(seconds=1))
    bench.process()
    assert source(bench) == ("rule", None, None)


def test_a_level_that_is_taken_back_or_follows_changes_the_plan(bench: Bench) -> None:
    shop(bench, reorder_point_qty=0)
    level(bench, 30)
    bench.process()
    level(bench, 12, model_version="V2")
    bench.process()
    assert (planned(bench, "wh"), source(bench)) == ([("pending", 6)], ("ml", "V2", 12))
    level(bench, 12, deleted=True)
    bench.process()
    assert planned(bench, "wh") == [("canceled", 6)]


def test_a_canceled_plan_stays_held_whoever_would_make_the_next(bench: Bench) -> None:
    shop(bench)
    ask(bench, ("cancel", next(iter(bench.shop.plans["wh"]))))
    bench.process()
    level(bench, 30)
    bench.tick(timedelta(seconds=5))
    bench.process()
    assert planned(bench, "wh") == [("canceled", 12)]
    level(bench, 8)
    bench.tick(timedelta(seconds=5))
    bench.process()
    level(bench, 30)
    bench.process()
    assert planned(bench, "wh") == [("canceled", 12), ("pending", 24)]


def test_alerts_follow_the_rule_whoever_orders(bench: Bench) -> None:
    shop(bench)
    level(bench, 0)
    bench.process()
    (alert,) = bench.shop.alerts["wh"].values()
    assert (alert["status"], alert["suggested_qty"]) == ("open", 12)
    assert planned(bench, "wh") == [("canceled", 12)]


def test_without_the_policy_or_a_profile_a_level_does_nothing(bench: Bench) -> None:
    shop(bench, plan_source=None)
    level(bench, 30)
    ghosts(bench)
    level(bench, 30, "S1-I9")
    bench.process()
    assert (planned(bench, "wh"), source(bench)) == ([("pending", 12)], ("rule", None, None))
    bench.tell("wh_policies", "__GLOBAL__", **ML)
    bench.process()
    assert source(bench) == ("ml", "V1", 30)
    moved(bench, 1)
    bench.process()
    assert planned(bench, "wh") == [("pending", 24)]
