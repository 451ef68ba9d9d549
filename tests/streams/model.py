"""What the tables must hold, told in plain Python from the rules of the contract, without the jobs' SQL.

Events are dicts with typed values and every field of their topic (None where absent). A table is a
dict from key to its compared columns: `updated_at`, `version` and working columns are left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

Event = Mapping[str, Any]
Key = tuple[str, ...]
Rows = dict[Key, dict[str, Any]]

UNALLOTTED = "__UNALLOTTED__"
SHELF_SIGNS = {"pickup": -1, "putback": 1, "restock": 1, "removal": -1, "adjustment": 1}
WAREHOUSE_SIGNS = {"wh_in": 1, "wh_out": -1, "wh_removal": -1, "wh_adjustment": 1}


@dataclass(frozen=True)
class Facts:
    """A set of distinct valid events, and all messages of the lot catalogue.

    Attributes:
        shelf: Events of `shelf_events`.
        warehouse: Events of `wh_events`.
        receipts: Events of `pos_transactions`.
        catalog: Messages of `batch_catalog`, `batch_code` and `deleted` included.
    """

    shelf: tuple[Event, ...] = ()
    warehouse: tuple[Event, ...] = ()
    receipts: tuple[Event, ...] = ()
    catalog: tuple[Event, ...] = ()


@dataclass
class Lot:
    """What is known of one lot of one shelf, or of what names none."""

    moves: list[tuple[int, Any]] = field(default_factory=list)
    received: dict[str, list[date]] = field(default_factory=lambda: defaultdict(list))
    expiry: dict[str, list[date]] = field(default_factory=lambda: defaultdict(list))

    @property
    def balance(self) -> int:
        """Signed sum of the movements."""
        return sum(quantity for quantity, _ in self.moves)

    @property
    def last(self) -> Any:
        """Greatest event time of the movements."""
        return max(time for _, time in self.moves)


def tables(facts: Facts) -> dict[str, Rows]:
    """All tables of state, and what is missing, by table name."""
    found = {
        "cleansed/shelf_state": _stock(facts.shelf, SHELF_SIGNS, "current_stock"),
        "cleansed/wh_state": _stock(facts.warehouse, WAREHOUSE_SIGNS, "wh_current_stock"),
        "cleansed/shelf_batch_state": store_lots(facts),
        "cleansed/wh_batch_state": warehouse_lots(facts),
    }
    return {**found, "ops/stock_discrepancies": discrepancies(found)}


def _stock(events: Iterable[Event], signs: Mapping[str, int], stock: str) -> Rows:
    """One row a shelf: who it belongs to by its first movement, its balance, its last movement."""
    shelves: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event["event_type"] in signs:
            shelves[event["shelf_id"]].append(event)
    return {(shelf,): _stock_row(moved, signs, stock) for shelf, moved in shelves.items()}


def _stock_row(moved: list[Event], signs: Mapping[str, int], stock: str) -> dict[str, Any]:
    first = min(moved, key=lambda e: (e["event_time"], e["event_id"]))
    balance = sum(signs[e["event_type"]] * e["quantity"] for e in moved)
    return {
        "store_id": first["store_id"],
        "item_id": first["item_id"],
        "balance": balance,
        stock: max(balance, 0),
        "last_event_time": max(e["event_time"] for e in moved),
    }


def store_lots(facts: Facts) -> Rows:
    """Lots of the stores, receipt units that name none allotted by expiry, receipt and code."""
    shelves = _dated_lots(facts.warehouse)
    unnamed_sold: dict[str, int] = defaultdict(int)
    for shelf, code, quantity, time, is_receipt in _store_moves(facts):
        if code or not is_receipt:
            shelves[shelf][code].moves.append((quantity, time))
        else:
            unnamed_sold[shelf] -= quantity
            shelves[shelf][""].moves.append((0, time))
    dates = _dates(facts.catalog)
    rows: Rows = {}
    for shelf, lots in shelves.items():
        adjusted = _names_none_but_receipts(facts.shelf, shelf)
        rows.update(_shelf_lots(shelf, lots, unnamed_sold[shelf], adjusted, dates))
    return rows


def _store_moves(facts: Facts) -> Iterable[tuple[str, str, int, Any, bool]]:
    """Shelf, lot ('' for none), signed quantity, time, and whether it is a receipt line."""
    for event in facts.warehouse:
        if event["event_type"] == "wh_out":
            yield (
                event["shelf_id"],
                event["batch_code"],
                event["quantity"],
                event["event_time"],
                False,
            )
    for event in facts.shelf:
        if _moves_store_lots(event):
            quantity = SHELF_SIGNS[event["event_type"]] * event["quantity"]
            yield event["shelf_id"], event["batch_code"] or "", quantity, event["event_time"], False
    for event in facts.receipts:
        for line in event["items"]:
            if line["quantity"] > 0:
                code = line["batch_code"] or ""
                yield line["shelf_id"], code, -line["quantity"], event["event_time"], True


def _moves_store_lots(event: Event) -> bool:
    opening = event["event_type"] == "restock" and event["reason"] == "opening_balance"
    return opening or event["event_type"] in ("removal", "adjustment")


def _names_none_but_receipts(events: Iterable[Event], shelf: str) -> bool:
    return any(
        _moves_store_lots(e) and e["shelf_id"] == shelf and not e["batch_code"] for e in events
    )


def _shelf_lots(
    shelf: str, lots: Mapping[str, Lot], sold: int, adjusted: bool, dates: Callable[..., Any]
) -> Rows:
    named = {code: lot for code, lot in lots.items() if code and lot.moves}
    described = {code: dates(code, lot) for code, lot in named.items()}

    def turn(code: str) -> tuple[Any, ...]:
        received, expiry = described[code]
        return (expiry is None, expiry or date.min, received is None, received or date.min, code)

    rows: Rows = {}
    for code in sorted(named, key=turn):
        taken = min(sold, max(0, named[code].balance))
        sold -= taken
        balance = named[code].balance - taken
        rows[shelf, code] = _lot_row(*described[code], balance, named[code].last)
    if adjusted or sold:
        rest = lots[""]
        rows[shelf, UNALLOTTED] = _lot_row(None, None, rest.balance - sold, rest.last)
    return {key: _named(row, "batch_quantity_store") for key, row in rows.items()}


def warehouse_lots(facts: Facts) -> Rows:
    """Lots of the warehouse."""
    shelves = _dated_lots(facts.warehouse)
    for event in facts.warehouse:
        quantity = WAREHOUSE_SIGNS[event["event_type"]] * event["quantity"]
        shelves[event["shelf_id"]][event["batch_code"]].moves.append(
            (quantity, event["event_time"])
        )
    dates = _dates(facts.catalog)
    return {
        (shelf, code): _named(
            _lot_row(*dates(code, lot), lot.balance, lot.last), "batch_quantity_warehouse"
        )
        for shelf, lots in shelves.items()
        for code, lot in lots.items()
    }


def _dated_lots(warehouse: Iterable[Event]) -> dict[str, dict[str, Lot]]:
    shelves: dict[str, dict[str, Lot]] = defaultdict(lambda: defaultdict(Lot))
    for event in warehouse:
        kind = event["event_type"]
        if kind in ("wh_in", "wh_out"):
            lot = shelves[event["shelf_id"]][event["batch_code"]]
            for found, name in ((lot.received, "received_date"), (lot.expiry, "expiry_date")):
                if event[name] is not None:
                    found[kind].append(event[name])
    return shelves


def _dates(catalog: Iterable[Event]) -> Callable[[str, Lot], tuple[date | None, date | None]]:
    newest: dict[str, Event] = {}
    for message in sorted(catalog, key=lambda m: m["version"]):
        newest[message["batch_code"]] = message

    def smallest(found: Mapping[str, list[date]]) -> date | None:
        values = found.get("wh_in") or found.get("wh_out")
        return min(values) if values else None

    def dates(code: str, lot: Lot) -> tuple[date | None, date | None]:
        message = newest.get(code)
        listed = message["expiry_date"] if message and not message["deleted"] else None
        return smallest(lot.received), smallest(lot.expiry) or listed

    return dates


def _lot_row(received: Any, expiry: Any, balance: int, last: Any) -> dict[str, Any]:
    return {
        "received_date": received,
        "expiry_date": expiry,
        "balance": balance,
        "last_event_time": last,
    }


def _named(row: dict[str, Any], stock: str) -> dict[str, Any]:
    return {**row, stock: max(row["balance"], 0)}


def discrepancies(found: Mapping[str, Rows]) -> Rows:
    """What is missing wherever a balance is negative."""
    places = {
        "cleansed/shelf_state": "store",
        "cleansed/shelf_batch_state": "store",
        "cleansed/wh_state": "warehouse",
        "cleansed/wh_batch_state": "warehouse",
    }
    return {
        (place, key[0], key[1] if len(key) > 1 else ""): {"missing_qty": -row["balance"]}
        for table, place in places.items()
        for key, row in found[table].items()
        if row["balance"] < 0
    }
