# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`run`: one part of the stack in this process, as a container has it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Literal

import typer

from lakeshelf.cli.console import access
from lakeshelf.settings import Settings

Part = Literal["broker", "api", "worker"]


def run(
    part: Annotated[Part, typer.Argument(help="`broker`, `api` or `worker`.")],
) -> None:
    """Run a part of the stack in this process until Ctrl-C; `jobs run` and `components run` run the others."""
    from lakeshelf.stack.supervision import handover

    settings = access.settings()
    handover.begin_log(part, settings, printed=True)
    _runner(part)(settings, ())


def _runner(part: Part) -> Callable[[Settings, Iterable[str]], None]:
    from lakeshelf.stack.embedded import broker_process
    from lakeshelf.stack.serving import api_process
    from lakeshelf.stack.supervision import worker_process

    if part == "broker":
        return broker_process.run
    return api_process.run if part == "api" else worker_process.run
