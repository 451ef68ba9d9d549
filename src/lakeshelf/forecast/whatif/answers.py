"""The question of a store manager: what would it have been like if some fields of the policy had been others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lakeshelf.contracts.retail.topics_reference import PLAN_SOURCES
from lakeshelf.forecast.orders.distribution import Ints
from lakeshelf.forecast.whatif.comparison import (
    PolicyDifference,
    compared,
    compared_by,
    measured,
    totals,
)
from lakeshelf.forecast.whatif.forecasts import Progress
from lakeshelf.forecast.whatif.frontier import FrontierPoint
from lakeshelf.forecast.whatif.history import DemandHistory
from lakeshelf.forecast.whatif.lakes import ReplayedShop
from lakeshelf.forecast.whatif.policies import StockPolicy
from lakeshelf.forecast.whatif.replay import ReplayOutcome, replay

IN_FORCE, CHANGED = "in force", "changed"
POINTS = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20)
"""Reorder points of a frontier, by which the rule orders for all."""
SERVICES = (0.50, 0.70, 0.80, 0.90, 0.95, 0.97, 0.98, 0.99, 0.995)
"""Service levels of a frontier, where the changed policy lets a model decide."""
GROUPS = ("store_id", "category")
MOST_SHELVES = 10
OF_SHELF = ("lost_units", "stock", "wasted", "cost")
"""Measures of a single shelf, for which no interval is drawn."""


@dataclass(frozen=True)
class WhatIfAnswer:
    """What some fields would have changed.

    Args:
        whole: Each measure of all shelves whose goods are sold by the piece.
        by_measure: The same of goods that are sold by measure, as fuel is, whose units are others; empty: there are
            none, or no others, so that they are the whole.
        groups: `store_id` and `category` → value → each measure of its shelves of the whole.
        shelves: Those whose cost changes most: `shelf_id`, `name`, and each of `OF_SHELF` as `<measure>_before` and
            `<measure>_after`.
        frontier: Of the whole, the two policies, the changed one with each reorder point and, where a model decides,
            each service level; empty: not asked for.
    """

    whole: tuple[PolicyDifference, ...]
    by_measure: tuple[PolicyDifference, ...]
    groups: Mapping[str, Mapping[str, tuple[PolicyDifference, ...]]]
    shelves: tuple[Mapping[str, Any], ...]
    frontier: tuple[FrontierPoint, ...]


def answer(
    shop: ReplayedShop, changed: StockPolicy, progress: Progress, *, frontier: bool = False
) -> WhatIfAnswer:
    """Replay a shop under the policy in force and under the changed one.

    Args:
        shop: The shop.
        changed: The changed policy.
        progress: Is told how far it is.
        frontier: Whether reorder points and service levels are tried.
    """
    progress("replay", 0, 2)
    before = _replayed(shop, shop.policy)
    progress("replay", 1, 2)
    after = _replayed(shop, changed)
    progress("compare", 0, 0)
    rows, others = apart(shop.history)
    whole = before.take(rows), after.take(rows)
    return WhatIfAnswer(
        compared(*whole),
        compared(before.take(others), after.take(others)) if others.size else (),
        {column: compared_by(*whole, column) for column in GROUPS},
        tuple(_most(shop, before, after)),
        tuple(_frontier(shop, changed, whole, progress)) if frontier else (),
    )


def apart(history: DemandHistory) -> tuple[Ints, Ints]:
    """Numbers of the shelves that are added up, and of those whose goods are sold by measure, which stand apart.

    Where all are sold by measure, they are added up.
    """
    by_measure = history.by_measure
    if by_measure.all():
        by_measure = ~by_measure
    return np.flatnonzero(~by_measure), np.flatnonzero(by_measure)


def _most(shop: ReplayedShop, *outcomes: ReplayOutcome) -> Iterator[dict[str, Any]]:
    sides = [
        measured({name: part.sum(axis=0) for name, part in totals(outcome).items()})
        for outcome in outcomes
    ]
    changed = np.abs(sides[1]["cost"] - sides[0]["cost"])
    for shelf in np.argsort(-changed, kind="stable")[:MOST_SHELVES]:
        if changed[shelf] > 0:
            yield {
                "shelf_id": shop.history.goods.shelf_id[shelf],
                "name": shop.names[shelf],
                **{
                    f"{name}_{when}": float(side[name][shelf])
                    for name in OF_SHELF
                    for when, side in zip(("before", "after"), sides, strict=True)
                },
            }


def _frontier(
    shop: ReplayedShop,
    policy: StockPolicy,
    sides: tuple[ReplayOutcome, ReplayOutcome],
    progress: Progress,
) -> Iterator[FrontierPoint]:
    yield from (
        FrontierPoint.of(n, side) for n, side in zip((IN_FORCE, CHANGED), sides, strict=True)
    )
    tried, rows = dict(_tried(policy)), apart(shop.history)[0]
    for number, (name, other) in enumerate(tried.items()):
        progress("frontier", number, len(tried))
        yield FrontierPoint.of(name, _replayed(shop, other).take(rows))


def _tried(policy: StockPolicy) -> Iterator[tuple[str, StockPolicy]]:
    """Policies of a frontier."""
    for units in POINTS:
        yield str(units), replace(policy, reorder_point_qty=units, plan_source=PLAN_SOURCES[0])
    if policy.by_model.any():
        for share in SERVICES:
            yield f"service level {share:g}", replace(policy, service_level=share)


def _replayed(shop: ReplayedShop, policy: StockPolicy) -> ReplayOutcome:
    return replay(shop.history, policy, shop.planner(policy))
