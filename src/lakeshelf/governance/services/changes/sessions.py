"""Live sessions: edits as in a spreadsheet, kept as they come, shown over the rows, and judged cell by cell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lakeshelf.governance.domain.editing.accepting import EditRefusal, IncomingEdit, accept
from lakeshelf.governance.domain.editing.edits import Edit
from lakeshelf.governance.domain.findings import Finding
from lakeshelf.governance.domain.requests.merge import Merged, merge
from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata.opening import Transaction
from lakeshelf.governance.metadata.tables.datasets import LiveSession
from lakeshelf.governance.services.access import require_right
from lakeshelf.governance.services.changes.desks import Desk, keys_of, logged
from lakeshelf.governance.services.changes.proposals import Preview, judged
from lakeshelf.governance.services.context import Caller, Context, record
from lakeshelf.governance.services.datasets import table_of
from lakeshelf.governance.storage.main import OpenedTable
from lakeshelf.lake.place import storage

MOST_BYTES = 100 * 1024 * 1024
"""Bytes of the edits of a session."""


@dataclass(frozen=True)
class Edited:
    """What became of edits that came together.

    Attributes:
        edits: Those that were taken.
        refusals: Why others were not.
        made: `new:<n>` → key that the server made.
        findings: What the edited rows violate, by the rules that need no other row.
        deferred: Rules that are judged at the preview.
        repeated: Ids of edits that the session had already.
    """

    edits: Sequence[Edit]
    refusals: Sequence[EditRefusal]
    made: Mapping[str, str]
    findings: Sequence[Finding]
    deferred: Sequence[str]
    repeated: Sequence[str]


@dataclass(frozen=True)
class MergedEdits:
    """The edits of a session, merged into the newest version of the table.

    Attributes:
        desk: The session with its edits.
        newest: That version.
        merged: What the merge would do.
    """

    desk: Desk
    newest: OpenedTable
    merged: Merged


def open_session(context: Context, caller: Caller, project: str, dataset: str) -> LiveSession:
    """A new session on the newest version of a dataset.

    Raises:
        GovernanceError: `not_found`, `forbidden`.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "edit")
        table = table_of(context, tx, project, dataset)
    opened, now = table.opened(), context.clock()
    with context.metadata.transaction() as tx:
        require_right(tx, caller, project, "edit")
        session = LiveSession(
            context.new_id(),
            project,
            dataset,
            caller.user,
            opened.version,
            table.definition.version,
            None,
            0,
            0,
            now,
            now,
        )
        record(tx, caller, "session.opened", now, project=project, dataset=dataset)
        return tx.sessions.add(session)


def session_of(tx: Transaction, caller: Caller, session_id: str) -> LiveSession:
    """A session of the caller.

    Raises:
        GovernanceError: `not_found`: there is none, or it is somebody else's.
    """
    session = tx.sessions.get(session_id)
    require_right(tx, caller, session.project, "read")
    if session.user != caller.user:
        raise refused("not_found", f"you have no session {session_id[:80]!r}")
    return session


def edit(
    context: Context, caller: Caller, session_id: str, incoming: Sequence[IncomingEdit]
) -> Edited:
    """Take edits into a session: those that can be taken, in one commit; the others are refused by cell.

    An edit whose id the session has already is answered again and not taken twice.

    Raises:
        GovernanceError: `not_found`, `forbidden`, `gone`, `edits_too_large`, `validator_unavailable`.
    """
    with context.metadata.reading() as tx:
        session = session_of(tx, caller, session_id)
        require_right(tx, caller, session.project, "edit")
        desk = Desk.of(context, tx, session)
    known = desk.known(one.edit_id for one in incoming)
    fresh = desk.known_by([one for one in incoming if one.edit_id not in known])
    rows = desk.rows(one.row_id for one in fresh)
    accepted = accept(desk.definition, fresh, rows, context.new_id)
    findings, deferred = desk.findings(context, accepted.edits, accepted.rows)
    _keep(context, desk, accepted.edits, findings)
    repeated = [one.edit_id for one in incoming if one.edit_id in known]
    return Edited(accepted.edits, accepted.refusals, accepted.made, findings, deferred, repeated)


