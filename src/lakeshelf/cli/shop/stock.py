# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`stock`: what is there, what is low, and what was counted."""

from __future__ import annotations

import time
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakeshelf.cli.console import access
from lakeshelf.cli.console.output import (
    All,
    AsJson,
    Most,
    Yes,
    agreed,
    console,
    most,
    plain,
    print_json,
    print_list,
    rows,
)
from lakeshelf.cli.shop.people import Actor, Reason, Shelf, Store, print_sent
from lakeshelf.errors import ConfigurationError

if TYPE_CHECKING:
    from lakeshelf.lake.place.location import Place
    from lakeshelf.shop.counting import StockCount

app = typer.Typer(help="Stock of shelves and back rooms.")

BOOKED_S, LOOK_S = 30.0, 0.2
"""Longest wait until the books hold a count, and time between two looks."""
LOW = ("location", "shelf_id", "name", "stock", "why", "policy", "coming", "suggested_qty")

UNITS = (
    "balance", "current_stock", "wh_current_stock", "batch_quantity_store", "batch_quantity_warehouse",
)  # fmt: skip
STOCK = ("batch_code", "received_date", "expiry_date", *UNITS, "last_event_time")


class Location(StrEnum):
    """Where units are."""

    STORE = "store"
    WAREHOUSE = "warehouse"


@app.command("low")
def low(
    *,
    store: Store = None,
    shelf: Shelf = None,
    location: Annotated[Location | None, typer.Option(help="Only there; unset: both.")] = None,
    limit: Most = None,
    every: All = False,
    as_json: AsJson = False,
) -> None:
    """List what is low by the policy in force and why, the worst first."""
    from lakeshelf.shop import shortage
    from lakeshelf.shop.lists import ListFilter
    from lakeshelf.streams.declare import registry

    settings = access.present()
    filter_ = ListFilter(store=store, shelf=shelf, limit=most(limit, every, as_json))
    jobs = registry.discover(*settings.homes)
    listed = shortage.low(settings.lake_root, jobs, filter_, location)
    shown = listed.rows if as_json else [{**r, "why": "; ".join(r["why"])} for r in listed.rows]
    numbers = ("stock", "coming", "suggested_qty")
    print_list(shown, listed.total, "low shelves", as_json, columns=LOW, right=numbers)


@app.command("show")
def show(shelf: str, *, as_json: AsJson = False) -> None:
    """Show what is on a shelf and in its back room, lot by lot."""
    from lakeshelf.shop import lists

    stock = lists.stock(access.present().lake_root, shelf)
    if as_json:
        print_json(stock)
        return
    console().print(_summary(shelf, stock), style="bold")
    stock.pop("shelf_profiles")
    for name, held in stock.items():
        console().print(name, style="bold")
        shown = [{n: _cell(row[n]) for n in STOCK if n in row} for row in held]
        console().print(rows(shown, right=UNITS) if shown else "  nothing")


@app.command("count")
def count(
    shelf: str,
    units: Annotated[int, typer.Argument(min=0, help="Units that are there.")],
    *,
    actor: Actor,
    lot: Annotated[
        str | None, typer.Option(help="The lot that was counted; unset: the only one.")
    ] = None,
    location: Annotated[
        Location, typer.Option(help="Where it was counted: on the shelf, or in its back room.")
    ] = Location.STORE,
    reason: Reason = None,
    found_here: Annotated[
        bool, typer.Option("--found-here", help="The books hold the lot at the other place only.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Say how many units of a lot are there; the books are adjusted by the difference.

    It asks first where that is more than a fifth of the books, the books are below zero, or they hold the lot
    at the other place only: a script says the last with --found-here.
    """
    from lakeshelf.shop import counting
    from lakeshelf.stack.embedded.clients import running_client

    settings = access.present()
    client = running_client(settings)
    books = counting.books(settings.lake_root, shelf, location)
    counted = counting.StockCount(books, books.one_lot(lot), units)
    line = f"{shelf}, lot {counted.lot}: {counted.expected:,} in the books, {units:,} counted"
    if not counted.difference:
        _agrees(line, counted, as_json)
        return
    _confirmed(line, counted, yes, found_here)
    sent = counting.send(client, counted, actor, reason)
    booked = _booked(settings.lake_root, sent)
    if as_json:
        print_json({**_figures(counted), "event": sent, "booked": booked})
        return
    console().print(f"{line}: {counted.difference:+,} units.", soft_wrap=True)
    following = f"`lakeshelf stock show {shelf}`"
    print_sent(
        sent, as_json, following if booked else "`lakeshelf status`, it is not in the books yet"
    )


@app.command("adjust")
def adjust(
    shelf: str,
    quantity: Annotated[int, typer.Argument(help="Units more (or less) than the books say.")],
    *,
    actor: Actor,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Correct the stock of a shelf by a difference; put `--` before a negative number. See `stock count`."""
    from lakeshelf.shop import acts
    from lakeshelf.stack.embedded.clients import running_client

    settings = access.present()
    client = running_client(settings)
    sent = acts.adjust(client, settings.lake_root, shelf, quantity, actor, reason)
    print_sent(sent, as_json, f"`lakeshelf stock show {shelf}`")


def _summary(shelf: str, stock: dict[str, Any]) -> str:
    """Which shelf it is, and how many units are on it and in its back room."""

    def first(table: str, column: str) -> Any:
        return stock[table][0][column] if stock[table] else None

    def shown(units: int | None) -> str:
        return "unknown" if units is None else f"{units:,}"

    room = first("shelf_profiles", "max_stock")
    on_it = shown(first("shelf_state", "current_stock")) + (f" of {room:,}" if room else "")
    names = [profile["name"] for profile in stock["shelf_profiles"]]
    behind = shown(first("wh_state", "wh_current_stock"))
    return f"{' '.join((shelf, *names))}: shelf {on_it}; back room {behind}"


def _cell(value: object) -> object:
    return plain(value) if isinstance(value, datetime) else value


def _confirmed(line: str, counted: StockCount, yes: bool, found_here: bool) -> None:
    if counted.misplaced and not found_here:
        doubted = f"{line}; {counted.misplaced}"
        hint = (
            f"nothing was sent; give `--location {counted.books.other}`, or --found-here to agree"
        )
        if yes:
            raise ConfigurationError(doubted, hint=hint)
        agreed(f"{doubted}; `--location {counted.books.other}`? Is it here as well?", yes, hint)
    elif counted.doubt and not (counted.misplaced and found_here):
        agreed(f"{line}; {counted.doubt}. Is that right?", yes)


def _agrees(line: str, counted: StockCount, as_json: bool) -> None:
    if as_json:
        print_json({**_figures(counted), "event": None, "booked": True})
    else:
        console().print(f"{line}: the books agree, nothing is sent.", soft_wrap=True)


def _figures(counted: StockCount) -> dict[str, Any]:
    books = counted.books
    return {
        "shelf_id": books.state["shelf_id"],
        "location": books.location,
        "batch_code": counted.lot,
        "expected": counted.expected,
        "counted": counted.units,
        "difference": counted.difference,
    }


def _booked(root: Place, sent: dict[str, Any]) -> bool:
    """Whether the books hold an adjustment, after a while."""
    from lakeshelf.shop import counting

    deadline = time.monotonic() + BOOKED_S
    while not counting.is_booked(root, sent):
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_S)
    return True
