"""What `whatif` prints for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lakeshelf.cli.console.output import add, console, grid
from lakeshelf.cli.console.picture import scatter
from lakeshelf.cli.console.terminal import lines
from lakeshelf.counts import count_of
from lakeshelf.forecast.whatif.answers import apart
from lakeshelf.forecast.whatif.records import CHIEF, MEASURES, notes

if TYPE_CHECKING:
    from lakeshelf.forecast.whatif.answers import WhatIfAnswer
    from lakeshelf.forecast.whatif.comparison import PolicyDifference
    from lakeshelf.forecast.whatif.frontier import FrontierPoint
    from lakeshelf.forecast.whatif.lakes import ReplayedShop

GROUPS = {"store_id": "store", "category": "category"}
BY_MEASURE = "by measure"
LISTED = 5
"""So many stores, and categories, are printed: those whose cost changes most."""
SIDES = ("in force", "changed", "difference", "95 % from", "to")
MARKS = {"in force": "o", "changed": "x"}


def show(shop: ReplayedShop, change: str, answer: WhatIfAnswer, every: bool) -> None:
    """Print what people read of it.

    Args:
        shop: The shop.
        change: What was changed, in words.
        answer: What it would have meant.
        every: Whether all stores and departments are printed.
    """
    out = console()
    stores, (rows, _) = len(answer.groups["store_id"]), apart(shop.history)
    out.print(
        f"{count_of(len(rows), 'shelf')} of {count_of(stores, 'store')}, "
        f"{count_of(shop.history.steps.days, 'day')} from {shop.first} to {shop.last}, "
        f"{count_of(int(shop.history.units[:, rows].sum()), 'unit')} wanted: the policy in force, and "
        f"{change}.",
        style="bold",
        soft_wrap=True,
    )
    for note in notes(shop):
        out.print(note, soft_wrap=True)
    table = grid("", *SIDES, right=SIDES)
    for one in answer.whole:
        add(table, MEASURES[one.measure][0], *_cells(one))
    out.print(table)
    if answer.by_measure:
        _print_groups("", {BY_MEASURE: answer.by_measure}, every)
    for column, groups in answer.groups.items():
        _print_groups(GROUPS[column], groups, every)
    if answer.shelves:
        _print_shelves(answer.shelves)
    if answer.frontier:
        _print_frontier(answer.frontier)


def _print_groups(
    title: str, groups: Mapping[str, Sequence[PolicyDifference]], every: bool
) -> None:
    """Chief measures of the groups whose cost changes most."""

    def change(item: tuple[str, Sequence[PolicyDifference]]) -> float:
        return -abs(next(one.difference for one in item[1] if one.measure == "cost"))

    shown = sorted(groups.items(), key=change)[: None if every else LISTED]
    table = grid(title, "", *SIDES, right=SIDES)
    for value, differences in shown:
        label = value
        for one in differences:
            if one.measure in CHIEF:
                add(table, label, MEASURES[one.measure][0], *_cells(one))
                label = ""
    console().print(table)
    if len(shown) < len(groups):
        console().print(f"{len(shown)} of {count_of(len(groups), title)}; --all shows them")


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


def _print_frontier(points: Sequence[FrontierPoint]) -> None:
    spots = [
        (p.measures["stock"], p.measures["fill"], MARKS.get(p.policy, _mark(p)))
        for p in (*points[len(MARKS) :], *points[: len(MARKS)])
    ]
    legend = "fill (o: in force, x: changed, ·: other reorder points"
    legend += ", +: other service levels)" if any(_mark(p) == "+" for p in points) else ")"
    console().print(lines("\n".join(scatter(spots, "stock a shelf", legend))))
    titles = ("fill", "stock", "wasted", "cost")
    table = grid("policy", *titles, right=titles)
    for point in points:
        add(table, point.policy, *(_shown(point.measures[n], MEASURES[n][1]) for n in titles))
    console().print(table)


def _mark(point: FrontierPoint) -> str:
    """What stands for a policy that was tried: reorder points are numbers."""
    return "·" if point.policy.isdigit() else "+"


def _cells(one: PolicyDifference) -> tuple[str | None, ...]:
    digits = MEASURES[one.measure][1]
    sides = (_shown(value, digits) for value in (one.before, one.after))
    changes = (_shown(value, digits, "+") for value in (one.difference, one.low, one.high))
    return (*sides, *changes)


def _shown(value: float, digits: int, sign: str = "") -> str | None:
    """A figure for people; what is no number is a dash."""
    return f"{value:{sign},.{digits}f}" if math.isfinite(value) else None
