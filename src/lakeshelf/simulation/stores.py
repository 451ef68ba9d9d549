"""Simulated stores and their shelves, from a seed."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from lakeshelf.contracts.messages import event
from lakeshelf.simulation.products import PRODUCTS, VARIANTS, Product

VISITS_A_SHELF = 0.6
UNITS_A_VISIT = 6.5
"""Units that a visit takes, about: five wants of 1.3 units."""
SHELF_DAYS, ROOM_DAYS = 3.0, 5.0
"""Days of demand that a shelf holds, and below which its back room orders."""
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Shelf:
    """One facing of one item in one store.

    Attributes:
        weight: Share of the store's wants that it gets, by demand and visibility.
        sells: Units a day, about.
    """

    shelf_id: str
    store_id: str
    item_id: str
    name: str
    product: Product
    weight: float
    sells: float

    @property
    def max_stock(self) -> int:
        """Units that fit."""
        return max(6, math.ceil(self.sells * SHELF_DAYS))

    @property
    def reorder_point(self) -> int:
        """Units in the back room below which more is ordered."""
        days = ROOM_DAYS if self.product.life is None else min(ROOM_DAYS, self.product.life)
        return max(4, math.ceil(self.sells * days))

    def profile(self, now: datetime) -> dict[str, Any]:
        """Its message on `shelf_profiles`."""
        return {
            "shelf_id": self.shelf_id,
            "store_id": self.store_id,
            "item_id": self.item_id,
            "name": self.name,
            "category": self.product.category,
            "subcategory": self.product.subcategory,
            "max_stock": self.max_stock,
            "unit_weight": self.product.weight,
            "unit_price": self.product.price,
            "standard_batch_size": self.product.lot,
            "shelf_life_days": self.product.life,
            "warehouse_capacity": 4 * self.reorder_point,
            "version": 1,
            "updated_at": now,
        }

    def policy(self, now: datetime) -> dict[str, Any]:
        """Its message on `wh_policies`: enough for the days between two deliveries."""
        return {
            "shelf_id": self.shelf_id,
            "reorder_point_qty": self.reorder_point,
            "batch_multiplier": 1,
            "near_expiry_days": 2 if (self.product.life or 99) <= 7 else 10,
            "active": True,
            "version": 1,
            "updated_at": now,
        }

    def opening(self, now: datetime, rng: random.Random) -> list[tuple[str, dict[str, Any]]]:
        """Its stock when the store opens, as (topic, event): lots of different age."""
        old = self._received(now, rng, f"{self.shelf_id}:opening:1")
        new = self._received(now, rng, f"{self.shelf_id}:opening:2")
        shelf = event(
            "restock",
            now,
            self.store_id,
            ("restock", self.shelf_id, "opening"),
            shelf_id=self.shelf_id,
            item_id=self.item_id,
            quantity=self.max_stock,
            batch_code=old["batch_code"],
            reason="opening_balance",
        )
        return [("wh_events", old), ("wh_events", new), ("shelf_events", shelf)]

    def _received(self, now: datetime, rng: random.Random, code: str) -> dict[str, Any]:
        life = self.product.life
        left = None if life is None else rng.randint(1, max(1, life))
        received = now.date() if life is None or left is None else now.date() - DAY * (life - left)
        return event(
            "wh_in",
            now,
            self.store_id,
            ("wh_in", code),
            shelf_id=self.shelf_id,
            item_id=self.item_id,
            batch_code=code,
            quantity=max(1, math.ceil(self.reorder_point * 0.6)),
            received_date=received,
            expiry_date=None if left is None else now.date() + DAY * left,
        )


@dataclass(frozen=True)
class Store:
    """A simulated shop: `seed` and `store_id` decide all that happens in it."""

    store_id: str
    seed: int
    shelves: tuple[Shelf, ...]

    def __hash__(self) -> int:
        return hash((self.seed, self.store_id, len(self.shelves)))

    def opening(self, now: datetime) -> list[tuple[str, dict[str, Any]]]:
        """Profiles, policies and stock of all shelves, as (topic, values)."""
        rng = random.Random(f"{self.seed}:{self.store_id}:opening")  # noqa: S311
        messages: list[tuple[str, dict[str, Any]]] = []
        for shelf in self.shelves:
            messages += [("shelf_profiles", shelf.profile(now)), ("wh_policies", shelf.policy(now))]
            messages += shelf.opening(now, rng)
        return messages

    def rng(self, day: date, *parts: object) -> random.Random:
        """The dice of one thing on one day."""
        return random.Random(":".join(map(str, (self.seed, self.store_id, day, *parts))))  # noqa: S311


def stores(seed: int, number: int, shelves: int) -> tuple[Store, ...]:
    """The simulated stores.

    Args:
        seed: Decides everything.
        number: How many stores.
        shelves: Shelves a store.
    """
    return tuple(_store(seed, n + 1, shelves) for n in range(number))


@lru_cache(maxsize=64)
def _store(seed: int, number: int, shelves: int) -> Store:
    store_id = f"SIM-{number:03d}"
    rng = random.Random(f"{seed}:{store_id}")  # noqa: S311
    kinds = [_kind(n) for n in range(shelves)]
    weights = [product.demand * rng.lognormvariate(0, 0.6) for product, _ in kinds]
    units = VISITS_A_SHELF * shelves * UNITS_A_VISIT
    return Store(
        store_id,
        seed,
        tuple(
            Shelf(
                shelf_id=f"{store_id}-{n + 1:05d}",
                store_id=store_id,
                item_id=f"item-{n + 1:05d}",
                name=name,
                product=product,
                weight=weight / sum(weights),
                sells=units * weight / sum(weights),
            )
            for n, ((product, name), weight) in enumerate(zip(kinds, weights, strict=True))
        ),
    )


def _kind(number: int) -> tuple[Product, str]:
    product = PRODUCTS[number % len(PRODUCTS)]
    turn = number // len(PRODUCTS)
    variant = VARIANTS[turn % len(VARIANTS)]
    series = turn // len(VARIANTS)
    words = (product.name, variant, f"no. {series + 1}" if series else "")
    return product, " ".join(word for word in words if word)
