"""The merge as it is told in words: one row after the other, one cell after the other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any] | None
Cell = tuple[str, str | None]


def equal(left: Any, right: Any) -> bool:
    """Whether two values of a column are the same: NaN equals NaN, and null only null."""
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left):
        return math.isnan(right)
    return bool(left == right)


@dataclass
class Result:
    """Rows after the merge, what is left to decide with its kind, and cells that changed."""

    rows: dict[str, Row] = field(default_factory=dict)
    conflicts: dict[Cell, str] = field(default_factory=dict)
    cells: dict[Cell, tuple[Any, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """How rows are merged.

    Attributes:
        columns: Columns that people edit.
        known: Those that the staged rows have.
        strictness: As of the definition.
        moved: Whether main changed.
        resolutions: Cell → the side that wins.
        force: Whether the staged side wins everything else.
    """

    columns: tuple[str, ...]
    known: frozenset[str]
    strictness: str = "cell"
    moved: bool = False
    resolutions: Mapping[Cell, str] = field(default_factory=dict)
    force: bool = False

    def merge(self, staged: Mapping[str, tuple[Row, Row]], main: Mapping[str, Row]) -> Result:
        result = Result()
        for row_id, (base, new) in staged.items():
            self._row(result, row_id, base, main.get(row_id), new)
        return result

    def _row(self, result: Result, row_id: str, base: Row, main: Row, new: Row) -> None:
        result.rows[row_id] = main
        if main is not None and new is not None:
            merged = dict(main)
            for column in self.columns:
                self._cell(result, row_id, column, base, main, merged, new)
            result.rows[row_id] = merged
            return
        if main is None and new is None:
            return
        kind = self._row_kind(base, main, new)
        if kind is None or self._wins(result, (row_id, None), kind):
            result.rows[row_id] = new
            for column, old, value in self._both(main, new):
                result.cells[row_id, column] = (old, value)

    def _row_kind(self, base: Row, main: Row, new: Row) -> str | None:
        if base is not None and main is None:
            return "edit_delete"
        if base is not None and main is not None and self._row_moved(base, main):
            return "edit_delete"
        return "any_change" if self.strictness == "any_change" and self.moved else None

    def _row_moved(self, base: dict[str, Any], main: dict[str, Any]) -> bool:
        return any(not equal(base[c], main[c]) for c in self.columns)

    def _cell(
        self, result: Result, row_id: str, column: str, base: Row, main: Any, merged: Any, new: Any
    ) -> None:
        if column not in self.known:
            return
        if base is not None and equal(base[column], new[column]):
            return
        if equal(main[column], new[column]):
            return
        kind = self._cell_kind(column, base, main)
        if kind is None or self._wins(result, (row_id, column), kind):
            result.cells[row_id, column] = (main[column], new[column])
            merged[column] = new[column]

    def _cell_kind(self, column: str, base: Row, main: Any) -> str | None:
        if base is None:
            return "insert"
        if not equal(base[column], main[column]):
            return "cell"
        if self.strictness == "row" and self._row_moved(base, main):
            return "row"
        return "any_change" if self.strictness == "any_change" and self.moved else None

    def _wins(self, result: Result, cell: Cell, kind: str) -> bool:
        choice = self.resolutions.get(cell)
        if choice is None and "rebase" in [
            c for (row, _), c in self.resolutions.items() if row == cell[0]
        ]:
            choice = "rebase"
        if choice is None and not self.force:
            result.conflicts[cell] = kind
        return choice in ("staged", "rebase") or (choice is None and self.force)

    def _both(self, main: Row, new: Row) -> Iterator[tuple[str, Any, Any]]:
        for column in ("key", *self.columns):
            yield column, (main or {}).get(column), (new or {}).get(column)
