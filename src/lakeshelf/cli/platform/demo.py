# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`demo`: real receipts, reconciled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakeshelf.cli.console import access
from lakeshelf.cli.console.output import AsJson, Steps, add, checks_table, console, grid, print_json
from lakeshelf.cli.platform import loop
from lakeshelf.errors import ConfigurationError

if TYPE_CHECKING:
    from lakeshelf.settings import Settings
    from lakeshelf.stack.demos.demo import DemoReport

STEPS = {
    "broker": "broker starts",
    "topics": "topics and tables are made",
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
Stores = Annotated[
    str | None,
    typer.Option(help="The so many stores with most lines (10), or `all`; of a loop: 1."),
]
Speed = Annotated[
    float | None, typer.Option(help="Business seconds a second; unset: as fast as possible.")
]
Seed = Annotated[
    int, typer.Option(help="Chooses where faults fall, and all that happens in a loop.")
]
Malformed = Annotated[float, typer.Option(help="Share of malformed records that are added.")]
Duplicates = Annotated[float, typer.Option(help="Share of exact repeats that are added.")]
Reorder = Annotated[
    int,
    typer.Option(help="Minutes of event time within which events are shuffled; of a loop: ticks."),
]
Late = Annotated[float, typer.Option(help="Share of events that are delivered last.")]
Baskets = Annotated[int | None, typer.Option(help="Only the so many earliest baskets.")]
Promotions = Annotated[
    bool,
    typer.Option("--promotions", help="Publish the shelves' real displays and mailers, too."),
]
DemoLake = Annotated[
    str | None,
    typer.Option(
        help="Folder or address of the demo's lake, emptied first; unset: `demo` in the lake."
    ),
]
Committer = Annotated[str | None, typer.Option(help="`driver`, `spark`, or by `size`.")]
Loop = Annotated[
    bool, typer.Option("--loop", help="Play simulated stores day by day instead of receipts.")
]
Days = Annotated[int, typer.Option(min=1, help="Business days of a loop.")]
Shelves = Annotated[int, typer.Option(min=1, help="Shelves a store of a loop.")]


def demo(
    *,
    stores: Stores = None,
    speed: Speed = None,
    seed: Seed = 0,
    malformed: Malformed = 0.0,
    duplicates: Duplicates = 0.0,
    reorder: Reorder = 0,
    late: Late = 0.0,
    baskets: Baskets = None,
    promotions: Promotions = False,
    lake: DemoLake = None,
    committer: Committer = None,
    play_loop: Loop = False,
    days: Days = 7,
    shelves: Shelves = 500,
    as_json: AsJson = False,
) -> None:
    """Replay real receipts through the whole pipeline and reconcile the tables with them.

    With `--loop`: a simulated shop that sells, runs low, refills, orders, discounts and removes, moved by
    a stepped clock, so that the result depends on the seed alone.
    """
    settings = _settings(lake, committer)
    faults = {"malformed": malformed, "late": late}
    if play_loop:
        _require_none({"speed": speed, "baskets": baskets, "promotions": promotions, **faults})
        simulation = {"shelves": shelves, "seed": seed, "duplicates": duplicates}
        number = _number(settings, stores or "1")
        shop = {"stores": number, "reorder": reorder > 0, **simulation}
        ok = _play(settings, days, shop, as_json=as_json)
    else:
        faults |= {"duplicates": duplicates, "reorder_minutes": reorder}
        number = _number(settings, stores or "10")
        plan = {"stores": number, "speed": speed, "seed": seed, "baskets": baskets, **faults}
        plan["promotions"] = promotions
        ok = _replay(settings, plan, as_json=as_json)
    raise typer.Exit(0 if ok else 1)


def _settings(lake: str | None, committer: str | None) -> Settings:
    from lakeshelf.settings import load_settings
    from lakeshelf.stack.demos.demo import demo_lake

    root = demo_lake(access.plain(committer=committer), lake or access.options().lake)
    access.use(replace(access.options(), lake=root))
    chosen = {"committer": committer} if committer else {}
    return load_settings(
        lake_root=access.absolute(root), bootstrap_servers=None, project=None, **chosen
    )


def _number(settings: Settings, stores: str) -> int | None:
    """How many stores; None for all."""
    from lakeshelf.components.registry import module

    number: int | None = module(settings.home, "replay").parsed_stores(stores)
    return number


def _require_none(options: dict[str, float | None]) -> None:
    """Refuse options that a loop has no use for."""
    for name, value in options.items():
        if value:
            shown = f"--{name}" if value is True else f"--{name} {value}"
            raise ConfigurationError(f"{shown} does not fit --loop", hint="leave one out")


def _play(settings: Settings, days: int, simulation: dict[str, Any], *, as_json: bool) -> bool:
    from lakeshelf.stack.demos import loop as work

    if simulation["stores"] is None:
        raise ConfigurationError("--stores is 'all'", hint="give a loop a number of stores")
    chosen = {f"simulation_{name}": value for name, value in simulation.items()}
    played = settings.model_copy(update=chosen)
    with Steps(loop.STEPS).shown() as show:
        report = work.run(played, work.LoopPlan(days), show)
    if as_json:
        print_json(report.as_json())
    else:
        loop.show(report, checks_table(report.as_json()["checks"]), played.stack_dir)
    return report.reconciliation.ok


def _replay(settings: Settings, plan: dict[str, Any], *, as_json: bool) -> bool:
    from lakeshelf.stack.demos import demo as work

    with Steps(STEPS).shown() as show:
        report = work.run(settings, plan, show)
    if as_json:
        print_json(report.as_json())
    else:
        _show(report, settings.stack_dir / work.REPORT)
    return report.reconciliation.ok


def _show(report: DemoReport, file: Path) -> None:
    out = console()
    out.print(checks_table(report.as_json()["checks"]))
    out.print()
    out.print(_tables(report))
    out.print()
    out.print(_figures(report))
    out.print()
    if report.reconciliation.ok:
        out.print("reconciled: the tables say exactly what the receipts say", style="bold green")
    else:
        out.print("not reconciled: see the checks above", style="bold red")
    out.print(f"report  {file}", soft_wrap=True)
    for title, command in (("next", "tables"), ("", "quarantine list"), ("", "up")):
        out.print(f"{title:7} `lakeshelf {command}`", soft_wrap=True)


def _tables(report: DemoReport) -> Any:
    names = list(report.reconciliation.tables.items())
    half = (len(names) + 1) // 2
    table = grid("table", "rows", "", "table", "rows", right=("rows",))
    for index in range(half):
        other = names[half + index] if half + index < len(names) else ("", "")
        add(table, *names[index], "   ", *other)
    return table


def _figures(report: DemoReport) -> Any:
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
