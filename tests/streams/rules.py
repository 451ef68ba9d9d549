"""The decisions of docs/design/retail.md#refill in plain Python: after every batch every shelf is looked at anew.

Written from the rules and not from the jobs. Stock comes from `model`, which knows the rules of state.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any

from . import leveling, model
from .asking import Asking
from .moving import Moving, Row, millis, total
from .strategies import Record

SHELF_DEFAULTS = {"threshold_pct": 30, "min_qty": 1, "target_pct": 80, "near_expiry_days": 5}
WH_DEFAULTS = {
    "reorder_point_qty": 10,
    "batch_multiplier": 1,
    "near_expiry_days": 10,
    "plan_source": "rule",
    "allow_zero": False,
}
OPEN = ("open", "ack")
FIGURES = ("current_stock", "max_stock", "min_qty", "threshold_pct", "stock_pct", "suggested_qty")


@dataclass
class Shop:
    """Everything that was said so far, and what was decided because of it."""

    events: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    profiles: dict[str, Row] = field(default_factory=dict)
    policies: dict[str, dict[str, Row]] = field(default_factory=lambda: defaultdict(dict))
    levels: dict[str, Row] = field(default_factory=dict)
    orders: dict[str, Row] = field(default_factory=dict)
    asking: Asking = field(default_factory=Asking)
    tick: Row | None = None
    alerts: dict[str, dict[str, Row]] = field(default_factory=lambda: defaultdict(dict))
    plans: dict[str, dict[str, Row]] = field(default_factory=lambda: defaultdict(dict))
    moving: Moving = field(default_factory=Moving)

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
        self.moving.follow(self.events, self.profiles)
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
        picks = self.moving.pick(self.plans["shelf"].values(), self.state, self.tick)
        return [*picks, *self.moving.deliver(self.now)]

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
            elif topic == "order_levels":
                self._keep(self.levels, row)
            elif topic != "commands":
                self.events[topic].append(row)
        return ticked

    @staticmethod
    def _keep(held: dict[str, Row], row: Row) -> None:
        held[row["shelf_id"]] = row
        if row["deleted"]:
            del held[row["shelf_id"]]

    def _known(self, place: str) -> set[str]:
        rows = (*self.alerts[place].values(), *self.plans[place].values())
        return {*self.profiles, *(row["shelf_id"] for row in rows)}

    def _policy(self, topic: str, shelf: str, defaults: Mapping[str, Any]) -> Mapping[str, Any]:
        both = (self.policies[topic].get(name) for name in (shelf, "__GLOBAL__"))
        alive = [p for p in both if p and p["active"]]
        return {
            name: next((p[name] for p in alive if p[name] is not None), default)
            for name, default in defaults.items()
        }

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
        sent = total(self.events, "wh_events", "wh_out", shelf_id=shelf)
        opening = total(
            self.events, "shelf_events", "restock", shelf_id=shelf, reason="opening_balance"
        )
        return sent - (total(self.events, "shelf_events", "restock", shelf_id=shelf) - opening)

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
        level = self.levels.get(shelf)
        follows = level is not None and policy["plan_source"] == "ml" and bool(profile)
        modelled = follows and leveling.holds(level, self.now)
        by_level = (
            self._by_level(shelf, level, stock + ordered, lot, policy) if modelled else wanted
        )
        return {
            "profile": profile,
            "low": low,
            "wanted": by_level,
            "extra": leveling.source(level if modelled else None),
            "days": policy["near_expiry_days"],
            "figures": {
                **figures,
                "current_stock": stock,
                "min_qty": point,
                "suggested_qty": wanted,
            },
        }

    def _by_level(
        self, shelf: str, level: Row, behind: int, lot: int, policy: Mapping[str, Any]
    ) -> int:
        """Units that a level asks for; `behind` is what the back room has, and what is ordered for it."""
        lots = (self.state[f"cleansed/{name}_batch_state"] for name in ("wh", "shelf"))
        standing = self.state["cleansed/shelf_state"].get((shelf,), {}).get("current_stock", 0)
        units = behind + standing + self._in_transit(shelf)
        units -= leveling.expiring([*chain.from_iterable(t.items() for t in lots)], shelf, level)
        least = self._policy("shelf_policies", shelf, SHELF_DEFAULTS)["min_qty"]
        floor = 0 if policy["allow_zero"] else max(least, 1)
        return leveling.ordered(level, max(units, 0), lot, floor)

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
                    plan.update(shelves[plan["shelf_id"]].get("extra", {}))
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
                        "order_id": None,
                        **found["extra"],
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
            sent = total(self.events, "wh_events", "wh_out", plan_id=plan["plan_id"])
            back = total(self.events, "shelf_events", "restock", plan_id=plan["plan_id"])
            if sent:
                plan["issued_qty"] = sent
                return "completed" if back >= sent else "issued"
            return None
        for order in self.orders.values():
            if order["supplier_plan_id"] == plan["supplier_plan_id"]:
                plan["order_id"] = order["order_id"]
                return "completed" if order["status"] == "delivered" else "issued"
        return None
