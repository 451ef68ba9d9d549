"""The story of one shelf, lot, plan, order, alert or event: what happened, what was decided, what is there now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.contracts import CATALOG
from lakeshelf.errors import ConfigurationError
from lakeshelf.lake.location import Place
from lakeshelf.streams.explain import OPEN, explanation
from lakeshelf.streams.history import ALERTS, EVENTS, MOVEMENTS, STATE, Found, History, Line, equal

PLANS, SUPPLY = "ops/shelf_restock_plan", "ops/wh_supplier_plan"
ORDERS, GOODS = "ops/wh_supplier_orders", "ops/wh_supplier_receipts"
DISCOUNTS = "analytics/daily_discounts"
PENDING = "staging/shelf_refill_pending"
BY_SHELF = ("cleansed/shelf_state", "cleansed/wh_state")
BY_LOT = ("cleansed/shelf_batch_state", "cleansed/wh_batch_state")
LIMIT = 30

KINDS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "shelf": tuple((name, "shelf_id") for name in (*BY_SHELF, "curated/shelf_profiles")),
    "lot": tuple((name, "batch_code") for name in (*BY_LOT, "staging/lot_catalog_store")),
    "restock_plan": ((PLANS, "plan_id"),),
    "supplier_plan": ((SUPPLY, "supplier_plan_id"),),
    "order": ((ORDERS, "order_id"),),
    "alert": tuple((name, "alert_id") for name in ALERTS),
    "event": tuple((name, "event_id") for name in EVENTS),
}
"""What an id can be → tables and columns where it then stands."""


@dataclass
class Story:
    """What there is to tell of one thing.

    Attributes:
        kind: What the id is, one of `KINDS`.
        id: The id.
        limit: Most lines of each part of the story; the last ones are told.
        explanation: Of an alert, why it was opened (`lakeshelf.streams.explain`).
        missing: Ids that are named as a cause and that the lake does not hold.
        omitted: Part of the story → lines that are not told.
    """

    kind: str
    id: str
    limit: int
    explanation: dict[str, Any] | None = None
    missing: list[str] = field(default_factory=list)
    omitted: dict[str, int] = field(default_factory=dict)
    _lines: list[Line] = field(default_factory=list)

    def tell(self, found: Found | Iterable[Line], role: str = "") -> list[Line]:
        """Add lines; those that are told already stay as they are."""
        cut = (found if isinstance(found, Found) else _found(found)).last(self.limit)
        if left := cut.total - len(cut.lines):
            section = cut.lines[0].section
            self.omitted[section] = self.omitted.get(section, 0) + left
        known = {_identity(line) for line in self._lines}
        new = [line.playing(role) for line in cut.lines if _identity(line) not in known]
        self._lines += new
        return new

    @property
    def lines(self) -> list[Line]:
        """What happened and was decided, in the order of business time."""
        told = [line for line in self._lines if line.section != STATE]
        return sorted(told, key=lambda line: line.order)

    @property
    def state(self) -> list[Line]:
        """What is there now."""
        return [line for line in self._lines if line.section == STATE]

    def as_json(self) -> dict[str, Any]:
        """The story as plain values."""
        return {
            "kind": self.kind,
            "id": self.id,
            "explanation": self.explanation,
            "lines": [line.as_json() for line in self.lines],
            "state": [line.as_json() for line in self.state],
            "omitted": self.omitted,
            "missing": self.missing,
        }


def kinds(history: History, wanted: str) -> list[str]:
    """What an id is, found by looking."""
    return [
        kind
        for kind, places in KINDS.items()
        if any(history.holds(table, column, wanted) for table, column in places)
    ]


def trace(root: Place, wanted: str, limit: int = LIMIT) -> list[Story]:
    """The story of an id, one for each thing that it names.

    Args:
        root: Lake root.
        wanted: Id of a shelf, plan, order, alert or event, or code of a lot.
        limit: Most lines of each part of a story; the last ones are told.

    Raises:
        ConfigurationError: Nothing has this id.
        LakeError: A table is missing or cannot be read.
    """
    history = History(root)
    found = kinds(history, wanted)
    if not found:
        raise ConfigurationError(
            f"nothing in {root} has the id {wanted!r}",
            hint="take one from `lakeshelf alerts list`, `lakeshelf plans list` or the events",
        )
    stories = [Story(kind, wanted, limit) for kind in found]
    for story in stories:
        _TELL[story.kind](history, story)
    return stories


def _shelf(history: History, story: Story) -> None:
    of_shelf = equal("shelf_id", story.id)
    names = [name for name in EVENTS if name in (*MOVEMENTS, "raw/lost_sales")]
    moved = history.events(names, of_shelf, story.limit)
    story.tell(moved + history.receipt_lines("shelf_id", story.id, limit=story.limit))
    story.tell(history.alerts(of_shelf))
    for names_of in ((PLANS, SUPPLY), (ORDERS,), (GOODS,), (DISCOUNTS,)):
        story.tell(history.events(names_of, of_shelf, story.limit))
    for name in (*BY_SHELF, *BY_LOT, PENDING):
        story.tell(history.find(name, of_shelf, story.limit))


def _lot(history: History, story: Story) -> None:
    of_lot = equal("batch_code", story.id)
    moved = history.events(MOVEMENTS, of_lot, story.limit)
    story.tell(moved + history.receipt_lines("batch_code", story.id, limit=story.limit))
    story.tell(history.alerts(of_lot))
    for name in (*BY_LOT, PENDING, "staging/lot_catalog_store"):
        story.tell(history.find(name, of_lot, story.limit))
    shelves = {line.row["shelf_id"] for line in story.state if line.table in BY_LOT}
    story.tell(_discounts(history, shelves, story.id))


def _restock_plan(history: History, story: Story) -> None:
    (plan,) = story.tell(history.find(PLANS, equal("plan_id", story.id)), "this")
    story.tell(_alert_of(history, plan, "refill_request"), "cause")
    _tell_refills(history, story, [story.id])


def _supplier_plan(history: History, story: Story) -> None:
    (plan,) = story.tell(history.find(SUPPLY, equal("supplier_plan_id", story.id)), "this")
    story.tell(_alert_of(history, plan, "supplier_request"), "cause")
    _tell_supplies(history, story, [plan])


def _order(history: History, story: Story) -> None:
    (order,) = story.tell(history.find(ORDERS, equal("order_id", story.id)), "this")
    _tell_plan_of_order(history, story, order)
    _tell_deliveries(history, story, [story.id])


def _alert(history: History, story: Story) -> None:
    (alert,) = story.tell(history.alerts(equal("alert_id", story.id)), "this")
    row = alert.row
    story.explanation = explanation(history, alert)
    story.tell(_movements_before(history, row, story.limit), "before")
    end = story.explanation["end"]
    until = None if end is None else end["at"]
    if row["event_type"] == "refill_request":
        plans = story.tell(_plans_after(history, PLANS, row, until), "effect")
        _tell_refills(history, story, [plan.row["plan_id"] for plan in plans])
    elif row["event_type"] == "supplier_request":
        _tell_supplies(
            history, story, story.tell(_plans_after(history, SUPPLY, row, until), "effect")
        )
    else:
        _tell_end_of_lot(history, story, row)


def _event(history: History, story: Story) -> None:
    events = story.tell(history.events(EVENTS, equal("event_id", story.id)), "this")
    for event in events:
        _tell_causes(history, story, event)
    if any(event.row.get("order_id") for event in events):
        orders = {event.row["order_id"] for event in events if event.row.get("order_id")}
        story.tell(history.find(GOODS, equal("order_id", *orders)), "effect")
    _tell_effects(history, story, [story.id])


_TELL: Mapping[str, Callable[[History, Story], None]] = {
    "shelf": _shelf,
    "lot": _lot,
    "restock_plan": _restock_plan,
    "supplier_plan": _supplier_plan,
    "order": _order,
    "alert": _alert,
    "event": _event,
}


def _tell_causes(history: History, story: Story, event: Line) -> None:
    row = event.row
    if plan_id := row.get("plan_id"):
        for plan in story.tell(history.find(PLANS, equal("plan_id", plan_id)), "cause"):
            story.tell(_alert_of(history, plan, "refill_request"), "cause")
    if order_id := row.get("order_id"):
        for order in story.tell(history.find(ORDERS, equal("order_id", order_id)), "cause"):
            _tell_plan_of_order(history, story, order)
    if cause := row.get("cause_event_id"):
        found = history.events(EVENTS, equal("event_id", cause))
        if not found.lines:
            story.missing.append(cause)
        for line in story.tell(found, "cause"):
            _tell_causes(history, story, line)


def _tell_effects(history: History, story: Story, causes: list[str]) -> None:
    """What follows from events, and from what follows, as long as there is something new."""
    story.tell(history.find(PENDING, equal("event_id", *causes)))
    while causes:
        found = history.find("raw/shelf_events", equal("cause_event_id", *causes))
        causes = [line.row["event_id"] for line in story.tell(found, "effect")]


def _tell_refills(history: History, story: Story, plans: list[str]) -> None:
    """What left the back room for plans, and what of it reached the shelf."""
    if not plans:
        return
    moved = story.tell(history.events(MOVEMENTS, equal("plan_id", *plans)), "effect")
    sent = [line.row["event_id"] for line in moved if line.table == "raw/wh_events"]
    if sent:
        _tell_effects(history, story, sent)


def _tell_supplies(history: History, story: Story, plans: list[Line]) -> None:
    """The orders that took plans up, and what was delivered for them."""
    if not plans:
        return
    named = [plan.row["order_id"] for plan in plans if plan.row["order_id"]]
    wanted = equal("supplier_plan_id", *(plan.row["supplier_plan_id"] for plan in plans))
    orders = story.tell(history.find(ORDERS, wanted | equal("order_id", *named)), "effect")
    _tell_deliveries(history, story, [order.row["order_id"] for order in orders])


def _tell_deliveries(history: History, story: Story, orders: list[str]) -> None:
    if orders:
        story.tell(history.find(GOODS, equal("order_id", *orders)), "effect")
        story.tell(history.find("raw/wh_events", equal("order_id", *orders)), "effect")


def _tell_plan_of_order(history: History, story: Story, order: Line) -> None:
    wanted = equal("supplier_plan_id", order.row["supplier_plan_id"])
    for plan in story.tell(history.find(SUPPLY, wanted), "cause"):
        story.tell(_alert_of(history, plan, "supplier_request"), "cause")


def _tell_end_of_lot(history: History, story: Story, alert: dict[str, Any]) -> None:
    """What became of a lot after an alert: it left, or its shelf got a discount."""
    left = (
        equal("shelf_id", alert["shelf_id"])
        & equal("batch_code", alert["batch_code"] or "")
        & equal("event_type", "removal", "wh_removal")
        & (pc.field("event_time") >= pa.scalar(alert["created_at"]))
    )
    story.tell(history.events(MOVEMENTS, left), "effect")
    since = alert["created_at"].date()
    given = _discounts(history, {alert["shelf_id"]}, alert["batch_code"])
    story.tell([line for line in given if line.row["discount_date"] >= since], "effect")


def _movements_before(history: History, alert: dict[str, Any], limit: int) -> Found:
    """The last movements of the alert's stock up to the moment at which it was opened."""
    until, lot = alert["created_at"], alert["batch_code"]
    name = "raw/shelf_events" if alert["location"] == "store" else "raw/wh_events"
    before = equal("shelf_id", alert["shelf_id"]) & (pc.field("event_time") <= pa.scalar(until))
    if not lot:
        return history.find(name, before, limit)
    moved = history.events(MOVEMENTS, before & equal("batch_code", lot), limit)
    return moved + history.receipt_lines("batch_code", lot, until, limit)


