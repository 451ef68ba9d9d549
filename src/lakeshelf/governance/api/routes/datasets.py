"""Datasets: what they are, their snapshots, and who changed what when."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from fastapi import Query

from lakeshelf.contracts.types import SCALARS
from lakeshelf.governance.api import answers, shapes
from lakeshelf.governance.api.calling import By, In, Limit, Offset, On, router
from lakeshelf.governance.domain.definition import Column, Definition, Severity, Strictness
from lakeshelf.governance.domain.staged import SET, cells
from lakeshelf.governance.domain.values import shown
from lakeshelf.governance.metadata.tables.datasets import (
    DefinitionVersion,
    GovernedDataset,
    NamedSnapshot,
)
from lakeshelf.governance.metadata.tables.requests import ChangeRequest
from lakeshelf.governance.services import datasets, history
from lakeshelf.governance.services.changes import defining
from lakeshelf.governance.services.people import projects
from lakeshelf.governance.services.reading import listing
from lakeshelf.governance.services.shop import running as shop_services
from lakeshelf.governance.validation.kinds import KINDS, SIGNS

routes = router("datasets")
DATASET = "/projects/{project}/datasets/{dataset}"


@routes.get("/projects/{project}/datasets")
def list_datasets(context: On, caller: By, project: str) -> list[listing.SeenDataset]:
    """Datasets of a project."""
    return listing.datasets(context, caller, project)


@routes.post("/projects/{project}/datasets", status_code=201)
def create_dataset(
    context: On, caller: By, project: str, body: shapes.NewDataset
) -> GovernedDataset:
    """Create a dataset with its first definition."""
    return datasets.create(
        context,
        caller,
        project,
        body.id,
        Definition.of_json(body.definition),
        title=body.title,
        description=body.description,
    )


@routes.get(DATASET)
def get_dataset(context: On, caller: By, project: str, dataset: str) -> listing.SeenDataset:
    """A dataset, and where its table stands."""
    return listing.dataset(context, caller, project, dataset)


@routes.post(f"{DATASET}/publish_again", status_code=202)
def publish_again(context: On, caller: By, shop: In, project: str, dataset: str) -> GovernedDataset:
    """Have every row sent to the topic of a dataset once more, as an owner."""
    return shop_services.publish_again(context, caller, shop, project, dataset)


@routes.get(f"{DATASET}/definition")
def get_definition(context: On, caller: By, project: str, dataset: str) -> answers.DefinitionAnswer:
    """What a dataset is now, with its columns as pages need them."""
    answer = datasets.definition_of(context, caller, project, dataset)
    columns = [column_answer(answer, column) for column in answer.columns]
    return answers.DefinitionAnswer(
        definition=answer.as_json(), columns=columns, choices=definition_choices()
    )


def definition_choices() -> answers.DefinitionChoices:
    """What parts of a definition may be."""
    return answers.DefinitionChoices(
        type=[scalar.name for scalar in SCALARS],
        strictness=get_args(Strictness),
        severity=get_args(Severity),
        operator=[*SIGNS],
        kind={str(name): kind.params for name, kind in KINDS.items()},
    )


@routes.post(f"{DATASET}/definition", status_code=201)
def propose_definition(
    context: On, caller: By, project: str, dataset: str, body: shapes.NewDefinition
) -> ChangeRequest:
    """Propose the next version of a definition, as a change request."""
    return defining.propose(
        context,
        caller,
        project,
        dataset,
        Definition.of_json(body.definition),
        title=body.title,
        description=body.description,
    )


@routes.get(f"{DATASET}/definitions")
def list_definitions(
    context: On, caller: By, project: str, dataset: str
) -> list[DefinitionVersion]:
    """Every definition that a dataset has had."""
    return listing.definitions(context, caller, project, dataset)


@routes.get(f"{DATASET}/reviewers")
def list_reviewers(context: On, caller: By, project: str, dataset: str) -> list[str]:
    """Viewers who may approve what changes a dataset."""
    return sorted(projects.named(context, caller, project, dataset))


@routes.put(f"{DATASET}/reviewers/{{user}}", status_code=204)
def name_reviewer(context: On, caller: By, project: str, dataset: str, user: str) -> None:
    """Let a viewer approve what changes a dataset, as an owner."""
    projects.name(context, caller, project, dataset, user)


@routes.delete(f"{DATASET}/reviewers/{{user}}", status_code=204)
def unname_reviewer(context: On, caller: By, project: str, dataset: str, user: str) -> None:
    """Take that back."""
    projects.unname(context, caller, project, dataset, user)


@routes.get(f"{DATASET}/snapshots")
def list_snapshots(context: On, caller: By, project: str, dataset: str) -> list[NamedSnapshot]:
    """Named snapshots of a dataset."""
    return listing.snapshots(context, caller, project, dataset)


@routes.post(f"{DATASET}/snapshots", status_code=201)
def keep_snapshot(
    context: On, caller: By, project: str, dataset: str, body: shapes.NewSnapshot
) -> NamedSnapshot:
    """Keep the rows as they are, under a name."""
    return history.keep_snapshot(context, caller, project, dataset, body.name, body.reason)


@routes.get(f"{DATASET}/history")
def get_history(
    context: On,
    caller: By,
    project: str,
    dataset: str,
    row_id: str | None = None,
    column: str | None = None,
    request: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    offset: Offset = 0,
    limit: Limit = 200,
) -> answers.CellChanges:
    """Cells that changed, the latest first."""
    answer, total = history.changes(
        context,
        caller,
        project,
        dataset,
        row_id=row_id,
        column=column,
        request=request,
        offset=offset,
        limit=limit,
    )
    return answers.CellChanges(changes=answer, total=total)


@routes.get(f"{DATASET}/blame")
def get_blame(
    context: On, caller: By, project: str, dataset: str, row_id: str
) -> dict[str, history.CellChange | None]:
    """Who wrote each cell of a row."""
    return history.blame(context, caller, project, dataset, row_id)


@routes.get(f"{DATASET}/diff")
def get_diff(
    context: On,
    caller: By,
    project: str,
    dataset: str,
    before: Annotated[int, Query(ge=0, le=2**53)],
    after: Annotated[int, Query(ge=0, le=2**53)],
    offset: Offset = 0,
    limit: Limit = 200,
) -> answers.VersionsDiff:
    """What turns one version into another, cell by cell."""
    staged = history.diff(context, caller, project, dataset, before, after)
    definition = datasets.definition_of(context, caller, project, dataset)
    listed = list(cells(staged))
    rows = {row["row_id"]: row for row in staged.to_pylist()}
    page = [
        _staged_cell(definition, rows[row_id], column)
        for row_id, column in listed[offset : offset + limit]
    ]
    return answers.VersionsDiff(cells=page, total=len(listed))


@routes.post(f"{DATASET}/restore", status_code=201)
def restore(
    context: On, caller: By, project: str, dataset: str, body: shapes.Restore
) -> ChangeRequest:
    """Propose to make the rows of a version, or of a named snapshot, those of the dataset again."""
    return history.restore(context, caller, project, dataset, body.version, title=body.title)


@routes.post(f"{DATASET}/restore_at_once", status_code=201)
def restore_at_once(
    context: On, caller: By, project: str, dataset: str, body: shapes.RestoreAtOnce
) -> ChangeRequest:
    """Restore without a review, as an owner, where the policy `restore_by_owner` allows it."""
    return history.restore_at_once(context, caller, project, dataset, body.version, body.reason)


def column_answer(definition: Definition, column: Column) -> answers.ColumnAnswer:
    """A column with what its rules say of it."""
    field, name = column.field, column.name
    rules = {rule.kind: rule for rule in definition.rules if rule.columns == (name,)}

    def of(kind: Any, what: str) -> Any:
        return rules[kind].params.get(what) if kind in rules else None

    key = name in definition.key
    return answers.ColumnAnswer(
        name=name,
        label=column.label or name,
        type=str(field.type),
        help=field.doc,
        unit=field.unit or None,
        required=field.required or "not_null" in rules,
        key=key,
        read_only=key or column.system,
        hidden=column.hidden,
        minimum=of("between", "minimum"),
        maximum=of("between", "maximum"),
        values=of("in_set", "values") or [],
        pattern=of("regex", "pattern"),
        max_length=of("length", "maximum"),
    )


def _staged_cell(
    definition: Definition, row: dict[str, Any], column: str | None
) -> answers.StagedCell:
    before, after = (_side(definition, row[side], column) for side in ("base", "new"))
    op = row["op"] if column is None else SET
    return answers.StagedCell(
        row_id=row["row_id"], column=column, op=op, before=before, after=after
    )


def _side(definition: Definition, row: dict[str, Any] | None, column: str | None) -> Any:
    if row is None:
        return None
    if column is not None:
        return shown(definition[column], row[column])
    return {one.name: shown(one, row[one.name]) for one in definition.content}
