# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`profile`: where the batches of a query that runs spend their time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lakeshelf.cli.console import access
from lakeshelf.cli.console.output import AsJson, Steps, add, console, grid, print_json
from lakeshelf.counts import count_of

if TYPE_CHECKING:
    from lakeshelf.telemetry.profiling import Profile

NUMBERS = ("times", "mean ms", "median ms", "seconds", "share")
STEPS = {"batches": "batches of the query"}


def profile(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="The query, as `status` names it.")],
    *,
    seconds: Annotated[
        float, typer.Option(min=1, max=3600, help="How long its batches are watched.")
    ] = 10.0,
    as_json: AsJson = False,
) -> None:
    """Show where the batches of a query that runs spend their time: steps, waits, statements, commits.

    The numbers are those of the driver's `/metrics`, asked now and after so many seconds.
    """
    from lakeshelf.stack.observing.processes import profiled

    settings = access.present()
    with Steps(STEPS).shown() as show:
        made = profiled(settings, query, seconds, lambda done, of: show("batches", done, of))
    if as_json:
        print_json(made.as_json())
    else:
        _show(made)


def _show(made: Profile) -> None:
    median = "" if made.batch_ms is None else f", half of them within {made.batch_ms:,.0f} ms"
    batches = count_of(made.batches, "batch")
    console().print(
        f"{made.query}: {batches} in {made.seconds:,.1f} s{median}; they took {made.batch_seconds:,.1f} s",
        markup=False,
        soft_wrap=True,
    )
    table = grid("what", "name", *NUMBERS, right=NUMBERS)
    for line in made.spent:
        times = (line.mean_ms, line.median_ms, round(line.seconds, 2))
        add(table, line.kind, line.name, line.count, *times, f"{100 * line.share:.1f} %")
    console().print(table)
