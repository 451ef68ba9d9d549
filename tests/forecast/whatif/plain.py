"""A replay of one shelf, unit by unit and lot by lot: slow, and plain to read."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from lakeshelf.forecast.whatif.steps import ReplaySteps


@dataclass
class Lot:
    received: int
    units: int


@dataclass
class Place:
    """Lots in the order in which they expire."""

    lots: list[Lot] = field(default_factory=list)

    @property
    def units(self) -> int:
        return sum(lot.units for lot in self.lots)

    def put(self, received: int) -> None:
        self.lots.append(Lot(received, 1))
        self.lots.sort(key=lambda lot: lot.received)

    def take(self) -> int | None:
        """Day on which the unit was received that goes; None: there is none."""
        for lot in self.lots:
            if lot.units:
                lot.units -= 1
                return lot.received
        return None

    def drop(self, before: int) -> int:
        """Take what was received before a day away."""
        old = sum(lot.units for lot in self.lots if lot.received < before)
        self.lots = [lot for lot in self.lots if lot.received >= before]
        return old


@dataclass
class Shop:
    """One shelf and its back room."""

    life: int | None
    max_stock: int | None
    threshold_pct: float
    min_qty: int
    target_pct: float
    order: Callable[[int, int, int, int, int], int]
    """Number of the cutoff, units in the room, on the shelf, ordered, expiring → units to order."""
    room: Place = field(default_factory=Place)
    shelf: Place = field(default_factory=Place)
    sold: int = 0
    wasted: int = 0
    received: int = 0
    stock_days: int = 0
    placed: list[int] = field(default_factory=list)

    def missing(self) -> int:
        """Units that the shelf should get."""
        if not self.max_stock:
            return 0
        low = (
            100 * self.shelf.units < self.threshold_pct * self.max_stock
            or self.shelf.units < self.min_qty
        )
        target = math.ceil(self.max_stock * self.target_pct / 100)
        return max(target - self.shelf.units, 0) if low else 0

    def refill(self) -> None:
        self.bring(self.missing())

    def bring(self, units: int) -> None:
        for _ in range(units):
            received = self.room.take()
            if received is not None:
                self.shelf.put(received)

    def receive(self, units: int, day: int) -> None:
        self.received += units
        for _ in range(units):
            self.room.put(day)

    def expired_before(self, day: int, now: int) -> int:
        """First day of receipt that is not expired on a day."""
        return 0 if self.life is None else min(day - self.life, now + 1)

    def buy(self, refilled: bool) -> None:
        place = self.room if self.max_stock is None else self.shelf
        if place.take() is not None:
            self.sold += 1
        if refilled:
            self.refill()

    def play(self, steps: ReplaySteps, demand: list[int], opening: tuple[int, int] | None) -> None:
        room, shelf = (self.order(0, 0, 0, 0, 0), 0) if opening is None else opening
        if self.max_stock is None:
            room, shelf = room + shelf, 0
        self.receive(room, 0)
        self.received += shelf
        for _ in range(shelf):
            self.shelf.put(0)
        coming: list[tuple[int, int]] = []
        planned = self.missing() > 0
        for step, units in zip(steps.steps, demand, strict=True):
            before = self.received
            if step.delivers:
                for due, quantity in coming:
                    if due <= step.day:
                        self.receive(quantity, step.day)
                coming = [(due, quantity) for due, quantity in coming if due > step.day]
            if step.cutoff:
                ends = self.expired_before(step.cutoff.until, step.day)
                expiring = sum(
                    lot.units
                    for p in (self.room, self.shelf)
                    for lot in p.lots
                    if lot.received < ends
                )
                ordered = sum(quantity for _, quantity in coming)
                quantity = self.order(
                    len(self.placed), self.room.units, self.shelf.units, ordered, expiring
                )
                self.placed.append(quantity)
                coming.append((step.cutoff.delivery, quantity))
            if step.begins and self.life is not None:
                first = step.day - self.life
                self.wasted += self.room.drop(first) + self.shelf.drop(first)
            late = 0
            if steps.refilled:
                self.refill()
            elif planned:
                missing, came = self.missing(), self.received - before
                late = max(missing - (self.room.units - came), 0) if step.late else 0
                self.bring(missing - late)
            for _ in range(units):
                self.buy(steps.refilled)
            self.bring(late)
            planned = self.missing() > 0
            if step.ends:
                self.stock_days += self.room.units + self.shelf.units
