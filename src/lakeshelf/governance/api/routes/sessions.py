"""Live sessions: a dataset edited like a spreadsheet."""

from __future__ import annotations

from lakeshelf.governance.api import answers, shapes
from lakeshelf.governance.api.calling import By, In, On, router
from lakeshelf.governance.domain.editing.accepting import IncomingEdit
from lakeshelf.governance.metadata.tables.datasets import LiveSession
from lakeshelf.governance.metadata.tables.requests import ChangeRequest
from lakeshelf.governance.services.changes import requests, sessions
from lakeshelf.governance.services.changes.proposals import Preview
from lakeshelf.governance.services.effect import LocationEffect
from lakeshelf.governance.services.reading import diffs, listing
from lakeshelf.governance.services.refusals import shape
from lakeshelf.governance.services.shop.running import effect_of_session

routes = router("live_sessions")
OF_DATASET = "/projects/{project}/datasets/{dataset}/live_sessions"
SESSION = "/live_sessions/{session}"
ROWS_SHOWN = 200
"""Rows of which a preview has the cells."""


@routes.post(OF_DATASET, status_code=201)
def open_session(context: On, caller: By, project: str, dataset: str) -> LiveSession:
    """Begin to edit the newest version of a dataset."""
    return sessions.open_session(context, caller, project, dataset)


@routes.get(OF_DATASET)
def list_sessions(context: On, caller: By, project: str, dataset: str) -> list[LiveSession]:
    """Open sessions of the caller."""
    return listing.sessions(context, caller, project, dataset)


@routes.get(SESSION)
def get_session(context: On, caller: By, session: str) -> LiveSession:
    """A session of the caller."""
    with context.metadata.reading() as tx:
        return sessions.session_of(tx, caller, session)


@routes.delete(SESSION, status_code=204)
def discard_session(context: On, caller: By, session: str) -> None:
    """End a session, and throw its edits away."""
    sessions.discard(context, caller, session)


@routes.post(f"{SESSION}/edits")
def edit(context: On, caller: By, session: str, body: shapes.EditsBody) -> answers.EditsAnswer:
    """Edit cells, insert and delete rows; each that cannot be taken is refused by cell, the others are taken."""
    incoming = [
        IncomingEdit(one.edit_id, one.op, one.row_id, one.column, one.value) for one in body.edits
    ]
    return _edited(sessions.edit(context, caller, session, incoming))


@routes.post(f"{SESSION}/undo")
def undo(context: On, caller: By, session: str, body: shapes.UndoBody) -> answers.EditsAnswer:
    """Take edits back by edits that do the opposite, whose ids are `undo:` and the id; undo those to redo."""
    return _edited(sessions.undo(context, caller, session, body.edit_ids))


@routes.get(f"{SESSION}/preview")
def preview(context: On, caller: By, session: str) -> answers.PreviewAnswer:
    """What the edits would do to the table as it is now."""
    return previewed(sessions.preview(context, caller, session))


@routes.get(f"{SESSION}/effect")
def get_effect(context: On, caller: By, shop: In, session: str) -> tuple[LocationEffect, ...]:
    """What the edits would do to the shelves, by the rules of the jobs that obey the dataset; nothing is written."""
    return effect_of_session(context, caller, shop, session)


@routes.post(f"{SESSION}/submit", status_code=201)
def submit(context: On, caller: By, session: str, body: shapes.Submission) -> ChangeRequest:
    """Turn the edits into a change request under review, or its next revision."""
    return requests.submit_session(
        context,
        caller,
        session,
        title=body.title,
        description=body.description,
        merge_when_approved=body.merge_when_approved,
    )


def previewed(shown: Preview) -> answers.PreviewAnswer:
    """What a merge would do, as JSON."""
    report = shown.report
    return answers.PreviewAnswer(
        version=shown.version,
        counts=shown.merged.counts,
        changes=[
            answers.ChangeAnswer(
                row_id=one.row_id, column=one.column, op=one.op, old=one.base, new=one.staged
            )
            for one in diffs.first_rows(shown.merged.cells, ROWS_SHOWN)
        ],
        conflicts=shown.merged.conflicts,
        summary=answers.ReportSummary(**report.summary()) if report else None,
        findings=list(report.findings) if report else [],
    )


def _edited(edited: sessions.Edited) -> answers.EditsAnswer:
    refusals = [
        answers.RefusedEdit(
            edit_id=one.edit_id,
            row_id=one.row_id,
            column=one.column,
            error=answers.RefusalAnswer(**shape(one.error)["error"]),
        )
        for one in edited.refusals
    ]
    return answers.EditsAnswer(
        edits=edited.edits,
        refusals=refusals,
        made=edited.made,
        findings=list(edited.findings),
        deferred=list(edited.deferred),
        repeated=list(edited.repeated),
    )
