"""The journal of a component: decided once, committed once, published from here.

One row a decision, with the messages that follow. Tables of the component are folds of it: the values
of its messages on compacted topics, and the rows that stand in the decision.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
from deltalake import DeltaTable

from lakeshelf.components.component import Decision, JournalEntry, Message, Upsert
from lakeshelf.contracts import CATALOG, arrow, values
from lakeshelf.contracts.model import Table
from lakeshelf.contracts.retail.tables_library import JOURNAL_PREFIX
from lakeshelf.contracts.types import Struct
from lakeshelf.errors import LakeError
from lakeshelf.lake.form import commits
from lakeshelf.lake.form.commits import Txn, Write
from lakeshelf.lake.place.location import Place
from lakeshelf.lake.rows import reading, tables
from lakeshelf.lake.rows.conditions import Where
from lakeshelf.lake.upkeep import requests
from lakeshelf.lake.upkeep.maintenance import Maintenance
from lakeshelf.lake.write import merging, writing

INPUTS = "inputs"
"""In the metadata of a commit of rows: table → version of what they follow from."""


class Journal:
    """The journal of one component, held by the one process that may write it.

    Args:
        root: Lake root.
        owner: Name of the component.
        table: Its table.
    """

    def __init__(self, root: Place, owner: str, table: str) -> None:
        self._root = root
        self._owner = owner
        self._contract = CATALOG.tables[table]
        self._handle = tables.open_table(root, table)
        self._maintenance = Maintenance()
        self._topic_ids: Mapping[str, str] = {}
        self.last = self._latest()
        """The latest entry; None before the first."""

    def know(self, topic_ids: Mapping[str, str]) -> None:
        """Keep positions by the ids of their topics, so that a topic that was made again has none.

        Positions that a journal has without ids are taken for those of the present topics, once.
        """
        first = Txn(f"{self._owner}:topic_ids", 1)
        positions = {topic: self.position(topic, 0) for topic in topic_ids}
        self._topic_ids = topic_ids
        taken = [Txn(self._position_id(t, 0), at) for t, at in positions.items() if at is not None]
        if topic_ids:
            writing.note(self._handle, self._contract.name, Write.once(first, *taken))

    def position(self, topic: str, partition: int) -> int | None:
        """Offset after the latest record of a topic that an entry followed from."""
        return self._handle.transaction_version(self._position_id(topic, partition))

    def commit(self, decision: Decision, cause: str, positions: Mapping[str, int]) -> JournalEntry:
        """Commit a decision as the next entry, and write what follows from it to the component's tables.

        Args:
            decision: What was decided.
            cause: What led to it.
            positions: Topic → offset after the record that led to it, in partition 0.

        Raises:
            LakeError: Another process has written the journal.
        """
        entry = JournalEntry(self.last.seq + 1 if self.last else 1, decision)
        txn = Txn(self._owner, entry.seq)
        self._handle.update_incremental()
        _require_first(self._handle, self._contract.name, txn, self._owner)
        row = pa.Table.from_pylist([_row(entry, cause)], arrow.schema(self._contract.columns))
        also = [Txn(self._position_id(t, 0), end) for t, end in positions.items()]
        writing.append(self._handle, self._contract.name, row, Write.once(txn, *also))
        self.last = entry
        self.fold(entry)
        self._maintenance.attend([self._handle])
        return entry

    def serve(self, stack: Path) -> None:
        """Do what somebody asks of the component's tables."""
        for name in requests.asked(stack, (self._contract.name, *self._tables())):
            requests.serve(stack, name, partial(tables.open_table, self._root, name))

    def complete(self) -> None:
        """Write what a crash kept from the component's tables."""
        if self.last is None:
            return
        known = [
            tables.open_table(self._root, name).transaction_version(self._owner) or 0
            for name in self._tables()
        ]
        for entry in self.entries(min(known, default=self.last.seq)):
            self.fold(entry)

    def fold(self, entry: JournalEntry) -> None:
        """Write the rows of an entry to the component's tables, once."""
        for name, rows in _rows_of(entry.decision, self._owner).items():
            contract = CATALOG.tables[name]
            handle = tables.open_table(self._root, name)
            batch = pa.Table.from_pylist(rows, arrow.schema(contract.columns))
            write = Write.once(Txn(self._owner, entry.seq))
            merging.upsert(handle, name, batch, contract.key, write)
            self._maintenance.attend([handle])

    def entries(self, after: int) -> list[JournalEntry]:
        """Entries behind `after`, in order."""
        self._handle.update_incremental()
        return read(self._handle, [("seq", ">", after)])

    def _latest(self) -> JournalEntry | None:
        version = self._handle.transaction_version(self._owner)
        entries = read(self._handle, [("seq", "=", version)]) if version is not None else []
        return entries[0] if entries else None

    def _position_id(self, topic: str, partition: int) -> str:
        place = f"{self._owner}:{topic}:{partition}"
        topic_id = self._topic_ids.get(topic)
        return f"{place}:{topic_id}" if topic_id else place

    def _tables(self) -> list[str]:
        return [name for name in owned(self._owner) if name != self._contract.name]


