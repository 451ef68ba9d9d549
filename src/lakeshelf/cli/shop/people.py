# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`alerts` and `plans`: what store staff see, and what they do about it."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakeshelf.cli.console import access
from lakeshelf.cli.console.output import (
    All,
    AsJson,
    Most,
    console,
    most,
    plain,
    print_json,
    print_list,
)

if TYPE_CHECKING:
    from lakeshelf.shop.lists import ListFilter

alerts = typer.Typer(help="Alerts of shelves and back rooms.")
plans = typer.Typer(help="Plans to refill shelves and to order from suppliers.")

Status = Annotated[str | None, typer.Option(help="Only those in this state.")]
Store = Annotated[str | None, typer.Option(help="Only those of this store.")]
Shelf = Annotated[str | None, typer.Option(help="Only those of this shelf.")]
Kind = Annotated[str | None, typer.Option(help="Only those of this kind.")]
Reason = Annotated[str | None, typer.Option(help="Why.")]
Actor = Annotated[
    str,
    typer.Option("--as", default_factory=getpass.getuser, help="Who does it.", show_default="you"),
]

ALERT = ("kind", "store_id", "shelf_id", "name", "status", "why", "created_at", "alert_id")
PLAN = ("kind", "store_id", "shelf_id", "name", "status", "suggested_qty", "created_at", "plan_id")
WHY = (
    "current_stock", "max_stock", "threshold_pct", "min_qty", "batch_code", "expiry_date", "suggested_qty",
)  # fmt: skip
"""Figures of an alert for which it was opened."""


@alerts.command("list")
def list_alerts(
    *,
    status: Status = None,
    store: Store = None,
    shelf: Shelf = None,
    kind: Kind = None,
    limit: Most = None,
    every: All = False,
    as_json: AsJson = False,
) -> None:
    """List alerts, newest first; open ones unless a state is named."""
    from lakeshelf.shop import lists

    filter_ = _filter(status, store, shelf, kind, most(limit, every, as_json))
    listed = lists.alerts(access.present().lake_root, filter_)
    shown = listed.rows if as_json else [_alert(row) for row in listed.rows]
    print_list(shown, listed.total, "alerts", as_json, columns=ALERT)


@alerts.command("ack")
def ack(alert: str, *, actor: Actor, reason: Reason = None, as_json: AsJson = False) -> None:
    """Say that somebody sees to an alert."""
    _act("ack", alert, actor, reason, as_json)


@alerts.command("dismiss")
def dismiss(alert: str, *, actor: Actor, reason: Reason = None, as_json: AsJson = False) -> None:
    """Close an alert; it opens again only after its condition was false."""
    _act("dismiss", alert, actor, reason, as_json)


@plans.command("list")
def list_plans(
    *,
    status: Status = None,
    store: Store = None,
    shelf: Shelf = None,
    kind: Kind = None,
    limit: Most = None,
    every: All = False,
    as_json: AsJson = False,
) -> None:
    """List plans, newest first; pending ones unless a state is named."""
    from lakeshelf.shop import lists

    filter_ = _filter(status, store, shelf, kind, most(limit, every, as_json))
    listed = lists.plans(access.present().lake_root, filter_)
    shown = (
        listed.rows
        if as_json
        else [{**row, "created_at": plain(row["created_at"])} for row in listed.rows]
    )
    print_list(shown, listed.total, "plans", as_json, columns=PLAN, right=("suggested_qty",))


@plans.command("cancel")
def cancel(plan: str, *, actor: Actor, reason: Reason = None, as_json: AsJson = False) -> None:
    """Cancel a pending plan; the need has to be gone before a new one is made."""
    _act("cancel", plan, actor, reason, as_json)


def print_sent(sent: dict[str, Any], as_json: bool, following: str) -> None:
    """Print what was sent, and what to look at next."""
    if as_json:
        print_json(sent)
    else:
        console().print(f"Sent {sent['event_id']}. Next: {following}")


def _alert(row: dict[str, Any]) -> dict[str, Any]:
    why = ", ".join(f"{name} {plain(row[name])}" for name in WHY if row[name] is not None)
    return {
        **row,
        "kind": row["event_type"],
        "why": why,
        "created_at": plain(row["created_at"]),
    }


def _filter(*values: Any) -> ListFilter:
    from lakeshelf.shop.lists import ListFilter

    return ListFilter(*values)


def _act(command: str, target: str, actor: str, reason: str | None, as_json: bool) -> None:
    from lakeshelf.shop import acts
    from lakeshelf.stack.embedded.clients import running_client

    settings = access.present()
    sent = acts.act(running_client(settings), settings.lake_root, command, target, actor, reason)
    print_sent(sent, as_json, f"`lakeshelf {'plans' if command == 'cancel' else 'alerts'} list`")
