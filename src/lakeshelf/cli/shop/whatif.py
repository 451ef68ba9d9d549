# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`whatif`: what another policy would have meant on the receipts of a lake."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakeshelf import extras
from lakeshelf.cli.console import access
from lakeshelf.cli.console.output import (
    All,
    AsJson,
    Steps,
    add,
    console,
    grid,
    print_json,
)
from lakeshelf.cli.console.picture import scatter
from lakeshelf.cli.console.terminal import lines
from lakeshelf.counts import count_of
from lakeshelf.errors import ConfigurationError

if TYPE_CHECKING:
    from lakeshelf.forecast.whatif.answers import Answer
    from lakeshelf.forecast.whatif.comparison import Difference
    from lakeshelf.forecast.whatif.frontier import Point
    from lakeshelf.forecast.whatif.lakes import Shop

STEPS = {
    "read": "read receipts",
    "replay": "replay policies",
    "compare": "draw intervals",
    "frontier": "replay reorder points",
}
MEASURES = {
    "fill": ("fill (sold of wanted)", 4),
    "lost_units": ("lost units", 0),
    "lost_margin": ("lost margin", 2),
    "stock": ("stock a shelf, units", 2),
    "stock_days": ("stock-days", 0),
    "orders": ("orders", 0),
    "ordered": ("units ordered", 0),
    "wasted": ("waste, units", 0),
    "waste_cost": ("waste, cost", 2),
    "holding": ("holding, cost", 2),
    "cost": ("cost (margin, waste, holding)", 2),
}
"""Measure → what people read, and digits behind the point."""
CHIEF = ("fill", "lost_units", "stock", "orders", "wasted", "cost")
"""Measures of stores and categories that people see; programs get all."""
GROUPS = {"store_id": "store", "category": "category"}
LISTED = 5
"""So many stores, and categories, are printed: those whose cost changes most."""
SIDES = ("in force", "changed", "difference", "95 % from", "to")
MARKS = {"in force": "o", "changed": "x"}


def whatif(
    *,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="What would have been set; several."),
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="DAY", help="First day; unset: 91 days up to the last.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="DAY", help="Last day; unset: that of the last receipt.")
    ] = None,
    stores: Annotated[
        str | None, typer.Option(metavar="S1,S2", help="Only shelves of these stores.")
    ] = None,
    categories: Annotated[
        str | None, typer.Option(metavar="C1,C2", help="Only goods of these departments.")
    ] = None,
    items: Annotated[str | None, typer.Option(metavar="I1,I2", help="Only these items.")] = None,
    frontier: Annotated[
        bool, typer.Option("--frontier", help="Try reorder points: fill against stock.")
    ] = False,
    every: All = False,
    as_json: AsJson = False,
) -> None:
    """Replay the receipts of a lake under the policy in force and under another one, and tell the differences.

    What is set holds for every shelf that is looked at, also for those with a policy of their own. Nothing is
    changed. Receipts are a floor of demand: what customers wanted of an empty shelf is not in them.
    """
    in_force = access.present()
    extras.require("ml")
    extras.require("query")
    from lakeshelf.forecast.whatif import answers, lakes, wishes

    values = wishes.typed(_fields(settings or []))
    limited = {"store_id": stores, "category": categories, "item_id": items}
    scope = lakes.Scope(
        _day("--since", since),
        _day("--until", until),
        {column: _listed(text) for column, text in limited.items()},
    )
    with Steps(STEPS).shown() as progress:
        progress("read")
        shop = lakes.read(in_force.lake_root, scope)
        answer = answers.answer(shop, values, progress, frontier=frontier)
    if as_json:
        print_json(_json(shop, values, answer))
    else:
        _print(shop, values, answer, every)


def _fields(words: Iterable[str]) -> dict[str, str]:
    """Field → text."""
    fields: dict[str, str] = {}
    for word in words:
        name, is_one, text = word.partition("=")
        if not is_one or name in fields:
            problem = f"{name} is set twice" if is_one else f"{word!r} is no FIELD=VALUE"
            raise ConfigurationError(problem, hint="write for example --set threshold_pct=20")
        fields[name] = text
    return fields


def _day(option: str, text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"{option} is {text!r}, which is no day", hint="write for example 2026-03-01"
        ) from None


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip()) if text else ()


def _json(shop: Shop, values: Mapping[str, Any], answer: Answer) -> dict[str, Any]:
    return {
        "since": shop.first,
        "until": shop.last,
        "shelves": len(shop.names),
        "set": [{"field": name, "value": value} for name, value in values.items()],
        "wanted_units": int(shop.history.units.sum()),
        "lost_sales_units": shop.lost_units,
        "shelves_without_profile": shop.nameless,
        "notes": _notes(shop),
        "differences": [_record(one) for one in answer.whole],
        **{
            _plural(column): [
                {column: value, "differences": [_record(one) for one in differences]}
                for value, differences in groups.items()
            ]
            for column, groups in answer.groups.items()
        },
        "most_changed": list(answer.shelves),
        "frontier": [
            {"policy": point.policy, **{n: _number(v) for n, v in point.measures.items()}}
            for point in answer.frontier
        ],
    }


