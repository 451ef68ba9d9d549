# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`reconcile`: whether a lake at rest agrees with itself, and with receipts that were replayed into it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from lakeshelf.cli.console import access
from lakeshelf.cli.console.output import (
    AsJson,
    Steps,
    checks_table,
    console,
    errors,
    print_json,
)
from lakeshelf.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from lakeshelf.reconcile import Reconciliation

STEPS = {"fold": "queries fold what was sent", "reconcile": "tables against what was sent"}


def reconcile(
    *,
    stores: Annotated[
        str | None,
        typer.Option(
            help="Compare with receipts that were replayed too: of so many stores, or `all`."
        ),
    ] = None,
    baskets: Annotated[
        int | None, typer.Option(min=1, help="Only the so many earliest baskets of them.")
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=1, help="Longest wait for the next record to be folded, seconds.")
    ] = 180.0,
    as_json: AsJson = False,
) -> None:
    """Wait until all that was sent is folded, then compare the tables with it, key by key; exit code 1 on a difference.

    Whoever sends has to be quiet meanwhile.
    """
    from lakeshelf import reconcile as reconciling
    from lakeshelf.components.registry import module
    from lakeshelf.forecast.versions.registered import files_check
    from lakeshelf.lake import Lake
    from lakeshelf.stack.observing import settling

    if baskets is not None and stores is None:
        raise ConfigurationError(f"--baskets {baskets} without --stores", hint="give both")
    settings = access.present()
    number = module(settings.home, "replay").parsed_stores(stores) if stores else None
    with Steps(STEPS).shown() as show:
        rest = settling.settled(settings, timeout, lambda done, of: show("fold", done, of))
        show("reconcile")
        report = reconciling.reconcile(
            settings.lake_root,
            rest.records,
            receipts=stores is not None,
            stores=number,
            baskets=baskets,
        )
        report = replace(report, checks=(*report.checks, files_check(Lake(settings.lake_root))))
    settling.require_still(settings, rest)
    _leave(settings.stack_dir, report)
    if as_json:
        print_json(report.as_json())
    else:
        console().print(checks_table([check.as_json() for check in report.checks]))
        agreed = f"reconciled: {len(report.checks)} checks, no difference"
        console().print(agreed if report.ok else "not reconciled: see the checks above")
    raise typer.Exit(0 if report.ok else 1)


def _leave(stack_dir: Path, report: Reconciliation) -> None:
    """Leave what was found where the driver tells it in its metrics; where that cannot be, a line says so."""
    from lakeshelf.errors import refused
    from lakeshelf.status_files import RECONCILED

    try:
        RECONCILED.write(stack_dir, [check.as_json() for check in report.checks])
    except OSError as error:
        errors().print(f"not told in metrics: {'; '.join(refused(error))}")
