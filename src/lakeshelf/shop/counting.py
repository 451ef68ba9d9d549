"""Counts of what is there: what the books expect of a lot, and the adjustment that makes them agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from lakeshelf.choices import chosen
from lakeshelf.contracts.layers import Staging
from lakeshelf.contracts.messages import event, event_id
from lakeshelf.counts import count_of
from lakeshelf.errors import ConfigurationError
from lakeshelf.lake.place.location import Place
from lakeshelf.lake.rows import tables
from lakeshelf.shop import acts, lists

UNALLOTTED = "__UNALLOTTED__"
"""Lot of the units in a store that found none; their events name no lot."""
PENDING = Staging.SHELF_REFILL_PENDING
LARGE = 0.2
"""Share of the books from which a difference has to be confirmed."""
PLACES = {"store": "on the shelf", "warehouse": "in the back room"}
"""Location → where that is for people."""
_STATE = {"store": "shelf_state", "warehouse": "wh_state"}
_LOTS = {"store": "shelf_batch_state", "warehouse": "wh_batch_state"}
_EVENT = {"store": ("shelf_events", "adjustment"), "warehouse": ("wh_events", "wh_adjustment")}


@dataclass(frozen=True)
class ExpectedCount:
    """What the books expect to be counted at one place.

    Attributes:
        location: `store` or `warehouse`.
        state: Row of the shelf's stock there.
        lots: Lot → units that are expected; below zero where movements are missing.
        expiry: Lot → its expiry date.
        elsewhere: Lot → units that the books expect at the other place.
    """

    location: str
    state: Mapping[str, Any]
    lots: Mapping[str, int]
    expiry: Mapping[str, date | None]
    elsewhere: Mapping[str, int] = field(default_factory=dict)

    @property
    def other(self) -> str:
        """The other place."""
        return next(place for place in PLACES if place != self.location)

    def one_lot(self, named: str | None) -> str:
        """The lot that is counted.

        Args:
            named: Its code; None: the only one with units.

        Raises:
            ConfigurationError: The place does not know the lot, or has none or several and none is named.
        """
        if named is not None:
            return chosen(f"lot of {self.state['shelf_id']}", named, self.lots)
        held = [lot for lot, units in self.lots.items() if units]
        if len(held) == 1 or (not held and self.location == "store"):
            return held[0] if held else UNALLOTTED
        listed = "; ".join(self._described(lot) for lot in held or self.lots) or "none is known"
        raise ConfigurationError(
            f"{self.state['shelf_id']} has {count_of(len(held), 'lot')} there ({listed})",
            hint="name the one that was counted with --lot",
        )

    def _described(self, lot: str) -> str:
        expiry = self.expiry.get(lot)
        return f"{lot}: {count_of(self.lots[lot], 'unit')}" + (
            f", expires {expiry}" if expiry else ""
        )


@dataclass(frozen=True)
class StockCount:
    """A count against the books.

    Attributes:
        books: The books.
        lot: The lot that was counted.
        units: Units that are there.
    """

    books: ExpectedCount
    lot: str
    units: int

    @property
    def expected(self) -> int:
        """Units that the books expect."""
        return self.books.lots.get(self.lot, 0)

    @property
    def difference(self) -> int:
        """Units that are there more, or less, than the books say."""
        return self.units - self.expected

    @property
    def misplaced(self) -> str:
        """Where the lot is by the books, if they hold none of it here but some at the other place; else empty."""
        units = self.books.elsewhere.get(self.lot, 0)
        if self.expected or units <= 0:
            return ""
        return f"this lot is {PLACES[self.books.other]} ({count_of(units, 'unit')})"

    @property
    def doubt(self) -> str:
        """Why the count should be confirmed; empty: it need not be."""
        if self.expected < 0:
            return f"the books are at {count_of(self.expected, 'unit')}: movements are missing that may still come"
        if abs(self.difference) > LARGE * self.expected:
            return f"that is more than {LARGE:.0%} of the {count_of(self.expected, 'unit')} in the books"
        return ""


def books(root: Place, shelf: str, location: str) -> ExpectedCount:
    """What the books expect on a shelf, or in its back room, lot by lot.

    Lots of a store count from the moment at which they leave the back room until they are paid for. What is on
    its way is not on the shelf; what is in carts is taken from the lots that expire first, as unnamed receipt
    lines are.

    Raises:
        ConfigurationError: No stock of the shelf is known there.
    """
    held = lists.stock(root, shelf)
    if not held[_STATE[location]]:
        raise ConfigurationError(
            f"no stock of {shelf} is known in the {location}",
            hint=f"see `lakeshelf stock show {shelf}`",
        )
    (state,) = held[_STATE[location]]
    rows = sorted(held[_LOTS[location]], key=_leaves)
    lots = {row["batch_code"]: row["balance"] for row in rows}
    if location == "store":
        lots = _on_shelf(root, state, lots)
    elsewhere = {
        row["batch_code"]: row["balance"]
        for place, name in _LOTS.items()
        for row in held[name]
        if place != location and row["batch_code"] != UNALLOTTED
    }
    expiry = {row["batch_code"]: row["expiry_date"] for row in rows}
    return ExpectedCount(location, state, dict.fromkeys(elsewhere, 0) | lots, expiry, elsewhere)


def send(
    client: Mapping[str, str], counted: StockCount, actor: str, reason: str | None
) -> dict[str, Any]:
    """Send the adjustment that makes the books agree with a count.

    Returns:
        The event.

    Raises:
        ConfigurationError: The contract refuses it.
    """
    return acts.send(client, *adjusted(counted, actor, reason, acts.business_now(client)))


def adjusted(counted: StockCount, actor: str, reason: str | None, now: datetime) -> acts.Message:
    """The adjustment that makes the books agree with a count.

    Its id follows from shelf, lot, count and the state of the books, so that a count that is sent again before
    the books have changed counts once.
    """
    state, location = counted.books.state, counted.books.location
    topic, kind = _EVENT[location]
    lot = None if counted.lot == UNALLOTTED else counted.lot
    version, units = str(state["version"]), str(counted.units)
    cause = ("count", location, state["shelf_id"], lot or "", version, units)
    fields = {name: state[name] for name in ("shelf_id", "item_id")}
    message = event(
        kind,
        now,
        state["store_id"],
        cause,
        **fields,
        batch_code=lot,
        quantity=counted.difference,
        actor=actor,
        reason=reason or f"counted {counted.units}",
    )
    return topic, {**message, "event_id": event_id(state["last_event_time"], *cause)}


def is_booked(root: Place, sent: Mapping[str, Any]) -> bool:
    """Whether the books hold an adjustment."""
    table = f"raw/{_TOPIC[sent['event_type']]}"
    where = [("event_id", "=", sent["event_id"])]
    return bool(tables.rows(root, table, ["event_id"], where).num_rows)


_TOPIC = {kind: topic for topic, kind in _EVENT.values()}


def _on_shelf(root: Place, state: Mapping[str, Any], lots: dict[str, int]) -> dict[str, int]:
    where = [("shelf_id", "=", state["shelf_id"])]
    for row in tables.rows(root, PENDING, ["batch_code", "quantity"], where).to_pylist():
        lots[row["batch_code"]] = lots.get(row["batch_code"], 0) - row["quantity"]
    taken = sum(lots.values()) - state["balance"]
    for lot, units in lots.items():
        lots[lot], taken = without_carts(units, taken)
    if taken:
        lots[UNALLOTTED] = lots.get(UNALLOTTED, 0) - taken
    return lots


def without_carts(units: int, carried: int) -> tuple[int, int]:
    """Units of a lot that lie on the shelf, and units in carts that are of lots that expire later.

    Customers carry units of the lots that expire first, as the lines of their receipts will be.

    Args:
        units: Of the lot, on the shelf and in carts.
        carried: Units in carts, less those of lots that expire earlier.
    """
    part = min(max(units, 0), max(carried, 0))
    return units - part, carried - part


def _leaves(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Order in which lots are taken: the first to expire first, those that keep last."""
    expiry, received = row["expiry_date"], row["received_date"]
    return (
        row["batch_code"] == UNALLOTTED,
        expiry or date.max,
        received or date.max,
        row["batch_code"],
    )
