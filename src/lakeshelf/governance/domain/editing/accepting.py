"""What an incoming edit has to be to enter a session; a refusal names its cell.

docs/design/governance.md#edits
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lakeshelf.governance.domain.definition import Column, Definition
from lakeshelf.governance.domain.editing.edits import Edit
from lakeshelf.governance.domain.keys import key_of, row_id
from lakeshelf.governance.domain.values import read, shown, text_of
from lakeshelf.governance.errors import GovernanceError, refused

Row = Mapping[str, Any]
NEW = re.compile(r"new:[0-9]{1,9}")
"""How a client names a row whose key the server is to make."""
_SHOWN = 80


@dataclass(frozen=True)
class IncomingEdit:
    """An edit as a client sends it.

    Attributes:
        edit_id: Its id, made by the client.
        op: `set`, `insert` or `delete`.
        row_id: The row; `new:<n>` for an insert whose key the server makes, and for what follows it.
        column: Column of the cell; None where the row comes or goes.
        value: JSON value of the cell; of an insert an object of cells, or None.
    """

    edit_id: str
    op: str
    row_id: str
    column: str | None = None
    value: Any = None


@dataclass(frozen=True)
class EditRefusal:
    """Why an edit was not accepted, with the cell that it is about."""

    edit_id: str
    row_id: str
    column: str | None
    error: GovernanceError


@dataclass
class Accepted:
    """What became of edits that came together.

    Attributes:
        edits: Those that were accepted, in their order.
        refusals: One for each of the others.
        made: `new:<n>` → key that was made.
        rows: `row_id` → row after the edits, column → value; None: it is not there.
    """

    edits: list[Edit] = field(default_factory=list)
    refusals: list[EditRefusal] = field(default_factory=list)
    made: dict[str, str] = field(default_factory=dict)
    rows: dict[str, dict[str, Any] | None] = field(default_factory=dict)


def accept(
    definition: Definition,
    incoming: Iterable[IncomingEdit],
    rows: Mapping[str, Row | None],
    make_key: Callable[[], str],
    made: Mapping[str, str] | None = None,
) -> Accepted:
    """Take the edits that can be taken, one after the other; a later one sees what an earlier one did.

    Args:
        definition: The dataset.
        incoming: Edits in their order.
        rows: Rows that they name, as the session sees them: column → value; None: deleted in it. A row that is left
            out is not there.
        make_key: Makes the key of an inserted row where the server makes them.
        made: Keys that were made for `new:<n>` of this session before.

    Returns:
        What was accepted and what was refused: `request_invalid` (no such column, or a read-only one),
        `key_invalid`, `value_invalid`, `row_not_found`, `deletes_not_allowed`.
    """
    desk = _Desk(definition, make_key, Accepted(made=dict(made or {})))
    desk.answer.rows.update({key: None if row is None else dict(row) for key, row in rows.items()})
    for edit in incoming:
        try:
            desk.answer.edits.append(desk.take(edit))
        except GovernanceError as error:
            column = error.details.get("column", edit.column)
            refusal = EditRefusal(edit.edit_id, edit.row_id, column, error)
            desk.answer.refusals.append(refusal)
    return desk.answer


@dataclass(frozen=True)
class _Desk:
    definition: Definition
    make_key: Callable[[], str]
    answer: Accepted

    def take(self, edit: IncomingEdit) -> Edit:
        taken: Mapping[str, Callable[[IncomingEdit], Edit]] = {
            "set": self._set,
            "insert": self._insert,
            "delete": self._delete,
        }
        if edit.op not in taken:
            raise refused(
                "request_invalid",
                f"no edit {str(edit.op)[:_SHOWN]!r}",
                hint=f"there are {', '.join(taken)}",
            )
        return taken[edit.op](edit)

    def _set(self, edit: IncomingEdit) -> Edit:
        column = self._column(edit.column)
        key, row = self._row(edit.row_id)
        old, value = text_of(column, row[column.name]), read(column, edit.value)
        row[column.name] = value
        return Edit(edit.edit_id, "set", key, column.name, old, text_of(column, value))

    def _insert(self, edit: IncomingEdit) -> Edit:
        cells_by_name = {} if edit.value is None else edit.value
        if not isinstance(cells_by_name, Mapping) or edit.column is not None:
            raise refused(
                "request_invalid", "an insert is about a row", hint="give an object of its cells"
            )
        cells = self._cells(cells_by_name)
        key = self._new_key(edit.row_id, cells_by_name)
        row = {column.name: None for column in self.definition.columns}
        row |= key_of(self.definition, key) | cells
        self.answer.rows[key] = row
        if NEW.fullmatch(edit.row_id) and self.definition.made_keys:
            self.answer.made[edit.row_id] = key
        return Edit(edit.edit_id, "insert", key, None, None, self._text(row))

    def _delete(self, edit: IncomingEdit) -> Edit:
        if not self.definition.deletes:
            raise refused(
                "deletes_not_allowed",
                f"rows of this dataset are not deleted: {edit.row_id[:_SHOWN]!r}",
                hint="ask an owner for a definition that allows it",
                row_id=edit.row_id,
            )
        key, row = self._row(edit.row_id)
        self.answer.rows[key] = None
        return Edit(edit.edit_id, "delete", key, None, self._text(row), None)

    def _cells(self, cells_by_name: Mapping[str, Any]) -> dict[str, Any]:
        """The values of the cells of an insert; those of its key are looked at with the key."""
        names = [name for name in cells_by_name if name not in self.definition.key]
        return {name: read(self._column(name), cells_by_name[name]) for name in names}

    def _column(self, name: str | None) -> Column:
        column = self.definition[str(name)]
        if name in self.definition.key:
            raise refused(
                "key_invalid",
                f"{name} is the key, which does not change",
                hint="delete the row and insert another",
                column=name,
            )
        if column.system:
            raise refused(
                "request_invalid",
                f"{name} is written by the merge",
                hint="leave it as it is",
                column=name,
            )
        return column

    def _row(self, named: str) -> tuple[str, dict[str, Any]]:
        key = self._known_key(named)
        row = self.answer.rows.get(key)
        if row is None:
            raise refused(
                "row_not_found",
                f"there is no row {named[:_SHOWN]!r}",
                hint="insert it first",
                row_id=named,
            )
        return key, row

    def _known_key(self, named: str) -> str:
        key = self.answer.made.get(named, named)
        if key in self.answer.rows:
            return key
        return row_id(self.definition, key_of(self.definition, key))

    def _new_key(self, named: str, cells_by_name: Mapping[str, Any]) -> str:
        key = self._made_key(named) if self.definition.made_keys else self._known_key(named)
        self._require_same(key, cells_by_name)
        if self.answer.rows.get(key) is not None:
            raise refused(
                "key_invalid",
                f"there is a row {key[:_SHOWN]!r}",
                hint="change its cells, or insert another key",
                row_id=key,
            )
        return key

    def _made_key(self, named: str) -> str:
        """A new key; a row that the session deleted comes back by the key that it had."""
        if named in self.answer.rows:
            return named
        if not NEW.fullmatch(named) or named in self.answer.made:
            raise refused(
                "key_invalid",
                f"{named[:_SHOWN]!r} cannot be the key of a new row",
                hint="name it new:1, new:2 and so on; its key is made by the server",
                row_id=named,
            )
        return self.make_key()

    def _require_same(self, key: str, cells_by_name: Mapping[str, Any]) -> None:
        for name, value in key_of(self.definition, key).items():
            column = self.definition[name]
            if name in cells_by_name and read(column, cells_by_name[name]) != value:
                raise refused(
                    "key_invalid",
                    f"{name} is not that of the row {key[:_SHOWN]!r}",
                    hint="leave it out, or give the same",
                    column=name,
                )

    def _text(self, row: Row) -> str:
        cells = {c.name: shown(c, row[c.name]) for c in self.definition.editable}
        return json.dumps(cells, ensure_ascii=False)
