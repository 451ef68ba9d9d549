"""Where main and staged rows want different things, and who of the two is right.

docs/design/governance.md#conflicts
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.governance.domain.definition import Column, Definition, Strictness
from lakeshelf.governance.domain.rows import (
    OrderedRows,
    all_of,
    any_of,
    mask_of,
    nowhere,
    places_of,
)
from lakeshelf.governance.domain.staged import Cell, sides
from lakeshelf.governance.domain.values import same, shown
from lakeshelf.governance.errors import refused

Kind = Literal["cell", "edit_delete", "insert", "row", "any_change"]
Resolution = Literal["main", "staged", "rebase"]
"""Keep what main has; take what is staged; the same as the latter, for a whole row put on main's."""


@dataclass(frozen=True)
class MergeConflict:
    """What main and a change request want otherwise.

    Attributes:
        row_id: The row.
        column: The column; None: the whole row.
        base: The value that the author saw, as JSON; of a row its cells in question; None too: no such row.
        main: The value that main has now.
        staged: The value that is wanted.
        kind: Both changed the cell; one changed and one deleted the row; both inserted it; main changed something
            else in the row (strictness `row`); main changed at all (`any_change`).
    """

    row_id: str
    column: str | None
    base: Any
    main: Any
    staged: Any
    kind: Kind

    def as_json(self) -> dict[str, Any]:
        """The record as JSON."""
        return dict(vars(self))


@dataclass(frozen=True)
class Sides:
    """The three tables of a merge in one order of rows.

    Attributes:
        definition: The dataset as it is now.
        ids: `row_id` of each row.
        base: The rows as the author saw them.
        new: The rows as they are wanted.
        main: The rows as main has them.
    """

    definition: Definition
    ids: pa.StringArray
    base: OrderedRows
    new: OrderedRows
    main: OrderedRows

    @classmethod
    def of(cls, definition: Definition, staged: pa.Table, main: pa.Table) -> Sides:
        """The sides of staged rows and main's rows of the same keys; main may have others too."""
        ids, base, new = sides(definition, staged)
        return cls(definition, ids, base, new, OrderedRows.of_table(definition, main, ids))

    @property
    def named(self) -> tuple[OrderedRows, OrderedRows, OrderedRows]:
        """Base, main and staged, as a conflict names them."""
        return self.base, self.main, self.new

    @cached_property
    def inserts(self) -> pa.BooleanArray:
        """Rows that are staged as new."""
        return all_of(self.new.present, pc.invert(self.base.present))

    @cached_property
    def deletes(self) -> pa.BooleanArray:
        """Rows that are staged as deleted."""
        return pc.invert(self.new.present)

    @cached_property
    def moved(self) -> Mapping[str, pa.BooleanArray]:
        """Column → where main has another value than the author saw, or the row came or went."""
        return {c.name: self._differ(self.main, self.base, c) for c in self.definition.editable}

    @cached_property
    def edited(self) -> Mapping[str, pa.BooleanArray]:
        """Column → where another value is staged than the author saw, or the row comes or goes."""
        return {c.name: self._differ(self.new, self.base, c) for c in self.definition.editable}

    @cached_property
    def row_moved(self) -> pa.BooleanArray:
        """Where main has another row than the author saw."""
        return any_of(list(self.moved.values()), len(self.ids))

    @cached_property
    def proposed(self) -> Mapping[str, pa.BooleanArray]:
        """Column → where a value is staged that the row in main does not have."""
        return {column.name: self._proposed(column) for column in self.definition.editable}

    def _proposed(self, column: Column) -> pa.BooleanArray:
        if column.name not in self.new.known:
            return nowhere(len(self.ids))
        staged = pc.or_(self.inserts, self.edited[column.name])
        both = pc.and_(self.main.present, self.new.present)
        return all_of(both, staged, self._differ(self.new, self.main, column))

    def _differ(self, left: OrderedRows, right: OrderedRows, column: Column) -> pa.BooleanArray:
        return pc.invert(same(left.values[column.name], right.values[column.name]))


Masks = Mapping[str | None, pa.BooleanArray]
"""Column → rows; None → rows as a whole."""


def clashes(three: Sides, *, moved: bool) -> Masks:
    """Where the sides want different things.

    Args:
        three: The sides.
        moved: Whether main changed at all since the base.
    """
    strict = three.definition.strictness
    whole = pa.scalar(strict == "any_change" and moved)
    reach = pc.or_(three.row_moved, whole) if strict == "row" else whole
    masks: dict[str | None, pa.BooleanArray] = {
        name: pc.and_(proposed, pc.or_(pc.or_(three.inserts, three.moved[name]), reach))
        for name, proposed in three.proposed.items()
    }
    return masks | {None: pc.or_(_edit_delete(three), pc.and_(_row_changes(three), whole))}


def _edit_delete(three: Sides) -> pa.BooleanArray:
    gone = all_of(three.base.present, three.new.present, pc.invert(three.main.present))
    return pc.or_(gone, all_of(three.deletes, three.main.present, three.row_moved))


def _row_changes(three: Sides) -> pa.BooleanArray:
    """Rows that would come or go."""
    comes = pc.and_(three.inserts, pc.invert(three.main.present))
    return pc.or_(comes, pc.and_(three.deletes, three.main.present))


@dataclass(frozen=True)
class Decisions:
    """What is decided of conflicts.

    Attributes:
        left: Conflicts that nobody decided.
        taken: Those where the staged side wins.
        places: Decision → column → places of rows.
    """

    left: tuple[MergeConflict, ...]
    taken: tuple[MergeConflict, ...]
    places: Mapping[str, Mapping[str | None, list[int]]] = field(repr=False)

    def mask(self, decision: str, column: str | None, length: int) -> pa.BooleanArray:
        """Where a column was decided so: `left`, `main` or `staged`."""
        return mask_of(length, self.places[decision].get(column, []))


