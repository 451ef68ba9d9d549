# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`status`: queries, tables, what was refused."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.styled import Styled

from lakeshelf.cli.console import access
from lakeshelf.cli.console.output import AsJson, add, console, grid, print_json
from lakeshelf.counts import count_of
from lakeshelf.errors import ConfigurationError

WATCH_S = 2.0
NUMBERS = ("batch", "ms", "lag", "lag s", "restarts", "rows", "version")


def status(
    *,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it again and again until Ctrl-C.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show how queries and tables are; exit code 1 when something is down or has failed."""
    from lakeshelf.stack.observing.status import collect

    if watch and as_json:
        raise ConfigurationError("--watch and --json", hint="give one of them")
    settings = access.settings()
    access.require_supported(settings)
    current = collect(settings)
    if as_json:
        print_json(current)
    elif watch:
        with Live(_page(current), console=console(), auto_refresh=False) as live:
            while True:
                time.sleep(WATCH_S)
                current = collect(settings)
                live.update(_page(current), refresh=True)
    else:
        console().print(_page(current))
    access.present()  # of a lake that is not there, what the contract knows is told before it is refused
    raise typer.Exit(0 if current["ok"] else 1)


def _page(status: dict[str, Any]) -> RenderableType:
    head = f"{status['lake']}: {status['state']}" + (
        f", Kafka {status['bootstrap_servers']}" if status["bootstrap_servers"] else ""
    )
    restarts = ", ".join(
        f"{name} {part['state']}, {count_of(part['restarts'], 'restart')}"
        + (f", last by {part['ended']}" if part.get("ended") else "")
        for name, part in status["parts"].items()
    )
    refused = (
        ", ".join(f"{count:,} {reason}" for reason, count in status["quarantine"].items()) or "none"
    )
    isolated = [
        f"isolated                 {q['isolated']:,} by {q['query']}, the last {q['last_isolated']}"
        for q in status["queries"]
        if q["isolated"]
    ]
    bare = status["shelves_without_profile"]
    lines = [
        Styled(head, "bold"),
        *([restarts] if restarts else []),
        *(Styled(f"problem: {access.completed(line)}", "red") for line in status["problems"]),
        "",
        _queries(status["queries"]),
        "",
        *([_components(status["components"]), ""] if status["components"] else []),
        _tables(status["tables"]),
        "",
        f"quarantine               {refused}",
        *isolated,
        f"shelves without profile  {'-' if bare is None else f'{bare:,}'}",
        *_models(status["models"]),
    ]
    return Group(*lines)


def _models(models: dict[str, Any] | None) -> list[RenderableType]:
    """Who decides how much is ordered, and what is red of it; nothing without any version."""
    if models is None:
        return []
    champion, decides = models["champion"], models["decides"]
    is_it = champion is not None and decides == champion["model_version"]
    roles = {"champion": "decides" if is_it else "is champion", "challenger": "is beside it"}
    said = [
        f"{models[role]['model_version']} {does} since {models[role]['updated_at'][:10]}"
        for role, does in roles.items()
        if models[role]
    ]
    instead = [] if is_it else [f"{decides or 'the rule'} decides"]
    return [
        f"model                    {', '.join([*instead, *said])}",
        *map(_red, models["red"]),
    ]


def _red(row: dict[str, Any]) -> RenderableType:
    where = f"store {row['store_id']}" if row["store_id"] else "all stores"
    text = f"{row['metric']} of {where} is {row['value']:.3g}, beyond {row['bound']:g}"
    return Styled(f"                         {row['model_version']}: {text}", "red")


def _queries(queries: list[dict[str, Any]]) -> RenderableType:
    table = grid(
        "query", "state", "batch", "ms", "lag", "lag s", "restarts", "error", right=NUMBERS
    )
    for q in queries:
        cells = (
            q["query"],
            q["state"],
            q["batch_id"],
            q["duration_ms"],
            q["lag"],
            q["lag_s"],
            q["restarts"],
            access.completed(q["error"]),
        )
        add(table, *cells, style="red" if q["error"] else "")
    return table


def _components(members: list[dict[str, Any]]) -> RenderableType:
    table = grid("component", "state", "restarts", "error", right=NUMBERS)
    for m in members:
        failed = m["state"] == "failed"
        cells = (
            m["component"],
            m["state"],
            m["restarts"],
            access.completed(m["error"]) if failed else "",
        )
        add(table, *cells, style="red" if failed else "")
    return table


def _tables(tables: list[dict[str, Any]]) -> RenderableType:
    table = grid("table", "rows", "version", right=NUMBERS)
    for t in tables:
        add(table, t["table"], t["rows"], t["version"])
    return table
