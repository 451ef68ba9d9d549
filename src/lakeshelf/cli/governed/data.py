"""`data`: rows of governed datasets as they are, and edits of your own until others review them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakeshelf.cli.console.output import (
    All,
    AsJson,
    Most,
    Yes,
    add,
    agreed,
    console,
    grid,
    most,
    print_json,
    print_list,
)
from lakeshelf.cli.governed import defining, files, past
from lakeshelf.cli.governed.cells import PAGE, parsed, shown_text
from lakeshelf.cli.governed.connecting import (
    PROJECT,
    As,
    InProject,
    Name,
    Row,
    dataset_of,
    name_of,
    next_command,
    project_of,
)
from lakeshelf.cli.governed.printing import explained, print_effect, print_preview, print_proposed
from lakeshelf.counts import count_is, count_of
from lakeshelf.errors import ConfigurationError

if TYPE_CHECKING:
    from lakeshelf.governance.client import Dataset, Session

app = typer.Typer(
    no_args_is_help=True, help="Governed datasets: rows, edits, history; what changes is reviewed."
)
Words = Annotated[list[str], typer.Argument(metavar="COLUMN=VALUE...", help="Cells.")]
InSession = Annotated[
    str | None,
    typer.Option("--session", help="Which of your sessions; unset: the only one that has edits."),
]
Nulls = Annotated[list[str] | None, typer.Option("--null", help="Column that has no value.")]


@app.command("list")
def list_(*, user: As = None, project: InProject = PROJECT, as_json: AsJson = False) -> None:
    """List the governed datasets of a project."""
    with project_of(user, project) as its_project:
        listed = its_project.datasets()
    if as_json:
        print_json(listed)
        return
    flat = [
        {
            "dataset": one["dataset"]["id"],
            "title": one["dataset"]["title"],
            "rows": one["meta"]["row_count"],
            "version": one["meta"]["delta_version"],
            "open requests": one["open_requests"],
        }
        for one in listed
    ]
    print_list(flat, len(flat), "datasets", as_json, right=("rows", "version", "open requests"))


@app.command("show")
def show(
    name: Name,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[COLUMN=VALUE...]", help="Only these rows.")
    ] = None,
    *,
    sort: Annotated[
        str | None, typer.Option(help="Column to sort by; with a - in front the other way.")
    ] = None,
    version: Annotated[int | None, typer.Option(help="As it was; unset: the newest.")] = None,
    user: As = None,
    limit: Most = None,
    every: All = False,
    as_json: AsJson = False,
) -> None:
    """Show rows of a dataset."""
    with dataset_of(user, name) as dataset:
        criteria = parsed(dataset.definition()["columns"], words or ())
        filters = [
            {"column": column, "op": "=", "value": value} for column, value in criteria.items()
        ]
        by = [{"column": sort.lstrip("-"), "descending": sort.startswith("-")}] if sort else []
        view = dataset.view(filters=filters, sort=by, version=version)
        total = view["count"]
        count = most(limit, every, as_json)
        listed = _rows(dataset, view["id"], total if count is None else min(count, total))
    print_list(listed, total, "rows", as_json)


@app.command("edit")
def edit(
    name: Name,
    row: Row,
    words: Words = [],  # noqa: B006 - typer reads it once
    *,
    null: Nulls = None,
    session: InSession = None,
    user: As = None,
    as_json: AsJson = False,
) -> None:
    """Set cells of a row, in your session; nobody else sees it before you submit it."""
    with dataset_of(user, name) as dataset:
        cells = parsed(dataset.definition()["columns"], words, null or ())
        if not cells:
            raise ConfigurationError("no cell is named", hint="write COLUMN=VALUE")
        edits = [
            {"op": "set", "row_id": row, "column": column, "value": value}
            for column, value in cells.items()
        ]
        _edited(dataset, session, edits, as_json)


@app.command("insert")
def insert(
    name: Name,
    row: Row,
    words: Words,
    *,
    session: InSession = None,
    user: As = None,
    as_json: AsJson = False,
) -> None:
    """Insert a row, in your session."""
    with dataset_of(user, name) as dataset:
        cells = parsed(dataset.definition()["columns"], words)
        one = {"op": "insert", "row_id": row, "value": cells}
        _edited(dataset, session, [one], as_json)


@app.command("delete")
def delete(
    name: Name,
    keys: Annotated[list[str], typer.Argument(metavar="ROW...", help="Keys of rows.")],
    *,
    session: InSession = None,
    user: As = None,
    as_json: AsJson = False,
) -> None:
    """Delete rows, in your session."""
    with dataset_of(user, name) as dataset:
        edits = [{"op": "delete", "row_id": key} for key in keys]
        _edited(dataset, session, edits, as_json)


@app.command("preview")
def preview(
    name: Name,
    *,
    effect: Annotated[bool, typer.Option("--effect", help="Also what they do to shelves.")] = False,
    session: InSession = None,
    user: As = None,
    as_json: AsJson = False,
) -> None:
    """Show what your edits would do to the dataset as it is now."""
    with dataset_of(user, name) as dataset:
        own = _own_session(dataset, session)
        previewed = own.preview()
        effects = own.effect() if effect else []
    print_preview(previewed | ({"effect": effects} if effect else {}), as_json)
    for one in effects if not as_json else ():
        print_effect(one)


@app.command("submit")
def submit(
    name: Name,
    *,
    title: Annotated[str, typer.Option(help="What it does, in words.")],
    description: Annotated[str, typer.Option(help="Why.")] = "",
    merge_when_approved: Annotated[
        bool, typer.Option("--merge-when-approved", help="Merge it as soon as it is approved.")
    ] = False,
    session: InSession = None,
    user: As = None,
    as_json: AsJson = False,
) -> None:
    """Submit your edits as a change request that others review."""
    with dataset_of(user, name) as dataset:
        with explained(as_json):
            request = _own_session(dataset, session).submit(
                title, description, merge_when_approved=merge_when_approved
            )
        made = request.get()
    print_proposed(made, as_json)


@app.command("discard")
def discard(
    name: Name,
    *,
    session: InSession = None,
    yes: Yes = False,
    user: As = None,
    as_json: AsJson = False,
) -> None:
    """Throw your edits away."""
    with dataset_of(user, name) as dataset:
        own = _own_session(dataset, session)
        count = own.get()["edits"]
        edits = count_of(count, "edit")
        agreed(f"Throw {edits} of {name} away?", yes, "nothing is gone; give --yes to agree")
        own.discard()
    if as_json:
        print_json({"discarded": own.id, "edits": count})
    else:
        console().print(f"{count_is(count, 'edit')} gone.")


def _rows(dataset: Dataset, view: str, count: int) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = []
    while len(listed) < count:
        page = dataset.rows(view, len(listed), min(PAGE, count - len(listed)))
        columns = page["columns"]
        listed += [
            dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)
        ]
    return listed


def _chosen(dataset: Dataset, named: str | None) -> Session | None:
    """The session of the user that is named, else the only one that has edits, else the newest.

    Raises:
        ConfigurationError: There is no such session, or several have edits.
    """
    opened = dataset.sessions()
    fitting = [one for one in opened if one["id"] == named] if named else opened
    edited = [one for one in fitting if one["edits"]]
    listed = ", ".join(f"{one['id']} ({count_of(one['edits'], 'edit')})" for one in opened)
    if named and not fitting:
        raise ConfigurationError(
            f"you have no session {named} on {dataset.id}", hint=f"there are {listed or 'none'}"
        )
    if len(edited) > 1:
        raise ConfigurationError(
            f"of {dataset.id} you have {count_of(len(edited), 'session')} with edits",
            hint=f"give --session with one of {listed}",
        )
    chosen = (edited or fitting)[:1]
    return dataset.session(chosen[0]["id"]) if chosen else None


def _own_session(dataset: Dataset, named: str | None) -> Session:
    chosen = _chosen(dataset, named)
    if chosen is None:
        command = next_command(f"data edit {_name(dataset)} ROW COLUMN=VALUE")
        raise ConfigurationError(f"you have no edits of {dataset.id}", hint=f"`{command}`")
    return chosen


def _name(dataset: Dataset) -> str:
    return name_of(dataset.project.id, dataset.id)


def _edited(
    dataset: Dataset, named: str | None, edits: Sequence[Mapping[str, Any]], as_json: bool
) -> None:
    session = _chosen(dataset, named) or dataset.open_session()
    answer = session.edit(edits)
    if as_json:
        print_json(answer)
    else:
        if answer["edits"]:
            table = grid("row", "column", "was", "is")
            for one in answer["edits"]:
                sides = (shown_text(one[side]) for side in ("old_value", "new_value"))
                add(table, one["row_id"], one["column"], *sides)
            console().print(table)
        for finding in answer["findings"]:
            console().print(f"{finding['severity']}: {finding['message']}", soft_wrap=True)
    if answer["refusals"]:
        refusals = answer["refusals"]
        first = refusals[0]["error"]["message"]
        raise ConfigurationError(
            first
            if len(refusals) == 1
            else f"not taken: {count_of(len(refusals), 'edit')}, the first: {first}"
        )
    if not as_json:
        where = f" --session {named}" if named else ""
        command = next_command(f"data preview {_name(dataset)}{where}")
        console().print(f"Next: `{command}`", soft_wrap=True)


app.command("history")(past.history)
app.command("blame")(past.blame)
app.command("diff")(past.diff)
app.command("restore")(past.restore)
app.command("outside")(past.outside)
app.command("snapshot")(past.snapshot)
app.command("publish")(past.publish)
app.command("export")(files.export)
app.command("definition")(defining.definition)
app.command("define")(defining.define)
