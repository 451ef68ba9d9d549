"""The three-way merge: what staged rows do to the newest rows of the canonical table, cell by cell.

docs/design/governance.md#merge
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.governance.domain.definition import Column, Definition
from lakeshelf.governance.domain.requests.conflicts import (
    Decisions,
    Masks,
    MergeConflict,
    Resolution,
    Sides,
    clashes,
    decided,
)
from lakeshelf.governance.domain.rows import OrderedRows, all_of, any_of, places_of
from lakeshelf.governance.domain.staged import Cell, staged_rows
from lakeshelf.governance.domain.values import texts

HISTORY = pa.schema([(name, pa.string()) for name in ("row_id", "column", "old", "new")])
"""A cell that changed: values as JSON text; null stands for a row that was not, or is no longer, there."""


@dataclass(frozen=True)
class Merged:
    """What a merge would do.

    Attributes:
        upserts: Whole rows to write, by the columns that people decide on.
        deletes: Keys of rows to take away.
        conflicts: What is left to decide; nothing of it is in the other tables.
        overwritten: Conflicts in which the staged side wins, by resolution or force.
        counts: Rows `inserted`, `updated`, `deleted`; `cells`, `conflicts`, `overwritten`.
        outcome: The rows that it came from.
    """

    upserts: pa.Table
    deletes: pa.Table
    conflicts: tuple[MergeConflict, ...]
    overwritten: tuple[MergeConflict, ...]
    counts: Mapping[str, int]
    outcome: _Outcome = field(repr=False)

    @cached_property
    def cells(self) -> pa.Table:
        """Cells that change, as `HISTORY`; of a row that comes or goes each cell."""
        return self.outcome.cells()

    @property
    def main(self) -> OrderedRows:
        """Main's rows before it, in the order of the staged ones."""
        return self.outcome.three.main

    @cached_property
    def replaced(self) -> pa.Table:
        """Rows of main that are written anew or taken away, as they are."""
        return self.outcome.replaced()

    @cached_property
    def rebased(self) -> pa.Table:
        """Staged rows on main's rows: what this merge would do, and what is left to decide on the base it had."""
        return self.outcome.rebased()


def merge(
    definition: Definition,
    staged: pa.Table,
    main: pa.Table,
    *,
    moved: bool = False,
    resolutions: Mapping[Cell, Resolution] | None = None,
    force: bool = False,
) -> Merged:
    """Merge staged rows with main's.

    Args:
        definition: The dataset as it is now.
        staged: Staged rows (`lakeshelf.governance.domain.staged`); columns by name, some may be missing.
        main: Main's rows of the keys that are staged; columns by name, and others may be there.
        moved: Whether data of main changed since the base; counts under strictness `any_change`.
        resolutions: Conflict → which side is right; `rebase` is for the whole row.
        force: Take the staged side of every other conflict.

    Raises:
        GovernanceError: `key_invalid`: main or the staged rows have a key twice; `request_invalid`: a staged column
            is none of the definition; `state_changed`, `conflicts`: resolutions that are none.
    """
    three = Sides.of(definition, staged, main)
    masks = clashes(three, moved=moved)
    decisions = decided(three, masks, resolutions or {}, force=force)
    return _Outcome(three, masks, decisions).merged()


