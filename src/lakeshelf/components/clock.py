"""The business clock: ticks on the topic `clock`, never backwards (docs/design/retail.md#time).

A `system` clock tells the time of day. A `scaled` one has a start and a speed, stands still while it is
down and goes on from the topic. A `stepped` one moves when it is told to.
"""

from __future__ import annotations

import threading
import time as wall
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from lakeshelf.components.component import Context, Message
from lakeshelf.contracts import CATALOG
from lakeshelf.lake.place.locks import FileLock
from lakeshelf.streams.commit.publisher import Publisher
from lakeshelf.streams.declare.job import CLOCK
from lakeshelf.streams.run.clock import tick_before
from lakeshelf.telemetry import metrics

BOUNDARIES = (time(0), time(8), time(12))
"""Times of day that rules name: the day's beginning, deliveries, cutoffs."""
OPENING = time(6)
"""Time of day at which a scaled clock begins if no start is named."""
PHASES = ("supply", "removals", "discounts", "picks", "arrivals", "sales")
"""Parts of a step, in order."""
TICK_S, FAST_TICK_S = 5.0, 1.0
"""Longest time between two ticks, at speed 1 and faster."""


@dataclass(frozen=True)
class Pace:
    """How business time runs from a moment on.

    Attributes:
        kind: `system` or `scaled`.
        speed: Business seconds a second.
        begin: Business time at `began`.
        began: Monotonic seconds.
    """

    kind: str
    speed: float
    begin: datetime
    began: float

    def at(self, seconds: float) -> datetime:
        """Business time at a monotonic time."""
        return self.begin + timedelta(seconds=(seconds - self.began) * self.speed)

    def seconds_until(self, moment: datetime, seconds: float) -> float:
        """Seconds from a monotonic time until a business time."""
        return (moment - self.at(seconds)).total_seconds() / self.speed


def paced(
    last: datetime | None, speed: float, start: datetime | None, now: datetime, seconds: float
) -> Pace:
    """How the clock goes on.

    Args:
        last: Business time of the latest tick; None before the first.
        speed: Business seconds a second.
        start: Business time to begin at; None: now at speed 1, else the opening of the day.
        now: The time of day.
        seconds: Monotonic seconds now.
    """
    if speed == 1 and start is None and (last is None or last <= now):
        return Pace("system", 1.0, now, seconds)
    first = start or (now if speed == 1 else datetime.combine(now.date(), OPENING, UTC))
    return Pace("scaled", speed, last or first, seconds)


def boundaries(after: datetime, until: datetime) -> Iterator[datetime]:
    """The times that rules name in (after, until]."""
    day = after.date()
    while day <= until.date():
        for moment in (datetime.combine(day, at, UTC) for at in BOUNDARIES):
            if after < moment <= until:
                yield moment
        day += timedelta(days=1)


def next_boundary(after: datetime) -> datetime:
    """The first time behind `after` that a rule names."""
    return next(boundaries(after, after + timedelta(days=1)))


class Ticker:
    """Publishes ticks, as the one owner of the clock.

    Args:
        context: Where to.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = FileLock(context.settings.stack_dir / "locks" / "clock.lock", "the clock")

    def __enter__(self) -> Ticker:
        self._lock.acquire()
        self._publisher = Publisher(self._context.client)
        tick = tick_before(self._context.client)
        self.now: datetime | None = tick["now"] if tick else None
        self._seq = tick["seq"] if tick else 0
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def tick(self, now: datetime, kind: str, speed: float, phase: str | None = None) -> int:
        """Publish a tick; its number. A time before the latest tick's is that of the latest."""
        self._seq += 1
        self.now = now if self.now is None else max(now, self.now)
        values: dict[str, Any] = {
            "now": self.now,
            "today": self.now.date(),
            "kind": kind,
            "speed": speed,
            "seq": self._seq,
            "phase": phase,
            "version": self._seq,
            "updated_at": datetime.now(UTC),
        }
        message = Message.of(CLOCK, values)
        self._publisher.encoded(CATALOG.topics[CLOCK], [(message.key, message.value)])
        self._publisher.flush()
        metrics.CLOCK.take(self.now.timestamp())
        return self._seq


class ClockService:
    """The `system` or `scaled` clock of a running stack.

    Args:
        context: With the speed and the start in its settings.
        seconds: Monotonic clock.
    """

    def __init__(self, context: Context, seconds: Callable[[], float] = wall.monotonic) -> None:
        self._context = context
        self._seconds = seconds

    def run(self, stop: threading.Event, ready: Callable[[], None] = lambda: None) -> None:
        """Tick until `stop` is set; `ready` is called once the clock is its own.

        Raises:
            LakeError: Another clock runs on the lake.
            BrokerError: The broker does not answer.
        """
        settings = self._context.settings
        with Ticker(self._context) as ticker:
            ready()
            pace = paced(
                ticker.now,
                settings.clock_speed,
                settings.clock_start,
                datetime.now(UTC),
                self._seconds(),
            )
            while not stop.is_set():
                now = pace.at(self._seconds())
                since = max(ticker.now or now, pace.begin)
                for moment in (*boundaries(since, now), now):
                    ticker.tick(moment, pace.kind, pace.speed)
                stop.wait(self._pause(pace))

    def _pause(self, pace: Pace) -> float:
        seconds = self._seconds()
        boundary = pace.seconds_until(next_boundary(pace.at(seconds)), seconds)
        return max(0.0, min(boundary, TICK_S if pace.speed == 1 else FAST_TICK_S))
