"""`cr`: change requests of governed datasets, as their authors and reviewers see them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakeshelf.cli.console.output import (
    All,
    AsJson,
    Most,
    console,
    most,
    print_json,
    print_list,
)
from lakeshelf.cli.governed import reviews
from lakeshelf.cli.governed.asking import RequestCommand, about_one
from lakeshelf.cli.governed.cells import PAGE, paged
from lakeshelf.cli.governed.connecting import (
    PROJECT,
    As,
    InProject,
    name_of,
    next_command,
    project_of,
)
from lakeshelf.cli.governed.printing import (
    ROWS_SHOWN,
    print_conflicts,
    print_diff,
    print_effect,
    print_head,
    print_proposed,
    print_rights,
    print_state,
)
from lakeshelf.counts import count_of

if TYPE_CHECKING:
    from lakeshelf.governance.client import Project

app = typer.Typer(no_args_is_help=True, help="Change requests of governed datasets.")


@app.command("list")
def list_(
    *,
    status: Annotated[list[str] | None, typer.Option(help="Only in these states.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Only of this dataset.")] = None,
    user: As = None,
    project: InProject = PROJECT,
    limit: Most = None,
    every: All = False,
    as_json: AsJson = False,
) -> None:
    """List change requests, the newest first."""
    count = most(limit, every, as_json)
    with project_of(user, project) as its_project:
        listed = _all(its_project, dataset, status or ())
    flat = [_line(one) for one in listed]
    print_list(flat[:count], len(flat), "change requests", as_json, right=("CR",))


@app.command("show")
@about_one
def show(asked: RequestCommand) -> None:
    """Show a change request: its state, what it changes, what is said of it, and what you can do."""
    with asked.request() as request:
        seen, said = request.get(), request.comments()
        changes = paged(request.diff, "cells", None if asked.as_json else ROWS_SHOWN)
    if asked.as_json:
        print_json({**seen, "diff": changes[0], **said})
        return
    print_head(seen)
    print_diff(seen, *changes)
    print_conflicts(seen, changes[0])
    for review in said["reviews"]:
        console().print(_said(review), soft_wrap=True)
    for remark in said["comments"]:
        about = ".".join(part for part in (remark["row_id"], remark["column"]) if part)
        console().print(f"{remark['user']}{' on ' + about if about else ''}: {remark['body']}")
    print_rights(seen)


_DECIDES = {
    "approve": "approves",
    "reject": "rejects",
    "reject_cells": "rejects cells of",
}


def _said(review: Mapping[str, Any]) -> str:
    """What somebody decided; cells that are rejected make a newer revision, which is no news of the rejection."""
    is_stale = review["stale_at"] and review["decision"] != "reject_cells"
    stale = f" (no longer counts: {review['stale_reason']})" if is_stale else ""
    words = f"{review['user']} {_DECIDES[review['decision']]} revision {review['revision']}"
    return f"{words}{stale} {review['comment']}".rstrip()


@app.command("withdraw")
@about_one
def withdraw(asked: RequestCommand) -> None:
    """Take your change request back."""
    with asked.request() as request:
        answer = request.withdraw()
    print_state(answer, asked.as_json, "cr show")


@app.command("effect")
@about_one
def effect(asked: RequestCommand) -> None:
    """Show what the merge of a change request would do to the shelves."""
    with asked.request() as request:
        effects = request.effect()
    if asked.as_json:
        print_json(effects)
        return
    for one in effects:
        print_effect(one)


@app.command("outcome")
@about_one
def outcome(asked: RequestCommand, *, limit: Most = None, every: All = False) -> None:
    """Show what came of a merge, by key: merged, published, in force, or refused by a job."""
    with asked.request() as request:
        counts = request.outcome(limit=1)["counts"]
        keys, total = paged(request.outcome, "keys", most(limit, every, asked.as_json))
    if asked.as_json:
        print_json({"counts": counts, "keys": keys})
        return
    figures = (f"{count:,} {state.replace('_', ' ')}" for state, count in counts.items())
    console().print(f"CR {asked.number}: {', '.join(figures)}", soft_wrap=True)
    print_list(keys, total, "keys", as_json=False, right=("version",))


@app.command("take-up")
@about_one
def take_up(asked: RequestCommand) -> None:
    """Open a session with the edits of your change request, to change it and submit it again."""
    with asked.request() as request:
        session = request.take_up()
        opened, title = session.get(), request.get()["request"]["title"]
    if asked.as_json:
        print_json(opened)
        return
    name = name_of(asked.project, session.dataset.id)
    edited = next_command(f"data edit {name} ROW COLUMN=VALUE --session {session.id}")
    submitted = next_command(
        f"data submit {name} --title {shlex.quote(title)} --session {session.id}"
    )
    console().print(
        f"Your session has {count_of(opened['edits'], 'edit')} of CR {asked.number}. "
        f"Next: `{edited}`, then `{submitted}`",
        markup=False,
        soft_wrap=True,
    )


@app.command("revert")
@about_one
def revert(
    asked: RequestCommand,
    *,
    title: Annotated[str, typer.Option(help="Why, in words.")] = "",
) -> None:
    """Propose to take back what a merged change request did."""
    with asked.request() as request:
        print_proposed(request.revert(title).get(), asked.as_json)


@app.command("comment")
@about_one
def comment(
    asked: RequestCommand,
    body: Annotated[str, typer.Argument(help="What you say.")],
    *,
    row: Annotated[str | None, typer.Option(help="The row it is about.")] = None,
    column: Annotated[str | None, typer.Option(help="The cell in it.")] = None,
) -> None:
    """Comment on a change request, a row or a cell of it."""
    with asked.request() as request:
        said = request.comment(body, row_id=row, column=column)
    if asked.as_json:
        print_json(said)
    else:
        console().print(f"Said on CR {asked.number}.")


def _line(one: Mapping[str, Any]) -> dict[str, Any]:
    request, mark = one["request"], one["mark"]
    return {
        "CR": request["number"],
        "dataset": request["dataset"],
        "state": request["status"],
        "against main": mark["state"] if mark else None,
        "by": ", ".join(one["authors"]),
        "title": request["title"],
    }


def _all(project: Project, dataset: str | None, status: Sequence[str]) -> list[dict[str, Any]]:
    """Every change request of a project, the newest first."""
    listed: list[dict[str, Any]] = []
    while True:
        below = listed[-1]["request"]["number"] if listed else None
        page = project.requests(dataset=dataset, status=status, below=below, limit=PAGE)
        listed += page
        if len(page) < PAGE:
            return listed


app.command("approve")(reviews.approve)
app.command("reject")(reviews.reject)
app.command("reject-cells")(reviews.reject_cells)
app.command("merge")(reviews.merge)
app.command("resolve")(reviews.resolve)
app.command("validation")(reviews.validation)
