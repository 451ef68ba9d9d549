"""Live numbers of one process, however many ask: taken once a second, while somebody asks or listens.

docs/design/governance.md#shop
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic_core import to_jsonable_python

from lakeshelf.errors import LakeshelfError
from lakeshelf.governance.errors import GovernanceError, refused
from lakeshelf.governance.services.shop.running import Numbers
from lakeshelf.logs import log

PERIOD_S = 1.0
HISTORY_S = 600.0
"""How long numbers are kept."""
LINGER_S = 15.0
"""How long numbers are taken after somebody asked last."""
FRESH_S = 5.0
"""How old the newest numbers may be for whoever asks."""
FIRST_S = 20.0
"""Longest wait for the first numbers: every table is opened for them."""
PASSING = ("parts", "problems", "oldest_alerts", "queries", "tables")
"""What is not kept for the history: what is wrong, how far queries and how fresh tables are, is of one moment."""


@dataclass(frozen=True)
class NumbersPoint:
    """Numbers of one moment.

    Attributes:
        id: `<epoch>.<n>`: another epoch is another process, whose history begins anew.
        numbers: The numbers, as JSON.
        taken_s: When, by the monotonic clock.
    """

    id: str
    numbers: Mapping[str, Any]
    taken_s: float

    @cached_property
    def text(self) -> str:
        """What is sent to who listens."""
        return json.dumps({"id": self.id, **self.numbers}, ensure_ascii=False)

    @property
    def kept(self) -> Mapping[str, Any]:
        """What the history tells."""
        rest = {name: value for name, value in self.numbers.items() if name not in PASSING}
        return {"id": self.id, **rest}


class Live:
    """Live numbers, and those of the last ten minutes in which they were taken.

    Args:
        numbers: Makes what takes them.
        epoch: Name of this process.
        seconds: Monotonic clock.
    """

    def __init__(
        self, numbers: Callable[[], Numbers], epoch: str, seconds: Callable[[], float]
    ) -> None:
        self._open, self._epoch, self._seconds = numbers, epoch, seconds
        self._points: deque[NumbersPoint] = deque()
        self._count = 0
        self._until = 0.0
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._taking: threading.Thread | None = None
        self._waking: set[Callable[[], object]] = set()
        self._failure: Exception | None = None

    def peek(self) -> NumbersPoint | None:
        """The newest numbers; None: the first are still being taken. Others follow for a while."""
        with self._changed:
            self._until = self._seconds() + LINGER_S
            if self._taking is None and not self._closed.is_set():
                self._failure = None
                self._taking = threading.Thread(target=self._take, name="live", daemon=True)
                self._taking.start()
            return self._fresh()

    def newest(self) -> NumbersPoint:
        """The newest numbers.

        Raises:
            GovernanceError: `service_unavailable`: they could not be taken in time.
        """
        if (point := self.peek()) is not None:
            return point
        with self._changed:
            self._changed.wait_for(self._is_settled, FIRST_S)
            point, failure = self._fresh(), self._failure
        if point is not None:
            return point
        if isinstance(failure, GovernanceError):
            raise failure
        problem = f": {failure}" if isinstance(failure, LakeshelfError) else ""
        raise refused(
            "service_unavailable",
            f"live numbers could not be taken{problem}",
            hint="ask again soon",
        )

    async def after(self, shown: str, seconds: float) -> None:
        """Wait for numbers that are newer than those of an id, but no longer than so many seconds."""
        loop, came = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(came.set)

        with self._changed:
            if (point := self._fresh()) is not None and point.id != shown:
                return
            self._waking.add(wake)
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(came.wait(), seconds)
        finally:
            with self._changed:
                self._waking.discard(wake)

    def history(self) -> list[NumbersPoint]:
        """Numbers of the last `HISTORY_S` in which somebody asked, the oldest first; others follow for a while."""
        self.newest()
        with self._changed:
            return list(self._points)

    def close(self) -> None:
        """Take no more."""
        self._closed.set()
        with self._changed:
            self._changed.notify_all()
            taking = self._taking
        if taking is not None:
            taking.join(PERIOD_S)

    def _fresh(self) -> NumbersPoint | None:
        last = self._points[-1] if self._points else None
        return last if last is not None and self._seconds() - last.taken_s <= FRESH_S else None

    def _is_settled(self) -> bool:
        return bool(self._fresh() or self._failure or self._closed.is_set())

    def _take(self) -> None:
        while self._is_asked():
            try:
                with closing(self._open()) as numbers:
                    while self._is_asked():
                        begun = self._seconds()
                        self._add(numbers.look())
                        self._closed.wait(max(0.0, begun + PERIOD_S - self._seconds()))
            except Exception as error:  # noqa: BLE001 - they are taken again, whatever went wrong
                unknown = None if isinstance(error, LakeshelfError | OSError) else error
                log.warning("live numbers not taken", error=str(error), exc_info=unknown)
                self._fail(error)
                self._closed.wait(PERIOD_S)

    def _fail(self, error: Exception) -> None:
        with self._changed:
            self._failure = error
            self._changed.notify_all()

    def _is_asked(self) -> bool:
        """Whether numbers are still to be taken; if not, who asks next has another thread take them."""
        with self._changed:
            is_asked = self._seconds() < self._until and not self._closed.is_set()
            if not is_asked:
                self._taking = None
            return is_asked

    def _add(self, look: Mapping[str, Any]) -> None:
        numbers, now = to_jsonable_python(look), self._seconds()
        with self._changed:
            self._count += 1
            self._failure = None
            self._points.append(NumbersPoint(f"{self._epoch}.{self._count}", numbers, now))
            while now - self._points[0].taken_s > HISTORY_S:
                self._points.popleft()
            self._changed.notify_all()
            for wake in self._waking:
                wake()
