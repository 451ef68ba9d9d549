"""Conflicts of a change request, settled item by item; and a change request taken up again by an author."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa

from lakeshelf.governance.domain.definition import Definition
from lakeshelf.governance.domain.editing.edits import EDITS, Edit
from lakeshelf.governance.domain.requests.conflicts import Resolution
from lakeshelf.governance.domain.requests.lifecycle import step
from lakeshelf.governance.domain.staged import DELETE, INSERT, Cell, schema
from lakeshelf.governance.domain.values import shown
from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata.opening import Transaction
from lakeshelf.governance.metadata.tables.datasets import LiveSession
from lakeshelf.governance.metadata.tables.requests import ChangeRequest
from lakeshelf.governance.services.access import require_right
from lakeshelf.governance.services.changes import proposals
from lakeshelf.governance.services.changes.desks import logged
from lakeshelf.governance.services.changes.finishing import place
from lakeshelf.governance.services.changes.outside import require_divisible, without_kept
from lakeshelf.governance.services.changes.proposals import Proposal
from lakeshelf.governance.services.changes.requests import compared, mark, next_revision
from lakeshelf.governance.services.context import Caller, Context, record
from lakeshelf.governance.services.datasets import table_of
from lakeshelf.governance.storage.logs import Log


def resolve(
    context: Context,
    caller: Caller,
    project: str,
    number: int,
    content_hash: str,
    resolutions: Mapping[Cell, Resolution],
) -> ChangeRequest:
    """Settle conflicts: the content on main's newest rows is the next revision, which is approved again.

    Who settles one becomes an author. What is left open conflicts on.

    Raises:
        GovernanceError: `not_found`, `forbidden`, `content_changed`; `state_changed`: one of them is no conflict;
            `conflicts`: only some of what is settled together; `nothing_changed`: nothing would be left.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "edit")
        request = tx.requests.get(project, number)
        step(request.status, "change_content", {"revision_current": True})
        _require_seen(request, content_hash)
        proposal = proposals.load(context, tx, request)
        known = proposals.as_known(proposal.definition, resolutions)
        resolutions = dict(zip(known, resolutions.values(), strict=True))
        proposal = replace(proposal, resolutions=resolutions)
        opened = table_of(context, tx, project, request.dataset).opened()
    merged = proposal.merged(opened)
    is_outside = request.kind == proposals.OUTSIDE
    rebased = without_kept(proposal) if is_outside else merged.rebased
    if not rebased.num_rows and not is_outside:
        raise refused(
            "nothing_changed", f"nothing of CR {number} would be left", hint="withdraw it"
        )
    merged = compared(proposal.definition, rebased, opened, opened.version)
    clashes = proposals.clashes(proposal.definition, opened, merged)
    digest = proposals.keep(context, request, proposal.definition, rebased, request.revision + 1)
    now = context.clock()
    with context.metadata.transaction() as tx:
        require_right(tx, caller, project, "edit")
        status = step(request.status, "change_content", {"revision_current": True})
        settled = next_revision(
            tx,
            request,
            status,
            proposal.definition,
            rebased,
            opened.version,
            str(request.submitted_by),
            now,
            digest,
        )
        tx.requests.add_authors(project, number, [caller.user], now)
        tx.requests.mark(mark(settled, clashes, False, opened.version, now))
        audience = tx.requests.authors(project, number)
        details = {"revision": settled.revision, "cells": _listed(resolutions)}
        record(tx, caller, "cr.resolved", now, **place(request), details=details, tell=audience)
    return settled


def take_up(context: Context, caller: Caller, project: str, number: int) -> LiveSession:
    """A session with the edits of a change request that was rejected, or never submitted; for its authors.

    Raises:
        GovernanceError: `not_found`, `forbidden`, `transition_refused`: it is under review or has ended.
    """
    now = context.clock()
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "edit")
        request = tx.requests.get(project, number)
        facts = {"by_author": caller.user in tx.requests.authors(project, number)}
        passed = dict.fromkeys(("revision_current", "cell_changed"), True)
        step(request.status, "submit", {**_ALL_ELSE, **passed, **facts})
        require_divisible(request)
        proposal = _content(context, tx, request)
    edits = list(_as_edits(context, proposal))
    session = LiveSession(
        context.new_id(),
        project,
        request.dataset,
        caller.user,
        request.base_version,
        proposal.definition.version,
        number,
        0,
        0,
        now,
        now,
    )
    size = sum(len(one.new_value or "") + len(one.row_id) for one in edits)
    with context.metadata.transaction() as tx:
        tx.sessions.add(session)
        first = tx.sessions.edit(session.id, edits=len(edits), size=size, at=now)
        record(tx, caller, "session.opened", now, **place(request))
    log = Log(context.root, context.folder(project, request.dataset).edits(session.id), EDITS)
    log.append(logged(session, edits, first, now, {}))
    with context.metadata.reading() as tx:
        return tx.sessions.get(session.id)


_ALL_ELSE = dict.fromkeys(("policy_meetable", "no_violation"), True)
"""Guards of a submission that are looked at when it is submitted."""


def _content(context: Context, tx: Transaction, request: ChangeRequest) -> Proposal:
    if request.revision:
        return proposals.load(context, tx, request)
    definition = tx.datasets.definition(request.project, request.dataset)
    return Proposal(request, definition, schema(definition).empty_table(), {})


def _as_edits(context: Context, proposal: Proposal) -> Iterator[Edit]:
    """The edits that staged rows come from."""
    definition = proposal.definition
    for row in _rows(proposal.staged):
        base, new = row["base"], row["new"]
        if row["op"] in (INSERT, DELETE):
            old, text = (_text(definition, side) for side in (base, new))
            yield Edit(context.new_id(), row["op"], row["row_id"], None, old, text)
            continue
        for name in row["changed"]:
            column = definition[name]
            old, text = (json.dumps(shown(column, side[name])) for side in (base, new))
            yield Edit(context.new_id(), "set", row["row_id"], name, old, text)


def _rows(staged: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in staged.to_batches():
        yield from batch.to_pylist()


def _text(definition: Definition, row: Mapping[str, Any] | None) -> str | None:
    if row is None:
        return None
    cells = {c.name: shown(c, row[c.name]) for c in definition.editable}
    return json.dumps(cells, ensure_ascii=False)


def _require_seen(request: ChangeRequest, content_hash: str) -> None:
    if content_hash != request.content_hash:
        raise refused(
            "content_changed",
            f"CR {request.number} is not what was seen",
            hint="look at what has changed since",
            content_hash=request.content_hash,
            revision=request.revision,
        )


def _listed(resolutions: Mapping[Cell, Resolution]) -> list[dict[str, Any]]:
    words = {choice: word for word, choice in proposals.CHOICES.items()}
    return [
        {"row_id": row, "column": column, "choice": words[choice]}
        for (row, column), choice in resolutions.items()
    ]
