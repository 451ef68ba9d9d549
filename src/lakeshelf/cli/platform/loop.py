"""What `demo --loop` prints: checks, what the shop achieved, where the picture is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lakeshelf.cli.console.output import add, console, grid, rows

if TYPE_CHECKING:
    from pathlib import Path

    from lakeshelf.stack.demos.loop import LoopReport

STEPS = {
    "broker": "broker starts",
    "topics": "topics and tables are made",
    "streams": "queries and components start",
    "play": "business days, step by step",
    "stop": "stack stops",
    "reconcile": "tables against the events",
}
DAYS = (
    "day", "sold", "lost", "expired", "received", "restocked", "refills", "orders", "discounts", "stock",
)  # fmt: skip
"""Figures of a day that are shown."""


def show(report: LoopReport, checks: Any, folder: Path) -> None:
    """Print the report of a loop demo.

    Args:
        report: The report.
        checks: Its checks as a table.
        folder: Where its files are.
    """
    out = console()
    out.print(checks)
    out.print()
    days = [{name: day.get(name) for name in DAYS} for day in report.as_json()["achieved"]["days"]]
    out.print(rows(days, right=DAYS[1:]))
    out.print()
    out.print(_figures(report))
    out.print()
    if report.reconciliation.ok:
        out.print("reconciled: every unit is where the events say", style="bold green")
    else:
        out.print("not reconciled: see the checks above", style="bold red")
    out.print(f"report  {folder / 'loop.json'}", soft_wrap=True)
    out.print(f"chart   {folder / 'loop.png'}", soft_wrap=True)
    out.print("next    `lakeshelf alerts list --status resolved`", soft_wrap=True)


def _figures(report: LoopReport) -> Any:
    reached, table = report.achieved, grid("", "")
    shares = {"service": reached.service_level, "waste": reached.waste}
    percentages = ", ".join(
        f"{name} {share:.1%}" for name, share in shares.items() if share is not None
    )
    turns = f", turns {reached.turns:.2f}" if reached.turns is not None else ""
    add(table, "achieved", f"{percentages}{turns}, sales {reached.sales:,.2f}")
    add(table, "events", f"{sum(report.records.values()):,}")
    add(table, "pace", f"{report.days_per_minute} business days a minute")
    add(table, "memory", f"{report.peak_memory / 2**30:.2f} GiB at most, all processes")
    add(table, "restarts", ", ".join(f"{name} {n}" for name, n in report.restarts.items()))
    return table
