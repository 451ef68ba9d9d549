"""A lake without any of our jobs: raw tables from records, state from a plain Python fold."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from lakeshelf.contracts import CATALOG, arrow, validate

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
SIGN = {"putback": 1, "restock": 1, "adjustment": 1, "pickup": -1, "removal": -1}
WH_SIGN = {"wh_in": 1, "wh_adjustment": 1, "wh_out": -1, "wh_removal": -1}
FILL = {
    "string": "",
    "int64": 0,
    "bool": False,
    "timestamp[us, tz=UTC]": MOMENT,
    "date32[day]": date(2017, 1, 1),
}
LEDGER = pa.schema(
    [
        ("query_id", pa.string()),
        ("batch_id", pa.int64()),
        ("kind", pa.string()),
        ("topics", pa.string()),
    ]
)
DECIDED = (
    "analytics/daily_discounts",
    "curated/predictions",
    "curated/shelf_profiles",
    "ops/alerts",
    "ops/models",
    "ops/shelf_alerts",
    "ops/shelf_restock_plan",
    "ops/wh_alerts",
    "ops/wh_supplier_orders",
    "ops/wh_supplier_plan",
    "ops/wh_supplier_receipts",
    "staging/lot_catalog_store",
    "staging/lot_catalog_wh",
    "staging/order_levels",
    "staging/shelf_policies",
    "staging/shelf_refill_pending",
)
"""Tables that no fold of ours fills: a test does."""

Row = dict[str, Any]


@dataclass
class Lot:
    """What names a lot of a shelf, or names none; received and expiry dates of wh_in and wh_out."""

    units: int = 0
    moves: int = 0
    sold: int = 0
    times: list[datetime] = field(default_factory=list)
    dates: dict[str, list[date]] = field(default_factory=dict)

    def move(self, units: int, at: datetime) -> None:
        self.units += units
        self.moves += 1
        self.times.append(at)

    def dated(self, event: Row) -> None:
        for name in ("received_date", "expiry_date"):
            if event[name] is not None:
                self.dates.setdefault(f"{event['event_type']} {name}", []).append(event[name])

    def date(self, name: str, otherwise: date | None = None) -> date | None:
        known = self.dates.get(f"wh_in {name}") or self.dates.get(f"wh_out {name}")
        return min(known) if known else otherwise


class Model:
    """Tables by name, each a list of rows, that a test may change before `write`."""

    def __init__(self, records: Iterable[Row]) -> None:
        raw = (*(f"raw/{topic}" for topic in CATALOG.raw_topics), "raw/quarantine")
        self.tables: dict[str, list[Row]] = {name: [] for name in (*raw, *DECIDED)}
        self.records: Counter[str] = Counter()
        self.duplicates: Counter[str] = Counter()
        seen: set[tuple[str, str]] = set()
        for record in records:
            self._take(record, seen)
        self.fold()

    def _take(self, record: Row, seen: set[tuple[str, str]]) -> None:
        topic = CATALOG.topics[record["topic"]]
        if topic.compacted:
            return
        self.records[topic.name] += 1
        if refusal := validate.check(topic, record["value"]):
            offset = self.records[topic.name]
            self.tables["raw/quarantine"].append(
                {"topic": topic.name, "offset": offset, "reason": refusal.reason}
            )
            return
        row = validate.parse(topic, record["value"])
        if (topic.name, row["event_id"]) in seen:
            self.duplicates[topic.name] += 1
            return
        seen.add((topic.name, row["event_id"]))
        row["event_date"] = row["event_time"].date()
        self.tables[f"raw/{topic.name}"].append(row)

    def event(self, event_id: str) -> Row:
        """The raw event of that id."""
        raw = (row for name in self.tables if name.startswith("raw/") for row in self.tables[name])
        return next(row for row in raw if row.get("event_id") == event_id)

    def fold(self) -> None:
        """State tables and discrepancies anew from the raw ones."""
        states = {
            "shelf_state": (
                "current_stock",
                _shelves(self.tables["raw/shelf_events"], SIGN),
            ),
            "wh_state": ("wh_current_stock", _shelves(self.tables["raw/wh_events"], WH_SIGN)),
            "shelf_batch_state": ("batch_quantity_store", self._store_lots()),
            "wh_batch_state": ("batch_quantity_warehouse", self._wh_lots()),
        }
        self.tables["ops/stock_discrepancies"] = []
        for name, (stock, rows) in states.items():
            self.tables[f"cleansed/{name}"] = [
                {**row, stock: max(row["balance"], 0)} for row in rows
            ]
            self.tables["ops/stock_discrepancies"] += [
                {
                    "location": "warehouse" if name.startswith("wh") else "store",
                    "shelf_id": row["shelf_id"],
                    "batch_code": row.get("batch_code", ""),
                    "missing_qty": -row["balance"],
                }
                for row in self.tables[f"cleansed/{name}"]
                if row["balance"] < 0
            ]

    def _catalogue(self, where: str) -> dict[str, date]:
        rows = self.tables[f"staging/lot_catalog_{where}"]
        return {row["batch_code"]: row["expiry_date"] for row in rows if not row["deleted"]}

    def _wh_lots(self) -> list[Row]:
        lots: dict[tuple[str, str], Lot] = {}
        for event in self.tables["raw/wh_events"]:
            lot = lots.setdefault((event["shelf_id"], event["batch_code"]), Lot())
            lot.move(WH_SIGN[event["event_type"]] * event["quantity"], event["event_time"])
            lot.dated(event)
        catalogue = self._catalogue("wh")
        return [
            _lot_row(shelf, code, lot, lot.units, catalogue) for (shelf, code), lot in lots.items()
        ]

    def _store_lots(self) -> list[Row]:
        shelves: dict[str, dict[str, Lot]] = {}

        def lot(shelf: str, code: str | None) -> Lot:
            return shelves.setdefault(shelf, {}).setdefault(code or "", Lot())

        for event in self.tables["raw/shelf_events"]:
            opening = event["event_type"] == "restock" and event["reason"] == "opening_balance"
            if opening or event["event_type"] in ("removal", "adjustment"):
                units = SIGN[event["event_type"]] * event["quantity"]
                lot(event["shelf_id"], event["batch_code"]).move(units, event["event_time"])
        for event in self.tables["raw/wh_events"]:
            lot(event["shelf_id"], event["batch_code"]).dated(event)
            if event["event_type"] == "wh_out":
                lot(event["shelf_id"], event["batch_code"]).move(
                    event["quantity"], event["event_time"]
                )
        for receipt in self.tables["raw/pos_transactions"]:
            for line in (line for line in receipt["items"] if line["quantity"] > 0):
                sold = lot(line["shelf_id"], line["batch_code"])
                if line["batch_code"]:
                    sold.move(-line["quantity"], receipt["event_time"])
                else:
                    sold.sold += line["quantity"]
                    sold.times.append(receipt["event_time"])
        catalogue = self._catalogue("store")
        return [row for shelf, lots in shelves.items() for row in _allotted(shelf, lots, catalogue)]

    def write(self, root: Path) -> Path:
        """Write the tables below `root`, with a ledger of one batch."""
        self.overwrite(root, self.tables)
        topics = {topic: {"duplicate": self.duplicates[topic]} for topic in CATALOG.raw_topics}
        batch = {"query_id": "q", "batch_id": 0, "kind": "batch", "topics": json.dumps(topics)}
        write_deltalake(str(root / "ops/batch_ledger"), pa.Table.from_pylist([batch], LEDGER))
        return root

    def overwrite(self, root: Path, names: Iterable[str]) -> None:
        """Write those tables alone."""
        for name in names:
            schema = arrow.schema(CATALOG.tables[name].columns)
            rows = [_filled(row, schema) for row in self.tables[name]]
            table = pa.Table.from_pylist(rows, schema)
            write_deltalake(str(root / name), table, mode="overwrite")


def _shelves(events: list[Row], signs: Mapping[str, int]) -> list[Row]:
    rows: dict[str, Row] = {}
    for event in sorted(events, key=lambda event: (event["event_time"], event["event_id"])):
        if event["event_type"] in signs:
            first = {name: event[name] for name in ("shelf_id", "store_id", "item_id")}
            row = rows.setdefault(event["shelf_id"], {**first, "balance": 0})
            row["balance"] += signs[event["event_type"]] * event["quantity"]
            row["last_event_time"] = event["event_time"]
    return list(rows.values())


def _allotted(shelf: str, lots: dict[str, Lot], catalogue: Mapping[str, date]) -> Iterator[Row]:
    nameless = lots.get("", Lot())
    named = [
        _lot_row(shelf, code, lot, lot.units, catalogue)
        for code, lot in lots.items()
        if code and lot.times
    ]
    left = nameless.sold
    for row in sorted(named, key=_first_out):
        taken = min(left, max(row["balance"], 0))
        left -= taken
        yield {**row, "balance": row["balance"] - taken}
    if left or nameless.moves:
        yield _lot_row(shelf, "__UNALLOTTED__", nameless, nameless.units - left, {})


def _lot_row(shelf: str, code: str, lot: Lot, balance: int, catalogue: Mapping[str, date]) -> Row:
    return {
        "shelf_id": shelf,
        "batch_code": code,
        "received_date": lot.date("received_date"),
        "expiry_date": lot.date("expiry_date", catalogue.get(code)),
        "balance": balance,
        "last_event_time": max(lot.times),
    }


def _first_out(row: Row) -> tuple[date, date, str]:
    return row["expiry_date"] or date.max, row["received_date"] or date.max, row["batch_code"]


def _filled(row: Row, schema: pa.Schema) -> Row:
    return {f.name: row[f.name] if f.name in row else FILL.get(str(f.type)) for f in schema}
