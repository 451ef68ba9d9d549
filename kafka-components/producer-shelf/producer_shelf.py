"""Customers of the simulated stores take goods, put some back, and miss what is not there.

The rule is docs/design/retail.md#customers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import Any

from lakeshelf.components.component import (
    DAY,
    Context,
    Decision,
    JournalEntry,
    Message,
    Tick,
    midnight,
    rows,
)
from lakeshelf.components.producer import Producer, visits_between
from lakeshelf.contracts.layers import Analytics
from lakeshelf.contracts.messages import event
from lakeshelf.simulation.stores import Shelf, Store
from lakeshelf.simulation.visits import Visit, Want, wants
from shelf_stock import ShelfStock

Cart = dict[str, tuple[int, int]]
"""Number of the want → shelf (its place in the store) and units taken; JSON has words for keys."""


@dataclass(frozen=True)
class CustomerAct:
    """Something that a customer does: reaches for goods, puts them back, or leaves."""

    at: datetime
    visit: Visit
    want: Want | None
    kind: str

    @property
    def order(self) -> tuple[Any, ...]:
        """Place in time; what comes at once has an order of its own."""
        return self.at, self.visit.visit_id, self.kind, self.want.number if self.want else -1


def acts(
    store: Store, after: datetime, until: datetime, discounts: Mapping[str, float]
) -> list[CustomerAct]:
    """What customers of a store do in (after, until], in order."""
    in_span = [
        act
        for visit in visits_between(store, after, until)
        for act in _acts_of(visit, wants(store, visit, discounts))
        if after < act.at <= until
    ]
    return sorted(in_span, key=lambda act: act.order)


def _acts_of(visit: Visit, wants: tuple[Want, ...]) -> Iterator[CustomerAct]:
    for want in wants:
        yield CustomerAct(want.at, visit, want, "pickup")
        if want.returned is not None:
            yield CustomerAct(want.returned, visit, want, "putback")
    yield CustomerAct(visit.left, visit, None, "zleave")


def midnights(after: datetime, until: datetime) -> list[datetime]:
    """Beginnings of days in [after, until), so that each piece has the discounts of one day."""
    number = (until.date() - after.date()).days
    begins = (midnight(after.date() + DAY * n) for n in range(1, number + 1))
    return [begin for begin in begins if begin < until]


class Round:
    """The acts of one interval, played on what stands on the shelves.

    Args:
        stock: Shelf → units; it is changed.
        carts: Visit → its cart; it is changed.
    """

    def __init__(self, stock: dict[str, int], carts: dict[str, Cart]) -> None:
        self.stock = stock
        self.carts = carts
        self.messages: list[Message] = []
        self.checkouts: list[dict[str, Any]] = []

    def play(self, store: Store, act: CustomerAct) -> None:
        """One act."""
        if act.want is None:
            self._leave(store, act.visit)
        elif act.kind == "pickup":
            self._reach(store.shelves[act.want.shelf], act.visit, act.want)
        else:
            self._put_back(store, act.visit, act.want)

    def _reach(self, shelf: Shelf, visit: Visit, want: Want) -> None:
        taken = min(want.quantity, max(0, self.stock.get(shelf.shelf_id, 0)))
        if taken:
            self.stock[shelf.shelf_id] -= taken
            self.carts.setdefault(visit.visit_id, {})[str(want.number)] = (want.shelf, taken)
            self._tell("shelf_events", "pickup", want.at, shelf, visit, want, taken)
        if taken < want.quantity:
            missed = want.quantity - taken
            self._tell("lost_sales", "lost_sale", want.at, shelf, visit, want, missed)

    def _put_back(self, store: Store, visit: Visit, want: Want) -> None:
        place, units = self.carts.get(visit.visit_id, {}).pop(str(want.number), (0, 0))
        if units and want.returned:
            shelf = store.shelves[place]
            self.stock[shelf.shelf_id] += units
            self._tell("shelf_events", "putback", want.returned, shelf, visit, want, units)

    def _leave(self, store: Store, visit: Visit) -> None:
        cart = self.carts.pop(visit.visit_id, {})
        if not cart:
            return
        taken = (cart[number] for number in sorted(cart, key=int))
        self.checkouts.append(
            {
                "visit_id": visit.visit_id,
                "customer_id": visit.customer_id,
                "store_id": visit.store_id,
                "at": visit.left.isoformat(),
                "lines": [
                    {"shelf_id": store.shelves[place].shelf_id, "quantity": units}
                    for place, units in taken
                ],
            }
        )

    def _tell(
        self,
        topic: str,
        kind: str,
        at: datetime,
        shelf: Shelf,
        visit: Visit,
        want: Want,
        units: int,
    ) -> None:
        values = event(
            kind,
            at,
            visit.store_id,
            (kind, visit.visit_id, str(want.number)),
            shelf_id=shelf.shelf_id,
            item_id=shelf.item_id,
            customer_id=visit.customer_id,
            quantity=units,
        )
        self.messages.append(Message.of(topic, values))


class ShelfProducer(Producer):
    """Decides what customers take, from its own fold of what stands on the shelves."""

    name = "producer-shelf"
    doc = "Simulated customers take goods from shelves, put some back, and miss what is not there."
    publishes = ("shelf_profiles", "wh_policies", "wh_events", "shelf_events", "lost_sales")
    journal = "ops/journal_producer_shelf"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._carts: dict[str, Cart] = {}
        self._opened: list[str] = []
        self._stock: ShelfStock | None = None

    def restore(self, last: JournalEntry | None) -> None:
        """Take up the carts of customers who are in the stores."""
        super().restore(last)
        if last is not None:
            self._carts = {
                visit: {n: (place, units) for n, (place, units) in cart.items()}
                for visit, cart in last.decision.memory["carts"].items()
            }
            self._opened = list(last.decision.memory["opened"])

    def decide(self, due: datetime, tick: Tick) -> Decision | None:
        """What customers did since the last tick; at first the stores open."""
        begins, after, self.until = self.until is None, self.until or due, due
        new = [store for store in self.stores if store.store_id not in self._opened]
        opening = [Message.of(t, values) for store in new for t, values in store.opening(due)]
        played = self._played(after, due)
        messages = (*opening, *played.messages)
        if not messages and not played.checkouts and not begins:
            return None
        memory = {
            "opened": [*self._opened, *(store.store_id for store in new)],
            "carts": played.carts,
            "checkouts": played.checkouts,
        }
        return Decision(f"sales:{due.isoformat()}", due, messages, memory=memory)

    def close(self) -> None:
        """End the connection."""
        if self._stock is not None:
            self._stock.close()

    def _played(self, after: datetime, until: datetime) -> Round:
        if self._stock is None:
            self._stock = ShelfStock(self.context, [store.store_id for store in self.stores])
        played = Round(dict(self._stock.read()), {v: dict(c) for v, c in self._carts.items()})
        for begin, end in pairwise((after, *midnights(after, until), until)):
            discounts = self._discounts(begin.date())
            for store in self.stores:
                if store.store_id in self._opened:
                    for act in acts(store, begin, end, discounts):
                        played.play(store, act)
        return played

    def _discounts(self, day: date) -> dict[str, float]:
        today = [("discount_date", "=", day)]
        discounted = rows(
            self.context.lake, Analytics.DAILY_DISCOUNTS, today, ("shelf_id", "discount")
        )
        return {row["shelf_id"]: float(row["discount"]) for row in discounted}


COMPONENT = ShelfProducer
