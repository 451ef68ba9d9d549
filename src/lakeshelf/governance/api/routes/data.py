"""Rows of a dataset by view: an order under a filter, page by page at any depth."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

from lakeshelf.governance.api import answers, shapes
from lakeshelf.governance.api.calling import By, Offset, On, router
from lakeshelf.governance.errors import refused
from lakeshelf.governance.services.reading import grid, views
from lakeshelf.governance.services.reading.grid import LONGEST_ID, ViewPage, ViewSpec

routes = router("data")
VIEWS = "/projects/{project}/datasets/{dataset}/views"
ViewId = Annotated[str, Path(max_length=LONGEST_ID)]


@routes.post(VIEWS, status_code=201)
def make_view(
    context: On, caller: By, project: str, dataset: str, body: shapes.NewView
) -> answers.ViewAnswer:
    """Ask for rows in an order and under a filter; the id is good in every process, for that version."""
    if sum(choice is not None for choice in (body.version, body.snapshot, body.session)) > 1:
        raise refused("request_invalid", "a view is of a version, a snapshot or a session")
    query = views.ViewQuery(
        tuple(views.Filter(one.column, one.op, one.value) for one in body.filters),
        tuple(views.Sort(one.column, one.descending) for one in body.sort),
    )
    at = body.version if body.snapshot is None else body.snapshot
    asked, count = grid.ask(context, caller, project, dataset, query, at=at, session=body.session)
    return answers.ViewAnswer(
        id=asked.id,
        count=count,
        version=asked.at if isinstance(asked.at, int) else None,
        snapshot=asked.at if isinstance(asked.at, str) else None,
    )


@routes.get(f"{VIEWS}/{{view}}/rows")
def get_rows(
    context: On,
    caller: By,
    project: str,
    dataset: str,
    view: ViewId,
    offset: Offset = 0,
    limit: Annotated[int, Query(ge=1, le=views.LONGEST_PAGE)] = 200,
    session: str | None = None,
) -> ViewPage:
    """Rows from an offset on, as columns, with the edits of a session laid over."""
    asked = ViewSpec.of_id(project, dataset, view)
    return grid.page(context, caller, asked, offset, limit, session)


@routes.get(f"{VIEWS}/{{view}}/position")
def get_position(
    context: On, caller: By, project: str, dataset: str, view: ViewId, row_id: str
) -> dict[str, int | None]:
    """Where a row is in the view."""
    asked = ViewSpec.of_id(project, dataset, view)
    return {"position": grid.position(context, caller, asked, row_id)}


@routes.get(f"{VIEWS}/{{view}}/facets")
def get_facets(
    context: On,
    caller: By,
    project: str,
    dataset: str,
    view: ViewId,
    column: str,
    limit: Annotated[int, Query(ge=1, le=views.MOST_FACETS)] = 50,
) -> answers.Facets:
    """Values of a column with how often each is there, the most frequent first."""
    asked = ViewSpec.of_id(project, dataset, view)
    frequent, distinct = grid.facets(context, caller, asked, column, limit)
    values = [answers.Facet(value=value, count=count) for value, count in frequent]
    return answers.Facets(values=values, distinct=distinct)
