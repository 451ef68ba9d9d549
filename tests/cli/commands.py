"""The commands that there are, taken from the command line itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from lakeshelf.cli import main


def commands(command: Any = None, path: str = "") -> Iterator[tuple[str, Any]]:
    """Path of each command, such as `lake ls`, and the command."""
    top = command or typer.main.get_command(main.app)
    below = getattr(top, "commands", None)
    if below is None:
        yield path, top
        return
    for name, one in below.items():
        yield from commands(one, f"{path} {name}".strip())


PATHS = [path for path, _ in commands()]
