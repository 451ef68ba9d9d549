"""What follows a merge, each once: cells for the history, artefacts, and the end of what the request needed."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from lakeshelf import crash
from lakeshelf.governance.domain.requests.lifecycle import step
from lakeshelf.governance.metadata.opening import Transaction
from lakeshelf.governance.metadata.tables.requests import ChangeRequest
from lakeshelf.governance.services.changes.approving import approvers
from lakeshelf.governance.services.context import Caller, Context, record
from lakeshelf.governance.storage.files import read_json, write_json
from lakeshelf.governance.storage.logs import CELLS, Log

SERVICE = Caller("")
"""The service itself."""


def clean_up(context: Context, request: ChangeRequest) -> ChangeRequest:
    """Step 7 of a merge; done again after a crash, it changes nothing that was done.

    Raises:
        GovernanceError: `state_changed`: somebody else has done it.
    """
    folder = context.folder(request.project, request.dataset)
    artefacts = folder.request(request.number, request.revision)
    plan = read_json(context.root, f"{artefacts}/diff.json")
    with context.metadata.reading() as tx:
        given_by = approvers(tx, request)
        write_json(context.root, f"{artefacts}/metadata.json", _summary(tx, request))
    cells = _cells(request, plan, given_by)
    log = Log(context.root, folder.cells, CELLS)
    log.append(cells, (app_id(request), request.revision))
    crash.point("merge_after_cells")
    Log(context.root, folder.staging(request.number), CELLS).remove()
    now = context.clock()
    with context.metadata.transaction() as tx:
        status = step(request.status, "clean_up", {})
        closed = tx.requests.advance(request, at=now, status=status)
        record(tx, SERVICE, "cr.closed", now, **place(request))
    return closed


def app_id(request: ChangeRequest) -> str:
    """Application id of the commits of a change request; its revision is the version.

    A database that is put back from an older copy gives numbers again that the tables know already: when the
    request was begun tells them apart.
    """
    return f"cr:{request.number}:{request.created_at:%Y%m%dT%H%M%S.%fZ}"


def place(request: ChangeRequest) -> dict[str, Any]:
    """Where an act on a change request is."""
    return {"project": request.project, "dataset": request.dataset, "request": request.number}


def _cells(request: ChangeRequest, plan: dict[str, Any], approvers_: list[str]) -> pa.Table:
    same = {
        "version": request.merged_version,
        "kind": request.kind,
        "change_request": request.number,
        "actor": request.submitted_by,
        "approvers": approvers_,
        "committed_at": request.merged_at,
        "reason": request.title,
    }
    rows = [
        {**same, "row_id": row_id, "column": column, "op": _op(old, new)}
        | {"old_value": old, "new_value": new}
        for row_id, column, old, new in plan["cells"]
    ]
    return pa.Table.from_pylist(rows, CELLS)


def _op(old: str | None, new: str | None) -> str:
    if old is None:
        return "insert"
    return "delete" if new is None else "set"


def _summary(tx: Transaction, request: ChangeRequest) -> dict[str, Any]:
    """All that was said of a change request, for who has nothing but its folder."""
    place = (request.project, request.number)
    summary = {
        "request": vars(request),
        "revisions": [vars(one) for one in tx.requests.revisions(*place)],
        "authors": sorted(tx.requests.authors(*place)),
        "reviews": [vars(one) for one in tx.reviews.all(*place)],
        "comments": [vars(one) for one in tx.reviews.comments(*place)],
        "resolutions": [vars(one) for one in tx.requests.resolutions(*place)],
    }
    plain: dict[str, Any] = json.loads(json.dumps(summary, default=str))
    return plain