def decided(
    three: Sides, masks: Masks, resolutions: Mapping[Cell, Resolution], *, force: bool
) -> Decisions:
    """Which side wins each conflict.

    What is decided of a row as a whole holds for each of its conflicts that is not decided by itself.

    Raises:
        GovernanceError: `state_changed`: what is resolved is no conflict; `conflicts`: only some are resolved of a
            row that both sides inserted, of a row (strictness `row`), or of the request (`any_change`).
    """
    left: list[MergeConflict] = []
    taken: list[MergeConflict] = []
    places: dict[str, dict[str | None, list[int]]] = {"left": {}, "main": {}, "staged": {}}
    rest, whole = set(resolutions), _rebased(resolutions)
    for place, conflict in _conflicts(three, masks):
        cell, row = (conflict.row_id, conflict.column), (conflict.row_id, None)
        rest -= {cell, row}
        of_row = "rebase" if conflict.row_id in whole else resolutions.get(row)
        decision = _decision(resolutions.get(cell, of_row), force=force)
        places[decision].setdefault(conflict.column, []).append(place)
        if decision != "main":
            (left if decision == "left" else taken).append(conflict)
    _require_conflicts(rest)
    _require_whole_units(three, left, resolutions)
    return Decisions(tuple(left), tuple(taken), places)


def _rebased(resolutions: Mapping[Cell, Resolution]) -> set[str]:
    return {row for (row, _), choice in resolutions.items() if choice == "rebase"}


def _decision(choice: Resolution | None, *, force: bool) -> str:
    if choice is None:
        return "staged" if force else "left"
    return "main" if choice == "main" else "staged"


def _require_conflicts(rest: set[Cell]) -> None:
    if rest:
        row, column = min(rest, key=str)
        raise refused(
            "state_changed",
            f"{row}{'.' + column if column else ''} is no conflict",
            hint="look at the conflicts that there are now",
            cells=[{"row_id": row, "column": column} for row, column in sorted(rest, key=str)],
        )


def _require_whole_units(
    three: Sides, left: list[MergeConflict], resolutions: Mapping[Cell, Resolution]
) -> None:
    """What conflicts as a whole is decided as a whole: it has one base."""
    strict = three.definition.strictness
    begun = {_unit(strict, row) for row, _ in resolutions}
    for conflict in left:
        whole = strict != "cell" or conflict.kind == "insert"
        if whole and _unit(strict, conflict.row_id) in begun:
            raise refused(
                "conflicts",
                f"{conflict.row_id}{'.' + conflict.column if conflict.column else ''} is left open",
                hint="resolve all conflicts of the "
                + ("request together" if strict == "any_change" else "row together"),
                conflicts=[conflict.as_json()],
            )


def _unit(strict: Strictness, row_id: str) -> str:
    return "" if strict == "any_change" else row_id


def _conflicts(three: Sides, masks: Masks) -> list[tuple[int, MergeConflict]]:
    """Place of the row and conflict, in the order of the rows and of their columns."""
    conflicts = []
    for column in three.definition.editable:
        conflicts += _of_column(three, column, masks[column.name])
    return sorted(conflicts + _of_rows(three, masks[None]), key=itemgetter(0))


def _of_column(
    three: Sides, column: Column, mask: pa.BooleanArray
) -> list[tuple[int, MergeConflict]]:
    places = places_of(mask)
    if not len(places):
        return []
    strict = three.definition.strictness
    kinds = pc.if_else(pc.take(three.moved[column.name], places), "cell", strict)
    kinds = pc.if_else(pc.take(three.inserts, places), "insert", kinds)
    values = [
        [shown(column, value) for value in side.values[column.name].take(places).to_pylist()]
        for side in three.named
    ]
    ids = three.ids.take(places).to_pylist()
    rows = zip(places.to_pylist(), ids, *values, kinds.to_pylist(), strict=True)
    return [(place, MergeConflict(row, column.name, *rest)) for place, row, *rest in rows]


def _of_rows(three: Sides, mask: pa.BooleanArray) -> list[tuple[int, MergeConflict]]:
    places = places_of(mask)
    if not len(places):
        return []
    kinds = pc.if_else(_edit_delete(three).take(places), "edit_delete", "any_change")
    changed = _changed(three, places)
    records = [_records(three, side, places, changed) for side in three.named]
    ids = three.ids.take(places).to_pylist()
    rows = zip(places.to_pylist(), ids, *records, kinds.to_pylist(), strict=True)
    return [(place, MergeConflict(row, None, *rest)) for place, row, *rest in rows]


def _changed(three: Sides, places: pa.Array) -> list[list[bool]]:
    """By column: whether main's row, or the staged one where main has none, has another value than the base."""
    return [
        pc.if_else(three.main.present, three.moved[name], three.edited[name])
        .take(places)
        .to_pylist()
        for name in three.moved
    ]


def _records(
    three: Sides, side: OrderedRows, places: pa.Array, changed: list[list[bool]]
) -> list[dict[str, Any] | None]:
    """Of each row the cells that changed; None: it is not there."""
    present = side.present.take(places).to_pylist()
    records: list[dict[str, Any] | None] = [{} if here else None for here in present]
    for column, flags in zip(three.definition.editable, changed, strict=True):
        values = side.values[column.name].take(places).to_pylist()
        for record, flag, value in zip(records, flags, values, strict=True):
            if record is not None and flag:
                record[column.name] = shown(column, value)
    return records
