"""The story of one thing of a lake: what happened, what was decided, what is there now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from lakeshelf.contracts.layers import Raw
from lakeshelf.contracts.lives import OPEN_ALERT, PENDING_PLAN, AlertKind
from lakeshelf.contracts.model import KEY_SEPARATOR
from lakeshelf.errors import ConfigurationError
from lakeshelf.lake.place.location import Place
from lakeshelf.lake.rows.conditions import Condition
from lakeshelf.shop.explain import explanation
from lakeshelf.shop.history import (
    MOVEMENTS,
    History,
    LastLines,
    StoryLine,
    equal,
    event_tables,
    events_with,
)
from lakeshelf.shop.naming import PROFILES, item_names
from lakeshelf.shop.tracing.kinds import (
    BY_LOT,
    BY_SHELF,
    COMMANDS,
    DISCOUNTS,
    GOODS,
    KINDS,
    LOTS,
    ORDERS,
    PENDING,
    PLANS,
    POLICIES,
    SUPPLY,
    TOTALS,
    TRAFFIC,
    conditions,
    kinds,
)
from lakeshelf.shop.tracing.story import Story

LIMIT = 30


def trace(root: Place, identifier: str, limit: int = LIMIT) -> list[Story]:
    """The story of an id, one for each thing that it names.

    Args:
        root: Lake root.
        identifier: An id of one of the kinds of `kinds.homes`.
        limit: Most lines of each part of a story; the last ones are kept.

    Raises:
        ConfigurationError: Nothing has this id.
        LakeError: A table is missing or cannot be read.
    """
    history = History(root)
    matches = kinds(history, identifier)
    if not matches:
        raise ConfigurationError(
            f"nothing in {root} has the id {identifier!r}",
            hint="take one from `lakeshelf alerts list`, `lakeshelf plans list` or the events",
        )
    stories = [Story(kind, identifier, limit) for kind in matches]
    for story in stories:
        _TELL[story.kind](history, story)
        story.names = item_names(root, story.shelves)
    return stories


def _shelf(history: History, story: Story) -> None:
    of_shelf = equal("shelf_id", story.id)
    _tell_stock(history, story, "shelf_id", story.id)
    for name in (*BY_LOT, PENDING, *POLICIES):
        story.tell(history.find(name, of_shelf, limit=story.limit))
    _tell_decisions(history, story, of_shelf)


def _item(history: History, story: Story) -> None:
    _tell_stock(history, story, "item_id", story.id)
    story.tell(history.find(TOTALS, equal("item_id", story.id), limit=story.limit))
    profiles = history.find(PROFILES, equal("item_id", story.id))
    _tell_decisions(
        history, story, equal("shelf_id", *(line.row["shelf_id"] for line in profiles.lines))
    )


def _tell_stock(history: History, story: Story, column: str, identifier: str) -> None:
    """Movements of a shelf or an item, and its present stock."""
    moved = history.events(events_with("shelf_id"), equal(column, identifier), limit=story.limit)
    story.tell(moved + history.receipt_lines(column, identifier, limit=story.limit))
    for name in BY_SHELF:
        story.tell(history.find(name, equal(column, identifier), limit=story.limit))


def _tell_decisions(history: History, story: Story, of_shelves: Condition) -> None:
    decided = story.tell(history.alerts(of_shelves))
    decided += story.tell(history.events((PLANS, SUPPLY), of_shelves, limit=story.limit))
    story.tell(_asked(history, equal("target_id", *map(_decision_id, decided))))
    for name in (ORDERS, GOODS, DISCOUNTS):
        story.tell(history.find(name, of_shelves, limit=story.limit))


def _decision_id(line: StoryLine) -> str:
    names = ("alert_id", "plan_id", "supplier_plan_id")
    return next(str(line.row[name]) for name in names if name in line.row)


def _lot(history: History, story: Story) -> None:
    _tell_lot(history, story, story.id)


def _lot_of_shelf(history: History, story: Story) -> None:
    shelf, lot = story.id.split(KEY_SEPARATOR)
    _tell_lot(history, story, lot, equal("shelf_id", shelf))


def _tell_lot(history: History, story: Story, lot: str, *of_shelf: Condition) -> None:
    of_lot = (equal("batch_code", lot), *of_shelf)
    moved = history.events(MOVEMENTS, *of_lot, limit=story.limit)
    sold = history.receipt_lines("batch_code", lot, limit=story.limit)
    story.tell(moved + sold)
    story.tell(history.alerts(*of_lot))
    for name in (*BY_LOT, PENDING):
        story.tell(history.find(name, *of_lot, limit=story.limit))
    story.tell(history.find(LOTS, equal("batch_code", lot)))
    shelves = {line.row["shelf_id"] for line in story.state if line.table in BY_LOT}
    story.tell(_discounts(history, shelves, lot))


def _restock_plan(history: History, story: Story) -> None:
    (plan,) = story.tell(history.find(PLANS, equal("plan_id", story.id)), "this")
    story.tell(_alert_of(history, plan, AlertKind.REFILL_REQUEST), "cause")
    story.tell(_asked(history, equal("target_id", story.id)), "effect")
    _tell_refills(history, story, [story.id])


def _supplier_plan(history: History, story: Story) -> None:
    (plan,) = story.tell(history.find(SUPPLY, equal("supplier_plan_id", story.id)), "this")
    story.tell(_alert_of(history, plan, AlertKind.SUPPLIER_REQUEST), "cause")
    story.tell(_asked(history, equal("target_id", story.id)), "effect")
    _tell_supplies(history, story, [plan])


def _order(history: History, story: Story) -> None:
    (order,) = story.tell(history.find(ORDERS, equal("order_id", story.id)), "this")
    _tell_plan_of_order(history, story, order)
    _tell_deliveries(history, story, [story.id])


def _receipt(history: History, story: Story) -> None:
    (receipt,) = story.tell(history.find(GOODS, equal("receipt_id", story.id)), "this")
    order = equal("order_id", receipt.row["order_id"])
    for placed in story.tell(history.find(ORDERS, order), "cause"):
        _tell_plan_of_order(history, story, placed)
    story.tell(history.find(Raw.WH_EVENTS, order), "effect")


def _discount(history: History, story: Story) -> None:
    ((table, columns),) = KINDS["discount"]
    (discount,) = story.tell(history.find(table, *conditions(table, columns, story.id)), "this")
    lots = equal("batch_code", *(discount.row["batch_codes"] or ()))
    expiring = equal("event_type", AlertKind.NEAR_EXPIRY)
    shelf = equal("shelf_id", discount.row["shelf_id"])
    story.tell(history.alerts(shelf, lots, expiring), "cause")
    on_day = equal("event_date", discount.row["discount_date"])
    story.tell(
        history.receipt_lines("shelf_id", discount.row["shelf_id"], on_day, limit=story.limit),
        "effect",
    )


def _command(history: History, story: Story) -> None:
    for command in story.tell(_asked(history, equal("event_id", story.id)), "this"):
        target = command.row["target_id"]
        story.tell(history.alerts(equal("alert_id", target)), "cause")
        story.tell(history.find(PLANS, equal("plan_id", target)), "cause")
        story.tell(history.find(SUPPLY, equal("supplier_plan_id", target)), "cause")


def _asked(history: History, condition: Condition) -> list[StoryLine]:
    """What people asked of alerts and plans."""
    return [line for name in COMMANDS for line in history.find(name, condition).lines]


def _visit(history: History, story: Story) -> None:
    steps = story.tell(history.find(TRAFFIC, equal("visit_id", story.id)), "this")
    times = [line.row["event_time"] for line in steps]
    events = history.events(
        events_with("customer_id"),
        equal("customer_id", *(line.row["customer_id"] for line in steps)),
        equal("store_id", *(line.row["store_id"] for line in steps)),
        ("event_time", ">=", min(times)),
        *([("event_time", "<=", max(times))] if len(steps) > 1 else []),
        limit=story.limit,
    )
    story.tell(events)


def _customer(history: History, story: Story) -> None:
    story.tell(
        history.events(
            events_with("customer_id"), equal("customer_id", story.id), limit=story.limit
        )
    )


def _alert(history: History, story: Story) -> None:
    (alert,) = story.tell(history.alerts(equal("alert_id", story.id)), "this")
    row = alert.row
    story.explanation = explanation(history, alert)
    story.tell(_movements_before(history, row, story.limit), "before")
    story.tell(_asked(history, equal("target_id", story.id)), "effect")
    end = story.explanation["end"]
    until = None if end is None else end["at"]
    if row["event_type"] == AlertKind.REFILL_REQUEST:
        plans = story.tell(_plans_after(history, PLANS, row, until), "effect")
        _tell_refills(history, story, [plan.row["plan_id"] for plan in plans])
    elif row["event_type"] == AlertKind.SUPPLIER_REQUEST:
        _tell_supplies(
            history, story, story.tell(_plans_after(history, SUPPLY, row, until), "effect")
        )
    else:
        _tell_end_of_lot(history, story, row)


def _event(history: History, story: Story) -> None:
    events = story.tell(history.events(event_tables(), equal("event_id", story.id)), "this")
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
    "lot_of_shelf": _lot_of_shelf,
    "item": _item,
    "order": _order,
    "receipt": _receipt,
    "discount": _discount,
    "alert": _alert,
    "command": _command,
    "event": _event,
    "visit": _visit,
    "customer": _customer,
}


def _tell_causes(history: History, story: Story, event: StoryLine) -> None:
    row = event.row
    if plan_id := row.get("plan_id"):
        for plan in story.tell(history.find(PLANS, equal("plan_id", plan_id)), "cause"):
            story.tell(_alert_of(history, plan, AlertKind.REFILL_REQUEST), "cause")
    if order_id := row.get("order_id"):
        for order in story.tell(history.find(ORDERS, equal("order_id", order_id)), "cause"):
            _tell_plan_of_order(history, story, order)
    if cause := row.get("cause_event_id"):
        causes = history.events(event_tables(), equal("event_id", cause))
        if not causes.lines:
            story.missing.append(cause)
        for line in story.tell(causes, "cause"):
            _tell_causes(history, story, line)


def _tell_effects(history: History, story: Story, causes: list[str]) -> None:
    """What follows from events, and from what follows, as long as there is something new."""
    story.tell(history.find(PENDING, equal("event_id", *causes)))
    while causes:
        effects = history.find(Raw.SHELF_EVENTS, equal("cause_event_id", *causes))
        causes = [line.row["event_id"] for line in story.tell(effects, "effect")]


def _tell_refills(history: History, story: Story, plans: list[str]) -> None:
    """What left the back room for plans, and what of it reached the shelf."""
    if not plans:
        return
    moved = story.tell(history.events(MOVEMENTS, equal("plan_id", *plans)), "effect")
    sent = [line.row["event_id"] for line in moved if line.table == Raw.WH_EVENTS]
    if sent:
        _tell_effects(history, story, sent)


def _tell_supplies(history: History, story: Story, plans: list[StoryLine]) -> None:
    """The orders that took plans up, and what was delivered for them."""
    if not plans:
        return
    named = [plan.row["order_id"] for plan in plans if plan.row["order_id"]]
    condition = equal("supplier_plan_id", *(plan.row["supplier_plan_id"] for plan in plans))
    orders = story.tell(history.find(ORDERS, condition), "effect")
    orders += story.tell(history.find(ORDERS, equal("order_id", *named)), "effect")
    _tell_deliveries(history, story, [order.row["order_id"] for order in orders])


def _tell_deliveries(history: History, story: Story, orders: list[str]) -> None:
    if orders:
        story.tell(history.find(GOODS, equal("order_id", *orders)), "effect")
        story.tell(history.find(Raw.WH_EVENTS, equal("order_id", *orders)), "effect")


def _tell_plan_of_order(history: History, story: Story, order: StoryLine) -> None:
    condition = equal("supplier_plan_id", order.row["supplier_plan_id"])
    for plan in story.tell(history.find(SUPPLY, condition), "cause"):
        story.tell(_alert_of(history, plan, AlertKind.SUPPLIER_REQUEST), "cause")


def _tell_end_of_lot(history: History, story: Story, alert: dict[str, Any]) -> None:
    """What became of a lot after an alert: it left, or its shelf got a discount."""
    left = (
        equal("shelf_id", alert["shelf_id"]),
        equal("batch_code", alert["batch_code"] or ""),
        equal("event_type", "removal", "wh_removal"),
        ("event_time", ">=", alert["created_at"]),
    )
    story.tell(history.events(MOVEMENTS, *left), "effect")
    since = alert["created_at"].date()
    discounts = _discounts(history, {alert["shelf_id"]}, alert["batch_code"])
    story.tell([line for line in discounts if line.row["discount_date"] >= since], "effect")


def _movements_before(history: History, alert: dict[str, Any], limit: int) -> LastLines:
    """The last movements of the alert's stock up to the moment at which it was opened."""
    until, lot = alert["created_at"], alert["batch_code"]
    name = Raw.SHELF_EVENTS if alert["location"] == "store" else Raw.WH_EVENTS
    before = ("event_time", "<=", until)
    of_shelf = equal("shelf_id", alert["shelf_id"])
    if not lot:
        return history.find(name, of_shelf, before, limit=limit)
    moved = history.events(MOVEMENTS, of_shelf, before, equal("batch_code", lot), limit=limit)
    return moved + history.receipt_lines("batch_code", lot, before, limit=limit)


