"""`lakeshelf lake`: datasets, their versions, and what can be done to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakeshelf.cli.console.output import All, AsJson, Most, most
from lakeshelf.cli.data import lake_files, lake_runs, lake_upkeep
from lakeshelf.cli.data.lake_options import (
    DryRun,
    Name,
    dataset,
    elsewhere,
    moment,
    opened,
    show,
)
from lakeshelf.errors import LakeError

if TYPE_CHECKING:
    from lakeshelf.lake import Lake

app = typer.Typer(help="Datasets of the lake: versions, differences, damage, space.")


@app.command("ls")
def ls(*, limit: Most = None, every: All = False, as_json: AsJson = False) -> None:
    """List the datasets whose tables are there: version, key, who writes. One that cannot be opened has none of it."""
    lake = opened()
    names = lake.names()
    unread: list[LakeError] = []
    lines = [_line(lake, name, unread) for name in names[: most(limit, every, as_json)]]
    show(lines, as_json, len(names), "datasets")
    if unread:
        raise unread[0]


@app.command("history")
def history(name: Name, *, limit: Most = None, every: All = False, as_json: AsJson = False) -> None:
    """List the versions of a dataset, the latest first: when, what, who, why."""
    table = elsewhere(name)
    entries = table.history() if table else opened().history(dataset(name))
    versions = [
        {
            "version": entry.version,
            "committed_at": entry.committed_at.isoformat(timespec="milliseconds"),
            "operation": entry.operation,
            "who": entry.stamp.who if entry.stamp else None,
            "why": entry.stamp.why if entry.stamp else None,
            "run": entry.stamp.run_id if entry.stamp else None,
            "metadata": dict(entry.metadata),
        }
        for entry in entries[: most(limit, every, as_json)]
    ]
    show(versions, as_json, len(entries), "versions")


@app.command("diff")
def diff(
    name: Name,
    a: Annotated[str, typer.Argument(help="Version, time or run before.")],
    b: Annotated[str, typer.Argument(help="Version, time or run after.")],
    *,
    limit: Most = None,
    every: All = False,
    as_json: AsJson = False,
) -> None:
    """Show the rows that two versions of a dataset do not share."""
    table = elsewhere(name)
    if table:
        difference = table.diff(moment(a), moment(b)).read_all()
    else:
        difference = opened().diff(dataset(name), moment(a), moment(b)).read_all()
    shown = difference.slice(0, most(limit, every, as_json)).to_pylist()
    show(shown, as_json, difference.num_rows, "rows")


app.command("runs")(lake_runs.runs)
app.command("verify-run")(lake_runs.verify_run)
app.command("cursors")(lake_runs.cursors)
app.command("forget")(lake_runs.forget)


@app.command("restore")
def restore(
    name: Name,
    at: Annotated[str, typer.Argument()],
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make an earlier version of a dataset the latest; a job's table is refused."""
    lake, moment_ = opened(), moment(at)
    dataset_name = dataset(name)
    target = lake.snapshot(dataset_name, moment_).version
    if not dry_run:
        commit = lake.restore(dataset_name, moment_)
    restored = {
        "dataset": dataset_name,
        "restored": target,
        "version": None if dry_run else commit.version,
        "dry_run": dry_run,
    }
    show([restored], as_json)


def _line(lake: Lake, name: str, unread: list[LakeError]) -> dict[str, Any]:
    try:
        snapshot = lake.snapshot(name)
    except LakeError as error:
        unread.append(error)
        return {"dataset": name} | dict.fromkeys(("version", "columns", "key", "written_by"))
    dataset = snapshot.dataset
    return {
        "dataset": name,
        "version": snapshot.version,
        "columns": len(snapshot.schema),
        "key": ", ".join(dataset.key),
        "written_by": dataset.owner,
    }


for command in (
    lake_files.export,
    lake_files.migrate,
    lake_files.migrate_postgres,
    lake_upkeep.optimize,
    lake_upkeep.vacuum,
    lake_upkeep.doctor,
    lake_upkeep.repair,
    lake_upkeep.features,
):
    app.command(command.__name__.replace("_", "-"))(command)
