"""A component at work on tables in memory: its service's own steps, without broker and Delta."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any
from weakref import finalize

import pyarrow as pa

from lakeshelf.components import flows, journal, registry
from lakeshelf.components.component import Context, Decision, Heard, JournalEntry, Tick
from lakeshelf.components.hearing import Hearings
from lakeshelf.components.service import ComponentService
from lakeshelf.contracts import CATALOG, arrow
from lakeshelf.contracts.messages import encode
from lakeshelf.contracts.validate import parse
from lakeshelf.lake import Lake
from lakeshelf.lake.rows.conditions import Where, checked
from lakeshelf.lake.rows.predicates import expression
from lakeshelf.lake.rows.snapshot import At
from lakeshelf.settings import load_settings, project_home
from lakeshelf.streams.take.refusal import Refused

Row = dict[str, Any]
Sent = tuple[str, Row]
"""Topic, values."""
APPENDED = datetime(2026, 3, 1, 9, tzinfo=UTC)


@cache
def module(name: str) -> Any:
    """The module of a component."""
    return registry.module(project_home(), name)


class Tables(Lake):
    """Tables of a lake as lists of rows; what a row does not name is null."""

    def __init__(self) -> None:
        super().__init__(Path("nowhere"))
        self.kept: dict[str, list[Row]] = defaultdict(list)
        self.noted: dict[tuple[str, str], int] = {}
        self.known: frozenset[str] | None = None
        """What lineage says that their reader reads; None: nobody asked it."""

    def read(
        self,
        name: str,
        at: At | None = None,
        columns: Sequence[str] | None = None,
        where: Where | None = None,
    ) -> pa.RecordBatchReader:
        """Rows as a scan of the Delta table would give them."""
        assert self.known is None or name in self.known, f"lineage knows no read of {name}"
        schema = arrow.schema(CATALOG.tables[name].columns)
        found = pa.Table.from_pylist(self.kept[name], schema)
        condition = expression(checked(where, schema))
        chosen = found if condition is None else found.filter(condition)
        return (chosen if columns is None else chosen.select(list(columns))).to_reader()

    def snapshot(self, name: str, at: At | None = None) -> Any:
        """The table as it is."""
        assert self.known is None or name in self.known, f"lineage knows no read of {name}"
        return Pinned(self, name)

    def keep(self, name: str, *rows: Mapping[str, Any]) -> None:
        """Insert rows, or replace those of the same key."""
        if name.startswith("raw/"):
            rows = tuple({"event_date": row["event_time"].date(), **row} for row in rows)
        key = CATALOG.tables[name].key
        new = {tuple(row[k] for k in key): dict(row) for row in rows}
        old = {tuple(row[k] for k in key): row for row in self.kept[name]}
        self.kept[name] = list((old | new).values())


@dataclass(frozen=True)
class Pinned:
    """Rows of a table in memory, as a snapshot of it."""

    lake: Tables
    name: str
    version: int = 0

    @property
    def table_id(self) -> str:
        return self.name

    @property
    def handle(self) -> Pinned:
        return self

    def transaction_version(self, app: str) -> int | None:
        return self.lake.noted.get((self.name, app))

    def scan(self, columns: Sequence[str], where: Where = ()) -> pa.RecordBatchReader:
        return self.lake.read(self.name, columns=columns, where=where)

    def rows_by(self, column: str) -> dict[date, int]:
        assert column == "event_date"
        return Counter(row["event_time"].date() for row in self.lake.kept[self.name])


class MemoryJournal:
    """Keeps entries as the journal's table would, and folds them into the component's tables."""

    def __init__(self, owner: str, table: str, lake: Tables) -> None:
        self._owner = owner
        self._table = table
        self._lake = lake
        self.entries: list[JournalEntry] = []

    @property
    def last(self) -> JournalEntry | None:
        return self.entries[-1] if self.entries else None

    def commit(self, decision: Decision, cause: str, positions: Mapping[str, int]) -> JournalEntry:
        entry = JournalEntry(len(self.entries) + 1, decision)
        self.entries.append(journal._entry(journal._row(entry, cause)))
        for name, rows in journal._rows_of(decision, self._owner).items():
            self._lake.keep(name, *rows)
        for name, upsert in decision.upserts.items():
            self._lake.keep(name, *upsert.rows.to_pylist())
            self._lake.noted |= {(name, txn.app_id): txn.version for txn in upsert.txns}
        if decision.table is not None:
            self._lake.keep(self._table, *decision.table.to_pylist())
        return entry


class Outbox:
    """Takes what is published."""

    def __init__(self) -> None:
        self._sent: list[Sent] = []

    def encoded(self, topic: Any, messages: Iterable[tuple[str, str]]) -> None:
        self._sent += [(topic.name, parse(topic, value.encode())) for _, value in messages]

    def refusals(self, refused: Sequence[Refused]) -> None:
        topic = CATALOG.topics["quarantine"]
        self._sent += [(topic.name, parse(topic, r.message())) for r in refused]

    def flush(self) -> None:
        """Everything has arrived."""

    def take(self) -> list[Sent]:
        """What was published since it was asked last."""
        sent, self._sent = self._sent, []
        return sent


class Worker:
    """A component that acts as its service has it act.

    Args:
        name: The component.
        lake: Tables that it reads, its own among them.
        settings: Settings of the component.
    """

    def __init__(self, name: str, lake: Tables, **settings: Any) -> None:
        self._class = module(name).COMPONENT
        named = flows.own(self._class).union(flows.reads(self._class))
        lake.known = named.union(lake.known or ())
        self._context = Context(load_settings(lake_root=lake.root.folder, **settings), {}, lake)
        self._ticks = self._offset = 0
        self.journal = MemoryJournal(name, self._class.journal, lake)
        self.outbox = Outbox()
        self._state = Path(mkdtemp())
        finalize(self, rmtree, self._state, ignore_errors=True)
        self.restart()

    def restart(self) -> None:
        """A new process, which knows the journal and nothing else."""
        service: Any = ComponentService(self._class, self._context)
        service._heard = []
        service._hearings = Hearings(self._state, self._class.name)
        service._component = self._class(self._context)
        service._component.restore(self.journal.last)
        service._journal, service._publisher = self.journal, self.outbox
        service._quarantine = lambda entry, messages: None
        self.service = service

    def tick(self, now: datetime, phase: str | None = None) -> list[Sent]:
        """The clock ticks; what is published."""
        self._ticks += 1
        self.service._act(Tick(now, now.date(), phase, self._ticks), self._ticks)
        self.service._listen()
        return self.outbox.take()

    def hear(self, topic: str, **values: Any) -> list[Sent]:
        """A message comes by a topic that it hears; what is published."""
        self._offset += 1
        value = encode(CATALOG.topics[topic], values)
        message = parse(CATALOG.topics[topic], value)
        self.service._heard.append(Heard(topic, self._offset, APPENDED, message, value))
        self.service._listen()
        return self.outbox.take()


def of(sent: Iterable[Sent], topic: str) -> list[Row]:
    """The messages of one topic."""
    return [values for name, values in sent if name == topic]
