"""Counts of what is there: the books of a shelf, and the adjustment that makes them agree with a count.

docs/design/governance.md#shop
"""

from __future__ import annotations

from dataclasses import dataclass

from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata.tables.acts import Act
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.services.reading.listing import require_reading
from lakeshelf.governance.services.shop import acting
from lakeshelf.governance.services.shop.running import Shop
from lakeshelf.governance.services.shop.seen import Row, refusing
from lakeshelf.shop import counting

COUNT = "count"


@dataclass(frozen=True)
class Count:
    """What somebody counted.

    Attributes:
        shelf: The shelf.
        units: Units that are there.
        location: `store`: on the shelf; `warehouse`: in its back room.
        lot: The lot that was counted; None: the only one.
        reason: Why; empty: it is not said.
        agreed: Whether it is right although the books make it doubtful.
    """

    shelf: str
    units: int
    location: str = "store"
    lot: str | None = None
    reason: str = ""
    agreed: bool = False


@dataclass(frozen=True)
class Counted:
    """A count against the books, and what was asked for; no act where the books agree."""

    shelf_id: str
    location: str
    batch_code: str | None
    counted: int
    difference: int
    act: Act | None


def books(context: Context, caller: Caller, shelf: str, location: str) -> Row:
    """What the books expect at one place of a shelf, lot by lot.

    Raises:
        GovernanceError: `forbidden`; `not_found`: no stock is known there.
    """
    require_reading(caller)
    with refusing("not_found", hint="take a shelf that has stock there"):
        expected = counting.books(context.root, shelf, location)
    lots = [
        {"batch_code": lot, "expected": units, "expiry_date": expected.expiry.get(lot)}
        for lot, units in expected.lots.items()
    ]
    return {"shelf_id": shelf, "location": location, "lots": lots, "elsewhere": expected.elsewhere}


def count(context: Context, caller: Caller, shop: Shop, counted: Count) -> Counted:
    """Say how many units of a lot are there; the books are adjusted by the difference.

    The same count counts once while the books are as they were, whoever sends it.

    Raises:
        GovernanceError: `forbidden`; `not_found`: no stock is known there; `request_invalid`: no such lot, or several
            and none is named; `count_doubted`: the books make it doubtful, and nobody said that it is right;
            `service_unavailable`: the stack is down.
    """
    earlier = acting.before(context, caller, COUNT)
    act = next((one for one in earlier if one.target == counted.shelf), None)
    if act is None:
        stock = _against_books(context, counted)
        if not stock.difference:
            return Counted(counted.shelf, counted.location, _code(stock), counted.units, 0, None)
        act = _act(context, caller, shop, counted, stock)
    message = act.message or {}
    quantity, lot = int(str(message["quantity"])), message.get("batch_code")
    asked = acting.StaffCommand(COUNT, [counted.shelf], counted.reason, quantity)
    (sent,) = acting.delivered(context, caller, shop, asked, [act])
    return Counted(counted.shelf, counted.location, lot, counted.units, quantity, sent)


def _against_books(context: Context, counted: Count) -> counting.StockCount:
    """The count against the books, which nobody doubts."""
    with refusing("not_found", hint="take a shelf that has stock there"):
        expected = counting.books(context.root, counted.shelf, counted.location)
    with refusing("request_invalid", hint="name the lot that was counted"):
        stock = counting.StockCount(expected, expected.one_lot(counted.lot), counted.units)
    doubt = stock.misplaced or stock.doubt
    if stock.difference and doubt and not counted.agreed:
        raise refused(
            "count_doubted",
            f"{counted.shelf}, lot {stock.lot}: {stock.expected:,} in the books, {counted.units:,} counted; {doubt}",
            hint="say that it is right with `agreed`, or count at the other place",
            expected=stock.expected,
            difference=stock.difference,
        )
    return stock


def _act(
    context: Context, caller: Caller, shop: Shop, counted: Count, stock: counting.StockCount
) -> Act:
    message = counting.adjusted(stock, caller.user, counted.reason or None, shop.now())
    asked = acting.StaffCommand(COUNT, [counted.shelf], counted.reason)
    return acting.act_of(context, caller, asked, counted.shelf, message)


def _code(stock: counting.StockCount) -> str | None:
    """Code of the lot that was counted; None: units without one."""
    return None if stock.lot == counting.UNALLOTTED else stock.lot
