"""Who visits a simulated store on a day, and what they want: decided by the seed, whatever the stock.

Visits depend on weekday and hour; wants on a shelf's demand and visibility and on its discount.
"""

from __future__ import annotations

import math
import random
from bisect import bisect
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import accumulate

from lakeshelf.simulation.stores import VISITS_A_SHELF, Store

HOURS = {
    7: 2, 8: 4, 9: 5, 10: 6, 11: 7, 12: 8, 13: 6, 14: 5, 15: 6, 16: 8, 17: 10, 18: 9, 19: 6, 20: 3,
}  # fmt: skip
"""Hour of the day → its share of the visits."""
WEEKDAYS = (0.85, 0.85, 0.9, 1.0, 1.2, 1.4, 0.7)
"""Monday to Sunday: visits against the average."""
MEAN_WANTS = 5.0
PUTBACK = 0.04
DISCOUNT_PULL = 2.0
"""How much a discount of 100 % would add to a shelf's share of the wants."""


@dataclass(frozen=True)
class Want:
    """Units of a shelf that a customer reaches for; `returned` is when they are put back, if they are."""

    number: int
    at: datetime
    shelf: int
    quantity: int
    returned: datetime | None


@dataclass(frozen=True)
class Visit:
    """One visit of one customer."""

    visit_id: str
    customer_id: str
    store_id: str
    entered: datetime
    left: datetime


@lru_cache(maxsize=256)
def visits(store: Store, day: date) -> tuple[Visit, ...]:
    """The visits to a store on a day, in the order of their beginning."""
    rng = store.rng(day, "visits")
    mean = VISITS_A_SHELF * len(store.shelves) * WEEKDAYS[day.weekday()]
    number = max(1, round(rng.gauss(mean, math.sqrt(mean))))
    begins = sorted(_begins(rng, day) for _ in range(number))
    return tuple(_visit(store, day, n, at, rng) for n, at in enumerate(begins))


def wants(store: Store, visit: Visit, discounts: Mapping[str, float]) -> tuple[Want, ...]:
    """What a customer wants, in order.

    Args:
        store: The store.
        visit: The visit.
        discounts: Shelf → discount of the day, a fraction.
    """
    rng = store.rng(visit.entered.date(), "wants", visit.visit_id)
    edges = _edges(store, tuple(sorted(discounts.items())))
    number = max(1, round(rng.gauss(MEAN_WANTS, 2)))
    minutes = sorted(rng.random() for _ in range(number))
    length = (visit.left - visit.entered) * 0.9
    return tuple(
        _want(n, visit, visit.entered + _millis(length * share), edges, rng)
        for n, share in enumerate(minutes)
    )


def _begins(rng: random.Random, day: date) -> datetime:
    (hour,) = rng.choices(list(HOURS), list(HOURS.values()))
    return datetime.combine(day, time(hour), UTC) + timedelta(milliseconds=rng.randrange(3_600_000))


def _visit(store: Store, day: date, number: int, begins: datetime, rng: random.Random) -> Visit:
    length = timedelta(seconds=rng.randint(240, 1800))
    customer = f"{store.store_id}-C{rng.randrange(len(store.shelves) * 4):05d}"
    return Visit(
        f"{store.store_id}-{day}-{number:05d}", customer, store.store_id, begins, begins + length
    )


@lru_cache(maxsize=8)
def _edges(store: Store, discounts: tuple[tuple[str, float], ...]) -> tuple[float, ...]:
    discount_of = dict(discounts)
    pulls = (
        s.weight * (1 + DISCOUNT_PULL * discount_of.get(s.shelf_id, 0.0)) for s in store.shelves
    )
    return tuple(accumulate(pulls))


def _want(
    number: int, visit: Visit, at: datetime, edges: tuple[float, ...], rng: random.Random
) -> Want:
    shelf = min(bisect(edges, rng.random() * edges[-1]), len(edges) - 1)
    (quantity,) = rng.choices((1, 2, 3), (8, 2, 1))
    returned = at + _millis((visit.left - at) * rng.uniform(0.2, 0.9))
    return Want(number, at, shelf, quantity, returned if rng.random() < PUTBACK else None)


def _millis(length: timedelta) -> timedelta:
    return timedelta(milliseconds=length // timedelta(milliseconds=1))