class OwnTable:
    """A journal that is the component's own table: one write a due time; messages are made of its rows (`outgoing`).

    Args:
        root: Lake root.
        owner: Name of the component.
        table: Its table.
    """

    def __init__(self, root: Place, owner: str, table: str) -> None:
        self._root = root
        self._owner = owner
        self._name = table
        self._handle = tables.open_table(root, table)
        self._maintenance = Maintenance()
        seconds = self._handle.transaction_version(owner)
        self.last = None if seconds is None else _at(datetime.fromtimestamp(seconds, UTC))

    def know(self, topic_ids: Mapping[str, str]) -> None:
        """It follows from no topic but the clock."""

    def position(self, topic: str, partition: int) -> None:
        """It does not tell."""

    def commit(self, decision: Decision, cause: str, positions: Mapping[str, int]) -> JournalEntry:
        """Write the rows of further tables, then append those of a decision, once a due time."""
        entry = _at(decision.event_time)
        made = {name: self.upsert(name, upsert) for name, upsert in decision.upserts.items()}
        txn = Txn(self._owner, entry.seq)
        if decision.table is not None and decision.table.num_rows:
            self.append(decision.table, {**decision.inputs, **made}, txn)
        else:
            self._handle.update_incremental()
            writing.note(self._handle, self._name, Write.once(txn))
        self.last = entry
        return entry

    def append(self, rows: pa.Table, inputs: Mapping[str, int], *txns: Txn) -> None:
        """Append rows, with the versions of the tables that they follow from."""
        self._handle.update_incremental()
        write = Write(txns, metadata={INPUTS: dict(inputs)})
        writing.append(self._handle, self._name, rows, write)
        self._maintenance.attend([self._handle])

    def replace(self, rows: pa.Table, inputs: Mapping[str, int]) -> None:
        """Write rows in the place of those of the same keys, with the versions of the tables that they follow from."""
        self._handle.update_incremental()
        write = Write((), metadata={INPUTS: dict(inputs)})
        merging.upsert(self._handle, self._name, rows, CATALOG.tables[self._name].key, write)
        self._maintenance.attend([self._handle])

    def serve(self, stack: Path) -> None:
        """Do what somebody asks of the component's tables."""
        for name in requests.asked(stack, owned(self._owner)):
            requests.serve(stack, name, partial(self._opened, name))

    def complete(self) -> None:
        """Nothing else follows from it."""

    def _opened(self, name: str) -> DeltaTable:
        return self._handle if name == self._name else tables.open_table(self._root, name)

    def upsert(self, name: str, upsert: Upsert) -> int:
        """Write rows of a further table, which have to be new to it; the version that has them.

        Raises:
            LakeError: Another process has written them.
        """
        handle = self._opened(name)
        _require_first(handle, name, upsert.txns[0], self._owner)
        key, write = CATALOG.tables[name].key, Write(upsert.txns)
        if merging.upsert(handle, name, upsert.rows, key, write).skipped:
            writing.note(handle, name, write)
        version = int(handle.version())
        self._maintenance.attend([handle])
        return version


def opened(root: Place, owner: str, table: str) -> Journal | OwnTable:
    """The journal of a component."""
    kind = Journal if table.startswith(JOURNAL_PREFIX) else OwnTable
    return kind(root, owner, table)


def _require_first(handle: DeltaTable, name: str, txn: Txn, owner: str) -> None:
    if commits.is_committed(handle, txn):
        raise LakeError(
            f"{name} has an entry {txn.version} that this process did not write",
            hint=f"run {owner} once",
        )


def owned(owner: str) -> list[str]:
    """Tables of a component."""
    return [table.name for table in CATALOG.tables.values() if table.owner == owner]


def _at(due: datetime) -> JournalEntry:
    return JournalEntry(int(due.timestamp()), Decision(str(due), due))


def read(handle: DeltaTable, where: Where) -> list[JournalEntry]:
    """The entries of a journal that meet conditions, in order."""
    rows = reading.rows(handle, "journal", where=where).to_pylist()
    return sorted((_entry(row) for row in rows), key=lambda entry: entry.seq)


def _row(entry: JournalEntry, cause: str) -> dict[str, Any]:
    decision = entry.decision
    kept = {"rows": decision.rows, "memory": decision.memory}
    return {
        "entry_id": decision.entry_id,
        "seq": entry.seq,
        "cause": cause,
        "decision": orjson.dumps(kept, default=_plain, option=orjson.OPT_UTC_Z).decode(),
        "messages": [vars(message) for message in decision.messages],
        "event_time": decision.event_time,
        "decided_at": datetime.now(UTC),
    }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else float(value)


def _entry(row: Mapping[str, Any]) -> JournalEntry:
    kept = json.loads(row["decision"])
    messages = tuple(Message(**message) for message in row["messages"])
    rows = {
        name: tuple(_typed(CATALOG.tables[name], row) for row in table_rows)
        for name, table_rows in kept["rows"].items()
    }
    decision = Decision(row["entry_id"], row["event_time"], messages, rows, kept["memory"])
    return JournalEntry(row["seq"], decision)


def _typed(contract: Table, row: dict[str, Any]) -> dict[str, Any]:
    return values.read_fields(Struct(contract.public), row)


def _rows_of(decision: Decision, owner: str) -> dict[str, list[dict[str, Any]]]:
    """Table of the owner → its rows, of which the last of a key counts."""
    latest: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = defaultdict(dict)
    own = {t.topic: t for t in CATALOG.tables.values() if t.owner == owner and t.topic}
    published = [
        (own[m.topic], _typed(own[m.topic], json.loads(m.value)))
        for m in decision.messages
        if m.topic in own
    ]
    plain = [(CATALOG.tables[name], dict(r)) for name, rows in decision.rows.items() for r in rows]
    for contract, row in (*published, *plain):
        latest[contract.name][tuple(row[name] for name in contract.key)] = row
    return {name: list(rows.values()) for name, rows in latest.items()}
