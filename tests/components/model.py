"""What the components decide, in plain Python from the rules of docs/design/retail.md, not from the code."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from tests.streams import model as state

Row = dict[str, Any]
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
CUTOFFS = {"Sunday": "Monday", "Tuesday": "Wednesday", "Thursday": "Friday"}
"""Weekday whose noon is a cutoff → weekday whose 8:00 is its delivery."""


def noon(day: date) -> datetime:
    """12:00 of a day."""
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def begin(day: date) -> datetime:
    """0:00 of a day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def millis(time: datetime) -> int:
    """Milliseconds since 1970."""
    return round(time.timestamp() * 1000)


@dataclass
class Supplier:
    """Orders and deliveries. Plans and goods are told by the test.

    Attributes:
        plans: Plan id → plan, as the warehouse alert engine has published it.
        goods: Shelf → its profile.
        until: Business time up to which every cutoff and delivery is done.
    """

    plans: dict[str, Row] = field(default_factory=dict)
    goods: dict[str, Row] = field(default_factory=dict)
    orders: dict[str, Row] = field(default_factory=dict)
    lots: list[Row] = field(default_factory=list)
    until: datetime | None = None

    def tick(self, now: datetime) -> None:
        """Do what is due, hour by hour; of what was before the first tick nothing was missed."""
        hour = now if self.until is None else self.until + timedelta(microseconds=1)
        hour = hour.replace(minute=0, second=0, microsecond=0) + (
            HOUR if (hour.minute, hour.second, hour.microsecond) != (0, 0, 0) else 0 * HOUR
        )
        while hour <= now:
            if hour.strftime("%A %H") in {f"{day} 12" for day in CUTOFFS}:
                self._order(hour)
            if hour.strftime("%A %H") in {f"{day} 08" for day in CUTOFFS.values()}:
                self._receive(hour.date(), now)
            hour += HOUR
        self.until = now

    def _order(self, cutoff: datetime) -> None:
        day = cutoff.date() + DAY
        assert f"{day:%A}" == CUTOFFS[f"{cutoff:%A}"]
        taken = {order["supplier_plan_id"] for order in self.orders.values()}
        for plan in self.plans.values():
            early = plan["status"] == "pending" and plan["created_at"] < cutoff
            if early and plan["supplier_plan_id"] not in taken:
                self.orders[f"{day}:{plan['shelf_id']}"] = {
                    "supplier_plan_id": plan["supplier_plan_id"],
                    "delivery_date": day,
                    "shelf_id": plan["shelf_id"],
                    "total_qty": plan["suggested_qty"],
                    "status": "issued",
                    "cutoff_ts": cutoff,
                    "delivery_ts": None,
                }

    def _receive(self, day: date, now: datetime) -> None:
        for order_id, order in self.orders.items():
            profile = self.goods.get(order["shelf_id"])
            if order["status"] == "issued" and order["delivery_date"] <= day and profile:
                order.update(status="delivered", delivery_ts=now)
                self.lots += self._cut(order_id, order, profile, now)

    @staticmethod
    def _cut(order_id: str, order: Row, profile: Row, now: datetime) -> Iterable[Row]:
        left, life = order["total_qty"], profile["shelf_life_days"]
        while left > 0:
            quantity = min(left, profile["standard_batch_size"])
            left -= quantity
            yield {
                "order_id": order_id,
                "shelf_id": order["shelf_id"],
                "quantity": quantity,
                "event_time": now,
                "received_date": now.date(),
                "expiry_date": None if life is None else now.date() + life * DAY,
            }


def discount(existing: Decimal, extra: Decimal) -> Decimal:
    """Two discounts one after the other, at most 75 %, as a fraction of four places."""
    both = Decimal(1) - (Decimal(1) - existing) * (Decimal(1) - extra)
    return min(Decimal("0.75"), both).quantize(Decimal("0.0001"), ROUND_HALF_UP)


def discounts(
    day: date, lots: Iterable[Row], yesterday: Mapping[str, Row], extras: Mapping[str, Decimal]
) -> dict[str, tuple[Decimal, list[str]]]:
    """Shelf → discount of the day and the lots that caused it.

    Args:
        day: D.
        lots: All lots of stores, with `units` and `expiry_date`.
        yesterday: Shelf → its discount of D-1.
        extras: Shelf → its extra of D.
    """
    found = {}
    there = [lot for lot in lots if lot["units"] > 0 and lot["expiry_date"] is not None]
    for shelf in {lot["shelf_id"] for lot in there}:
        own = {lot["batch_code"]: lot["expiry_date"] for lot in there if lot["shelf_id"] == shelf}
        causes = sorted(code for code, last in own.items() if last in (day, day + DAY))
        before = yesterday.get(shelf)
        lasts = before and any(own.get(c, day - DAY) >= day for c in before["batch_codes"])
        if causes:
            existing = before["discount"] if before and lasts else Decimal(0)
            found[shelf] = discount(existing, extras[shelf]), causes
    return found


