"""`data`: what became of rows, by whom, and how it is taken back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from lakeshelf.cli.console import access
from lakeshelf.cli.console.output import (
    All,
    AsJson,
    Most,
    Yes,
    add,
    agreed,
    console,
    grid,
    moment,
    most,
    print_json,
    print_list,
)
from lakeshelf.cli.governed.cells import paged, shown_text
from lakeshelf.cli.governed.connecting import As, Name, Row, dataset_of, next_command
from lakeshelf.cli.governed.printing import print_proposed
from lakeshelf.counts import count_of
from lakeshelf.errors import ConfigurationError

NOT_ASKED = "nothing was restored; give --yes to agree"


def history(
    name: Name,
    row: Annotated[str | None, typer.Argument(metavar="[ROW]", help="Only this row.")] = None,
    *,
    user: As = None,
    limit: Most = None,
    every: All = False,
    as_json: AsJson = False,
) -> None:
    """Show which cells changed, the latest first: by whom, approved by whom, why."""
    count = most(limit, every, as_json)
    with dataset_of(user, name) as dataset:
        listed, total = paged(
            lambda offset, limit: dataset.history(row_id=row, offset=offset, limit=limit),
            "changes",
            count,
        )
    shape = _change if as_json else _change_shown
    print_list([shape(one) for one in listed], total, "changes", as_json, right=("version", "CR"))


def blame(name: Name, row: Row, *, user: As = None, as_json: AsJson = False) -> None:
    """Show who wrote each cell of a row, in which change request, and who approved it."""
    with dataset_of(user, name) as dataset:
        cells = dataset.blame(row)
    if as_json:
        print_json(cells)
        return
    table = grid("column", "value", "CR", "by", "approved by", "when", "why", right=("CR",))
    for column, change in cells.items():
        if change is None:
            add(table, column, None, None, "adopted, not reviewed", None, None, None)
            continue
        add(
            table,
            column,
            shown_text(change["new_value"]),
            change["change_request"],
            change["actor"],
            ", ".join(change["approvers"]),
            moment(change["committed_at"]),
            change["reason"],
        )
    console().print(table)


def diff(
    name: Name,
    before: Annotated[int, typer.Argument(help="A version.")],
    after: Annotated[int, typer.Argument(help="Another one.")],
    *,
    user: As = None,
    limit: Most = None,
    every: All = False,
    as_json: AsJson = False,
) -> None:
    """Show the cells that differ between two versions."""
    count = most(limit, every, as_json)
    with dataset_of(user, name) as dataset:
        listed, total = paged(
            lambda start, size: dataset.diff(before, after, offset=start, limit=size),
            "cells",
            count,
        )
    print_list(listed, total, "cells", as_json)


def restore(
    name: Name,
    version: Annotated[
        str, typer.Argument(metavar="VERSION|SNAPSHOT", help="What shall be again.")
    ],
    *,
    title: Annotated[str, typer.Option(help="Why, in words.")] = "",
    at_once: Annotated[
        bool,
        typer.Option("--at-once", help="Without a review: for owners, where the policy allows it."),
    ] = False,
    yes: Yes = False,
    user: As = None,
    as_json: AsJson = False,
) -> None:
    """Propose that the rows of a version, or of a named snapshot, are those of today again."""
    number_or_name = int(version) if version.isdigit() else version
    with dataset_of(user, name) as dataset:
        if at_once:
            agreed(f"Restore {name} as of {version} without a review?", yes, NOT_ASKED)
            made = dataset.restore_at_once(number_or_name, title).get()
        else:
            made = dataset.restore(number_or_name, title).get()
    if at_once and not as_json:
        merged_version = made["request"]["merged_version"]
        console().print(f"{name} is as of {version} again, in version {merged_version}.")
    else:
        print_proposed(made, as_json)


def outside(
    name: Name,
    *,
    take_up: Annotated[
        bool, typer.Option("--take-up", help="Propose that what they did becomes ours.")
    ] = False,
    take_back: Annotated[
        bool, typer.Option("--take-back", help="Propose to take back what they did.")
    ] = False,
    title: Annotated[str, typer.Option(help="Why, in words.")] = "",
    user: As = None,
    as_json: AsJson = False,
) -> None:
    """List commits that others made past the service, or propose what becomes of them; they stop publication."""
    if take_up and take_back:
        raise ConfigurationError("--take-up and --take-back", hint="give one of them")
    with dataset_of(user, name) as dataset:
        if take_up or take_back:
            print_proposed(dataset.propose_outside(title, take_back=take_back).get(), as_json)
            return
        listed = dataset.outside()
    print_list(listed, len(listed), "commits of others", as_json, right=("version",))
    if listed and not as_json:
        ways = next_command(f"data outside {name} --take-up")
        console().print(f"Next: `{ways}`, or --take-back", soft_wrap=True)


def snapshot(
    name: Name,
    label: Annotated[str, typer.Argument(metavar="NAME", help="Such as before_easter.")],
    *,
    reason: Annotated[str, typer.Option(help="What it is kept for.")] = "",
    user: As = None,
    as_json: AsJson = False,
) -> None:
    """Keep the rows as they are under a name, whatever is cleaned up later."""
    with dataset_of(user, name) as dataset:
        kept = dataset.keep_snapshot(label, reason)
    if as_json:
        print_json(kept)
    else:
        console().print(
            f"{label} keeps {count_of(kept['row_count'], 'row')} of version {kept['delta_version']}."
        )


def publish(
    name: Name,
    *,
    every: Annotated[
        bool, typer.Option("--all", help="Every row once more, whether or not it changed.")
    ] = False,
    user: As = None,
    as_json: AsJson = False,
) -> None:
    """Have the rows of a dataset sent to the topic that the jobs obey once more; what is merged is sent by itself."""
    if not every:
        raise ConfigurationError(
            f"what is merged in {name} is sent by itself",
            hint=f"`{next_command(f'data publish {name} --all')}` has every row sent once more",
        )
    with dataset_of(user, name) as dataset:
        asked = dataset.publish_again()
    if as_json:
        print_json(asked)
    else:
        console().print(
            f"dataset-publisher sends every row of {asked['id']} once more. "
            f"Next: `{access.command('status')}`",
            soft_wrap=True,
        )


def _change_shown(one: Mapping[str, Any]) -> dict[str, Any]:
    sides = {"was": shown_text(one["old_value"]), "is": shown_text(one["new_value"])}
    return {**_change(one), **sides, "when": moment(one["committed_at"])}


def _change(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "version": one["version"],
        "row": one["row_id"],
        "column": one["column"],
        "was": one["old_value"],
        "is": one["new_value"],
        "CR": one["change_request"],
        "when": one["committed_at"],
        "by": one["actor"],
        "approved by": ", ".join(one["approvers"]),
        "why": one["reason"],
    }
