"""Orders from suppliers at cutoffs, and their deliveries (docs/design/retail.md#orders)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from lakeshelf.components.component import (
    DAY,
    Component,
    Decision,
    Message,
    Row,
    Tick,
    among,
    rows,
)
from lakeshelf.contracts.layers import Curated, Ops
from lakeshelf.contracts.messages import derived_id, event
from lakeshelf.shop.cutoffs import delivery_date, is_cutoff, is_delivery, occasions

ORDERS, PLANS = Ops.WH_SUPPLIER_ORDERS, Ops.WH_SUPPLIER_PLAN
RECEIPTS = Ops.WH_SUPPLIER_RECEIPTS
MOST_LOTS = 1_000
"""Most lots of an order: where the batch size would make more, each holds more than that."""


def placed(cutoff: datetime, plans: Iterable[Row], taken: Iterable[Row]) -> list[dict[str, Any]]:
    """The orders of a cutoff: one a shelf, for pending plans created before it.

    Args:
        cutoff: When it was due.
        plans: Pending plans.
        taken: Orders that there are, of which none is placed a second time.
    """
    day = delivery_date(cutoff)
    orders = {row["order_id"] for row in taken}
    planned = {row["supplier_plan_id"] for row in taken}
    due_plans = {
        derived_id(f"{day}:{plan['shelf_id']}"): plan
        for plan in sorted(plans, key=lambda p: (p["created_at"], p["supplier_plan_id"]))
        if plan["created_at"] < cutoff and plan["supplier_plan_id"] not in planned
    }
    return [
        {
            "order_id": order_id,
            "supplier_plan_id": plan["supplier_plan_id"],
            "delivery_date": day,
            "store_id": plan["store_id"],
            "shelf_id": plan["shelf_id"],
            "total_qty": plan["suggested_qty"],
            "status": "issued",
            "cutoff_ts": cutoff,
            "delivery_ts": None,
            "created_at": cutoff,
            "updated_at": cutoff,
            "version": 1,
        }
        for order_id, plan in due_plans.items()
        if order_id not in orders
    ]


def lots(order: Row, goods: Row, delivered: datetime) -> list[dict[str, Any]]:
    """The wh_in events of an order: `MOST_LOTS` lots of at most the batch size, with the item's own shelf life.

    Args:
        order: The order.
        goods: `item_id`, `standard_batch_size` and `shelf_life_days` of the shelf.
        delivered: True time of delivery.
    """
    life = goods["shelf_life_days"]
    size = max(goods["standard_batch_size"], -(-order["total_qty"] // MOST_LOTS))
    number = -(-order["total_qty"] // size)
    codes = [derived_id(f"{order['order_id']}:{n + 1}") for n in range(number)]
    return [
        event(
            "wh_in",
            delivered,
            order["store_id"],
            ("wh_in", code),
            shelf_id=order["shelf_id"],
            item_id=goods["item_id"],
            batch_code=code,
            quantity=min(size, order["total_qty"] - n * size),
            received_date=delivered.date(),
            expiry_date=None if life is None else delivered.date() + life * DAY,
            order_id=order["order_id"],
            actor=SupplierManager.name,
        )
        for n, code in enumerate(codes)
    ]


def delivery(
    due: datetime, now: datetime, orders: Sequence[Row], goods: Mapping[str, Row]
) -> Decision:
    """The delivery of orders: they become wh_in events and receipts.

    Args:
        due: When it was due.
        now: True time of delivery, later than `due` if that was missed.
        orders: Issued orders for that day or an earlier one.
        goods: Shelf → what is delivered for it; orders of other shelves wait.
    """
    messages: list[Message] = []
    receipts: list[Row] = []
    for order in sorted(orders, key=lambda o: o["order_id"]):
        if order["shelf_id"] not in goods:
            continue
        arrived = lots(order, goods[order["shelf_id"]], now)
        done = {"status": "delivered", "delivery_ts": now, "updated_at": now, "version": 2}
        messages += [Message.of("wh_events", lot) for lot in arrived]
        messages.append(Message.of("wh_supplier_orders", {**order, **done}))
        receipts += [
            {
                "receipt_id": lot["batch_code"],
                "order_id": order["order_id"],
                "delivery_date": order["delivery_date"],
                "shelf_id": order["shelf_id"],
                "received_qty": lot["quantity"],
                "created_at": now,
            }
            for lot in arrived
        ]
    return Decision(
        f"delivery:{due.isoformat()}", due, tuple(messages), {RECEIPTS: tuple(receipts)}
    )


class SupplierManager(Component):
    """Turns pending plans into orders, and orders into goods."""

    name = "wh-supplier-manager"
    doc = "Orders from suppliers at cutoffs, and receives what they deliver."
    phase = "supply"
    publishes = ("wh_supplier_orders", "wh_events")
    journal = "ops/journal_wh_supplier_manager"

    def dues(self, after: datetime | None, tick: Tick) -> Sequence[datetime]:
        """Cutoffs and deliveries since the latest; nothing before the first tick was missed."""
        return [tick.now] if after is None else list(occasions(after, tick.now))

    def decide(self, due: datetime, tick: Tick) -> Decision:
        """Orders at a cutoff, goods at a delivery; at the first tick the journal begins."""
        if is_cutoff(due):
            return self._order(due)
        if is_delivery(due):
            return self._deliver(due, tick.now)
        return Decision(f"began:{due.isoformat()}", due)

    def _order(self, cutoff: datetime) -> Decision:
        lake = self.context.lake
        plans = rows(lake, PLANS, [("status", "=", "pending")])
        day = delivery_date(cutoff)
        ids = [plan["supplier_plan_id"] for plan in plans]
        known = rows(lake, ORDERS, [("delivery_date", "=", day)])
        known += rows(lake, ORDERS, [among("supplier_plan_id", ids), ("delivery_date", "!=", day)])
        orders = placed(cutoff, plans, known)
        messages = tuple(Message.of("wh_supplier_orders", order) for order in orders)
        return Decision(f"cutoff:{cutoff.isoformat()}", cutoff, messages)

    def _deliver(self, due: datetime, now: datetime) -> Decision:
        coming = [("status", "=", "issued"), ("delivery_date", "<=", due.date())]
        orders = rows(self.context.lake, ORDERS, coming)
        shelves = [order["shelf_id"] for order in orders]
        names = ["shelf_id", "item_id", "standard_batch_size", "shelf_life_days"]
        where = [among("shelf_id", shelves)]
        known = rows(self.context.lake, Curated.SHELF_PROFILES, where, names)
        return delivery(due, now, orders, {row["shelf_id"]: row for row in known})


COMPONENT = SupplierManager
