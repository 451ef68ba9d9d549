# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`lakeshelf lake optimize`, `vacuum`, `doctor`, `repair` and `features`: tables kept small, sound and readable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakeshelf.cli.console import access, completion
from lakeshelf.cli.console.output import AsJson, Steps, console, print_json
from lakeshelf.cli.data.lake_options import DryRun, Name, dataset, opened, show
from lakeshelf.counts import count_of
from lakeshelf.errors import ConfigurationError

if TYPE_CHECKING:
    from lakeshelf.lake.upkeep.doctor import TableHealth
    from lakeshelf.lake.upkeep.maintenance import Action
    from lakeshelf.lake.upkeep.requests import Done

DAMAGED = 2
"""Exit code where damage is found, or a part of the work was not done."""
MEGABYTE = 1024 * 1024

Optional = Annotated[
    str | None, typer.Argument(help="Dataset; unset: all.", autocompletion=completion.tables)
]
DropLastCommit = Annotated[
    bool,
    typer.Option(
        "--drop-last-commit",
        help="Put the last commit aside, if nobody can read it; what it wrote is given up.",
    ),
]
Timeout = Annotated[
    float, typer.Option("--timeout", min=0, help="Seconds to wait for an owner that is up.")
]


def optimize(
    name: Name,
    *,
    partition: Annotated[
        list[str] | None, typer.Option("--partition", help="`column=value`; may be repeated.")
    ] = None,
    zorder: Annotated[
        str | None, typer.Option("--zorder", help="Columns to z-order by, with commas.")
    ] = None,
    min_files: Annotated[
        int, typer.Option("--min-files", min=2, help="Fewest small files worth merging.")
    ] = 50,
    target_mb: Annotated[
        float, typer.Option("--target-mb", min=0.01, help="Smaller files are merged, up to it.")
    ] = 8.0,
    timeout: Timeout = 300.0,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Merge small files, or put rows in z-order, partition by partition, where it is worth it.

    A dataset that has an owner is optimized by it between its commits, or under its lease while it is down.
    """
    arguments = {
        "partition": _partition(partition or []) or None,
        "columns": [column.strip() for column in zorder.split(",")] if zorder else [],
        "min_small_files": min_files,
        "small_bytes": int(target_mb * MEGABYTE),
        "dry_run": dry_run,
    }
    done = _carried_out(name, "optimize", arguments, timeout)
    report = done.report
    if as_json:
        print_json(_as_json(done, dry_run))
    else:
        states = (("done", "would be rewritten" if dry_run else "rewritten"), ("failed", "failed"))
        lines = [
            {"partition": part["partition"] or "(all)", "state": state} | _numbers(part)
            for kind, state in states
            for part in report[kind]
        ]
        _print_lines(lines, done, "nothing to rewrite", dry_run)
    raise typer.Exit(DAMAGED if report["failed"] else 0)


def vacuum(
    name: Name,
    *,
    retention_hours: Annotated[
        float | None,
        typer.Option(
            "--retention-hours",
            min=0,
            help="Keep replaced files so long; unset: as the table says.",
        ),
    ] = None,
    timeout: Timeout = 300.0,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Delete files and log entries that no version within the retention, no run and no cursor needs."""
    arguments = {"retention_hours": retention_hours, "dry_run": dry_run}
    done = _carried_out(name, "vacuum", arguments, timeout)
    if as_json:
        print_json(_as_json(done, dry_run))
        return
    report = {k: v for k, v in done.report.items() if k not in ("names", "left")}
    lines = [report] if report["files"] or report["log"] else []
    _print_lines(lines, done, "nothing to delete", dry_run)
    for path in done.report["names"]:
        console().print(f"  {path}", soft_wrap=True)


def doctor(name: Optional = None, *, as_json: AsJson = False) -> None:
    """Say how tables are, one line each, and name damage with the way out; exit code 2 where there is any."""
    from lakeshelf.lake.upkeep.doctor import examine

    lake = opened()
    examined = []
    with Steps({"tables": "tables", "files": "files"}).shown() as show_step:
        names = lake.names() if name is None else [dataset(name)]
        for number, one in enumerate(names):
            if name is None:
                show_step("tables", number, len(names))
                examined.append(examine(lake.root, one))
            else:
                examined.append(examine(lake.root, one, lambda _, n, of: show_step("files", n, of)))
    if as_json:
        print_json([health.as_json() for health in examined])
    else:
        show([_line(health) for health in examined], False)
        _tell_damage(examined)
    raise typer.Exit(DAMAGED if any(health.damage for health in examined) else 0)


def repair(
    name: Name,
    *,
    drop_last_commit: DropLastCommit = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Do what is safe about damage: put aside what is only derived, take out of the log what is gone."""
    from lakeshelf.lake.upkeep.repair import repair as repaired

    report = repaired(
        opened(),
        dataset(name),
        stack=access.settings().stack_dir,
        dry_run=dry_run,
        drop_last_commit=drop_last_commit,
    )
    if as_json:
        print_json(report.as_json() | {"dry_run": dry_run})
    else:
        verb = "would be" if dry_run else "were"
        for path in report.aside:
            console().print(f"{path} {verb} put into _damaged", soft_wrap=True)
        if report.lost:
            rows = "unknown" if report.lost_rows is None else f"{report.lost_rows:,}"
            console().print(
                f"{count_of(len(report.lost), 'lost file')} {verb} taken out of the log, rows: {rows}"
            )
        for damage in report.left:
            _tell(report.dataset, vars(damage))
        if not (report.aside or report.lost or report.left):
            console().print(f"{report.dataset} has no damage")
    raise typer.Exit(DAMAGED if report.left else 0)


def features(name: Optional = None, *, as_json: AsJson = False) -> None:
    """Show which engines read and write which table features, or those of one dataset."""
    from lakeshelf.lake.form import features as known

    if name is None:
        listed = [_feature(one) for one in known.FEATURES]
        print_json(listed) if as_json else show([_flat(one) for one in listed], False)
        return
    snapshot = opened().snapshot(dataset(name))
    supported = known.support(snapshot.handle, snapshot.dataset.profile)
    if as_json:
        print_json({"dataset": snapshot.dataset.name} | supported)
        return
    versions = f"reader {supported['reader_version']}, writer {supported['writer_version']}"
    console().print(f"{snapshot.dataset.name}: {versions}, profile {supported['profile']}")
    show([_flat(_feature(one)) for one in supported["features"]], False)


def _carried_out(name: str, action: Action, arguments: Mapping[str, Any], timeout: float) -> Done:
    from lakeshelf.lake.upkeep import requests

    lake, dataset_name = opened(), dataset(name)
    owner = lake.dataset(dataset_name).owner
    with Steps({"wait": f"waiting for {owner}"}).shown() as progress:
        return requests.carry_out(
            lake,
            dataset_name,
            action,
            arguments,
            stack=access.settings().stack_dir,
            timeout_s=timeout,
            waiting=lambda: progress("wait"),
        )


def _partition(texts: list[str]) -> dict[str, str]:
    wrong = next((text for text in texts if "=" not in text), None)
    if wrong is not None:
        raise ConfigurationError(f"{wrong!r} names no partition", hint="write `column=value`")
    return {column: value for column, _, value in (text.partition("=") for text in texts)}


def _numbers(part: Mapping[str, Any]) -> dict[str, Any]:
    return {key: part[key] for key in ("files", "made", "bytes", "note")}


def _as_json(done: Done, dry_run: bool) -> dict[str, Any]:
    summary = {"dataset": done.dataset, "action": done.action, "by": done.by, "dry_run": dry_run}
    return summary | dict(done.report)


def _print_lines(lines: list[dict[str, Any]], done: Done, nothing: str, dry_run: bool) -> None:
    if lines:
        show(lines, False)
    else:
        console().print(f"{done.dataset}: {nothing}")
    if lines and not dry_run:
        console().print(f"done by {done.by}")


def _line(health: TableHealth) -> dict[str, Any]:
    return {
        "dataset": health.dataset,
        "version": health.version,
        "rows": health.rows,
        "protocol": health.protocol,
        "files": health.files,
        "small files": health.small_files,
        "orphans": health.orphans,
        "log": health.log_entries,
        "damage": len(health.damage),
    }


def _tell_damage(examined: list[TableHealth]) -> None:
    for health in examined:
        for damage in health.damage:
            _tell(health.dataset, vars(damage))


def _tell(name: str, damage: Mapping[str, Any]) -> None:
    place = f" {damage['path']}" if damage["path"] else ""
    way_out = access.completed(damage["way_out"])
    line = f"{name}: {damage['kind']}{place}: {damage['detail']}; {way_out}"
    console().print(line, style="red", soft_wrap=True)


def _feature(name: str) -> dict[str, Any]:
    from lakeshelf.lake.form import features as known

    feature = known.known(name)
    return {
        "feature": name,
        "reads": dict(zip(known.ENGINES, feature.reads, strict=True)),
        "writes": dict(zip(known.SHARED_WRITERS, feature.writes, strict=True)),
    }


def _flat(feature: Mapping[str, Any]) -> dict[str, Any]:
    """A feature as a line for people: a column for each engine that reads or writes it."""
    reads = {f"{engine} reads": word for engine, word in feature["reads"].items()}
    writes = {f"{engine} writes": word for engine, word in feature["writes"].items()}
    return {"feature": feature["feature"]} | reads | writes
