# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`features`: what forecasts read, of days that the daily job has not done."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lakeshelf import extras, modules
from lakeshelf.cli.console import access
from lakeshelf.cli.console.output import AsJson, Steps, print_json
from lakeshelf.cli.console.terminal import console
from lakeshelf.cli.shop.whatif import day
from lakeshelf.counts import count_of

COMPONENT = "shelf-daily-features"
STEPS = {"demand": "daily demand", "features": "features of cutoff days"}

app = typer.Typer(help="Features that forecasts read.")


@app.command("backfill")
def backfill(
    *,
    since: Annotated[
        str | None,
        typer.Option(metavar="DAY", help="First day; unset: the one after the first receipt."),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="DAY", help="Last day; unset: the one after the last receipt."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the features of past cutoff days that have none, and the daily demand behind them.

    They are computed as `shelf-daily-features` does it each day, from the events as they stand. It must not run
    meanwhile. A command that was ended goes on when it is given again.
    """
    in_force = access.present()
    from lakeshelf.forecast.demand.engine import MODULES

    extras.require("query", *MODULES)
    from lakeshelf.components import registry
    from lakeshelf.lake import Lake

    days = day("--since", since), day("--until", until)
    component = registry.module(in_force.home, COMPONENT)
    filling = modules.load(Path(component.__file__).with_name("features_backfill.py"))
    with Steps(STEPS).shown() as progress:
        filled = filling.backfill(Lake(in_force.lake_root), in_force.stack_dir, *days, progress)
    if as_json:
        print_json(
            {
                "days": [str(one) for one in filled.days],
                "rows": filled.rows,
                "demand_days": filled.demand_days,
            }
        )
    elif filled.days:
        what = (
            f"{count_of(len(filled.days), 'cutoff day')} from {filled.days[0]} to {filled.days[-1]}"
        )
        console().print(f"{count_of(filled.rows, 'row')} of features written: {what}.")
    elif filled.last is None:
        console().print("There are no receipts yet, of which features are made.")
    else:
        console().print("No cutoff day with receipts before it lacks features.")
