# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`doctor`: what keeps the stack from working."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from lakeshelf.cli.console import access
from lakeshelf.cli.console.output import AsJson, console, print_json

if TYPE_CHECKING:
    from lakeshelf.stack.observing.doctor import Diagnosis


def doctor(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="What to examine, such as `audit`; none: all."),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Examine machine, Kafka and lake; exit code 0 when all is well, 1 when something is not."""
    from lakeshelf.choices import chosen
    from lakeshelf.stack.observing.doctor import EXAMINATIONS, examine

    known = dict(EXAMINATIONS)
    for name in names or ():
        chosen("examination", name, known)
    selected = [(name, known[name]) for name in known if name in (names or known)]
    print_diagnoses(examine(access.plain(), selected), as_json=as_json)


def print_diagnoses(diagnoses: Iterable[Diagnosis], *, as_json: bool) -> None:
    """Print diagnoses as they come, and end with exit code 1 when something is not in order."""
    shown = []
    for diagnosis in diagnoses:
        shown.append(replace(diagnosis, fix=access.completed(diagnosis.fix)))
        if not as_json:
            _show(diagnosis)
    ok = all(diagnosis.ok for diagnosis in shown)
    if as_json:
        print_json({"ok": ok, "checks": [asdict(diagnosis) for diagnosis in shown]})
    raise typer.Exit(0 if ok else 1)


def _show(diagnosis: Diagnosis) -> None:
    mark, color = ("ok ", "green") if diagnosis.ok else ("bad", "red")
    fix = f"; {diagnosis.fix}" if diagnosis.fix else ""
    console().print(mark, style=color, end="")
    console().print(f"  {diagnosis.name:12} {diagnosis.message}{fix}", soft_wrap=True)
