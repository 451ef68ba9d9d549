"""Reviews of change requests, and remarks on them."""

from __future__ import annotations

from fastapi import BackgroundTasks

from lakeshelf.governance.api import answers, shapes
from lakeshelf.governance.api.calling import By, Number, On, router
from lakeshelf.governance.api.routes.requests import ONE, merge_if_asked
from lakeshelf.governance.metadata.tables.requests import ChangeRequest
from lakeshelf.governance.metadata.tables.reviews import Comment
from lakeshelf.governance.services.changes import reviewing
from lakeshelf.governance.services.reading import listing

routes = router("reviews")


@routes.post(f"{ONE}/approve")
def approve(
    context: On,
    caller: By,
    project: str,
    number: Number,
    body: shapes.Approval,
    after: BackgroundTasks,
) -> ChangeRequest:
    """Approve the content that was seen; authors never do."""
    approved = reviewing.approve(
        context,
        caller,
        project,
        number,
        body.content_hash,
        comment=body.comment,
        acknowledged=body.acknowledged,
    )
    after.add_task(merge_if_asked, context, approved)
    return approved


@routes.post(f"{ONE}/reject")
def reject(
    context: On, caller: By, project: str, number: Number, body: shapes.Rejection
) -> ChangeRequest:
    """Reject the content that was seen, with a comment."""
    return reviewing.reject(context, caller, project, number, body.content_hash, body.comment)


@routes.post(f"{ONE}/reject_cells")
def reject_cells(
    context: On, caller: By, project: str, number: Number, body: shapes.CellsRejection
) -> ChangeRequest:
    """Reject some cells or rows; the rest is a smaller revision."""
    cells = [(one.row_id, one.column) for one in body.cells]
    return reviewing.reject_cells(
        context, caller, project, number, body.content_hash, cells, body.comment
    )


@routes.put(f"{ONE}/reviewers/{{user}}", status_code=204)
def ask_reviewer(context: On, caller: By, project: str, number: Number, user: str) -> None:
    """Ask a member to review it, as an owner."""
    reviewing.ask(context, caller, project, number, user)


@routes.get(f"{ONE}/comments")
def list_comments(context: On, caller: By, project: str, number: Number) -> answers.Said:
    """Reviews and remarks, the oldest first."""
    reviews, comments = listing.said(context, caller, project, number)
    return answers.Said(reviews=reviews, comments=comments)


@routes.post(f"{ONE}/comments", status_code=201)
def comment(context: On, caller: By, project: str, number: Number, body: shapes.Remark) -> Comment:
    """Say something of it, of a row or a cell."""
    return reviewing.say(
        context,
        caller,
        project,
        number,
        body.body,
        row_id=body.row_id,
        column=body.column,
        reply_to=body.reply_to,
    )


@routes.patch(f"{ONE}/comments/{{comment}}")
def settle_comment(
    context: On, caller: By, project: str, number: Number, comment: str, body: shapes.Settled
) -> Comment:
    """Call what a remark asks for done, or open again."""
    return reviewing.settle_comment(
        context, caller, project, number, comment, settled=body.resolved
    )
