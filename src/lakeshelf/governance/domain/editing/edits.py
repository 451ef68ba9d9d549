"""Edits of a session: the log that they are kept in, how one undoes another, and what they come to.

An edit of a cell has the JSON texts of the value before and after. An edit that makes a row or takes it away has no
column; its values are JSON objects of the cells that people edit, so that it can be undone.

docs/design/governance.md#edits
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.governance.domain.definition import Definition
from lakeshelf.governance.domain.keys import key_of
from lakeshelf.governance.domain.rows import OrderedRows, mask_of, patched
from lakeshelf.governance.domain.staged import INSERT, staged_rows
from lakeshelf.governance.domain.values import of_text
from lakeshelf.governance.errors import refused

Op = Literal["set", "insert", "delete"]
EDITS = pa.schema(
    [
        ("edit_id", pa.string()),
        ("session_id", pa.string()),
        ("seq", pa.int64()),
        ("op", pa.string()),
        ("row_id", pa.string()),
        ("column", pa.string()),
        ("old_value", pa.string()),
        ("new_value", pa.string()),
        ("user_id", pa.string()),
        ("ts", pa.timestamp("us", tz="UTC")),
        ("validation", pa.string()),
    ]
)
"""Columns of a session's log; `seq` counts its edits."""


@dataclass(frozen=True)
class Edit:
    """A change that was accepted.

    Attributes:
        edit_id: Its id, made by the client.
        op: `set` a cell, `insert` or `delete` a row.
        row_id: The row.
        column: The cell's column; None: the whole row.
        old_value: JSON text of what was there; None: no such row.
        new_value: JSON text of what is wanted; None: no such row.
    """

    edit_id: str
    op: Op
    row_id: str
    column: str | None
    old_value: str | None
    new_value: str | None

    def undone(self, edit_id: str) -> Edit:
        """The edit that takes this one back."""
        opposite: Mapping[Op, Op] = {"set": "set", "insert": "delete", "delete": "insert"}
        return replace(
            self,
            edit_id=edit_id,
            op=opposite[self.op],
            old_value=self.new_value,
            new_value=self.old_value,
        )


@dataclass
class _Row:
    """What edits say of a row: whether it is there, whether it began anew, and its cells."""

    present: bool | None = None
    anew: bool = False
    cells: dict[str, str] = field(default_factory=dict)

    def take(self, op: str, column: str | None, new: str | None) -> None:
        if column is not None:
            self.cells[column] = new or "null"
            return
        self.present, self.anew = op == INSERT, True
        self.cells = _texts(new) if op == INSERT else {}


def folded(definition: Definition, edits: pa.Table, base: pa.Table) -> pa.Table:
    """Staged rows that the edits of a session come to.

    The last edit of a cell counts; what is again as it was is no change. A cell that was set while another call took
    its row away counts for nothing, as `require_rows` tells.

    Args:
        definition: The dataset.
        edits: A session's log, in any order; `seq`, `op`, `row_id`, `column` and `new_value` are read.
        base: Rows of the edited keys, as they are in the version that the session began with.

    Raises:
        GovernanceError: `value_invalid`.
    """
    rows = _last(edits)
    ids = pa.array(list(rows), pa.string())
    before = OrderedRows.of_table(definition, base, ids)
    return staged_rows(definition, ids, before, _edited(definition, rows, before))


def _last(edits: pa.Table) -> dict[str, _Row]:
    rows: dict[str, _Row] = {}
    ordered = edits.select(["seq", "row_id", "op", "column", "new_value"]).sort_by("seq")
    names = ("row_id", "op", "column", "new_value")
    for row_id, *edit in zip(*(ordered[name].to_pylist() for name in names), strict=True):
        rows.setdefault(row_id, _Row()).take(*edit)
    return rows


def require_rows(definition: Definition, edits: pa.Table, base: pa.Table) -> None:
    """Refuse edits that set a cell of a row that is not there; they are those of `folded`.

    Raises:
        GovernanceError: `row_not_found`.
    """
    rows = _last(edits)
    before = OrderedRows.of_table(definition, base, pa.array(list(rows), pa.string()))
    for (row_id, row), present in zip(rows.items(), before.present.to_pylist(), strict=True):
        if row.cells and not (present if row.present is None else row.present):
            raise refused(
                "row_not_found",
                f"there is no row {row_id!r} to set {', '.join(row.cells)} of",
                hint="insert the row first",
                row_id=row_id,
            )


def _edited(definition: Definition, rows: Mapping[str, _Row], before: OrderedRows) -> OrderedRows:
    anew = mask_of(len(rows), [place for place, row in enumerate(rows.values()) if row.anew])
    cells = _by_column(definition, rows)
    values = {}
    for column in definition.columns:
        value = before.values[column.name]
        kept = value if column.system else pc.if_else(anew, pa.scalar(None, value.type), value)
        places, cells_by_column = cells[column.name]
        values[column.name] = patched(kept, places, cells_by_column)
    present = [
        before_ if row.present is None else row.present
        for before_, row in zip(before.present.to_pylist(), rows.values(), strict=True)
    ]
    return OrderedRows(pa.array(present, pa.bool_()), values, frozenset(values))


def _by_column(
    definition: Definition, rows: Mapping[str, _Row]
) -> dict[str, tuple[list[int], list[Any]]]:
    """Column → places and values of edited cells; an inserted row has its key among them."""
    cells_by_column: dict[str, tuple[list[int], list[Any]]] = {
        c.name: ([], []) for c in definition.columns
    }
    for place, (row_id, row) in enumerate(rows.items()):
        cells = {name: of_text(definition[name], text) for name, text in row.cells.items()}
        for name, value in ((key_of(definition, row_id) if row.present else {}) | cells).items():
            cells_by_column[name][0].append(place)
            cells_by_column[name][1].append(value)
    return cells_by_column


def _texts(row: str | None) -> dict[str, str]:
    """The JSON text of each cell of a row's JSON text."""
    cells = json.loads(row or "{}")
    return {name: json.dumps(value, ensure_ascii=False) for name, value in cells.items()}
