"""The lake as a place to look things up: rows by column and value, and which batch brought an event."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.layers import Analytics, Ops, Raw
from lakeshelf.lake.place.location import Place
from lakeshelf.lake.rows import reading, tables
from lakeshelf.lake.rows.conditions import Condition
from lakeshelf.streams.commit.ledger import LEDGER

RECEIPTS = Raw.POS_TRANSACTIONS
MOVEMENTS = (Raw.WH_EVENTS, Raw.SHELF_EVENTS)
_FIRST = (*MOVEMENTS, RECEIPTS)
ALERTS = (Ops.ALERTS, Ops.SHELF_ALERTS, Ops.WH_ALERTS)
SECTION = {
    **dict.fromkeys(ALERTS, "alerts"),
    Ops.SHELF_RESTOCK_PLAN: "plans",
    Ops.WH_SUPPLIER_PLAN: "plans",
    Ops.WH_SUPPLIER_ORDERS: "orders",
    Ops.WH_SUPPLIER_RECEIPTS: "receipts",
    Analytics.DAILY_DISCOUNTS: "discounts",
    **dict.fromkeys((Ops.SHELF_COMMANDS, Ops.WH_COMMANDS), "commands"),
}
"""Table → part of a story, in the order in which what happened at one time is told; before them come events, and all
others are state."""
EVENT, STATE = "events", "state"
TIMES = {EVENT: "event_time", "commands": "event_time", STATE: "last_event_time"}
"""Part of a story → column of its business time; `created_at` for all others."""
NO_TIME = datetime.min.replace(tzinfo=UTC)
HEAD = (
    "event_id",
    "event_type",
    "event_time",
    "store_id",
    "customer_id",
    "kafka_partition",
    "kafka_offset",
)
"""Columns of a receipt that stand beside each of its lines."""


@dataclass(frozen=True)
class StoryLine:
    """One row of the lake, as part of a story.

    Attributes:
        table: The table that holds the row.
        table_version: Version of the table that brought an event; of anything else, the one that was read.
        row: The row.
        batch: Query, number and time of the batch that took an event in, if the ledger names it.
        role: What it is to the thing that the story is about; empty: no more than part of it.
    """

    table: str
    table_version: int
    row: dict[str, Any]
    batch: dict[str, Any] | None = None
    role: str = ""

    @property
    def section(self) -> str:
        """The part of a story that it belongs to."""
        return section(self.table)

    @property
    def time(self) -> datetime | None:
        """Its business time."""
        time: datetime | None = self.row.get(TIMES.get(self.section, "created_at"))
        return time

    @property
    def order(self) -> tuple[datetime, int, str, int]:
        """Its place in a story; what happened at one time stands as cause before effect."""
        ranks = (*event_tables(), *SECTION)
        rank = ranks.index(self.table) if self.table in ranks else len(ranks)
        return (
            self.time or NO_TIME,
            rank,
            str(self.row.get("event_id") or ""),
            self.row.get("line") or 0,
        )

    def playing(self, role: str) -> StoryLine:
        """The same line in a role."""
        return replace(self, role=role)

    def as_json(self) -> dict[str, Any]:
        """The line as plain values."""
        heading = {"time": self.time, "section": self.section, "role": self.role or None}
        place = {"table": self.table, "table_version": self.table_version, "batch": self.batch}
        return {**heading, **place, "row": self.row}


@dataclass
class LastLines:
    """The last lines of those that were asked for, in order, and how many there are in all."""

    lines: list[StoryLine] = field(default_factory=list)
    total: int = 0

    def __add__(self, other: LastLines) -> LastLines:
        return LastLines([*self.lines, *other.lines], self.total + other.total)

    def last(self, limit: int | None) -> LastLines:
        """The same, cut to the last `limit` lines."""
        ordered = sorted(self.lines, key=lambda line: line.order)
        return LastLines(ordered if limit is None else ordered[-limit:], self.total)


def event_tables() -> tuple[str, ...]:
    """Tables of events, in the order in which those of one time are told: goods leave the back room before all else."""
    mirrors = (f"raw/{topic}" for topic in CATALOG.raw_topics)
    return (*_FIRST, *(name for name in mirrors if name not in _FIRST))


def section(table: str) -> str:
    """The part of a story that rows of a table belong to."""
    return EVENT if table in event_tables() else SECTION.get(table, STATE)


def events_with(column: str) -> tuple[str, ...]:
    """Tables of events that have a column."""
    contracts = (CATALOG.tables[name] for name in event_tables())
    return tuple(t.name for t in contracts if column in {field.name for field in t.columns})


def equal(column: str, *values: object) -> Condition:
    """Condition that a column has one of the values."""
    return (column, "in", values)


class History:
    """Reads the tables of a lake, each at the version at which it was first asked for.

    Args:
        root: Lake root.
    """

    def __init__(self, root: Place) -> None:
        self._root = root
        self._tables: dict[str, DeltaTable] = {}

    def version(self, name: str) -> int:
        """The version at which a table is read."""
        return int(self._opened(name).version())

    def rows(self, name: str, *where: Condition, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows for which all conditions hold."""
        return reading.rows(self._opened(name), name, columns, where)

    def find(self, name: str, *where: Condition, limit: int | None = None) -> LastLines:
        """The last lines of a table for which all conditions hold.

        Raises:
            LakeError: There is no such table.
        """
        return self._last_lines(name, self.rows(name, *where), limit)

    def events(
        self, names: Iterable[str], *where: Condition, limit: int | None = None
    ) -> LastLines:
        """The last events of raw tables for which all conditions hold."""
        parts = (self.find(name, *where, limit=limit) for name in names)
        return sum(parts, LastLines()).last(limit)

    def receipt_lines(
        self, column: str, value: str, *where: Condition, limit: int | None = None
    ) -> LastLines:
        """The last lines that have the value, of receipts for which the conditions hold, beside their heads."""
        batches = reading.scan(self._opened(RECEIPTS), RECEIPTS, [*HEAD, "items"], where)
        parts = [part for batch in batches if (part := _lines(batch, column, value)).num_rows]
        return self._last_lines(RECEIPTS, pa.concat_tables(parts), limit) if parts else LastLines()

    def alerts(self, *where: Condition) -> list[StoryLine]:
        """Alerts, each once and in its latest state, with the business time of its last change where known."""
        latest: dict[str, StoryLine] = {}
        for line in (line for name in ALERTS for line in self.find(name, *where).lines):
            row = {name: value for name, value in line.row.items() if name != "held"}
            known = latest.get(row["alert_id"])
            if known is None or known.row["version"] < row["version"]:
                latest[row["alert_id"]] = replace(line, row={"decided_at": None, **row})
            elif known.row["version"] == row["version"]:
                known.row["decided_at"] = row.get("decided_at") or known.row["decided_at"]
        return sorted(latest.values(), key=lambda line: line.order)

    def _opened(self, name: str) -> DeltaTable:
        if name not in self._tables:
            self._tables[name] = tables.open_table(self._root, name, to_read=True)
        return self._tables[name]

    def _last_lines(self, name: str, rows: pa.Table, limit: int | None) -> LastLines:
        time = TIMES.get(section(name), "created_at")
        if time in rows.column_names:
            rows = rows.sort_by(time)
        kept = rows if limit is None else rows.slice(max(0, rows.num_rows - limit))
        return LastLines([self._line(name, row) for row in kept.to_pylist()], rows.num_rows)

    def _line(self, name: str, row: dict[str, Any]) -> StoryLine:
        batch = self._batch(name, row) if section(name) == EVENT else None
        if batch is None:
            return StoryLine(name, self.version(name), row)
        commit = {k: batch[k] for k in ("query", "batch_id", "committed_at")}
        return StoryLine(name, batch["table_versions"][name], row, commit)

    def _batch(self, name: str, row: dict[str, Any]) -> dict[str, Any] | None:
        offset = row["kafka_offset"]
        known = self._batches[name, str(row["kafka_partition"])]
        place = bisect_right(known, offset, key=lambda entry: entry[0]) - 1
        return known[place][2] if place >= 0 and offset < known[place][1] else None

    @cached_property
    def _batches(self) -> dict[tuple[str, str], list[tuple[int, int, dict[str, Any]]]]:
        """Raw table and partition → offsets from and until, and the ledger's row, in order of offsets."""
        columns = ["query", "batch_id", "offsets", "table_versions", "committed_at"]
        batches: dict[tuple[str, str], list[Any]] = defaultdict(list)
        rows = self.rows(LEDGER, columns=columns)
        of_raw = pc.match_substring(rows["table_versions"], '"raw/')
        for row in rows.filter(of_raw).to_pylist():
            for name, partition, first, end, decoded in _ranges(row):
                batches[name, partition].append((first, end, decoded))
        for ranges in batches.values():
            ranges.sort(key=lambda entry: entry[:2])
        return batches


def _ranges(row: dict[str, Any]) -> Iterator[tuple[str, str, int, int, dict[str, Any]]]:
    versions, offsets = orjson.loads(row["table_versions"]), orjson.loads(row["offsets"])
    decoded = {**row, "table_versions": versions}
    for name in versions.keys() & set(event_tables()):
        for partition, (first, end) in offsets.get(name.partition("/")[2], {}).items():
            yield name, partition, first, end, decoded


def _lines(batch: pa.RecordBatch, column: str, value: str) -> pa.Table:
    items = batch["items"]
    lines = pc.list_flatten(items)
    matches = pc.equal(pc.struct_field(lines, column), value)
    kept = lines.filter(matches)
    heads = batch.select(HEAD).take(pc.list_parent_indices(items).filter(matches))
    own = {field.name: pc.struct_field(kept, field.name) for field in kept.type}
    return pa.table({**dict(zip(HEAD, heads.columns, strict=True)), **own})
