"""Discounts of the day for shelves with lots that expire today or tomorrow (docs/design/retail.md#discounts)."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from lakeshelf.components.component import (
    DAY,
    Component,
    Decision,
    Message,
    Row,
    Tick,
    days,
    midnight,
    rows,
)
from lakeshelf.contracts.layers import Analytics, Cleansed
from lakeshelf.contracts.types import LIST_LENGTH

EXTRAS = (Decimal("0.30"), Decimal("0.40"), Decimal("0.50"))
LARGEST = Decimal("0.75")
STEP = Decimal("0.0001")
DISCOUNTS, LOTS = Analytics.DAILY_DISCOUNTS, Cleansed.SHELF_BATCH_STATE


def extra(shelf: str, day: date) -> Decimal:
    """The extra discount of a shelf on a day, the same whenever it is asked."""
    digest = hashlib.sha256(f"{shelf}:{day}".encode()).digest()
    return EXTRAS[int.from_bytes(digest[:8], "big") % len(EXTRAS)]


def combined(existing: Decimal, more: Decimal) -> Decimal:
    """Two discounts one after the other, at most `LARGEST`."""
    both = 1 - (1 - existing) * (1 - more)
    return min(LARGEST, both).quantize(STEP, ROUND_HALF_UP)


def named(causes: Mapping[str, date]) -> list[str]:
    """The lots that a discount names: all that a message holds, those that expire last first of all."""
    latest = sorted(causes, key=lambda code: (-causes[code].toordinal(), code))
    return sorted(latest[:LIST_LENGTH])


def discounts(day: date, lots: Iterable[Row], before: Mapping[str, Row]) -> list[dict[str, Any]]:
    """The discounts of a day, one row a shelf that has units about to expire.

    Args:
        day: The business day D.
        lots: Lots with units on shelves and an expiry date of D or later.
        before: Shelf → its row of D-1.
    """
    by_shelf: dict[str, dict[str, date]] = defaultdict(dict)
    for lot in lots:
        by_shelf[lot["shelf_id"]][lot["batch_code"]] = lot["expiry_date"]
    rows = []
    for shelf, expiries in sorted(by_shelf.items()):
        causes = {code: expiry for code, expiry in expiries.items() if expiry <= day + DAY}
        if not causes:
            continue
        old = before.get(shelf)
        lasts = old is not None and any(code in expiries for code in old["batch_codes"])
        existing = old["discount"] if old is not None and lasts else Decimal(0)
        rows.append(
            {
                "shelf_id": shelf,
                "discount_date": day,
                "discount": combined(existing, extra(shelf, day)),
                "batch_codes": named(causes),
                "created_at": midnight(day),
                "version": 1,
                "updated_at": midnight(day),
            }
        )
    return rows


class DiscountManager(Component):
    """Decides the discounts of each business day once."""

    name = "daily-discount-manager"
    doc = "Takes 30 to 50 % off shelves whose lots expire today or tomorrow."
    phase = "discounts"
    publishes = ("daily_discounts",)
    journal = "ops/journal_daily_discount_manager"

    def dues(self, after: datetime | None, tick: Tick) -> Sequence[datetime]:
        """The business days that are not done."""
        return days(after, tick)

    def decide(self, due: datetime, tick: Tick) -> Decision:
        """The discounts of the day that begins at `due`."""
        day, lake = due.date(), self.context.lake
        lots = rows(lake, LOTS, [("batch_quantity_store", ">", 0), ("expiry_date", ">=", day)])
        old = rows(lake, DISCOUNTS, [("discount_date", "=", day - DAY)])
        daily = discounts(day, lots, {row["shelf_id"]: row for row in old})
        messages = tuple(Message.of("daily_discounts", row) for row in daily)
        return Decision(f"discounts:{day}", due, messages)


COMPONENT = DiscountManager
