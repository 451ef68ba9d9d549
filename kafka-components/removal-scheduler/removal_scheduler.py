"""Expired lots leave shelf and back room (docs/design/retail.md#removals)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from lakeshelf.components.component import (
    Component,
    Context,
    Decision,
    Heard,
    JournalEntry,
    Message,
    Row,
    Tick,
    among,
    midnight,
    rows,
)
from lakeshelf.contracts.layers import Cleansed, Staging
from lakeshelf.contracts.lives import AlertKind
from lakeshelf.contracts.messages import event
from lakeshelf.shop.counting import without_carts
from own_removals import TOPICS, OwnRemovals
from removal_alerts import RemovalAlerts

STORE, WAREHOUSE = "store", "warehouse"
LOTS = {
    STORE: (Cleansed.SHELF_BATCH_STATE, "batch_quantity_store"),
    WAREHOUSE: (Cleansed.WH_BATCH_STATE, "batch_quantity_warehouse"),
}
STOCK = {STORE: Cleansed.SHELF_STATE, WAREHOUSE: Cleansed.WH_STATE}


@dataclass(frozen=True)
class Lot:
    """Units of an expired lot: `units` of them are there."""

    location: str
    shelf_id: str
    batch_code: str
    expiry_date: Any
    units: int
    last_event_time: datetime

    @property
    def key(self) -> tuple[str, str, str]:
        """What an alert is about."""
        return self.location, self.shelf_id, self.batch_code


@dataclass(frozen=True)
class RemovalShelf:
    """What stands on a shelf, and which shop and item it is."""

    store_id: str
    item_id: str
    stock: int


@dataclass(frozen=True)
class DayOfRemovals:
    """What the decision of a day is made from.

    Attributes:
        lots: Expired lots that have units.
        shelves: Location and shelf → what is known of it.
        travelling: Shelf and lot → units between back room and shelf.
        carried: Shelf → units that customers have taken and not paid.
    """

    lots: Sequence[Lot]
    shelves: Mapping[tuple[str, str], RemovalShelf]
    travelling: Mapping[tuple[str, str], int] = field(default_factory=dict)
    carried: Mapping[str, int] = field(default_factory=dict)


def removals(due: datetime, known: DayOfRemovals) -> list[dict[str, Any]]:
    """Events that take expired lots away; the rest of a lot waits for the next day.

    Args:
        due: Beginning of the business day.
        known: Expired lots and what limits their removal.
    """
    left = {key: shelf.stock for key, shelf in known.shelves.items()}
    carried = defaultdict(int, known.carried)
    events = []
    for lot in sorted(known.lots, key=lambda lot: (lot.location, lot.expiry_date, lot.batch_code)):
        shelf = known.shelves.get((lot.location, lot.shelf_id))
        if shelf is None:
            continue
        units = lot.units
        if lot.location == STORE:
            units = max(units - known.travelling.get((lot.shelf_id, lot.batch_code), 0), 0)
            units, carried[lot.shelf_id] = without_carts(units, carried[lot.shelf_id])
            units = min(units, left[lot.location, lot.shelf_id])
        if units > 0:
            left[lot.location, lot.shelf_id] -= units
            events.append(_removal(due, lot, shelf, units))
    return events


def _removal(due: datetime, lot: Lot, shelf: RemovalShelf, units: int) -> dict[str, Any]:
    kind = "removal" if lot.location == STORE else "wh_removal"
    made = event(
        kind,
        due,
        shelf.store_id,
        (kind, lot.shelf_id, lot.batch_code, str(due.date())),
        shelf_id=lot.shelf_id,
        item_id=shelf.item_id,
        batch_code=lot.batch_code,
        quantity=units,
        actor=RemovalScheduler.name,
        reason="expired",
    )
    return {**made, "event_time": max(due, lot.last_event_time)}


class RemovalScheduler(Component):
    """Removes expired lots once a business day, and tells of them by alerts."""

    name = "removal-scheduler"
    doc = "Takes expired lots off shelves and out of back rooms, and opens alerts of them."
    phase = "removals"
    hears = ("commands",)
    publishes = ("shelf_events", "wh_events", "alerts")
    journal = "ops/journal_removal_scheduler"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._alerts = RemovalAlerts()
        self._own = OwnRemovals()
        self._done: date | None = None
        """The latest business day whose removals are decided."""

    def restore(self, last: JournalEntry | None) -> None:
        """Take up open alerts, and removals that may not be folded yet."""
        memory = last.decision.memory if last else {}
        self._alerts = RemovalAlerts.restored(memory.get("alerts", []))
        self._own = OwnRemovals(memory.get("own", []))
        self._done = date.fromisoformat(memory["done"]) if memory.get("done") else None

    def dues(self, after: datetime | None, tick: Tick) -> Sequence[datetime]:
        """The day once, for all days that were missed; and the tick, while alerts wait for their end."""
        today = midnight(tick.today)
        begins = [today] if self._done is None or self._done < tick.today else []
        return [*begins, *([tick.now] if self._alerts.waiting and tick.now > today else [])]

    def decide(self, due: datetime, tick: Tick) -> Decision | None:
        """Removals when a day begins, else the ends of alerts."""
        known = self._known(tick)
        if known is None:
            return None
        alerts = self._alerts.copy()
        if due != midnight(tick.today):
            changed = alerts.follow(known.lots, tick.now)
            if alerts.kept() == self._alerts.kept():
                return None
            return self._decision(f"alerts:{tick.version}", due, alerts, changed)
        self._done = tick.today
        events = removals(due, known)
        stores = {shelf_id: shelf.store_id for (_, shelf_id), shelf in known.shelves.items()}
        changed = [*alerts.follow(known.lots, tick.now), *alerts.open(known.lots, stores, tick.now)]
        self._own.add(events)
        return self._decision(f"removals:{due.date()}", due, alerts, changed, events)

    def hear(self, heard: Heard, tick: Tick | None) -> Decision | None:
        """Acknowledge or dismiss an alert of its own; refuse what cannot be."""
        alerts, command = self._alerts.copy(), heard.message
        if (
            not str(command["target_id"]).startswith(f"{AlertKind.EXPIRED_REMOVAL}:")
            or tick is None
        ):
            return None
        changed = alerts.obey(command, tick.now)
        if not changed:
            return self._decision(f"command:{heard.offset}", tick.now, alerts, [], refused=heard)
        return self._decision(f"command:{heard.offset}", tick.now, alerts, changed)

    def _decision(
        self,
        entry_id: str,
        due: datetime,
        alerts: RemovalAlerts,
        changed: Iterable[Row],
        events: Iterable[Row] = (),
        refused: Heard | None = None,
    ) -> Decision:
        messages = [Message.of(TOPICS[e["event_type"]], e) for e in events]
        messages += [Message.of("alerts", row) for row in changed]
        if refused is not None:
            messages.append(refused.refusal("refused_command", "no such alert is open"))
        memory = {
            "alerts": alerts.kept(),
            "own": self._own.kept(),
            "done": str(self._done) if self._done else None,
        }
        return Decision(entry_id, due, tuple(messages), memory=memory)

    def _known(self, tick: Tick) -> DayOfRemovals | None:
        """Expired lots with their shelves, less what was decided before; None while that is not known."""
        folded = self._own.folded(self.context.lake)
        expired = [
            Lot(
                where,
                row["shelf_id"],
                row["batch_code"],
                row["expiry_date"],
                row[column],
                row["last_event_time"],
            )
            for where, (name, column) in LOTS.items()
            for row in rows(
                self.context.lake, name, [(column, ">", 0), ("expiry_date", "<", tick.today)]
            )
        ]
        shelves, travelling = self._shelves(expired), self._travelling(expired)
        carried = self._carried(shelves, travelling)
        if not self._own.settle(self.context.lake, folded):
            return None
        gone = self._own.units()
        lots = [replace(lot, units=lot.units - gone.get(lot.key, 0)) for lot in expired]
        remaining = [lot for lot in lots if lot.units > 0]
        return DayOfRemovals(remaining, _without(shelves, gone), travelling, carried)

    def _shelves(self, lots: Sequence[Lot]) -> dict[tuple[str, str], RemovalShelf]:
        columns = {STORE: "current_stock", WAREHOUSE: "wh_current_stock"}
        condition = among("shelf_id", [lot.shelf_id for lot in lots])
        return {
            (where, row["shelf_id"]): RemovalShelf(
                row["store_id"], row["item_id"], row[columns[where]]
            )
            for where, name in STOCK.items()
            for row in rows(self.context.lake, name, [condition])
        }

    def _travelling(self, lots: Sequence[Lot]) -> dict[tuple[str, str], int]:
        units: dict[tuple[str, str], int] = defaultdict(int)
        condition = among("shelf_id", [lot.shelf_id for lot in lots if lot.location == STORE])
        for row in rows(self.context.lake, Staging.SHELF_REFILL_PENDING, [condition]):
            units[row["shelf_id"], row["batch_code"]] += row["quantity"]
        return units

    def _carried(
        self,
        shelves: Mapping[tuple[str, str], RemovalShelf],
        travelling: Mapping[tuple[str, str], int],
    ) -> dict[str, int]:
        """What the lots of shelves have, and neither the shelf nor the way to it."""
        stock = {shelf: known.stock for (where, shelf), known in shelves.items() if where == STORE}
        units: dict[str, int] = defaultdict(int)
        name, column = LOTS[STORE]
        for row in rows(self.context.lake, name, [among("shelf_id", stock)], ["shelf_id", column]):
            units[row["shelf_id"]] += row[column]
        for (shelf, _), coming in travelling.items():
            units[shelf] -= coming
        return {shelf: max(units[shelf] - stock[shelf], 0) for shelf in stock}


def _without(
    shelves: Mapping[tuple[str, str], RemovalShelf], gone: Mapping[tuple[str, str, str], int]
) -> dict[tuple[str, str], RemovalShelf]:
    taken: dict[tuple[str, str], int] = defaultdict(int)
    for (where, shelf, _), units in gone.items():
        taken[where, shelf] += units
    return {key: replace(shelf, stock=shelf.stock - taken[key]) for key, shelf in shelves.items()}


COMPONENT = RemovalScheduler
