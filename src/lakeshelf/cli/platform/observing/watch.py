# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`watch`: live numbers in the terminal."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.live import Live
from rich.styled import Styled

from lakeshelf.cli.console import access
from lakeshelf.cli.console.output import AsJson, add, console, grid, print_json
from lakeshelf.counts import count_of

if TYPE_CHECKING:
    from lakeshelf.settings import Settings

REFRESH_S = 1.0
MINUTE, HOUR, DAY = 60, 3600, 86400


def watch(
    *,
    once: Annotated[bool, typer.Option("--once", help="Print one look and end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show live numbers, a look a second, until Ctrl-C; with --json one look."""
    from lakeshelf.stack.observing.live import collect

    settings = access.settings()
    if as_json:
        print_json(collect(settings))
    elif once:
        console().print(page(collect(settings)))
    access.present()
    if not (as_json or once):
        show_live(settings)


def show_live(settings: Settings) -> None:
    """Show live numbers until Ctrl-C."""
    from lakeshelf.stack.observing.live import Numbers

    with (
        suppress(KeyboardInterrupt),
        closing(Numbers(settings)) as numbers,
        Live(page(numbers.look()), console=console(), auto_refresh=False) as live,
    ):
        while True:
            time.sleep(REFRESH_S)
            live.update(page(numbers.look()), refresh=True)


def page(look: Mapping[str, Any]) -> RenderableType:
    """What `lakeshelf.stack.observing.live` tells, for people."""
    parts = "  ".join(
        f"{name} {part['state']}, {count_of(part['restarts'], 'restart')}"
        for name, part in look["parts"].items()
    )
    return Group(
        Styled(f"{look['lake']}: {look['state']}", "bold"),
        *([parts] if parts else []),
        *(Styled(f"problem: {access.completed(line)}", "red") for line in look["problems"]),
        "",
        _figures(look),
        "",
        Styled("since the last commit", "bold"),
        _freshness(look["tables"]),
    )


def _figures(look: Mapping[str, Any]) -> RenderableType:
    stock, lost, orders = look["stock"], look["lost_sales"] or {}, look["orders"] or {}
    table = grid("", "")
    add(table, "events a second", look["events_per_second"])
    add(table, "events in all", look["events"])
    add(table, "business time", _clock(look["clock"]))
    add(table, "units on shelves", stock["shelves"])
    add(table, "units in back rooms", stock["back_rooms"])
    add(table, "units in transit", stock["in_transit"])
    add(table, "low shelves", look["low_shelves"])
    add(table, "open alerts", _counts(look["alerts"]))
    add(table, "event to alert, ms", look["event_to_alert_ms"])
    for kind, plans in look["plans"].items():
        add(table, f"{kind} plans", _counts(plans))
    under_way = [count_of(orders[f"{one}s"], one) for one in ("order", "unit") if orders]
    add(table, "orders under way", ", ".join(under_way) or None)
    add(table, "lost sales today", lost.get("today"))
    add(table, "lost sales in all", lost.get("total"))
    add(table, "in quarantine", look["quarantine"])
    return table


def _freshness(tables: list[dict[str, Any]]) -> RenderableType:
    lines = (f"{table['table']} {_age(table['age_s'])}" for table in tables)
    return Columns(list(lines), padding=(0, 3))


def _clock(clock: Mapping[str, Any] | None) -> str | None:
    if clock is None:
        return None
    return f"{clock['now']:%Y-%m-%d %H:%M:%S}, {clock['kind']}, speed {clock['speed']:g}"


def _counts(counts: Mapping[str, int] | None) -> str | None:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items()) if counts else None


def _age(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
