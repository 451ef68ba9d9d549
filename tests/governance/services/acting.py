"""What people do, in short."""

from __future__ import annotations

from itertools import count
from typing import Any

from lakeshelf.governance.domain.editing.accepting import IncomingEdit
from lakeshelf.governance.metadata.tables.requests import ChangeRequest
from lakeshelf.governance.services.changes import merging, requests, reviewing, sessions
from lakeshelf.governance.services.context import Caller, Context
from tests.governance.services.conftest import ANN, BEN, DATASET, PROJECT

_NUMBERS = count(1)
ROW = {
    "threshold_pct": 30,
    "min_qty": 1,
    "target_pct": 80,
    "near_expiry_days": 5,
    "active": True,
}


def insert(shelf: str, **cells: Any) -> IncomingEdit:
    return IncomingEdit(f"e{next(_NUMBERS)}", "insert", shelf, None, {**ROW, **cells})


def set_(shelf: str, column: str, value: Any) -> IncomingEdit:
    return IncomingEdit(f"e{next(_NUMBERS)}", "set", shelf, column, value)


def delete(shelf: str) -> IncomingEdit:
    return IncomingEdit(f"e{next(_NUMBERS)}", "delete", shelf)


def proposed(
    context: Context, caller: Caller, *edits: IncomingEdit, title: str = "x"
) -> ChangeRequest:
    """A change request under review."""
    session = sessions.open_session(context, caller, PROJECT, DATASET)
    edited = sessions.edit(context, caller, session.id, edits)
    assert not edited.refusals
    return requests.submit_session(context, caller, session.id, title=title)


def approved(context: Context, request: ChangeRequest, caller: Caller = BEN) -> ChangeRequest:
    return reviewing.approve(context, caller, PROJECT, request.number, str(request.content_hash))


def merged(context: Context, request: ChangeRequest, caller: Caller = ANN) -> ChangeRequest:
    return merging.merge(context, caller, PROJECT, request.number, str(request.content_hash))


def done(context: Context, *edits: IncomingEdit, title: str = "x") -> ChangeRequest:
    """Edits by ann that ben approved, merged."""
    return merged(context, approved(context, proposed(context, ANN, *edits, title=title)))


def rows(context: Context) -> dict[str, dict[str, Any]]:
    """Rows of the canonical table by shelf."""
    with context.metadata.reading() as tx:
        definition = tx.datasets.definition(PROJECT, DATASET)
    opened = context.table(PROJECT, DATASET, definition).opened()
    return {row["shelf_id"]: row for row in opened.reader().read_all().to_pylist()}
