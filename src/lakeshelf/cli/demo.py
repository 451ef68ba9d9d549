# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`demo`: real receipts, reconciled."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from lakeshelf.cli import access, loop
from lakeshelf.cli.output import AsJson, Steps, add, console, grid, print_json
from lakeshelf.errors import ConfigurationError

if TYPE_CHECKING:
    from lakeshelf.settings import Settings
    from lakeshelf.stack.demo import Report

STEPS = {
    "start": "broker, topics and tables",
    "send": "receipts are sent",
    "fold": "queries fold what was sent",
    "stop": "stack stops",
    "reconcile": "tables against receipts",
}
PHASES = (
    ("topics", "broker, topics and tables ready"),
    ("queries", "all queries running"),
    ("sent", "all records sent"),
    ("folded", "all records folded"),
    ("stopped", "stack stopped"),
    ("reconciled", "tables reconciled"),
)
Share = Annotated[float, typer.Option(min=0, max=1)]


def demo(
    *,
    stores: Annotated[
        str | None,
        typer.Option(help="The so many stores with most lines (10), or `all`; of a loop: 1."),
    ] = None,
    speed: Annotated[
        float | None, typer.Option(help="Business seconds a second; unset: as fast as possible.")
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Chooses where faults fall, and all that happens in a loop.")
    ] = 0,
    malformed: Annotated[
        float, typer.Option(help="Share of malformed records that are added.")
    ] = 0.0,
    duplicates: Annotated[float, typer.Option(help="Share of exact repeats that are added.")] = 0.0,
    reorder: Annotated[
        int,
        typer.Option(
            help="Minutes of event time within which events are shuffled; of a loop: ticks."
        ),
    ] = 0,
    late: Annotated[float, typer.Option(help="Share of events that are delivered last.")] = 0.0,
    baskets: Annotated[int | None, typer.Option(help="Only the so many earliest baskets.")] = None,
    lake: Annotated[
        Path | None,
        typer.Option(help="Folder of the demo's lake, emptied first; unset: `demo` in the lake."),
    ] = None,
    committer: Annotated[str | None, typer.Option(help="`driver` or `spark`.")] = None,
    play_loop: Annotated[
        bool, typer.Option("--loop", help="Play simulated stores day by day instead of receipts.")
    ] = False,
    days: Annotated[int, typer.Option(min=1, help="Business days of a loop.")] = 7,
    shelves: Annotated[int, typer.Option(min=1, help="Shelves a store of a loop.")] = 500,
    as_json: AsJson = False,
) -> None:
    """Replay real receipts through the whole pipeline and reconcile the tables with them.

    With `--loop`: a simulated shop that sells, runs low, refills, orders, discounts and removes, moved by
    a stepped clock, so that the result depends on the seed alone.
    """
    from lakeshelf.components.registry import module
    from lakeshelf.settings import load_settings
    from lakeshelf.stack import demo as work

    configured = access.settings(committer=committer)
    named = lake or access.options().lake
    root = work.demo_lake(configured, named).absolute()
    chosen = {"committer": committer} if committer else {}
    settings = load_settings(lake_root=root, bootstrap_servers=None, **chosen)
    number = module(settings.home, "replay").parsed_stores(stores or ("1" if play_loop else "10"))
    if play_loop:
        _require_none(
            {"--speed": speed, "--malformed": malformed, "--late": late, "--baskets": baskets}
        )
        _play(settings, days, number, shelves, seed, duplicates, reorder > 0, as_json=as_json)
    plan = {
        "stores": number,
        "speed": speed,
        "seed": seed,
        "malformed": malformed,
        "duplicates": duplicates,
        "reorder_minutes": reorder,
        "late": late,
        "baskets": baskets,
    }
    with Steps(STEPS).shown() as show:
        report = work.run(settings, plan, show)
    if as_json:
        print_json(report.as_json())
    else:
        _show(report, settings.stack_dir / work.REPORT)
    raise typer.Exit(0 if report.reconciliation.ok else 1)


def _require_none(options: dict[str, float | None]) -> None:
    """Refuse options that a loop has no use for."""
    for name, value in options.items():
        if value:
            raise ConfigurationError(f"{name} {value} does not fit --loop", hint="leave one out")


def _play(
    settings: Settings,
    days: int,
    stores: int | None,
    shelves: int,
    seed: int,
    duplicates: float,
    reorder: bool,
    *,
    as_json: bool,
) -> NoReturn:
    from lakeshelf.stack import loop as work

    if stores is None:
        raise ConfigurationError("--stores is 'all'", hint="give a loop a number of stores")
    simulation = {
        "simulation_stores": stores,
        "simulation_shelves": shelves,
        "simulation_seed": seed,
        "simulation_duplicates": duplicates,
        "simulation_reorder": reorder,
    }
    played = settings.model_copy(update=simulation)
    with Steps(loop.STEPS).shown() as show:
        report = work.run(played, work.LoopPlan(days), show)
    if as_json:
        print_json(report.as_json())
    else:
        loop.show(report, _checks(report.as_json()["checks"]), played.stack_dir)
    raise typer.Exit(0 if report.reconciliation.ok else 1)


def _show(report: Report, file: Path) -> None:
    out = console()
    out.print(_checks(report.as_json()["checks"]))
    out.print()
    out.print(_tables(report))
    out.print()
    out.print(_figures(report))
    out.print()
    if report.reconciliation.ok:
        out.print("[bold green]reconciled[/]: the tables say exactly what the receipts say")
    else:
        out.print("[bold red]not reconciled[/]: see the checks above")
    out.print(f"report  {file}", soft_wrap=True)
    lake = shlex.quote(str(report.lake))
    out.print(f"next    lakeshelf --lake {lake} tables", soft_wrap=True)
    out.print(f"        lakeshelf --lake {lake} quarantine list", soft_wrap=True)
    out.print(f"        lakeshelf --lake {lake} up", soft_wrap=True)


def _checks(checks: list[dict[str, Any]]) -> Any:
    table = grid(
        "check",
        "what is compared",
        "expected",
        "found",
        "differences",
        right=("expected", "found", "differences"),
    )
    for check in checks:
        style = "" if check["ok"] else "red"
        add(
            table,
            check["name"],
            check["title"],
            check["expected"],
            check["found"],
            check["differences"],
            style=style,
        )
        for sample in check["sample"]:
            add(table, "", sample, "", "", "", style="red")
    return table


def _tables(report: Report) -> Any:
    names = list(report.reconciliation.tables.items())
    half = (len(names) + 1) // 2
    table = grid("table", "rows", "", "table", "rows", right=("rows",))
    for index in range(half):
        other = names[half + index] if half + index < len(names) else ("", "")
        add(table, *names[index], "   ", *other)
    return table


def _figures(report: Report) -> Any:
    table = grid("", "")
    add(
        table,
        "events",
        f"{report.events:,}, {report.events_per_second:,.0f} a second from the first sent to the last folded",
    )
    memory = (
        f"{report.peak_memory / 2**30:.2f} GiB at most, all processes"
        if report.peak_memory
        else "unknown"
    )
    add(table, "memory", memory)
    ends = ", ".join(
        f"{report.ends[step]:.1f} s {name}" for step, name in PHASES if step in report.ends
    )
    add(table, "time", ends)
    add(table, "restarts", ", ".join(f"{name} {count}" for name, count in report.restarts.items()))
    return table
