# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`trace`: the story of one thing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakeshelf.cli.console import access
from lakeshelf.cli.console.output import AsJson, add, console, grid, plain, print_json

if TYPE_CHECKING:
    from datetime import datetime

    from lakeshelf.shop.history import StoryLine
    from lakeshelf.shop.tracing.story import Story

Identifier = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help="A shelf, lot, item, plan, order, receipt, discount, alert, command, event, visit or customer.",
    ),
]
Most = Annotated[
    int, typer.Option("--limit", min=1, help="Most lines of each part; the last are printed.")
]

CAUSES = ("batch_code", "plan_id", "supplier_plan_id", "order_id", "cause_event_id")
SHOWN: Mapping[str, tuple[str, ...]] = {
    "events": (
        "event_type",
        "quantity",
        "delta_weight",
        "total_price",
        "discount",
        *CAUSES,
        "customer_id",
        "actor",
        "reason",
        "event_id",
    ),
    "alerts": (
        "event_type",
        "status",
        "decided_at",
        "current_stock",
        "max_stock",
        "suggested_qty",
        "batch_code",
        "expiry_date",
        "actor",
        "alert_id",
    ),
    "plans": (
        "status",
        "suggested_qty",
        "issued_qty",
        "source",
        "level_qty",
        "model_version",
        "actor",
        "plan_id",
        "supplier_plan_id",
        "order_id",
    ),
    "orders": ("status", "total_qty", "delivery_date", "delivery_ts", "order_id"),
    "receipts": ("received_qty", "delivery_date", "receipt_id", "order_id"),
    "discounts": ("discount", "discount_date", "batch_codes"),
    "commands": ("command", "actor", "target_id", "refusal", "event_id"),
}
"""Part of a story → columns that are told of it; of what is there now, all."""
BARE = ("event_type", "status", "command")
"""Columns whose value says what it is."""


def trace(identifier: Identifier, *, limit: Most = 30, as_json: AsJson = False) -> None:
    """Tell the story of one thing in business time: what happened, what was decided, what is there now.

    A lot of one shelf is SHELF::LOT, a discount SHELF::DATE.
    """
    from lakeshelf.shop.tracing.trace import trace as stories_of

    stories = stories_of(access.settings().lake_root, identifier, limit)
    if as_json:
        kinds = [story.kind for story in stories]
        print_json(
            {"id": identifier, "kinds": kinds, "stories": [story.as_json() for story in stories]}
        )
        return
    if len(stories) > 1:
        names = ", ".join(_name(story) for story in stories)
        console().print(f"{identifier} is several things: {names}")
    for story in stories:
        _print(story)


def _print(story: Story) -> None:
    page = console()
    page.print(_title(story), style="bold")
    for text in (*_reasons(story), *_left_out(story)):
        page.print(text, soft_wrap=True)
    table = grid("time", "", "from", "what")
    for line in story.lines:
        style = "bold" if line.role == "this" else ""
        add(table, _time(line.time), line.role, _source(line), _what(line, story), style=style)
    page.print(table if story.lines else "Nothing has happened to it.")
    if story.state:
        page.print("now", style="bold")
        page.print(_state(story))


def _state(story: Story) -> Any:
    table = grid("from", "what")
    for line in story.state:
        add(table, _source(line), _of(line.row, story) + _pairs(line.row, line.row))
    return table


def _reasons(story: Story) -> list[str]:
    explanation = story.explanation
    if explanation is None:
        return []
    policy, end = explanation["policy"], explanation["end"]
    fields = (f"{n} {plain(f['value'])} ({f['from']})" for n, f in policy["fields"].items())
    return [
        *(f"why     {reason}" for reason in explanation["why"] or ["its figures were not kept"]),
        f"policy  {', '.join(fields)}: {policy['table']}, version {policy['table_version']}",
        f"end     {_end(end) if end else 'it is open'}",
    ]


def _end(end: Mapping[str, Any]) -> str:
    by = f" by {end['actor']}" if end["actor"] else ""
    return f"{end['status']} {plain(end['at'])}{by}"


def _left_out(story: Story) -> list[str]:
    counts = [f"{count:,} earlier {section}" for section, count in story.omitted.items()]
    lines = [f"not shown: {', '.join(counts)}; see --limit"] if counts else []
    return lines + [f"its cause {cause} is not in the lake" for cause in story.missing]


def _name(story: Story) -> str:
    return story.kind.replace("_", " ")


def _title(story: Story) -> str:
    """What it is, with the item's name where it is about one shelf."""
    names = set(story.names.values()) if len(story.shelves) == 1 else ()
    return " ".join((_name(story), story.id, *names))


def _what(line: StoryLine, story: Story) -> str:
    if "items" in line.row:
        sold = ", ".join(f"{_of(item, story)}{item['quantity']}" for item in line.row["items"])
        return f"{line.row['event_type']}, {sold}, event_id {line.row['event_id']}"
    return _of(line.row, story) + _pairs(line.row, SHOWN[line.section])


def _of(row: Mapping[str, Any], story: Story) -> str:
    """Which shelf of several a row is about, by the name of its item."""
    shelf = row.get("shelf_id")
    return "" if shelf is None or len(story.shelves) < 2 else f"{story.names.get(shelf, shelf)}: "


def _pairs(row: Mapping[str, Any], names: Iterable[str]) -> str:
    held = [name for name in names if row.get(name) is not None]
    return ", ".join(
        plain(row[name]) if name in BARE else f"{name} {plain(row[name])}" for name in held
    )


def _source(line: StoryLine) -> str:
    return f"{line.table} version {line.table_version}"


def _time(time: datetime | None) -> str:
    return "-" if time is None else plain(time)
