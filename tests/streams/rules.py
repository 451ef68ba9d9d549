"""The decisions of retail.md, section 4, in plain Python: after every batch every shelf is looked at anew.

Written from the rules and not from the jobs. Stock comes from `model`, which knows the rules of state.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from . import model
from .asking import Asking
from .strategies import Record

Row = dict[str, Any]
SHELF_DEFAULTS = {"threshold_pct": 30, "min_qty": 1, "target_pct": 80, "near_expiry_days": 5}
WH_DEFAULTS = {"reorder_point_qty": 10, "batch_multiplier": 1, "near_expiry_days": 10}
PLAN_DELAY, REFILL_DELAY = timedelta(seconds=60), timedelta(minutes=3)
OPEN = ("open", "ack")
FIGURES = ("current_stock", "max_stock", "min_qty", "threshold_pct", "stock_pct", "suggested_qty")


def millis(time: datetime) -> int:
    """Milliseconds since 1970."""
    return round(time.timestamp() * 1000)


@dataclass
class Shop:
    """Everything that was said so far, and what was decided because of it."""

    events: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    profiles: dict[str, Row] = field(default_factory=dict)
    policies: dict[str, dict[str, Row]] = field(default_factory=lambda: defaultdict(dict))
    orders: dict[str, Row] = field(default_factory=dict)
    asking: Asking = field(default_factory=Asking)
    tick: Row | None = None
    alerts: dict[str, dict[str, Row]] = field(default_factory=lambda: defaultdict(dict))
    plans: dict[str, dict[str, Row]] = field(default_factory=lambda: defaultdict(dict))
    picks: list[Row] = field(default_factory=list)
    pending: dict[str, Row] = field(default_factory=dict)
    arrived: set[str] = field(default_factory=set)

    def step(self, records: Iterable[Record]) -> list[Record]:
        """Take one batch; the events that follow from it."""
        records = list(records)
        commands = [row for topic, row in records if topic == "commands"]
        ticked = self._take(records)
        self.state = model.tables(
            model.Facts(
                tuple(self.events["shelf_events"]),
                tuple(self.events["wh_events"]),
                tuple(self.events["pos_transactions"]),
            )
        )
        self._follow_refills()
        self.asking.hear(commands, self._status)
        moved = self._decide(ticked=ticked) if self.tick is not None else []
        known = {k for rows in (self.alerts, self.plans) for held in rows.values() for k in held}
        self.asking.settle(commands, known, done=self.tick is not None)
        self.asking.check_policies(records, self.profiles)
        return moved

    @property
    def refused(self) -> list[tuple[str, ...]]:
        """Topic, id, reason and detail of every refusal."""
        return self.asking.refused

    def _status(self, target: str) -> str | None:
        for place, kind in (("shelf", "restock"), ("wh", "supply")):
            if (alert := self.alerts[place].get(target)) is not None:
                return str(alert["status"])
            if (plan := self.plans[place].get(target)) is not None:
                return str(self._reached(kind, plan) or plan["status"])
        return None

    def _decide(self, *, ticked: bool) -> list[Record]:
        shelves = {s: self._shelf(s) for s in self._known("shelf")}
        rooms = {s: self._room(s) for s in self._known("wh")}
        self._alerts("shelf", self._shelf_conditions(shelves), ticked)
        self._alerts("wh", self._room_conditions(rooms), ticked)
        self._plans("shelf", "restock", shelves, ticked)
        self._plans("wh", "supply", rooms, ticked)
        return [*self._pick(), *self._deliver()]

    @property
    def now(self) -> datetime:
        """Business time."""
        assert self.tick is not None
        time: datetime = self.tick["now"]
        return time

    def _take(self, records: Iterable[Record]) -> bool:
        ticked = False
        for topic, record in records:
            row = dict(record)
            if topic == "clock":
                self.tick, ticked = row, True
            elif topic == "shelf_profiles":
                self._keep(self.profiles, row)
            elif topic in ("shelf_policies", "wh_policies"):
                self._keep(self.policies[topic], row)
            elif topic == "wh_supplier_orders":
                self.orders[row["order_id"]] = row
            elif topic != "commands":
                self.events[topic].append(row)
        return ticked

    @staticmethod
    def _keep(held: dict[str, Row], row: Row) -> None:
        held[row["shelf_id"]] = row
        if row["deleted"]:
            del held[row["shelf_id"]]

    def _follow_refills(self) -> None:
        reached = {
            e["cause_event_id"] for e in self.events["shelf_events"] if e["event_type"] == "restock"
        }
        for event in self.events["wh_events"]:
            ours = event["event_type"] == "wh_out" and event["reason"] != "replay"
            if ours and event["event_id"] not in self.pending:
                profile = self.profiles.get(event["shelf_id"])
                weight = profile and profile["unit_weight"]
                self.pending[event["event_id"]] = {
                    **event,
                    "weight": None if weight is None else weight * event["quantity"],
                }
        self.waiting = {k: e for k, e in self.pending.items() if k not in reached}

    def _known(self, place: str) -> set[str]:
        rows = (*self.alerts[place].values(), *self.plans[place].values())
        return {*self.profiles, *(row["shelf_id"] for row in rows)}

    def _policy(self, topic: str, shelf: str, defaults: Mapping[str, Any]) -> Mapping[str, Any]:
        own, general = (self.policies[topic].get(name) for name in (shelf, "__GLOBAL__"))
        return next((p for p in (own, general) if p and p["active"]), defaults)

    def _shelf(self, shelf: str) -> Row:
        profile = self.profiles.get(shelf, {})
        policy = self._policy("shelf_policies", shelf, SHELF_DEFAULTS)
        stock = self.state["cleansed/shelf_state"].get((shelf,), {}).get("current_stock", 0)
        room = profile.get("max_stock", 0)
        low = room > 0 and (
            100 * stock / room < policy["threshold_pct"] or stock < policy["min_qty"]
        )
        target = math.ceil(room * policy["target_pct"] / 100)
        wanted = max(0, target - stock - self._in_transit(shelf)) if low else 0
        return {
            "profile": profile,
            "low": low,
            "wanted": wanted,
            "days": policy["near_expiry_days"],
            "figures": {
                "current_stock": stock,
                "max_stock": room,
                "min_qty": policy["min_qty"],
                "threshold_pct": policy["threshold_pct"],
                "stock_pct": 100 * stock / room if room else None,
                "suggested_qty": wanted,
            },
        }

    def _in_transit(self, shelf: str) -> int:
        sent = self._sum("wh_events", "wh_out", shelf_id=shelf)
        opening = self._sum("shelf_events", "restock", shelf_id=shelf, reason="opening_balance")
        return sent - (self._sum("shelf_events", "restock", shelf_id=shelf) - opening)

    def _sum(self, topic: str, event_type: str, **wanted: str) -> int:
        return sum(
            e["quantity"]
            for e in self.events[topic]
            if e["event_type"] == event_type and all(e[k] == v for k, v in wanted.items())
        )

    def _room(self, shelf: str) -> Row:
        profile = self.profiles.get(shelf, {})
        policy = self._policy("wh_policies", shelf, WH_DEFAULTS)
        stock = self.state["cleansed/wh_state"].get((shelf,), {}).get("wh_current_stock", 0)
        point = policy["reorder_point_qty"]
        ordered = sum(
            o["total_qty"]
            for o in self.orders.values()
            if o["shelf_id"] == shelf and o["status"] == "issued"
        )
        low = bool(profile) and stock < point
        lot = profile.get("standard_batch_size", 1) * policy["batch_multiplier"]
        wanted = math.ceil(max(0, point - stock - ordered) / lot) * lot if low else 0
        figures = dict.fromkeys(FIGURES)
        return {
            "profile": profile,
            "low": low,
            "wanted": wanted,
            "days": policy["near_expiry_days"],
            "figures": {
                **figures,
                "current_stock": stock,
                "min_qty": point,
                "suggested_qty": wanted,
            },
        }

    def _shelf_conditions(self, shelves: Mapping[str, Row]) -> dict[tuple[Any, ...], Row]:
        low = {
            ("refill_request", "store", shelf, None): {**found["figures"], "expiry_date": None}
            for shelf, found in shelves.items()
            if found["low"]
        }
        lots = self.state["cleansed/shelf_batch_state"]
        return low | self._expiring(shelves, lots, "store", "batch_quantity_store")

    def _room_conditions(self, rooms: Mapping[str, Row]) -> dict[tuple[Any, ...], Row]:
        low = {
            ("supplier_request", "warehouse", shelf, None): {
                **found["figures"],
                "expiry_date": None,
            }
            for shelf, found in rooms.items()
            if found["low"]
        }
        lots = self.state["cleansed/wh_batch_state"]
        return low | self._expiring(rooms, lots, "warehouse", "batch_quantity_warehouse")

    def _expiring(
        self, places: Mapping[str, Row], lots: model.Rows, location: str, column: str
    ) -> dict[tuple[Any, ...], Row]:
        assert self.tick is not None
        found = {}
        for (shelf, code), lot in lots.items():
            place = places.get(shelf)
            if not (place and place["profile"] and lot[column] > 0 and lot["expiry_date"]):
                continue
            if 0 <= (lot["expiry_date"] - self.tick["today"]).days <= place["days"]:
                room = place["profile"]["max_stock"] if location == "store" else None
                stock = {"max_stock": room, "current_stock": lot[column]}
                figures = {**dict.fromkeys(FIGURES), **stock, "expiry_date": lot["expiry_date"]}
                found["near_expiry", location, shelf, code] = figures
        return found

    def _alerts(self, place: str, conditions: Mapping[tuple[Any, ...], Row], ticked: bool) -> None:
        names = ("event_type", "location", "shelf_id", "batch_code")
        alerts = self.alerts[place]
        for alert in alerts.values():
            holds = conditions.get(tuple(alert[n] for n in names))
            strength, actor = self.asking.standing.get(alert["alert_id"], (0, None))
            if alert["status"] not in OPEN:
                alert["held"] = alert["held"] and not (ticked and not holds)
                continue
            if holds:
                alert.update({n: holds[n] for n in FIGURES})
            if strength:
                alert["actor"] = actor
            if strength == 2:
                alert.update(status="dismissed", held=True)
            elif not holds:
                alert["status"] = "resolved"
            elif strength == 1:
                alert["status"] = "ack"
        taken = {
            tuple(a[n] for n in names) for a in alerts.values() if a["held"] or a["status"] in OPEN
        }
        for key, figures in conditions.items():
            if key not in taken:
                alert_id = ":".join(map(str, (*filter(None, key), millis(self.now))))
                strength, actor = self.asking.standing.get(alert_id, (0, None))
                alerts[alert_id] = {
                    "alert_id": alert_id,
                    "status": ("open", "ack", "dismissed")[strength],
                    "actor": actor,
                    "held": strength == 2,
                    "created_at": self.now,
                    "store_id": self.profiles[key[2]]["store_id"],
                    **dict(zip(names, key, strict=True)),
                    **figures,
                }

    def _plans(self, place: str, kind: str, shelves: Mapping[str, Row], ticked: bool) -> None:
        plans, name = self.plans[place], "plan_id" if kind == "restock" else "supplier_plan_id"
        for plan in plans.values():
            wanted = shelves[plan["shelf_id"]]["wanted"]
            strength, actor = self.asking.standing.get(plan[name], (0, None))
            reached = self._reached(kind, plan)
            if plan["status"] == "pending" and reached is None:
                plan["held"] = strength == 2
                plan["actor"] = actor if strength == 2 else plan["actor"]
                if strength == 2 or wanted <= 0:
                    plan["status"] = "canceled"
                else:
                    plan["suggested_qty"] = wanted
            else:
                plan["held"] = plan["held"] and not (ticked and wanted <= 0)
                plan["status"] = reached or plan["status"]
        for shelf, found in shelves.items():
            own = [p for p in plans.values() if p["shelf_id"] == shelf]
            if found["wanted"] > 0 and not any(p["held"] or p["status"] == "pending" for p in own):
                before = sum(p["status"] in ("issued", "completed") for p in own)
                plan_id = f"{kind}:{shelf}:{millis(self.now)}:{before}"
                strength, actor = self.asking.standing.get(plan_id, (0, None))
                profile = found["profile"]
                extra = (
                    {"issued_qty": 0}
                    if kind == "restock"
                    else {
                        "standard_batch_size": profile["standard_batch_size"],
                        "source": "rule",
                        "order_id": None,
                    }
                )
                plans[plan_id] = {
                    name: plan_id,
                    "store_id": profile["store_id"],
                    "shelf_id": shelf,
                    "suggested_qty": found["wanted"],
                    "status": "canceled" if strength == 2 else "pending",
                    "actor": actor,
                    "created_at": self.now,
                    "held": strength == 2,
                    **extra,
                }

    def _reached(self, kind: str, plan: Row) -> str | None:
        if kind == "restock":
            sent = self._sum("wh_events", "wh_out", plan_id=plan["plan_id"])
            back = self._sum("shelf_events", "restock", plan_id=plan["plan_id"])
            if sent:
                plan["issued_qty"] = sent
                return "completed" if back >= sent else "issued"
            return None
        for order in self.orders.values():
            if order["supplier_plan_id"] == plan["supplier_plan_id"]:
                plan["order_id"] = order["order_id"]
                return "completed" if order["status"] == "delivered" else "issued"
        return None

    def _pick(self) -> list[Record]:
        assert self.tick is not None
        unread = [p for p in self.picks if self._outstanding(p["plan_id"])]
        made: list[Row] = []
        for plan in self.plans["shelf"].values():
            due = plan["created_at"] + PLAN_DELAY
            busy = any(p["plan_id"] == plan["plan_id"] for p in unread)
            if plan["status"] == "pending" and due <= self.now and not busy:
                made += self._picks_of(plan, due, unread)
        self.picks += made
        return [("wh_events", pick) for pick in made]

    def _outstanding(self, plan_id: str) -> bool:
        picked = sum(p["quantity"] for p in self.picks if p["plan_id"] == plan_id)
        return self._sum("wh_events", "wh_out", plan_id=plan_id) < picked

    def _picks_of(self, plan: Row, due: datetime, unread: list[Row]) -> list[Row]:
        assert self.tick is not None
        left, shelf, made = plan["suggested_qty"], plan["shelf_id"], []
        for code, lot in self._lots_in_order(shelf):
            gone = sum(
                p["quantity"] for p in unread if (p["shelf_id"], p["batch_code"]) == (shelf, code)
            )
            quantity = min(left, max(0, lot["batch_quantity_warehouse"] - gone))
            if quantity > 0:
                left -= quantity
                time = max(due, lot["last_event_time"])
                made.append(
                    {
                        "event_id": f"{millis(time)}-wh_out-{plan['plan_id']}-{code}",
                        "event_type": "wh_out",
                        "event_time": time,
                        "store_id": plan["store_id"],
                        "schema_version": 1,
                        "shelf_id": shelf,
                        "item_id": self.state["cleansed/wh_state"][shelf,]["item_id"],
                        "batch_code": code,
                        "quantity": quantity,
                        "received_date": lot["received_date"],
                        "expiry_date": lot["expiry_date"],
                        "plan_id": plan["plan_id"],
                        "order_id": None,
                        "actor": "shelf-restock-manager",
                        "reason": None,
                    }
                )
        return made

    def _lots_in_order(self, shelf: str) -> list[tuple[str, Row]]:
        assert self.tick is not None
        today = self.tick["today"]
        lots = [
            (code, lot)
            for (s, code), lot in self.state["cleansed/wh_batch_state"].items()
            if s == shelf and (lot["expiry_date"] is None or lot["expiry_date"] >= today)
        ]
        latest = today.replace(year=9999)
        return sorted(
            lots,
            key=lambda it: (
                it[1]["received_date"] or latest,
                it[1]["expiry_date"] or latest,
                it[0],
            ),
        )

    def _deliver(self) -> list[Record]:
        made = []
        for cause, event in self.waiting.items():
            time = event["event_time"] + REFILL_DELAY
            if time <= self.now and cause not in self.arrived:
                self.arrived.add(cause)
                made.append(self._arrival("restock", cause, event, time))
                if event["weight"] is not None:
                    made.append(self._arrival("weight_change", cause, event, time))
        return made

    @staticmethod
    def _arrival(kind: str, cause: str, event: Row, time: datetime) -> Record:
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