@dataclass
class Removals:
    """Removal of expired lots, and its alerts; its own removals count from their decision.

    Attributes:
        facts: Events that are known.
        pending: Rows of goods on the way from back room to shelf.
        own: Removals decided so far, as (time, event).
        alerts: Every alert ever opened.
        open: Place, shelf and lot → id of the alert that is open, or held closed by a person.
    """

    facts: state.Facts = field(default_factory=state.Facts)
    pending: list[Row] = field(default_factory=list)
    own: list[Row] = field(default_factory=list)
    alerts: dict[str, Row] = field(default_factory=dict)
    open: dict[tuple[str, str, str], str] = field(default_factory=dict)
    done: date | None = None

    def tick(self, now: datetime) -> list[Row]:
        """What is removed at a tick, as place, shelf, lot, units and time."""
        watched = bool(self.open) and now > begin(now.date())
        made: list[Row] = []
        if self.done != now.date():
            self.done = now.date()
            lots = self._expired(now.date())
            self._look(lots, now)
            self._open(lots, now)
            made = [*self._from_shelves(lots, now.date()), *self._from_rooms(lots, now.date())]
            self.own += made
        if watched:
            self._look(self._expired(now.date()), now)
        return made

    def ask(self, command: str, target: str, actor: str) -> bool:
        """A person's command; whether it is obeyed."""
        alert = self.alerts.get(target)
        if not alert or alert["status"] not in ("open", "ack"):
            return False
        if command not in ("ack", "dismiss"):
            return False
        alert.update(status="ack" if command == "ack" else "dismissed", actor=actor)
        return True

    def tables(self) -> dict[str, state.Rows]:
        """State with all own removals in it, whether they are read back or not."""
        known = {e["event_id"] for e in (*self.facts.shelf, *self.facts.warehouse)}
        new = [e for e in self.own if e["event_id"] not in known]
        shelf = [e for e in new if e["event_type"] == "removal"]
        room = [e for e in new if e["event_type"] == "wh_removal"]
        return state.tables(
            state.Facts(
                (*self.facts.shelf, *shelf), (*self.facts.warehouse, *room), self.facts.receipts
            )
        )

    def _expired(self, today: date) -> dict[tuple[str, str, str], Row]:
        tables = self.tables()
        places = {
            "store": ("cleansed/shelf_batch_state", "batch_quantity_store"),
            "warehouse": ("cleansed/wh_batch_state", "batch_quantity_warehouse"),
        }
        return {
            (place, *key): {**row, "units": row[column]}
            for place, (name, column) in places.items()
            for key, row in tables[name].items()
            if row[column] > 0 and row["expiry_date"] is not None and row["expiry_date"] < today
        }

    def _look(self, lots: Mapping[Any, Row], now: datetime) -> None:
        for key, alert_id in list(self.open.items()):
            units, alert = lots.get(key, {"units": 0})["units"], self.alerts[alert_id]
            if alert["status"] in ("open", "ack"):
                alert["current_stock"] = units
                alert["status"] = alert["status"] if units else "resolved"
            if not units:
                del self.open[key]

    def _open(self, lots: Mapping[Any, Row], now: datetime) -> None:
        for key, lot in lots.items():
            if key not in self.open:
                alert_id = ":".join(("expired_removal", *key, str(millis(now))))
                self.open[key] = alert_id
                self.alerts[alert_id] = {
                    "status": "open",
                    "current_stock": lot["units"],
                    "expiry_date": lot["expiry_date"],
                    "actor": None,
                }

    def _from_shelves(self, lots: Mapping[Any, Row], today: date) -> Iterable[Row]:
        stock = self.tables()["cleansed/shelf_state"]
        removed: dict[str, int] = defaultdict(int)
        passed: dict[str, int] = defaultdict(int)
        of_shelves = {key: lot for key, lot in lots.items() if key[0] == "store"}
        for (_, shelf, code), lot in sorted(
            of_shelves.items(), key=lambda it: (it[1]["expiry_date"], it[0][2])
        ):
            coming = [p for p in self.pending if (p["shelf_id"], p["batch_code"]) == (shelf, code)]
            free = max(0, lot["units"] - sum(p["quantity"] for p in coming))
            there = stock.get((shelf,), {"current_stock": 0})["current_stock"] - removed[shelf]
            gone = min(free, max(0, self._in_carts(shelf) - passed[shelf]))
            passed[shelf] += gone
            units = max(0, min(free - gone, there))
            if units:
                removed[shelf] += units
                yield self._removal("removal", shelf, code, units, lot, today)

    def _in_carts(self, shelf: str) -> int:
        """Units that were taken from a shelf, less those that were put back or paid."""
        signs = {"pickup": 1, "putback": -1}
        of_shelf = [e for e in self.facts.shelf if e["shelf_id"] == shelf]
        moved = sum(signs.get(e["event_type"], 0) * e["quantity"] for e in of_shelf)
        lines = (line for receipt in self.facts.receipts for line in receipt["items"])
        return moved - sum(line["quantity"] for line in lines if line["shelf_id"] == shelf)

    def _from_rooms(self, lots: Mapping[Any, Row], today: date) -> Iterable[Row]:
        for (place, shelf, code), lot in lots.items():
            if place == "warehouse":
                yield self._removal("wh_removal", shelf, code, lot["units"], lot, today)

    @staticmethod
    def _removal(kind: str, shelf: str, code: str, units: int, lot: Row, today: date) -> Row:
        return {
            "event_id": f"{millis(begin(today))}-{kind}-{shelf}-{code}-{today}",
            "event_type": kind,
            "event_time": max(begin(today), lot["last_event_time"]),
            "store_id": "S1",
            "item_id": "I1",
            "shelf_id": shelf,
            "batch_code": code,
            "quantity": units,
            "received_date": None,
            "expiry_date": None,
            "reason": "expired",
        }


