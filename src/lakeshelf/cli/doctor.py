# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`doctor`: what keeps the stack from working."""

from __future__ import annotations

from dataclasses import asdict, replace

import typer

from lakeshelf.cli import access
from lakeshelf.cli.output import AsJson, console, print_json


def doctor(*, as_json: AsJson = False) -> None:
    """Examine machine, Kafka and lake; exit code 0 when all is well, 1 when something is not."""
    from lakeshelf.stack.doctor import examine

    settings = access.settings()
    found = []
    for diagnosis in examine(settings):
        found.append(replace(diagnosis, fix=access.completed(diagnosis.fix)))
        if not as_json:
            mark, color = ("ok ", "green") if diagnosis.ok else ("bad", "red")
            fix = f"; {diagnosis.fix}" if diagnosis.fix else ""
            console().print(mark, style=color, end="")
            line = f"  {diagnosis.name:12} {diagnosis.message}{fix}"
            console().print(line, soft_wrap=True)
    ok = all(diagnosis.ok for diagnosis in found)
    if as_json:
        print_json({"ok": ok, "checks": [asdict(diagnosis) for diagnosis in found]})
    raise typer.Exit(0 if ok else 1)
