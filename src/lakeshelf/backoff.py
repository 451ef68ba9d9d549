"""When what ended starts again: a process of the stack, a query, a component."""

from __future__ import annotations

from dataclasses import dataclass

STEADY_S = 60.0
"""What ran for so long starts again without a pause."""
MOST_AT_ONCE = 10
"""Short runs in a row that may follow without a pause."""


@dataclass
class Backoff:
    """Pauses between runs. Times are seconds of one monotonic clock.

    Attributes:
        first: The pause after a first short run.
        longest: What the pauses grow to while runs stay short.
        due: When the next run starts; None during a run.
    """

    first: float
    longest: float
    due: float | None = None
    _started: float = 0.0
    _pause: float = 0.0
    _at_once: int = 0

    def start(self, now: float) -> None:
        """A run starts."""
        self._started, self.due = now, None

    def end(self, now: float, *, at_once: bool = False) -> float:
        """The pause after a run that has ended, or failed to start.

        Args:
            now: When.
            at_once: Whether the next run is needed to find out why this one ended.
        """
        steady = now - self._started >= STEADY_S
        self._at_once = 0 if steady else self._at_once + at_once
        if at_once and self._at_once <= MOST_AT_ONCE:
            self.due = now
            return 0.0
        self._pause = 0.0 if steady else min(max(self.first, 2 * self._pause), self.longest)
        self.due = now + self._pause
        return self._pause

    def is_due(self, now: float) -> bool:
        """Whether the next run starts now."""
        return self.due is not None and now >= self.due