@dataclass(frozen=True)
class Past:
    """Everything that happened, before the day and after it.

    Attributes:
        facts: Events of shelves, back rooms and tills, and the lot catalogue.
        lost: Events of `lost_sales`.
        traffic: Events of `foot_traffic`.
    """

    facts: state.Facts
    lost: tuple[Row, ...] = ()
    traffic: tuple[Row, ...] = ()

    def before(self, day: date) -> Past:
        """What happened before the day began."""

        def early(events: Iterable[Any]) -> tuple[Any, ...]:
            return tuple(e for e in events if e["event_time"] < begin(day))

        known = self.facts
        kept = state.Facts(
            early(known.shelf), early(known.warehouse), early(known.receipts), known.catalog
        )
        return Past(kept, early(self.lost), early(self.traffic))


def features(day: date, profile: Row, everything: Past) -> Row:
    """What events say of a shelf on a day."""
    past, shelf = everything.before(day), profile["shelf_id"]
    tables = state.tables(past.facts)
    lines = [
        {**line, "event_time": receipt["event_time"]}
        for receipt in past.facts.receipts
        for line in receipt["items"]
        if line["shelf_id"] == shelf
    ]
    lost = [e for e in past.lost if e["shelf_id"] == shelf]
    entries = [
        {"quantity": 1, "event_time": e["event_time"]}
        for e in past.traffic
        if e["event_type"] == "entry" and e["store_id"] == profile["store_id"]
    ]
    stock = tables["cleansed/shelf_state"].get((shelf,), {}).get("current_stock", 0)
    room = tables["cleansed/wh_state"].get((shelf,), {}).get("wh_current_stock", 0)
    return {
        "current_stock": stock,
        "wh_current_stock": room,
        "in_transit": _in_transit(past.facts, shelf),
        "units_sold_1d": _since(day, 1, lines),
        "units_sold_7d": _since(day, 7, lines),
        "units_sold_28d": _since(day, 28, lines),
        "lost_sales_7d": _since(day, 7, lost),
        "store_visits_1d": _since(day, 1, entries),
        "days_to_expiry": _days_to_expiry(day, shelf, tables["cleansed/shelf_batch_state"]),
    }


def _since(day: date, days: int, events: Iterable[Row]) -> int:
    return sum(e["quantity"] for e in events if e["event_time"] >= begin(day) - days * DAY)


def _in_transit(facts: state.Facts, shelf: str) -> int:
    sent = (e for e in facts.warehouse if e["event_type"] == "wh_out")
    back = (
        e for e in facts.shelf if e["event_type"] == "restock" and e["reason"] != "opening_balance"
    )
    left, came = (
        sum(e["quantity"] for e in events if e["shelf_id"] == shelf) for events in (sent, back)
    )
    return left - came


def _days_to_expiry(day: date, shelf: str, lots: state.Rows) -> int | None:
    dates = [
        row["expiry_date"]
        for (owner, _), row in lots.items()
        if owner == shelf and row["balance"] > 0 and row["expiry_date"] is not None
    ]
    return (min(dates) - day).days if dates else None
