"""Customers of the simulated stores pay for what they carry to the till (docs/design/retail.md#customers)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from lakeshelf.components import journal
from lakeshelf.components.component import (
    Context,
    Decision,
    JournalEntry,
    Message,
    Row,
    Tick,
    among,
    rows,
)
from lakeshelf.components.producer import Producer
from lakeshelf.contracts.layers import Analytics, Curated, Ops
from lakeshelf.contracts.messages import event
from lakeshelf.lake.rows import tables

SHELVES = Ops.JOURNAL_PRODUCER_SHELF
CENT = Decimal("0.01")


def receipt(
    checkout: Row, prices: Mapping[str, Row], discounts: Mapping[str, Decimal]
) -> dict[str, Any]:
    """The receipt of a customer.

    Args:
        checkout: Visit, customer, store, time and lines, as `producer-shelf` remembers them.
        prices: Shelf → `item_id` and `unit_price`.
        discounts: Shelf → discount of the day.
    """
    at, visit = datetime.fromisoformat(checkout["at"]), checkout["visit_id"]
    sale = event(
        "sale",
        at,
        checkout["store_id"],
        ("sale", visit),
        customer_id=checkout["customer_id"],
        items=[
            _line(
                n + 1, line, prices[line["shelf_id"]], discounts.get(line["shelf_id"], Decimal(0))
            )
            for n, line in enumerate(checkout["lines"])
        ],
    )
    return {**sale, "transaction_id": sale["event_id"]}


def _line(number: int, line: Row, price: Row, discount: Decimal) -> dict[str, Any]:
    unit = (price["unit_price"] * (1 - discount)).quantize(CENT, ROUND_HALF_UP)
    return {
        "line": number,
        "item_id": price["item_id"],
        "shelf_id": line["shelf_id"],
        "quantity": line["quantity"],
        "unit_price": unit,
        "discount": discount,
        "total_price": unit * line["quantity"],
    }


class PosProducer(Producer):
    """Makes receipts of what `producer-shelf` says that customers carry out."""

    name = "producer-pos"
    doc = "Simulated customers pay."
    follows = ("producer-shelf",)
    publishes = ("pos_transactions",)
    journal = "ops/journal_producer_pos"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._read = 0
        self._shelves = tables.open_table(context.settings.lake_root, SHELVES)

    def restore(self, last: JournalEntry | None) -> None:
        """Go on behind the entry of `producer-shelf` that was read last."""
        super().restore(last)
        self._read = int(last.decision.memory["read"]) if last else 0

    def decide(self, due: datetime, tick: Tick) -> Decision | None:
        """Receipts of the customers who have left since."""
        self.until = due
        self._shelves.update_incremental()
        entries = journal.read(self._shelves, [("seq", ">", self._read)])
        checkouts = [c for entry in entries for c in entry.decision.memory["checkouts"]]
        if not checkouts:
            return None
        prices = self._prices({line["shelf_id"] for c in checkouts for line in c["lines"]})
        messages = [
            Message.of("pos_transactions", receipt(c, prices, self._discounts(c["at"][:10])))
            for c in checkouts
        ]
        memory = {"read": entries[-1].seq}
        return Decision(f"sales:{due.isoformat()}", due, tuple(messages), memory=memory)

    def _prices(self, shelves: set[str]) -> dict[str, Row]:
        simulated = {
            s.shelf_id: {"item_id": s.item_id, "unit_price": Decimal(str(s.product.price))}
            for store in self.stores
            for s in store.shelves
        }
        names = ("shelf_id", "item_id", "unit_price")
        where = [among("shelf_id", shelves)]
        known = rows(self.context.lake, Curated.SHELF_PROFILES, where, names)
        return simulated | {row["shelf_id"]: row for row in known}

    def _discounts(self, day: str) -> dict[str, Decimal]:
        today = [("discount_date", "=", date.fromisoformat(day))]
        discounted = rows(
            self.context.lake, Analytics.DAILY_DISCOUNTS, today, ("shelf_id", "discount")
        )
        return {row["shelf_id"]: row["discount"] for row in discounted}


COMPONENT = PosProducer
