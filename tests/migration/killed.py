"""A migration that is killed at the n-th change it makes: `killed.py LAKE SOURCE n`."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lakeshelf.lake import Lake
from lakeshelf.lake.rows import tables
from lakeshelf.lake.write import writing
from lakeshelf.migration import Options, migrate
from tests.migration.layouts import NAME

CHANGES: tuple[tuple[Any, str], ...] = (
    (writing, "append"), (writing, "note"), (writing, "commit_files"), (tables, "create"),
    (os, "link"), (shutil, "rmtree"), (Path, "rename"),
)  # fmt: skip
"""What changes something in a lake."""


def dies(last: int, *more: tuple[Any, str]) -> Callable[..., None]:
    """Die before or after whatever changes something, at the n-th of these moments; what is called makes one, too.

    Args:
        last: The n.
        more: What else changes something.
    """
    moments = itertools.count(1)

    def reached(*_: object) -> None:
        if next(moments) == last:
            os.kill(os.getpid(), signal.SIGKILL)

    def deadly(change: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*args: Any, **given: Any) -> Any:
            reached()
            result = change(*args, **given)
            reached()
            return result

        return changed

    for owner, name in (*CHANGES, *more):
        setattr(owner, name, deadly(getattr(owner, name)))
    return reached


def main(root: Path, source: Path, last: int) -> None:
    """Migrate, and die at the n-th moment."""
    migrate(Lake(root), source, NAME, Options(), incremental=True, progress=dies(last))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
