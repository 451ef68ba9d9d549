"""What `up` tells while a stack starts: each part as it is ready, and what is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sized
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from lakeshelf.cli.console.output import SECONDS_BETWEEN_LINES, errors

if TYPE_CHECKING:
    from rich.status import Status

STEPS = {
    "broker": "Kafka answers",
    "topics": "topics are there",
    "tables": "tables are there",
    "streams": "queries run",
    "components": "components run",
}
"""Step of a start → what is told when it is done."""


class Patience:
    """Waits so long for a start, and so long again after each step that it reaches.

    Args:
        longest: Longest wait for the next step, seconds.
        seconds: The clock.
    """

    def __init__(self, longest: float, seconds: Callable[[], float] = time.monotonic) -> None:
        self.longest, self._seconds = longest, seconds
        self._reached = 0
        self._since = seconds()

    def is_over(self, reached: Sized) -> bool:
        """Whether the last step is too long ago.

        Args:
            reached: Steps that are done by now.
        """
        if len(reached) > self._reached:
            self._reached, self._since = len(reached), self._seconds()
        return self._seconds() - self._since > self.longest


class Start:
    """Tells of a start, step by step; seconds count from its beginning."""

    def __init__(self) -> None:
        self._console = errors()
        self._done: set[str] = set()
        self._status: Status | None = None
        self._begun = self._shown = time.monotonic()

    @contextmanager
    def shown(self) -> Iterator[Start]:
        """Tell while the block runs: what is waited for turns on a terminal, else is a line each five seconds."""
        turning = self._console.status("Kafka starts") if self._console.is_terminal else None
        with turning or nullcontext():
            self._status = turning
            yield self

    def __call__(self, stack: Mapping[str, Any]) -> None:
        """Tell what is new in what the stack says of itself."""
        reached = stack.get("reached", {})
        for step, seconds in reached.items():
            if step not in self._done:
                self._done.add(step)
                self._console.print(f"{STEPS.get(step, step):32} {seconds:.1f} s")
        awaited = stack.get("awaited", ())
        left = ", ".join(step for step in STEPS if step in awaited) or "the stack"
        elapsed = time.monotonic() - self._begun
        self._wait(f"{'waiting for ' + left:32} {elapsed:.0f} s")

    def _wait(self, text: str) -> None:
        if self._status is not None:
            self._status.update(text)
        elif time.monotonic() - self._shown >= SECONDS_BETWEEN_LINES:
            self._shown = time.monotonic()
            self._console.print(text)