def undo(context: Context, caller: Caller, session_id: str, edit_ids: Sequence[str]) -> Edited:
    """Take edits of a session back by edits that do the opposite, the latest first; that can be undone likewise.

    Raises:
        GovernanceError: `not_found`: the session has no such edit; `gone`; `row_not_found`: a later edit took the row
            away.
    """
    with context.metadata.reading() as tx:
        session = session_of(tx, caller, session_id)
        require_right(tx, caller, session.project, "edit")
        desk = Desk.of(context, tx, session)
    undone = desk.undone(edit_ids)
    known = desk.known(one.edit_id for one in undone)
    fresh = [one for one in undone if one.edit_id not in known]
    rows = desk.after(context, fresh)
    judged_findings, deferred = desk.findings(context, fresh, rows)
    _keep(context, desk, fresh, judged_findings)
    repeated = [one.edit_id for one in undone if one.edit_id in known]
    return Edited(fresh, (), {}, judged_findings, deferred, repeated)


def preview(context: Context, caller: Caller, session_id: str) -> Preview:
    """What the edits of a session would do to the table as it is now.

    Raises:
        GovernanceError: `not_found`, `validator_unavailable`.
    """
    with context.metadata.reading() as tx:
        staged = merged_edits(context, tx, session_of(tx, caller, session_id))
        definition, newest, merged = staged.desk.definition, staged.newest, staged.merged
        report = (
            None if merged.conflicts else judged(context, tx, "preview", definition, newest, merged)
        )
    return Preview(newest.version, merged, report)


def merged_edits(context: Context, tx: Transaction, session: LiveSession) -> MergedEdits:
    """What the merge of the edits of a session would do to the table as it is now."""
    desk = Desk.of(context, tx, session)
    newest = table_of(context, tx, session.project, session.dataset).opened()
    staged = desk.staged
    merged = merge(
        desk.definition,
        staged,
        newest.rows(keys_of(desk.definition, staged["row_id"].to_pylist())),
        moved=newest.changed_since(session.base_version),
    )
    return MergedEdits(desk, newest, merged)


def discard(context: Context, caller: Caller, session_id: str) -> LiveSession:
    """End a session, and remove its edits.

    Raises:
        GovernanceError: `not_found`.
    """
    now = context.clock()
    with context.metadata.transaction() as tx:
        session = session_of(tx, caller, session_id)
        ended = tx.sessions.end(session_id, now)
        record(tx, caller, "session.ended", now, project=session.project, dataset=session.dataset)
    folder = context.folder(session.project, session.dataset)
    storage.remove(context.root, folder.session(session_id))
    return ended


def _keep(context: Context, desk: Desk, edits: Sequence[Edit], findings: Sequence[Finding]) -> None:
    if not edits:
        return
    size = sum(len(one.new_value or "") + len(one.row_id) for one in edits)
    if desk.session.size + size > MOST_BYTES:
        raise refused(
            "edits_too_large",
            f"session {desk.session.id} would hold {desk.session.size + size:,} bytes of edits",
            hint="submit it, or import a file",
            most=MOST_BYTES,
        )
    now = context.clock()
    with context.metadata.transaction() as tx:
        first = tx.sessions.edit(desk.session.id, edits=len(edits), size=size, at=now)
    violated: defaultdict[tuple[str | None, str | None], list[str]] = defaultdict(list)
    for one in findings:
        violated[one.row_id, one.column].append(one.rule)
    rows = logged(desk.session, edits, first, now, violated)
    desk.keep(rows)
    with context.metadata.reading() as tx:
        tx.sessions.require_open(desk.session.id)  # else they came too late for what it became
