"""Change requests: from review to merge, and their ends without one."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import BackgroundTasks, Query, Response

from lakeshelf.governance.api import answers, shapes
from lakeshelf.governance.api.calling import By, In, Limit, Number, Offset, On, router
from lakeshelf.governance.api.routes.sessions import previewed
from lakeshelf.governance.domain.requests.lifecycle import State
from lakeshelf.governance.metadata.tables.datasets import LiveSession
from lakeshelf.governance.metadata.tables.requests import ChangeRequest
from lakeshelf.governance.services import history, upkeep
from lakeshelf.governance.services.changes import ending, merging, proposals, settling
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.effect import LocationEffect
from lakeshelf.governance.services.reading import diffs, listing
from lakeshelf.governance.services.shop.running import Came, effect_of, outcome_of

routes = router("change_requests")
ALL = "/projects/{project}/change_requests"
ONE = "/projects/{project}/change_requests/{number}"


@routes.get(ALL)
def list_requests(
    context: On,
    caller: By,
    project: str,
    dataset: str | None = None,
    status: Annotated[list[State] | None, Query()] = None,
    created_by: str | None = None,
    below: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    limit: Limit = 100,
) -> list[listing.SeenRequest]:
    """Change requests, the newest first; `below` the last number for the next page."""
    return listing.requests(
        context,
        caller,
        project,
        dataset_id=dataset,
        statuses=status,
        created_by=created_by,
        below=below,
        limit=limit,
    )


@routes.get(ONE)
def get_request(
    context: On, caller: By, project: str, number: Number, response: Response
) -> listing.SeenRequest:
    """A change request; its ETag is the hash of the content that reviews and merges name."""
    seen = listing.request(context, caller, project, number)
    if seen.request.content_hash:
        response.headers["ETag"] = f'"{seen.request.content_hash}"'
    return seen


@routes.get(f"{ONE}/diff")
def get_diff(
    context: On,
    caller: By,
    project: str,
    number: Number,
    offset: Offset = 0,
    limit: Limit = 200,
    op: Literal["set", "insert", "delete"] | None = None,
    in_column: Annotated[str | None, Query(max_length=200)] = None,
    only: Literal["conflict", "error", "warning"] | None = None,
    sort: Literal["row", "column"] | None = None,
) -> diffs.Diff:
    """What it changes, conflicts first; of a kind, in a column, in conflict or against a rule, as is asked."""
    chosen = diffs.Chosen(op, in_column, only, sort)
    return diffs.diff(context, caller, project, number, offset, limit, chosen)


@routes.get(f"{ONE}/dry_run")
def dry_run(context: On, caller: By, project: str, number: Number) -> answers.PreviewAnswer:
    """What its merge would do now; nothing is written."""
    return previewed(merging.dry_run(context, caller, project, number))


@routes.get(f"{ONE}/effect")
def get_effect(
    context: On, caller: By, shop: In, project: str, number: Number
) -> tuple[LocationEffect, ...]:
    """What its merge would do to the shelves, by the rules of the jobs that obey it."""
    return effect_of(context, caller, shop, project, number)


@routes.get(f"{ONE}/outcome")
def get_outcome(
    context: On,
    caller: By,
    shop: In,
    project: str,
    number: Number,
    offset: Offset = 0,
    limit: Limit = 200,
) -> Came:
    """What came of its merge, by key: sent to the topic, in force, or refused by a job."""
    return outcome_of(context, caller, shop, project, number, offset, limit)


@routes.post(f"{ONE}/merge")
def merge(
    context: On,
    caller: By,
    project: str,
    number: Number,
    body: shapes.Merge,
    after: BackgroundTasks,
) -> ChangeRequest:
    """Merge what was approved; a second time it answers as the first."""
    merged = merging.merge(context, caller, project, number, body.content_hash, force=body.force)
    after.add_task(upkeep.mark_open, context)
    return merged


@routes.post(f"{ONE}/resolve")
def resolve(
    context: On, caller: By, project: str, number: Number, body: shapes.Resolutions
) -> ChangeRequest:
    """Settle conflicts; the content on the newest rows is the next revision, which is approved again."""
    resolutions = {
        (one.row_id, one.column): proposals.CHOICES[one.choice] for one in body.resolutions
    }
    return settling.resolve(context, caller, project, number, body.content_hash, resolutions)


@routes.post(f"{ONE}/withdraw")
def withdraw(context: On, caller: By, project: str, number: Number) -> ChangeRequest:
    """Take it back, as an author."""
    return ending.withdraw(context, caller, project, number)


@routes.post(f"{ONE}/edit", status_code=201)
def take_up(context: On, caller: By, project: str, number: Number) -> LiveSession:
    """Open a session with its edits, as an author, after it was rejected; submitting it is its next revision."""
    return settling.take_up(context, caller, project, number)


@routes.post(f"{ONE}/revert", status_code=201)
def revert(
    context: On, caller: By, project: str, number: Number, body: shapes.Revert
) -> ChangeRequest:
    """Propose to take back what it did."""
    return history.revert(context, caller, project, number, title=body.title)


def merge_if_asked(context: Context, request: ChangeRequest) -> None:
    """Merge what was just approved, where its submitter asked for that; what refuses it stands in its events."""
    if request.merge_when_approved and request.status == "approved":
        upkeep.merge_approved(context)
        upkeep.mark_open(context)
