"""Step 4 of the protocol: what the tables of the jobs become."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic

import pyarrow as pa

from lakeshelf.contracts import CATALOG, Table
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.lake.form.commits import Commit, Txn
from lakeshelf.streams.commit.committers.base import Rows
from lakeshelf.streams.commit.sink import Sink
from lakeshelf.streams.declare import intake, sql
from lakeshelf.streams.declare.job import (
    RELATION,
    TOUCHED,
    DecisionView,
    Emission,
    Fold,
    Latest,
    Objection,
    Update,
    View,
    contract,
    relation,
    relations,
    tables_by_relation,
)
from lakeshelf.telemetry import metrics

REFUSALS = "refusals"
"""Name under which what jobs refuse is measured."""
BATCH_TIME = "batch_time"
STAMP = f"CAST({{{BATCH_TIME}}} AS TIMESTAMP)"
"""Without its type, an engine would plan the statement again for each time that it is given."""


@dataclass(frozen=True)
class TableChange(Generic[Rows]):
    """What an update did.

    Attributes:
        update: Which one.
        rows: Rows to publish.
        removed: Rows whose keys are to be published as removed; None when the update never removes.
        commit: The commit, skipped when the batch is a repeat.
        events: Emission → events to send.
        nothing: Whether it is known that no row changed.
    """

    update: Update
    rows: Rows
    removed: Rows | None
    commit: Future[Commit] | None
    events: tuple[tuple[Emission, Rows], ...] = ()
    nothing: bool = False


class Updater(Generic[Rows]):
    """Applies the updates of one batch.

    Args:
        sink: Holds and commits rows.
        relations: Topic → its new rows; updates add the keys that they touch.
        active: Topics that have records in the batch.
        time: Time of the batch, for `updated_at`: that of its data, so that a repeat gives the same rows.
        txn: Identity of the write to a table.
        decides: Whether decisions may be made.
        query: Name of the query, for its metrics; empty: nothing is measured.
    """

    def __init__(
        self,
        sink: Sink[Rows],
        relations: Mapping[str, Rows],
        active: frozenset[str],
        time: datetime,
        txn: Callable[[str], Txn],
        *,
        decides: bool = False,
        query: str = "",
    ) -> None:
        self._sink = sink
        self._relations = dict(relations)
        self._active = set(active)
        self._time = time
        self._txn = txn
        self._decides = decides
        self._name = query
        self._seconds = 0.0

    def apply(self, update: Update) -> TableChange[Rows] | None:
        """Commit one update; None when the batch does not concern it."""
        change = self._applied(update)
        self._measure(update.table)
        return change

    def refused(self, objection: Objection) -> Rows | None:
        """What an objection refuses, behind all updates; None when the batch has no record of its topic."""
        rows = self._query(objection.sql) if objection.topic in self._active else None
        self._measure(REFUSALS)
        return rows

    def _applied(self, update: Update) -> TableChange[Rows] | None:
        if isinstance(update, DecisionView):
            return self._decide(update)
        if not self._concerned(update):
            return None
        if not isinstance(update, View) and not self._touch(update):
            return None
        change = self._hand_on(update)
        return None if change.nothing else change

    def _decide(self, update: DecisionView) -> TableChange[Rows] | None:
        """A decision that stands is told again, even if it could not be made now."""
        stands = self._sink.is_committed(update.table, self._txn(update.table))
        if not stands and not (self._decides and self._concerned(update) and self._scope(update)):
            return None
        change = self._hand_on(update)
        if change.nothing:
            return None
        events = ((e, self._query(e.sql, changed=change.rows)) for e in update.emits)
        return replace(change, events=tuple(events))

    def _scope(self, update: DecisionView) -> bool:
        """Whether there is anything that the decision is about."""
        scope = update.scope
        if scope is None:
            return True
        if scope.name not in self._relations:
            keys = self._frozen(self._query(scope.keys))
            if self._sink.is_empty(keys) or scope.sql is None:
                self._relations[scope.name] = keys
            else:
                rows = self._query(scope.sql, keys=keys)
                self._relations[scope.name] = self._frozen(rows)
        return not self._sink.is_empty(self._relations[scope.name])

    def _hand_on(self, update: Update) -> TableChange[Rows]:
        """Make the change, and let later updates know of it if it is one."""
        change = self._change(update)
        if change.nothing:
            return change
        self._active |= {relation(update.table), TOUCHED + relation(update.table)}
        if update.topic is not None:
            self._relations[update.topic] = self._messages(change)
            self._active.add(update.topic)
        return change

    def _change(self, update: Update) -> TableChange[Rows]:
        if self._sink.is_committed(update.table, self._txn(update.table)):
            return self._repeated(update)
        changed = self._frozen(self._changed(update))
        if self._sink.is_empty(changed):
            return TableChange(update, changed, None, None, nothing=True)
        commit = self._sink.upsert(update.table, changed, self._txn(update.table))
        return TableChange(update, *self._split(update, changed), commit)

    def _messages(self, change: TableChange[Rows]) -> Rows:
        """What the change publishes, in the shape in which a later update reads the topic."""
        kept = sql.as_messages(contract(change.update), "changed", deleted=False)
        if change.removed is None:
            return self._sink.query(kept, changed=change.rows)
        text = (
            f"{kept} UNION ALL {sql.as_messages(contract(change.update), 'removed', deleted=True)}"
        )
        return self._sink.query(text, changed=change.rows, removed=change.removed)

    def _concerned(self, update: Update) -> bool:
        return not self._active.isdisjoint(relations(update))

    def _touch(self, update: Fold | Latest) -> bool:
        keys = self._frozen(self._query(sql.touched_keys(update)))
        self._relations[TOUCHED + relation(update.table)] = keys
        return self._sink.count(keys) > 0

    def _candidates(self, update: Update) -> str:
        text = sql.substitute(sql.rows(update), touched=TOUCHED + relation(update.table))
        return f"SELECT candidate.*, {STAMP} AS updated_at FROM ({text}) AS candidate"

    def _changed(self, update: Update) -> Rows:
        candidates = self._candidates(update)
        if isinstance(update, Fold):
            return self._query(candidates, update.table)
        names = [column.name for column in contract(update).columns]
        text = sql.changed_rows(
            contract(update), [*names, sql.REMOVED] if _removes(update) else names
        )
        return self._query(text.replace("{candidates}", f"({candidates})"), update.table)

    def _repeated(self, update: Update) -> TableChange[Rows]:
        """After a skip, what is published is read from the table."""
        if isinstance(update, DecisionView):
            text = f"SELECT * FROM {{current}} WHERE updated_at = {STAMP}"
            return TableChange(update, self._query(text, update.table), None, None)
        current = self._sink.table(update.table)
        touched = (
            self._query(self._candidates(update), update.table)
            if isinstance(update, View)
            else self._touched(update)
        )
        rows = self._sink.query(
            sql.present_rows(contract(update)), current=current, touched=touched
        )
        removed = None
        if _removes(update):
            removed = self._sink.query(
                sql.vanished_keys(contract(update)), current=current, candidates=touched
            )
        return TableChange(update, rows, removed, None)

    def _split(self, update: Update, changed: Rows) -> tuple[Rows, Rows | None]:
        if not _removes(update):
            return changed, None
        removed, kept = self._sink.parted(changed, sql.REMOVED)
        return kept, removed

    def _touched(self, update: Update) -> Rows:
        return self._relations[TOUCHED + relation(update.table)]

    def _query(self, text: str, table: str = "", **inputs: Rows) -> Rows:
        names = frozenset(RELATION.findall(text)) - inputs.keys()
        with self._timed():
            relations = {name: self._resolve(name, table) for name in names}
            return self._sink.query(text, **relations, **inputs)

    def _frozen(self, rows: Rows) -> Rows:
        with self._timed():
            return self._sink.freeze(rows)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        """Engines that compute late do so when rows are frozen."""
        began = clock.perf_counter()
        yield
        self._seconds += clock.perf_counter() - began

    def _measure(self, statement: str) -> None:
        """Tell what has been computed since the last time, as that of one statement."""
        if self._name and self._seconds:
            metrics.STATEMENT_DURATION.take(self._seconds, query=self._name, statement=statement)
        self._seconds = 0.0

    def _resolve(self, name: str, table: str) -> Rows | datetime:
        if name == BATCH_TIME:
            return self._time
        if name in self._relations:
            return self._relations[name]
        if name == "current":
            return self._sink.table(table)
        if name.startswith(TOUCHED):
            return self._sink.from_arrow(_no_keys(tables_by_relation()[name.removeprefix(TOUCHED)]))
        if name in CATALOG.topics:
            return self._sink.from_arrow(intake.schema(CATALOG.topics[name]).empty_table())
        return self._sink.table(tables_by_relation()[name].name)


def _removes(update: Update) -> bool:
    return isinstance(update, View) and update.removes


def _no_keys(table: Table) -> pa.Table:
    return arrow_contract.schema(table.column(key) for key in table.key).empty_table()
