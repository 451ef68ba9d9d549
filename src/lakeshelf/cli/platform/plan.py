# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`plan`: what `bootstrap` would do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import typer

from lakeshelf.cli.console import access
from lakeshelf.cli.console.output import AsJson, console, print_json

KEPT = "keep"


def plan(*, as_json: AsJson = False) -> None:
    """Show which topics and tables `bootstrap` would create or change, and which checkpoints would not survive.

    Nothing is written. Exit code 1 when a table is refused, a topic differs or a checkpoint breaks.
    """
    from lakeshelf.stack.observing import planning

    changes = planning.planned(access.settings())
    if as_json:
        print_json(changes)
    else:
        _show(changes)
    raise typer.Exit(1 if _is_bad(changes) else 0)


def _show(changes: Mapping[str, Any]) -> None:
    from lakeshelf.stack.observing import planning

    out = console()
    out.print(f"tables       {_counts(changes['tables'])}")
    for table in changes["tables"]:
        if table["action"] != KEPT:
            more = f", new columns {', '.join(table['added'])}" if table["added"] else ""
            problem = f": {table['problem']}" if table["problem"] else ""
            out.print(f"  {table['action']:7} {table['table']}{more}{problem}", soft_wrap=True)
    for name in changes["late"]:
        out.print(f"  late    {name} {planning.FROM_NOW_ON}", soft_wrap=True)
    topics = changes["topics"]
    out.print(
        f"topics       {_counts(topics)}"
        if topics is not None
        else f"topics       unknown: {changes['topics_unknown']}",
        soft_wrap=True,
    )
    for topic in topics or ():
        for one in topic["differences"]:
            values = f"{one['setting']} is {one['found']}, the contract says {one['contract']}"
            out.print(f"  differs {topic['topic']}: {values}", style="red", soft_wrap=True)
        if topic["action"] == "create":
            out.print(f"  create  {topic['topic']}")
    out.print(f"checkpoints  {len(changes['breaks']) or 'none'} would not survive")
    for one in changes["breaks"]:
        out.print(f"  breaks  {one['query']}: {one['problem']}", style="red", soft_wrap=True)
    out.print(f"Next: `lakeshelf {'doctor' if _is_bad(changes) else 'up'}`")


def _counts(changes: list[dict[str, Any]]) -> str:
    counts = Counter(one["action"] for one in changes)
    return ", ".join(f"{count} to {action}" for action, count in sorted(counts.items()))


def _is_bad(changes: Mapping[str, Any]) -> bool:
    actions = {one["action"] for one in (*changes["tables"], *(changes["topics"] or ()))}
    return bool(changes["breaks"] or actions & {"refuse", "differs"})