def _plans_after(
    history: History, name: str, alert: dict[str, Any], until: datetime | None
) -> list[Line]:
    """Plans that were opened while the alert was open, or that were pending when it was."""
    found = history.find(name, equal("shelf_id", alert["shelf_id"])).lines
    return [
        plan
        for plan in found
        if (until is None or plan.row["created_at"] <= until)
        and (plan.row["created_at"] >= alert["created_at"] or plan.row["status"] == "pending")
    ]


def _alert_of(history: History, plan: Line, kind: str) -> list[Line]:
    """The request that was open when a plan was made."""
    wanted = equal("shelf_id", plan.row["shelf_id"]) & equal("event_type", kind)
    made = plan.row["created_at"]
    found = [alert for alert in history.alerts(wanted) if _covers(alert.row, made)]
    return found[-1:]


def _covers(alert: dict[str, Any], moment: datetime) -> bool:
    ended = alert["status"] not in OPEN and (alert["decided_at"] or alert["updated_at"]) < moment
    return alert["created_at"] <= moment and not ended


def _discounts(history: History, shelves: set[str], lot: str | None) -> list[Line]:
    """Discounts that shelves got because of a lot."""
    if not shelves:
        return []
    found = history.find(DISCOUNTS, equal("shelf_id", *shelves)).lines
    return [line for line in found if lot in (line.row["batch_codes"] or ())]


def _found(lines: Iterable[Line]) -> Found:
    kept = list(lines)
    return Found(kept, len(kept))


def _identity(line: Line) -> tuple[Any, ...]:
    key = CATALOG.tables[line.table].key
    return (line.table, line.row.get("line"), *(line.row[name] for name in key))
