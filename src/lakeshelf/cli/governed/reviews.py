"""`cr`: reviews of change requests, and what comes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any, cast

import typer

from lakeshelf.cli.console.output import (
    All,
    Most,
    Yes,
    agreed,
    console,
    moment,
    most,
    print_json,
    print_list,
)
from lakeshelf.cli.governed.asking import RequestCommand, about_one
from lakeshelf.cli.governed.cells import paged
from lakeshelf.cli.governed.connecting import next_command
from lakeshelf.cli.governed.printing import (
    ROWS_SHOWN,
    content_of,
    explained,
    finding_line,
    is_conflicting,
    print_conflicts,
    print_diff,
    print_head,
    print_preview,
    print_state,
)
from lakeshelf.counts import count_is, count_of
from lakeshelf.errors import ConfigurationError

CHOICES = {"main": "keep_main", "staged": "take_staged", "rebase": "rebase"}
"""What people write → what the API takes."""
Comment = Annotated[str, typer.Option(help="What there is to say.")]
Content = Annotated[
    str | None, typer.Option(help="The content that you saw; unset: what it is now.")
]
CellWords = Annotated[
    list[str], typer.Argument(metavar="ROW[.COLUMN]...", help="Cells, or whole rows.")
]


@about_one
def approve(
    asked: RequestCommand,
    *,
    comment: Comment = "",
    acknowledge: Annotated[
        list[str] | None, typer.Option(help="Rule whose warnings you have seen.")
    ] = None,
    content: Content = None,
    yes: Yes = False,
) -> None:
    """Approve a change request, after it was shown."""
    with asked.request() as request:
        seen = request.get()
        if not asked.as_json:
            print_head(seen)
            changes = paged(request.diff, "cells", ROWS_SHOWN)
            print_diff(seen, *changes)
            print_conflicts(seen, changes[0])
        agreed("Approve exactly this?", yes, "nothing was approved; give --yes to agree")
        with explained(asked.as_json):
            answer = request.approve(
                content or content_of(seen), comment=comment, acknowledged=acknowledge or ()
            )
    is_next = answer["status"] == "approved" and not is_conflicting(seen)
    print_state(answer, asked.as_json, "cr merge" if is_next else "cr show")


@about_one
def reject(
    asked: RequestCommand,
    *,
    comment: Annotated[str, typer.Option(help="Why.")],
    content: Content = None,
) -> None:
    """Reject a change request; its authors may change it and submit it again."""
    with asked.request() as request:
        answer = request.reject(content or content_of(request.get()), comment)
    print_state(answer, asked.as_json, "cr show")


@about_one
def reject_cells(
    asked: RequestCommand,
    words: CellWords,
    *,
    comment: Comment = "",
    content: Content = None,
) -> None:
    """Reject some cells, or rows; the rest is a smaller revision."""
    with asked.request() as request:
        names = {cell["column"] for cell in paged(request.diff, "cells")[0]}
        cells = [_cell(word, names) for word in words]
        answer = request.reject_cells(content or content_of(request.get()), cells, comment)
    print_state(answer, asked.as_json, "cr show")


@about_one
def merge(
    asked: RequestCommand,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Take what is staged in every conflict; for owners.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Merge an approved change request; what that would do is shown first."""
    with asked.request() as request:
        seen = request.get()
        if not yes:
            print_preview(request.dry_run(), as_json=False)
        agreed("Merge it?", yes, "nothing was merged; give --yes to agree")
        with explained(asked.as_json):
            answer = request.merge(content_of(seen), force=force)
    if asked.as_json:
        print_json(answer)
        return
    console().print(
        f"CR {asked.number} stands in version {answer['merged_version']} of {answer['dataset']}.",
        soft_wrap=True,
    )


@about_one
def resolve(
    asked: RequestCommand,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="ROW[.COLUMN]=CHOICE...", help=f"CHOICE: {', '.join(CHOICES)}."),
    ] = None,
    *,
    every: Annotated[
        str | None, typer.Option("--all", help="The same choice for all conflicts.")
    ] = None,
) -> None:
    """Settle conflicts: keep what main has, take what is staged, or rebase; it is approved again then."""
    with asked.request() as request:
        conflicts = request.dry_run()["conflicts"]
        cells = {(one["row_id"], one["column"]): every for one in conflicts} if every else {}
        for word in words or ():
            place, _, choice = word.rpartition("=")
            cells[_cell(place, {one["column"] for one in conflicts})] = choice
        chosen = {cell: _choice(choice) for cell, choice in cells.items()}
        if not chosen:
            raise ConfigurationError(
                f"CR {asked.number} has {count_of(len(conflicts), 'conflict')}, and none is settled",
                hint="write ROW.COLUMN=staged, or --all main",
            )
        answer = request.resolve(content_of(request.get()), cast("Any", chosen))
        seen, first = request.get(), request.diff(limit=1)["cells"]
    if asked.as_json:
        print_json(answer)
    else:
        _print_settled(seen, first, len(chosen))


def _print_settled(
    seen: Mapping[str, Any], first: Sequence[Mapping[str, Any]], settled: int
) -> None:
    """Print how many conflicts are left, and what is next."""
    number, project = seen["request"]["number"], seen["request"]["project"]
    if is_conflicting(seen):
        console().print(f"{count_is(settled, 'conflict')} settled.")
        print_conflicts(seen, first)
        return
    shown = next_command(f"cr show {number}", project)
    console().print(
        f"{count_is(settled, 'conflict')} settled, and none is left: CR {number} waits to be approved again. "
        f"Who may: {', '.join(seen['may_approve'])}. Next: `{shown}`",
        soft_wrap=True,
    )


@about_one
def validation(
    asked: RequestCommand,
    *,
    run: Annotated[str | None, typer.Option(help="Show what this run found.")] = None,
    limit: Most = None,
    every: All = False,
) -> None:
    """List how often the rules judged a change request, or show all that one run found."""
    count = most(limit, every, asked.as_json)
    with asked.request() as request:
        if run is None:
            listed = request.validation()
            total, what = len(listed), "runs"
        else:
            page = partial(request.project.validation_run, run)
            listed, total = paged(page, "findings", count)
            what = "findings"
    if asked.as_json:
        print_json(listed)
        return
    shape = _run if run is None else finding_line
    print_list([shape(one) for one in listed[:count]], total, what, as_json=False)


def _run(one: Mapping[str, Any]) -> dict[str, Any]:
    names = ("id", "point", "revision", "definition_version", "main_version", "passed", "ended_at")
    found_counts = ", ".join(f"{count:,} {name}" for name, count in one["counts"].items())
    shown = {name: one[name] for name in names}
    return {
        **shown,
        "ended_at": moment(one["ended_at"]),
        "introduced": found_counts or "nothing",
    }


def _cell(word: str, columns: set[str | None]) -> tuple[str, str | None]:
    """A cell or row as people write it; what is behind the last point is a column only if there is such a one."""
    row, point, column = word.rpartition(".")
    return (row, column) if point and column in columns else (word, None)


def _choice(word: str | None) -> str:
    if word not in CHOICES:
        raise ConfigurationError(f"{word!r} settles nothing", hint=f"choose {', '.join(CHOICES)}")
    return CHOICES[word]
