"""The desk of a session: its edits over the rows that it began with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.governance.domain.definition import Definition
from lakeshelf.governance.domain.editing.accepting import IncomingEdit
from lakeshelf.governance.domain.editing.edits import EDITS, Edit, folded, require_rows
from lakeshelf.governance.domain.findings import Finding
from lakeshelf.governance.domain.keys import key_of, row_ids, same_key
from lakeshelf.governance.domain.staged import sides
from lakeshelf.governance.errors import GovernanceError, refused
from lakeshelf.governance.metadata.opening import Transaction
from lakeshelf.governance.metadata.tables.datasets import LiveSession
from lakeshelf.governance.services.changes.proposals import ROW_ID_TEXT, with_ids
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.datasets import table_of
from lakeshelf.governance.services.memory import Memory
from lakeshelf.governance.services.reading.tables import HeldTable
from lakeshelf.governance.storage.logs import Log, ReadLog
from lakeshelf.governance.storage.main import FEW_KEYS, MainTable, OpenedTable
from lakeshelf.governance.validation.judging import validated


@dataclass(frozen=True)
class _Rows:
    """Rows that were read, by the keys that were asked for."""

    ids: frozenset[str]
    own: pa.StringArray
    rows: pa.Table


@dataclass(frozen=True)
class Desk:
    """A session with its edits, over the rows that it began with.

    Attributes:
        session: The session.
        table: The canonical table, as it is defined now.
        log: Its edits.
        memory: What this process holds.
    """

    session: LiveSession
    table: MainTable
    log: ReadLog
    memory: Memory
    _last: list[_Rows] = field(default_factory=list, compare=False)

    @classmethod
    def of(cls, context: Context, tx: Transaction, session: LiveSession) -> Desk:
        """The desk of a session."""
        table = table_of(context, tx, session.project, session.dataset)
        edits = Log(context.root, table.folder.edits(session.id), EDITS)
        log = (context.memory.logs.known(session.id) or ReadLog.of(edits)).newest()
        context.memory.logs.put(session.id, log, log.nbytes)
        return cls(session, table, log, context.memory)

    @property
    def definition(self) -> Definition:
        """The definition in force."""
        return self.table.definition

    @cached_property
    def base(self) -> OpenedTable:
        """The table at the session's version."""
        return self.table.opened(self.session.base_version)

    @property
    def edits(self) -> pa.Table:
        """Rows of its edits."""
        return self.log.rows

    def keep(self, rows: pa.Table) -> None:
        """Add edits; each has its number from the database, so none is the same as another."""
        log = self.log.appended(rows)
        self.memory.logs.put(self.session.id, log, log.nbytes)

    def known(self, edit_ids: Iterable[str]) -> frozenset[str]:
        """Those of some ids whose edits were taken."""
        asked = pa.array(list(edit_ids), pa.string())
        taken = self.edits["edit_id"]
        return frozenset(taken.filter(pc.is_in(taken, asked)).to_pylist())

    @property
    def staged(self) -> pa.Table:
        """What the edits come to."""
        return self._staged(self.edits)

    def known_by(self, edits: Sequence[IncomingEdit]) -> list[IncomingEdit]:
        """Edits with their rows named as they are elsewhere; one of a row that no key is stays as it is."""
        names = {one: _same(self.definition, one) for one in {edit.row_id for edit in edits}}
        return [
            edit if edit.row_id == names[edit.row_id] else replace(edit, row_id=names[edit.row_id])
            for edit in edits
        ]

    def rows(self, ids: Iterable[str]) -> dict[str, dict[str, Any] | None]:
        """Rows as the session sees them: column → value; None: deleted in it; others are not there."""
        requested = [one for one in dict.fromkeys(ids) if _is_key(self.definition, one)]
        rows_now = self._read(requested)
        named = zip(
            row_ids(self.definition, rows_now).to_pylist(), rows_now.to_pylist(), strict=True
        )
        rows: dict[str, dict[str, Any] | None] = dict(named)
        own = self.edits.filter(pc.is_in(self.edits["row_id"], pa.array(requested, pa.string())))
        staged = self._staged(own)
        ids_, _, new = sides(self.definition, staged)
        return rows | dict(zip(ids_.to_pylist(), new.struct.to_pylist(), strict=True))

    def findings(
        self,
        context: Context,
        edits: Sequence[Edit],
        rows: Mapping[str, dict[str, Any] | None],
    ) -> tuple[list[Finding], Sequence[str]]:
        """What edits violate, by the rules about their cells that need no other row."""
        edited = {one.row_id for one in edits}
        edited_rows = [row for row_id, row in rows.items() if row is not None and row_id in edited]
        if not edited_rows:
            return [], ()
        new = with_ids(self.definition, pa.Table.from_pylist(edited_rows, self.definition.schema))
        base = with_ids(self.definition, self._read(new[ROW_ID_TEXT].to_pylist()))
        report = validated(
            "cell",
            self.definition,
            new,
            base,
            self._all,
            _nothing,
            context.worker,
            _columns_of(edits),
        )
        return list(report.findings), report.deferred

    def undone(self, edit_ids: Sequence[str]) -> list[Edit]:
        """Edits that take others back, the latest of them first.

        Raises:
            GovernanceError: `not_found`.
        """
        unknown = sorted(set(edit_ids) - self.known(edit_ids))
        if unknown:
            raise refused("not_found", f"the session has no edit {unknown[0][:80]!r}")
        names = ["edit_id", "op", "row_id", "column", "old_value", "new_value"]
        chosen = self.edits.filter(pc.is_in(self.edits["edit_id"], pa.array(edit_ids)))
        latest = chosen.sort_by([("seq", "descending")]).select(names)
        return [Edit(**row).undone(f"undo:{row['edit_id']}") for row in latest.to_pylist()]

    def after(self, context: Context, edits: Sequence[Edit]) -> dict[str, dict[str, Any] | None]:
        """The rows of edits as they would be after them: column → value; None: they are not there.

        Raises:
            GovernanceError: `row_not_found`: the row of a cell would not be there.
        """
        ids = list(dict.fromkeys(one.row_id for one in edits))
        own = self.edits.filter(pc.is_in(self.edits["row_id"], pa.array(ids, pa.string())))
        rows = logged(self.session, edits, self.session.edits + 1, context.clock(), {})
        changed = pa.concat_tables([own.select(EDITS.names), rows])
        require_rows(self.definition, changed, self._read(ids))
        staged = self._staged(changed)
        ids_, _, new = sides(self.definition, staged)
        return dict(zip(ids_.to_pylist(), new.struct.to_pylist(), strict=True))

    def _staged(self, edits: pa.Table) -> pa.Table:
        ids = pc.unique(edits["row_id"]).to_pylist()
        return folded(self.definition, edits, self._read(ids))

    def _read(self, ids: Sequence[str]) -> pa.Table:
        """Rows that the session began with; those that were just read are not looked up again."""
        if not self._last or not self._last[-1].ids.issuperset(ids):
            rows = self._looked_up(ids)
            self._last[:] = [_Rows(frozenset(ids), row_ids(self.definition, rows), rows)]
        last = self._last[-1]
        return last.rows.filter(pc.is_in(last.own, pa.array(ids, pa.string())))

    def _looked_up(self, ids: Sequence[str]) -> pa.Table:
        is_quick = len(ids) <= FEW_KEYS or len(self.definition.key) == 1
        if is_quick and (held := self._held) is not None:
            return held.of_ids(ids)
        return self.base.rows(keys_of(self.definition, ids))

    def _all(self, columns: Sequence[str]) -> pa.RecordBatchReader:
        return self.base.reader(columns)

    @cached_property
    def _held(self) -> HeldTable | None:
        """All rows that the session began with, where somebody looks at them."""
        place = (self.session.project, self.session.dataset)
        return self.memory.tables.known(
            (*place, self.definition.version, self.session.base_version)
        )