def _plans_after(
    history: History, name: str, alert: dict[str, Any], until: datetime | None
) -> list[StoryLine]:
    """Plans that were opened while the alert was open, or that were pending when it was."""
    plans = history.find(name, equal("shelf_id", alert["shelf_id"])).lines
    return [
        plan
        for plan in plans
        if (until is None or plan.row["created_at"] <= until)
        and (plan.row["created_at"] >= alert["created_at"] or plan.row["status"] in PENDING_PLAN)
    ]


def _alert_of(history: History, plan: StoryLine, kind: str) -> list[StoryLine]:
    """The request that was open when a plan was made."""
    where = (equal("shelf_id", plan.row["shelf_id"]), equal("event_type", kind))
    made = plan.row["created_at"]
    alerts = [alert for alert in history.alerts(*where) if _covers(alert.row, made)]
    return alerts[-1:]


def _covers(alert: dict[str, Any], moment: datetime) -> bool:
    ended = (
        alert["status"] not in OPEN_ALERT and (alert["decided_at"] or alert["updated_at"]) < moment
    )
    return alert["created_at"] <= moment and not ended


def _discounts(history: History, shelves: set[str], lot: str | None) -> list[StoryLine]:
    """Discounts that shelves got because of a lot."""
    if not shelves:
        return []
    discounts = history.find(DISCOUNTS, equal("shelf_id", *shelves)).lines
    return [line for line in discounts if lot in (line.row["batch_codes"] or ())]
