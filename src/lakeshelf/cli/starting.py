"""What `up` tells while a stack starts: each part as it is ready, and what is waited for."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from lakeshelf.cli.output import SECONDS_BETWEEN_LINES, errors

if TYPE_CHECKING:
    from rich.status import Status

TOLD = {
    "broker": "Kafka answers",
    "topics": "topics are there",
    "tables": "tables are there",
    "streams": "queries run",
    "components": "components run",
}
"""Step of a start → what is told when it is done."""
ALWAYS = ("topics", "tables")


class Start:
    """Tells of a start, step by step; seconds count from its beginning."""

    def __init__(self) -> None:
        self._console = errors()
        self._done: set[str] = set()
        self._status: Status | None = None
        self._shown = time.monotonic()

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
                self._console.print(f"{TOLD.get(step, step):32} {seconds:.1f} s")
        parts = [*stack.get("parts", {}), *ALWAYS]
        left = ", ".join(step for step in TOLD if step in parts and step not in reached)
        self._wait(f"waiting for {left or 'the stack'}")

    def _wait(self, text: str) -> None:
        if self._status is not None:
            self._status.update(text)
        elif time.monotonic() - self._shown >= SECONDS_BETWEEN_LINES:
            self._shown = time.monotonic()
            self._console.print(text)
