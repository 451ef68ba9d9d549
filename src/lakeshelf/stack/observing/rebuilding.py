"""A rebuild that others can ask how far it is: it answers in the place of the streams driver, which is down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lakeshelf.settings import Settings
from lakeshelf.status_files import STREAMS
from lakeshelf.telemetry.serving import served

Show = Callable[[str, int, int], None]
"""Called with what is being folded, rows done, rows in all."""


class Progress:
    """How far a rebuild is.

    Args:
        show: Shows it to whoever started the rebuild.
    """

    def __init__(self, show: Show) -> None:
        self._show = show
        self._folded = "it begins"

    def __call__(self, what: str, done: int, total: int) -> None:
        """Note how far it is."""
        self._folded = f"{what} has folded {done:,} of {total:,} rows"
        self._show(what, done, total)

    def problems(self) -> list[str]:
        """Why no query runs."""
        return [f"a rebuild is under way: {self._folded}"]


@contextmanager
def telling(settings: Settings, show: Show) -> Iterator[Progress]:
    """Tell over HTTP how far a rebuild is, for as long as the block takes.

    Raises:
        ConfigurationError: The port of the streams driver is taken.
    """
    progress = Progress(show)
    with served(settings, "streams", progress.problems, beats=False) as telemetry:
        STREAMS.write(settings.stack_dir, [], telemetry=telemetry.address)
        try:
            yield progress
        finally:
            (settings.stack_dir / STREAMS.name).unlink(missing_ok=True)
