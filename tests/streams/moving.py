"""Picks and arrivals in plain Python: what is taken, when it is on the shelf (docs/design/retail.md#picks)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from . import model
from .strategies import Record

Row = dict[str, Any]
Events = Mapping[str, Iterable[Row]]
PLAN_DELAY, REFILL_DELAY = timedelta(seconds=60), timedelta(minutes=3)


def millis(time: datetime) -> int:
    """Milliseconds since 1970."""
    return round(time.timestamp() * 1000)


def total(events: Events, topic: str, event_type: str, **wanted: str) -> int:
    """Units of the events of a type that have the wanted values."""
    return sum(
        e["quantity"]
        for e in events[topic]
        if e["event_type"] == event_type and all(e[k] == v for k, v in wanted.items())
    )


@dataclass
class Moving:
    """Goods on their way from the back room to the shelf.

    Attributes:
        picks: The picks that were ever made.
        pending: Events that took goods out of the back room.
        arrived: Those of them whose arrival was told.
    """

    picks: list[Row] = field(default_factory=list)
    pending: dict[str, Row] = field(default_factory=dict)
    arrived: set[str] = field(default_factory=set)

    def follow(self, events: Events, profiles: Mapping[str, Row]) -> None:
        """Take up what left the back room, and what has reached its shelf."""
        self.events = events
        for event in events["wh_events"]:
            ours = event["event_type"] == "wh_out" and event["reason"] != "replay"
            if ours and event["event_id"] not in self.pending:
                profile = profiles.get(event["shelf_id"])
                weight = profile and profile["unit_weight"]
                self.pending[event["event_id"]] = {
                    **event,
                    "weight": None if weight is None else weight * event["quantity"],
                }
        reached = {
            e["cause_event_id"] for e in events["shelf_events"] if e["event_type"] == "restock"
        }
        self.waiting = {k: e for k, e in self.pending.items() if k not in reached}

    def pick(
        self, plans: Iterable[Row], state: Mapping[str, model.Rows], tick: Row
    ) -> list[Record]:
        """Pick for the plans that are due."""
        unread = [p for p in self.picks if self._outstanding(p["plan_id"])]
        made: list[Row] = []
        for plan in plans:
            due = plan["created_at"] + PLAN_DELAY
            busy = any(p["plan_id"] == plan["plan_id"] for p in unread)
            if plan["status"] == "pending" and due <= tick["now"] and not busy:
                made += picks_of(plan, due, unread, state, tick["today"])
        self.picks += made
        return [("wh_events", pick) for pick in made]

    def deliver(self, now: datetime) -> list[Record]:
        """Tell what has arrived by now."""
        made = []
        for cause, event in self.waiting.items():
            time = event["event_time"] + REFILL_DELAY
            if time <= now and cause not in self.arrived:
                self.arrived.add(cause)
                made.append(arrival("restock", cause, event, time))
                if event["weight"] is not None:
                    made.append(arrival("weight_change", cause, event, time))
        return made

    def _outstanding(self, plan_id: str) -> bool:
        picked = sum(p["quantity"] for p in self.picks if p["plan_id"] == plan_id)
        return total(self.events, "wh_events", "wh_out", plan_id=plan_id) < picked


def picks_of(
    plan: Row, due: datetime, unread: list[Row], state: Mapping[str, model.Rows], today: date
) -> list[Row]:
    """Picks for a plan, from the lots that have something left, the oldest first."""
    left, shelf, made = plan["suggested_qty"], plan["shelf_id"], []
    item = state["cleansed/wh_state"].get((shelf,), {}).get("item_id")
    for code, lot in lots_in_order(shelf, state, today):
        gone = sum(
            p["quantity"] for p in unread if (p["shelf_id"], p["batch_code"]) == (shelf, code)
        )
        quantity = min(left, max(0, lot["batch_quantity_warehouse"] - gone))
        if quantity > 0:
            left -= quantity
            made.append(pick_of(plan, item, (code, lot), quantity, due))
    return made


def pick_of(plan: Row, item: str, coded: tuple[str, Row], quantity: int, due: datetime) -> Row:
    """The event that takes units of a lot out of the back room."""
    code, lot = coded
    time = max(due, lot["last_event_time"])
    return {
        "event_id": f"{millis(time)}-wh_out-{plan['plan_id']}-{code}",
        "event_type": "wh_out",
        "event_time": time,
        "store_id": plan["store_id"],
        "schema_version": 1,
        "shelf_id": plan["shelf_id"],
        "item_id": item,
        "batch_code": code,
        "quantity": quantity,
        "received_date": lot["received_date"],
        "expiry_date": lot["expiry_date"],
        "plan_id": plan["plan_id"],
        "order_id": None,
        "actor": "shelf-restock-manager",
        "reason": None,
    }


def lots_in_order(
    shelf: str, state: Mapping[str, model.Rows], today: date
) -> list[tuple[str, Row]]:
    """Lots of a shelf in the back room that have not expired, as they are to be used up."""
    lots = [
        (code, lot)
        for (s, code), lot in state["cleansed/wh_batch_state"].items()
        if s == shelf and (lot["expiry_date"] is None or lot["expiry_date"] >= today)
    ]
    latest = today.replace(year=9999)
    dates = ("received_date", "expiry_date")
    return sorted(lots, key=lambda it: (*(it[1][name] or latest for name in dates), it[0]))


def arrival(kind: str, cause: str, event: Row, time: datetime) -> Record:
    """The event by which goods stand on the shelf, or are weighed there."""
    restock = kind == "restock"
    return "shelf_events", {
        "event_id": f"{millis(time)}-{kind}-{cause}",
        "event_type": kind,
        "event_time": time,
        "store_id": event["store_id"],
        "schema_version": 1,
        "shelf_id": event["shelf_id"],
        "item_id": event["item_id"],
        "quantity": event["quantity"] if restock else None,
        "batch_code": event["batch_code"],
        "customer_id": None,
        "delta_weight": None if restock else event["weight"],
        "plan_id": event["plan_id"],
        "cause_event_id": cause,
        "actor": "shelf-refill-bridge",
        "reason": None,
    }
