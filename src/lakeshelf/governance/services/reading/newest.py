"""The number of the newest event, which all who listen to a process ask for together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable


class Newest:
    """The number of the newest event, at most `FRESH_S` old when somebody else does not ask for it just then.

    Whoever listens asks twice a second; each asking for itself, fifty take a fifth of a core where nothing happens.

    Args:
        ask: Asks the database.
        seconds: Monotonic clock.
    """

    FRESH_S = 0.2

    def __init__(self, ask: Callable[[], Awaitable[int]], seconds: Callable[[], float]) -> None:
        self._ask, self._seconds = ask, seconds
        self._asked_at: float | None = None
        self._number = 0

    async def number(self) -> int:
        """The number; while another caller asks for it, the one before."""
        now = self._seconds()
        if self._asked_at is None or now - self._asked_at >= self.FRESH_S:
            self._asked_at = now
            self._number = await self._ask()
        return self._number