def _same(definition: Definition, row_id: str) -> str:
    try:
        return same_key(definition, row_id)
    except GovernanceError:
        return row_id


def _is_key(definition: Definition, row_id: str) -> bool:
    try:
        key_of(definition, row_id)
    except GovernanceError:
        return False
    return True


def keys_of(definition: Definition, ids: Sequence[str]) -> pa.Table:
    """Key columns of `row_id`s."""
    schema = pa.schema([definition.schema.field(name) for name in definition.key])
    return pa.Table.from_pylist([key_of(definition, one) for one in ids], schema)


def logged(
    session: LiveSession,
    edits: Sequence[Edit],
    first: int,
    at: datetime,
    violated: Mapping[tuple[str | None, str | None], Sequence[str]],
) -> pa.Table:
    """Edits as rows of the log."""
    said = {cell: json.dumps(rules) for cell, rules in violated.items()}
    rows = [
        {
            **vars(one),
            "session_id": session.id,
            "seq": first + place,
            "user_id": session.user,
            "ts": at,
            "validation": said.get((one.row_id, one.column), "[]"),
        }
        for place, one in enumerate(edits)
    ]
    return pa.Table.from_pylist(rows, EDITS)


def _columns_of(edits: Sequence[Edit]) -> frozenset[str] | None:
    """Columns whose cells are edited; None: all, where a row comes or goes."""
    if any(one.op != "set" for one in edits):
        return None
    return frozenset(one.column for one in edits if one.column is not None)


def _nothing(dataset: str, column: str) -> pa.RecordBatchReader:
    raise AssertionError(f"no rule about {dataset}.{column} is judged by cell")
