"""A lake without any of our jobs: raw tables from records, state from a plain Python fold."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from lakeshelf.contracts import CATALOG, arrow, validate
from lakeshelf.reconcile.invariants import RAW_TOPICS

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
SIGN = {"putback": 1, "restock": 1, "adjustment": 1, "pickup": -1, "removal": -1}
WH_SIGN = {"wh_in": 1, "wh_adjustment": 1, "wh_out": -1, "wh_removal": -1}
FILL = {"string": "", "int64": 0, "timestamp[us, tz=UTC]": MOMENT, "date32[day]": date(2017, 1, 1)}
LEDGER = pa.schema(
    [
        ("query_id", pa.string()),
        ("batch_id", pa.int64()),
        ("kind", pa.string()),
        ("topics", pa.string()),
    ]
)

Row = dict[str, Any]


class Model:
    """Tables by name, each a list of rows, that a test may change before `write`."""

    def __init__(self, records: Iterable[Row]) -> None:
        self.tables: dict[str, list[Row]] = {f"raw/{topic}": [] for topic in RAW_TOPICS} | {
            "raw/quarantine": []
        }
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
        self.tables[f"raw/{topic.name}"].append(row)

    def fold(self) -> None:
        """State tables and discrepancies anew from the raw ones."""
        shelf, warehouse, wh_lots = Counter(), Counter(), Counter()
        for event in self.tables["raw/shelf_events"]:
            shelf[event["shelf_id"]] += SIGN[event["event_type"]] * event["quantity"]
        for event in self.tables["raw/wh_events"]:
            moved = WH_SIGN[event["event_type"]] * event["quantity"]
            warehouse[event["shelf_id"]] += moved
            wh_lots[event["shelf_id"], event["batch_code"]] += moved
        states = {
            "shelf_state": ("current_stock", {(key, ""): n for key, n in shelf.items()}),
            "wh_state": ("wh_current_stock", {(key, ""): n for key, n in warehouse.items()}),
            "shelf_batch_state": ("batch_quantity_store", self._store_lots()),
            "wh_batch_state": ("batch_quantity_warehouse", wh_lots),
        }
        self.tables["ops/stock_discrepancies"] = []
        for name, (stock, balances) in states.items():
            self.tables[f"cleansed/{name}"] = [
                {"shelf_id": key, "batch_code": lot, "balance": n, stock: max(n, 0)}
                for (key, lot), n in balances.items()
            ]
            self.tables["ops/stock_discrepancies"] += [
                {
                    "location": "warehouse" if name.startswith("wh") else "store",
                    "shelf_id": key,
                    "batch_code": lot,
                    "missing_qty": -n,
                }
                for (key, lot), n in balances.items()
                if n < 0
            ]

    def _store_lots(self) -> dict[tuple[str, str], int]:  # noqa: PLR0912 - the rule in one piece
        named: dict[str, Counter[str]] = defaultdict(Counter)
        unnamed: Counter[str] = Counter()
        sold: Counter[str] = Counter()
        dates: dict[tuple[str, str], tuple[date, date]] = {}
        for event in self.tables["raw/shelf_events"]:
            opening = event["event_type"] == "restock" and event["reason"] == "opening_balance"
            if opening or event["event_type"] in ("removal", "adjustment"):
                units = SIGN[event["event_type"]] * event["quantity"]
                if event["batch_code"] is None:
                    unnamed[event["shelf_id"]] += units
                else:
                    named[event["shelf_id"]][event["batch_code"]] += units
        for event in self.tables["raw/wh_events"]:
            code = event["batch_code"]
            if event["event_type"] == "wh_out":
                named[event["shelf_id"]][code] += event["quantity"]
            if event["event_type"] == "wh_in":
                dates[event["shelf_id"], code] = (
                    event["expiry_date"] or date.max,
                    event["received_date"] or date.max,
                )
        for line in (
            line for receipt in self.tables["raw/pos_transactions"] for line in receipt["items"]
        ):
            if line["batch_code"] is None:
                sold[line["shelf_id"]] += line["quantity"]
            else:
                named[line["shelf_id"]][line["batch_code"]] -= line["quantity"]
        lots: dict[tuple[str, str], int] = {}
        for shelf in named.keys() | unnamed.keys() | sold.keys():
            left = sold[shelf]
            for code in sorted(
                named[shelf], key=lambda code: (*dates.get((shelf, code), (date.max,) * 2), code)
            ):
                taken = min(left, max(0, named[shelf][code]))
                left -= taken
                lots[shelf, code] = named[shelf][code] - taken
            if unnamed[shelf] - left:
                lots[shelf, "__UNALLOTTED__"] = unnamed[shelf] - left
        return lots

    def write(self, root: Path) -> Path:
        """Write the tables below `root`, with a ledger of one batch."""
        for name, rows in self.tables.items():
            schema = arrow.schema(CATALOG.tables[name].columns)
            write_deltalake(
                str(root / name),
                pa.Table.from_pylist([_filled(row, schema) for row in rows], schema),
            )
        topics = {topic: {"duplicate": self.duplicates[topic]} for topic in RAW_TOPICS}
        batch = {"query_id": "q", "batch_id": 0, "kind": "batch", "topics": json.dumps(topics)}
        write_deltalake(str(root / "ops/batch_ledger"), pa.Table.from_pylist([batch], LEDGER))
        return root


def _filled(row: Row, schema: pa.Schema) -> Row:
    return {f.name: row[f.name] if f.name in row else FILL.get(str(f.type)) for f in schema}