def _plural(column: str) -> str:
    return "stores" if column == "store_id" else "categories"


def _record(one: Difference) -> dict[str, Any]:
    record = {**asdict(one), "difference": one.difference}
    return {n: _number(v) if isinstance(v, float) else v for n, v in record.items()}


def _number(value: float) -> float | None:
    """A number as JSON has it: what is none is null."""
    return value if math.isfinite(value) else None


def _notes(shop: Shop) -> list[str]:
    """What has to be known of the figures, a sentence each."""
    from lakeshelf.forecast.whatif.history import FLOOR_OF_DEMAND

    lost = (
        "Nobody observed lost sales."
        if shop.lost_units is None
        else f"{count_of(shop.lost_units, 'unit')} of observed lost sales count as wanted."
    )
    notes = [f"{FLOOR_OF_DEMAND[0].upper()}{FLOOR_OF_DEMAND[1:]}.", lost]
    if shop.nameless:
        notes.append(
            f"{count_of(shop.nameless, 'shelf')} with receipts but without a profile left out."
        )
    return notes


def _print(shop: Shop, values: Mapping[str, Any], answer: Answer, every: bool) -> None:
    out = console()
    changed = ", ".join(f"{name}={value:g}" for name, value in values.items())
    stores = len(answer.groups["store_id"])
    out.print(
        f"{count_of(len(shop.names), 'shelf')} of {count_of(stores, 'store')}, "
        f"{count_of(shop.history.steps.days, 'day')} from {shop.first} to {shop.last}, "
        f"{count_of(int(shop.history.units.sum()), 'unit')} wanted: the policy in force, and "
        f"{changed or 'the same again'}.",
        style="bold",
        soft_wrap=True,
    )
    for note in _notes(shop):
        out.print(note, soft_wrap=True)
    table = grid("", *SIDES, right=SIDES)
    for one in answer.whole:
        add(table, MEASURES[one.measure][0], *_cells(one))
    out.print(table)
    for column, groups in answer.groups.items():
        _print_groups(column, groups, every)
    if answer.shelves:
        _print_shelves(answer.shelves)
    if answer.frontier:
        _print_frontier(answer.frontier)


def _print_groups(column: str, groups: Mapping[str, Sequence[Difference]], every: bool) -> None:
    """Chief measures of the groups whose cost changes most."""

    def change(item: tuple[str, Sequence[Difference]]) -> float:
        return -abs(next(one.difference for one in item[1] if one.measure == "cost"))

    shown = sorted(groups.items(), key=change)[: None if every else LISTED]
    table = grid(GROUPS[column], "", *SIDES, right=SIDES)
    for value, differences in shown:
        label = value
        for one in differences:
            if one.measure in CHIEF:
                add(table, label, MEASURES[one.measure][0], *_cells(one))
                label = ""
    console().print(table)
    if len(shown) < len(groups):
        console().print(
            f"{len(shown)} of {count_of(len(groups), GROUPS[column])}; --all shows them"
        )


def _print_shelves(shelves: Sequence[Mapping[str, Any]]) -> None:
    """Those whose cost changes most."""
    figures = {
        f"{name}_{when}": f"{name.replace('_', ' ')} {when}"
        for name in ("lost_units", "stock", "wasted", "cost")
        for when in ("before", "after")
    }
    table = grid("shelf_id", "name", *figures.values(), right=tuple(figures.values()))
    for shelf in shelves:
        cells = (_shown(shelf[key], MEASURES[key.rpartition("_")[0]][1]) for key in figures)
        add(table, shelf["shelf_id"], shelf["name"], *cells)
    console().print("Shelves whose cost changes most:", style="bold")
    console().print(table)


def _print_frontier(points: Sequence[Point]) -> None:
    spots = [
        (p.measures["stock"], p.measures["fill"], MARKS.get(p.policy, "·"))
        for p in (*points[len(MARKS) :], *points[: len(MARKS)])
    ]
    legend = "fill (o: in force, x: changed, ·: changed, with other reorder points)"
    console().print(lines("\n".join(scatter(spots, "stock a shelf", legend))))
    titles = ("fill", "stock", "wasted", "cost")
    table = grid("reorder point", *titles, right=titles)
    for point in points:
        add(table, point.policy, *(_shown(point.measures[n], MEASURES[n][1]) for n in titles))
    console().print(table)


def _cells(one: Difference) -> tuple[str | None, ...]:
    digits = MEASURES[one.measure][1]
    sides = (_shown(value, digits) for value in (one.before, one.after))
    changes = (_shown(value, digits, "+") for value in (one.difference, one.low, one.high))
    return (*sides, *changes)


def _shown(value: float, digits: int, sign: str = "") -> str | None:
    """A figure for people; what is no number is a dash."""
    return f"{value:{sign},.{digits}f}" if math.isfinite(value) else None
