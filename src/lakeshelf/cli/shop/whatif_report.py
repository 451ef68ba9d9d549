# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""What `whatif` prints: a report for people, and JSON with every measure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lakeshelf.cli.console.output import add, console, grid
from lakeshelf.cli.console.picture import scatter
from lakeshelf.cli.console.terminal import lines
from lakeshelf.counts import count_of

if TYPE_CHECKING:
    from lakeshelf.forecast.whatif.answers import Answer
    from lakeshelf.forecast.whatif.comparison import Difference
    from lakeshelf.forecast.whatif.frontier import Point
    from lakeshelf.forecast.whatif.lakes import Shop

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
FEW_DAYS = 28
SIDES = ("in force", "changed", "difference", "95 % from", "to")
MARKS = {"in force": "o", "changed": "x"}


def as_record(shop: Shop, change: Mapping[str, Any], answer: Answer) -> dict[str, Any]:
    """Everything, with every measure.

    Args:
        shop: The shop.
        change: `set` and `change_request`: what was changed.
        answer: What it would have meant.
    """
    return {
        "since": shop.first,
        "until": shop.last,
        "shelves": len(shop.names),
        **change,
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
    if shop.history.steps.days < FEW_DAYS:
        notes.append("So few days do not tell how weeks differ: intervals are too narrow.")
    if shop.modelled:
        notes.append(
            f"Of {count_of(shop.modelled, 'shelf')} a model may decide; here the rule orders for all."
        )
    if shop.nameless:
        notes.append(
            f"{count_of(shop.nameless, 'shelf')} with receipts but without a profile left out."
        )
    return notes


def show(shop: Shop, change: str, answer: Answer, every: bool) -> None:
    """Print what people read of it.

    Args:
        shop: The shop.
        change: What was changed, in words.
        answer: What it would have meant.
        every: Whether all stores and departments are printed.
    """
    out = console()
    stores = len(answer.groups["store_id"])
    out.print(
        f"{count_of(len(shop.names), 'shelf')} of {count_of(stores, 'store')}, "
        f"{count_of(shop.history.steps.days, 'day')} from {shop.first} to {shop.last}, "
        f"{count_of(int(shop.history.units.sum()), 'unit')} wanted: the policy in force, and "
        f"{change}.",
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
