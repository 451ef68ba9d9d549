"""The arithmetic of the rule is that of the engines: their own texts run on the same random states."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.forecast.orders import rule
from lakeshelf.forecast.orders.level import position
from lakeshelf.streams.declare.duck import Duck
from lakeshelf.streams.declare.job import (
    KEYS,
    RELATION,
    TIME,
    DecisionView,
    Job,
    relation,
    tables_by_relation,
)
from tests.forecast.orders.forecasts import by_level
from tests.streams import harness

ROWS = 3_000
SEEDS = range(2)


def judged(job: Job, columns: dict[str, dict[str, Any]]) -> dict[str, np.ndarray]:
    """What an engine's own text makes of rows; columns that are not named are null, or what may stand for it."""
    (scope,) = {
        id(u.scope): u.scope for u in job.updates if isinstance(u, DecisionView) and u.scope
    }.values()
    inputs = {relation(name): rows(name, own) for name, own in columns.items()}
    inputs[KEYS] = inputs["curated_shelf_profiles"].select(["shelf_id"])
    inputs[TIME] = pa.table({"today": pa.array([date(2026, 3, 1)], pa.date32())})
    for name in set(RELATION.findall(str(scope.sql))) - inputs.keys():
        schema = arrow_contract.schema(tables_by_relation()[name].columns)
        inputs[name] = schema.empty_table()
    made = Duck().query(str(scope.sql), **inputs).sort_by("shelf_id")
    return {name: made[name].to_numpy() for name in ("wanted", "low")}


def rows(name: str, own: dict[str, Any]) -> pa.Table:
    """Rows of a table."""
    schema = arrow_contract.schema(tables_by_relation()[relation(name)].columns)
    always = {"shelf_id": [f"S{n:05}" for n in range(ROWS)], "deleted": [False] * ROWS}
    always |= {"valid_until": [datetime(2026, 3, 4, tzinfo=UTC)] * ROWS}
    always |= {"active": [True] * ROWS, "updated_at": [datetime(2026, 3, 1, tzinfo=UTC)] * ROWS}
    columns = {**always, **own}
    return pa.table(
        [pa.array(columns.get(f.name, [None] * ROWS)).cast(f.type) for f in schema],
        names=schema.names,
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_orders_are_those_of_the_warehouse_engine(seed: int) -> None:
    draw = np.random.default_rng(seed)
    stock, ordered, point = (draw.integers(0, 60, ROWS) for _ in range(3))
    batch, multiple = draw.integers(1, 40, ROWS), draw.integers(1, 5, ROWS)
    made = judged(
        harness.jobs()["wh-alert-engine"],
        {
            "curated/shelf_profiles": {"standard_batch_size": batch},
            "cleansed/wh_state": {"wh_current_stock": stock},
            "staging/supplier_orders": {"total_qty": ordered, "status": ["issued"] * ROWS},
            "staging/wh_policies": {"reorder_point_qty": point, "batch_multiplier": multiple},
        },
    )
    assert (made["wanted"] == rule.supply(stock, ordered, point, batch * multiple)).all()
    assert len(set(made["wanted"])) > 50


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_orders_by_a_level_are_those_of_the_warehouse_engine(seed: int) -> None:
    draw = np.random.default_rng(seed)
    stock, ordered, shelf, arrived, level, pays, least = (
        draw.integers(0, 40, ROWS) for _ in range(7)
    )
    sent, batch, multiple = arrived + draw.integers(0, 9, ROWS), *draw.integers(1, 9, (2, ROWS))
    old, ends = draw.integers(0, 9, ROWS), draw.integers(2, 7, ROWS)
    unknown, zero = draw.random((2, ROWS)) < 0.5
    made = judged(
        harness.jobs()["wh-alert-engine"],
        {
            "curated/shelf_profiles": {"standard_batch_size": batch},
            "cleansed/wh_state": {"wh_current_stock": stock},
            "cleansed/shelf_state": {"current_stock": shelf},
            "cleansed/wh_batch_state": {
                "batch_quantity_warehouse": old,
                "expiry_date": [date(2026, 3, day) for day in ends.tolist()],
            },
            "staging/shelf_transit": {"sent": sent, "arrived": arrived},
            "staging/supplier_orders": {"total_qty": ordered, "status": ["issued"] * ROWS},
            "staging/shelf_policies": {"min_qty": least},
            "staging/wh_policies": {
                "batch_multiplier": multiple,
                "plan_source": ["ml"] * ROWS,
                "allow_zero": zero,
            },
            "staging/order_levels": {
                "level_qty": level,
                "lot_level_qty": pa.array(pays, mask=unknown),
            },
        },
    )
    expiring = np.where(ends < 4, old, 0)
    units = position(shelf, sent - arrived, stock, ordered, expiring)
    floor, known = np.where(zero, 0, np.maximum(least, 1)), np.where(unknown, np.nan, pays)
    assert (made["wanted"] == by_level(units, level, batch * multiple, floor, known)).all()
    assert len(set(made["wanted"])) > 20


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_refills_are_those_of_the_shelf_engine(seed: int) -> None:
    draw = np.random.default_rng(seed)
    stock, arrived, least = (draw.integers(0, 30, ROWS) for _ in range(3))
    sent = arrived + draw.integers(0, 9, ROWS)
    held = draw.integers(0, 60, ROWS)
    threshold, target = draw.uniform(0, 100, ROWS).round(1), draw.uniform(0, 100, ROWS).round(1)
    made = judged(
        harness.jobs()["shelf-alert-engine"],
        {
            "curated/shelf_profiles": {"max_stock": held},
            "cleansed/shelf_state": {"current_stock": stock},
            "staging/shelf_transit": {"sent": sent, "arrived": arrived},
            "staging/shelf_policies": {
                "threshold_pct": threshold,
                "min_qty": least,
                "target_pct": target,
            },
        },
    )
    own = rule.refill(stock, sent - arrived, held, threshold, least, target)
    assert (made["wanted"] == own).all()
    assert len(set(made["wanted"])) > 20
