# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`alerts`, `plans` and `stock`: what store staff see, and what they do about it."""

from __future__ import annotations

import getpass
from typing import Annotated, Any

import typer

from lakeshelf.cli import access
from lakeshelf.cli.output import AsJson, Limit, console, print_json, rows

alerts = typer.Typer(help="Alerts of shelves and back rooms.")
plans = typer.Typer(help="Plans to refill shelves and to order from suppliers.")
stock = typer.Typer(help="Stock of a shelf.")

Status = Annotated[str | None, typer.Option(help="Only those in this state.")]
Reason = Annotated[str | None, typer.Option(help="Why.")]
Actor = Annotated[
    str,
    typer.Option("--as", default_factory=getpass.getuser, help="Who does it.", show_default="you"),
]


@alerts.command("list")
def list_alerts(*, status: Status = None, limit: Limit = 50, as_json: AsJson = False) -> None:
    """List alerts, newest first; open ones unless a state is named."""
    from lakeshelf.streams import acts

    found = acts.alerts(access.settings().lake_root, status=status, limit=limit)
    names = ("alert_id", "status", "current_stock", "suggested_qty", "expiry_date", "created_at")
    _show(found, names, as_json, "No such alerts.")


@alerts.command("ack")
def ack(alert: str, *, actor: Actor, reason: Reason = None, as_json: AsJson = False) -> None:
    """Say that somebody sees to an alert."""
    _act("ack", alert, actor, reason, as_json)


@alerts.command("dismiss")
def dismiss(alert: str, *, actor: Actor, reason: Reason = None, as_json: AsJson = False) -> None:
    """Close an alert; it opens again only after its condition was false."""
    _act("dismiss", alert, actor, reason, as_json)


@plans.command("list")
def list_plans(*, status: Status = None, limit: Limit = 50, as_json: AsJson = False) -> None:
    """List plans, newest first; pending ones unless a state is named."""
    from lakeshelf.streams import acts

    found = acts.plans(access.settings().lake_root, status=status, limit=limit)
    _show(
        found,
        ("plan_id", "kind", "status", "suggested_qty", "created_at"),
        as_json,
        "No such plans.",
    )


@plans.command("cancel")
def cancel(plan: str, *, actor: Actor, reason: Reason = None, as_json: AsJson = False) -> None:
    """Cancel a pending plan; the need has to be gone before a new one is made."""
    _act("cancel", plan, actor, reason, as_json)


@stock.command("show")
def show(shelf: str, *, as_json: AsJson = False) -> None:
    """Show what is on a shelf and in its back room, lot by lot."""
    from lakeshelf.streams import acts

    found = acts.stock(access.settings().lake_root, shelf)
    if as_json:
        print_json(found)
        return
    for name, held in found.items():
        console().print(name, style="bold")
        console().print(rows(held) if held else "  nothing")


@stock.command("adjust")
def adjust(
    shelf: str,
    quantity: Annotated[int, typer.Argument(help="Units more (or less) than the books say.")],
    *,
    actor: Actor,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Correct the count of a shelf after stocktaking; put `--` before a negative number."""
    from lakeshelf.stack.clients import running_client
    from lakeshelf.streams import acts

    settings = access.settings()
    client = running_client(settings)
    sent = acts.adjust(client, settings.lake_root, shelf, quantity, actor, reason)
    _told(sent, as_json, f"`lakeshelf stock show {shelf}`")


def _act(command: str, target: str, actor: str, reason: str | None, as_json: bool) -> None:
    from lakeshelf.stack.clients import running_client
    from lakeshelf.streams import acts

    settings = access.settings()
    sent = acts.act(running_client(settings), settings.lake_root, command, target, actor, reason)
    _told(sent, as_json, f"`lakeshelf {'plans' if command == 'cancel' else 'alerts'} list`")


def _told(sent: dict[str, Any], as_json: bool, following: str) -> None:
    if as_json:
        print_json(sent)
    else:
        console().print(f"Sent {sent['event_id']}. Next: {following}")


def _show(found: list[dict[str, Any]], names: tuple[str, ...], as_json: bool, none: str) -> None:
    if as_json:
        print_json(found)
    elif found:
        console().print(rows([{name: row[name] for name in names if name in row} for row in found]))
    else:
        console().print(none)
