"""Training and inference are switched off amid a run, for a year: the shop goes on by the rule and loses no order."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from lakeshelf.contracts.layers import Ops
from lakeshelf.forecast.demand.windows import latest_cutoff
from lakeshelf.forecast.inference.levels import valid_until
from lakeshelf.shop.cutoffs import CUTOFF
from tests.forecast.demand.worlds import day
from tests.forecast.inference import ordered
from tests.forecast.inference import shop as learned
from tests.streams.bench import midnight

from .played import INFERENCE, ML, OPENED, RULE, TRAINING, PlayedShop

pytestmark = [pytest.mark.slow, pytest.mark.ml]
SEED, SIZE, KEPT = 2, (1, 60), 6
OPEN, OFF = 30, 34
"""Days on which the shop opens, and on which the services are switched off."""
LONGEST = timedelta(days=60)
"""Between two orders of a shelf, all of which sell each week."""


@pytest.mark.parametrize(
    "days", [7, pytest.param(365, marks=[pytest.mark.nightly, pytest.mark.timeout(3600)])]
)
def test_with_both_services_switched_off_the_rule_orders_and_no_order_is_lost(
    tmp_path: Path, days: int
) -> None:
    shop = PlayedShop(
        tmp_path / "shop", SEED, SIZE, OFF + days, KEPT, services=(INFERENCE, TRAINING)
    )
    shop.live(OPEN)
    version = learned.published(shop.root)
    ordered.write(shop.root, Ops.MODELS, *learned.deciding(version, OPENED))
    shop.open()
    shop.let(ML, *shop.shelves)
    shop.play(OFF)
    by_model = {
        plan["supplier_plan_id"] for plan in shop.plans(shop.shelves) if plan["source"] == ML
    }
    assert by_model

    shop.switch_off(INFERENCE, TRAINING)
    shop.play(OFF + days)
    last, plans, orders = day(OFF + days - 1), shop.plans(shop.shelves), shop.orders()
    units = {
        plan["supplier_plan_id"]: plan["suggested_qty"]
        for plan in plans
        if plan["status"] in ("issued", "completed")
    }
    assert {order["supplier_plan_id"]: order["total_qty"] for order in orders} == units
    assert set(Counter(order["supplier_plan_id"] for order in orders).values()) == {1}
    assert by_model & units.keys()
    due = [order for order in orders if order["delivery_date"] <= last]
    assert {order["status"] for order in due} == {"delivered"}

    held = valid_until(latest_cutoff(day(OFF - 1)))
    assert {plan["source"] for plan in plans if plan["created_at"] >= held} == {RULE}
    latest = datetime.combine(latest_cutoff(last), CUTOFF, UTC)
    assert all(plan["created_at"] >= latest for plan in plans if plan["status"] == "pending")
    for shelf in shop.shelves:
        days_of = sorted(order["cutoff_ts"] for order in orders if order["shelf_id"] == shelf)
        ends = [midnight(day(OPEN)), *days_of, midnight(last)]
        assert max(b - a for a, b in pairwise(ends)) < LONGEST, shelf
