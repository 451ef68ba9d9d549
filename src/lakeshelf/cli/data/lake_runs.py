# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`lakeshelf lake runs`, `verify-run` and `cursors`: what runs read and wrote, and how far consumers are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

import typer

from lakeshelf.cli.console import access
from lakeshelf.cli.console.output import All, AsJson, Most, Steps, console, most, print_list

SHOWN = ("run_id", "dataset", "kind", "version", "rows", "status", "started_at", "why")
RunId = Annotated[str, typer.Argument(help="The run; `lakeshelf lake runs` lists them.")]


def runs(*, limit: Most = None, every: All = False, as_json: AsJson = False) -> None:
    """List what runs read and wrote, the latest run first, one line a dataset."""
    from lakeshelf.lake.history.runs import latest_first
    from lakeshelf.lake.place.location import Root

    records = [record(row) for row in latest_first(Root.at(access.present().lake_root))]
    shown = records[: most(limit, every, as_json)]
    numbers = ("version", "rows")
    print_list(shown, len(records), "lines of runs", as_json, columns=SHOWN, right=numbers)


def verify_run(run: RunId, *, as_json: AsJson = False) -> None:
    """Compute again from the data what a run recorded; exit code 2 where something differs."""
    from lakeshelf.lake import Lake
    from lakeshelf.lake.history.verification import verify

    lake = Lake(access.present().lake_root)
    differences = []
    with Steps({"verify": f"verify {run}"}).shown() as steps:
        steps("verify")
        for difference in verify(lake, run):
            differences.append(difference.as_json())
            steps("verify", len(differences))
    if as_json or differences:
        print_list(differences, len(differences), "differences", as_json, right=("version",))
    else:
        console().print(f"run {run}: everything is as it was recorded")
    if differences:
        raise typer.Exit(2)


def cursors(*, limit: Most = None, every: All = False, as_json: AsJson = False) -> None:
    """List who reads the changes of which dataset, and how many versions each is behind."""
    from lakeshelf.lake import Lake
    from lakeshelf.lake.history.cursors import standing

    lines = list(standing(Lake(access.present().lake_root)))
    shown = lines[: most(limit, every, as_json)]
    print_list(shown, len(lines), "cursors", as_json, right=("position", "latest"))


def forget(
    consumer: Annotated[str, typer.Argument(help="The consumer.")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take a consumer that is no more off the list, so that maintenance need not keep versions for it."""
    from lakeshelf.errors import LakeError
    from lakeshelf.lake import Lake
    from lakeshelf.lake.history import cursors as listed

    lake = Lake(access.present().lake_root)
    lines = [line for line in listed.standing(lake) if line["consumer"] == consumer]
    if not lines:
        raise LakeError(f"no consumer {consumer!r}", hint="`lakeshelf lake cursors` lists them")
    if not dry_run:
        listed.forget(lake, consumer)
    done = [{**line, "forgotten": not dry_run} for line in lines]
    print_list(done, len(done), "cursors", as_json, right=("position", "latest"))


def record(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `ops/runs` as JSON has it (`docs/reference/run.schema.json`)."""
    return {
        name: value.isoformat().replace("+00:00", "Z") if isinstance(value, date) else value
        for name, value in row.items()
    }