@dataclass(frozen=True)
class _Outcome:
    """The rows after the merge, in the order of the sides."""

    three: Sides
    masks: Masks
    decisions: Decisions
    editable: tuple[Column, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "editable", self.three.definition.editable)

    def merged(self) -> Merged:
        upserts, deletes = self._upserts(), self._deletes()
        inserted = pc.sum(self.comes).as_py() or 0
        counts = {
            "inserted": inserted,
            "updated": len(upserts) - inserted,
            "deleted": len(deletes),
            "cells": self._changed(),
            "conflicts": len(self.decisions.left),
            "overwritten": len(self.decisions.taken),
        }
        left, taken = self.decisions.left, self.decisions.taken
        return Merged(upserts, deletes, left, taken, counts, self)

    @property
    def length(self) -> int:
        return len(self.three.ids)

    def _decided(self, decision: str, column: str | None) -> pa.BooleanArray:
        return self.decisions.mask(decision, column, self.length)

    def _passes(self, column: str | None, proposed: pa.BooleanArray) -> pa.BooleanArray:
        clean = pc.and_(proposed, pc.invert(self.masks[column]))
        return pc.or_(clean, self._decided("staged", column))

    @cached_property
    def applied(self) -> Mapping[str, pa.BooleanArray]:
        """Column → rows of main that get the staged value."""
        return {
            name: self._passes(name, proposed) for name, proposed in self.three.proposed.items()
        }

    @cached_property
    def updated(self) -> pa.BooleanArray:
        return any_of(list(self.applied.values()), self.length)

    @cached_property
    def comes(self) -> pa.BooleanArray:
        three = self.three
        absent = pc.invert(three.main.present)
        proposed = self._passes(None, pc.and_(three.inserts, absent))
        return all_of(proposed, three.new.present, absent)

    @cached_property
    def goes(self) -> pa.BooleanArray:
        three = self.three
        return all_of(self._passes(None, three.deletes), three.deletes, three.main.present)

    @cached_property
    def rows(self) -> OrderedRows:
        """Main's rows after the merge, with conflicts that are left decided for main."""
        three = self.three
        values = {}
        for name, main in three.main.values.items():
            mask = pc.or_(self.comes, self.applied[name]) if name in self.applied else self.comes
            values[name] = pc.if_else(mask, three.new.values[name], main)
        present = pc.or_(self.comes, pc.and_(three.main.present, pc.invert(self.goes)))
        return OrderedRows(present, values, three.main.known)

    def _upserts(self) -> pa.Table:
        names = [column.name for column in self.three.definition.content]
        table = pa.table({name: self.rows.values[name] for name in names})
        return table.filter(pc.or_(self.comes, self.updated))

    def _deletes(self) -> pa.Table:
        main = self.three.main.values
        return pa.table({name: main[name] for name in self.three.definition.key}).filter(self.goes)

    def replaced(self) -> pa.Table:
        """As `Merged` has them."""
        main, definition = self.three.main, self.three.definition
        taken = pc.and_(main.present, pc.or_(self.updated, self.goes))
        return pa.table(dict(main.values), schema=definition.schema).filter(taken)

    def _changed(self) -> int:
        """How many cells change."""
        whole = pc.sum(pc.or_(self.comes, self.goes)).as_py() or 0
        single = sum(pc.sum(mask).as_py() or 0 for mask in self.applied.values())
        return whole * len(self.three.definition.content) + single

    def cells(self) -> pa.Table:
        """As `Merged` has them."""
        parts = []
        for column in self.three.definition.content:
            if column.name in self.applied:
                parts.append(self._changes(column, self.applied[column.name], "both"))
            parts.append(self._changes(column, self.comes, "new"))
            parts.append(self._changes(column, self.goes, "old"))
        return pa.concat_tables([HISTORY.empty_table(), *parts])

    def _changes(self, column: Column, mask: pa.BooleanArray, which: str) -> pa.Table:
        places, name = places_of(mask), column.name
        nothing = pa.nulls(len(places), pa.string())
        old, new = (
            pa.array(texts(column, side.values[name].take(places)), pa.string())
            for side in (self.three.main, self.three.new)
        )
        columns = [
            self.three.ids.take(places),
            pa.repeat(pa.scalar(name), len(places)),
            nothing if which == "new" else old,
            nothing if which == "old" else new,
        ]
        return pa.table(columns, schema=HISTORY)

    def rebased(self) -> pa.Table:
        """Staged rows with main's rows as their base, but where something is left to decide."""
        three, rows = self.three, self.rows
        as_was, begun = self._as_was(), self._begun()
        base, new = {}, {}
        for name, value in three.main.values.items():
            kept = pc.or_(as_was, pc.and_(begun, pc.invert(self._closed(name))))
            base[name] = pc.if_else(kept, three.base.values[name], value)
            new[name] = pc.if_else(kept, three.new.values[name], rows.values[name])
        known = three.main.known
        return staged_rows(
            three.definition,
            three.ids,
            OrderedRows(pc.if_else(as_was, three.base.present, three.main.present), base, known),
            OrderedRows(pc.if_else(as_was, three.new.present, rows.present), new, known),
        )

    def _begun(self) -> pa.BooleanArray:
        """Rows of which something is left to decide."""
        names = [None, *self.applied]
        return any_of([self._decided("left", name) for name in names], self.length)

    def _as_was(self) -> pa.BooleanArray:
        """Rows that are left to decide as a whole: they come, go, or have no base."""
        return pc.or_(self._decided("left", None), pc.and_(self._begun(), self.three.inserts))

    def _closed(self, name: str) -> pa.BooleanArray:
        return pc.or_(self._decided("main", name), self._decided("staged", name))
