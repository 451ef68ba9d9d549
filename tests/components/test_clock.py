"""The business clock: how it goes on, where it ticks, and that it never goes back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.components import clock
from lakeshelf.components.clock import ClockService, Pace, Ticker, boundaries, next_boundary, paced
from lakeshelf.components.component import Context
from lakeshelf.settings import load_settings

from .bench import Tables

NOW = datetime(2026, 3, 3, 14, 30, tzinfo=UTC)
DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)
TIMES = st.timedeltas(timedelta(0), 5 * DAY).map(lambda later: NOW - 3 * DAY + later)


@pytest.mark.parametrize(
    ("last", "speed", "start", "expected"),
    [
        pytest.param(None, 1, None, ("system", NOW), id="a new clock tells the time of day"),
        pytest.param(NOW - DAY, 1, None, ("system", NOW), id="it does so again after a pause"),
        pytest.param(
            NOW + DAY, 1, None, ("scaled", NOW + DAY), id="a clock that is ahead is not set back"
        ),
        pytest.param(
            None, 60, None, ("scaled", NOW.replace(hour=6, minute=0)), id="fast from the opening"
        ),
        pytest.param(None, 60, NOW - 9 * DAY, ("scaled", NOW - 9 * DAY), id="fast from a start"),
        pytest.param(None, 1, NOW + 9 * DAY, ("scaled", NOW + 9 * DAY), id="slow from a start"),
        pytest.param(
            NOW - DAY, 60, NOW - 9 * DAY, ("scaled", NOW - DAY), id="it goes on from the topic"
        ),
        pytest.param(
            NOW - DAY, 60, NOW + 9 * DAY, ("scaled", NOW - DAY), id="its start is told once"
        ),
    ],
)
def test_how_a_clock_goes_on(
    last: datetime | None, speed: float, start: datetime | None, expected: tuple[str, datetime]
) -> None:
    pace = paced(last, speed, start, NOW, 100.0)
    assert (pace.kind, pace.at(100.0)) == expected
    assert pace.at(110.0) == expected[1] + timedelta(seconds=10 * speed)


@given(after=TIMES, hours=st.floats(0, 80))
def test_boundaries_are_midnights_deliveries_and_cutoffs(after: datetime, hours: float) -> None:
    until = after + timedelta(hours=hours)
    first = after.replace(minute=0, second=0, microsecond=0)
    every = (first + n * HOUR for n in range(90))
    expected = [t for t in every if t.hour in (0, 8, 12) and after < t <= until]
    assert list(boundaries(after, until)) == expected


@given(after=TIMES)
def test_the_next_boundary_is_the_first_behind(after: datetime) -> None:
    found = next_boundary(after)
    assert found > after
    assert list(boundaries(after, found)) == [found]


@given(moment=TIMES, speed=st.floats(1, 100_000))
def test_a_pace_tells_how_long_it_takes(moment: datetime, speed: float) -> None:
    pace = Pace("scaled", speed, datetime(2026, 2, 26, tzinfo=UTC), 7.0)
    seconds = pace.seconds_until(moment, 9.0)
    assert abs(pace.at(9.0 + seconds) - moment) < 0.001 * speed * SECOND


class Wall:
    """Seconds that pass only while somebody waits."""

    def __init__(self, waits: int) -> None:
        self.seconds = 0.0
        self._left = waits
        self.longest = 0.0

    def wait(self, seconds: float) -> None:
        self.seconds += seconds
        self.longest = max(self.longest, seconds)
        self._left -= 1

    def is_set(self) -> bool:
        return self._left <= 0


def ticks(
    monkeypatch: pytest.MonkeyPatch, last: datetime | None, waits: int, **settings: Any
) -> tuple[list[datetime], Wall]:
    """What a clock ticks, and how the time of its machine went."""
    told: list[datetime] = []

    class Told(Ticker):
        def __enter__(self) -> Ticker:
            self._seq, self.now = 0, last
            self._publisher: Any = Publisher(told)
            return self

    monkeypatch.setattr(clock, "Ticker", Told)
    context = Context(load_settings(lake_root=Tables().root.folder, **settings), {}, Tables())
    wall: Any = Wall(waits)
    ClockService(context, lambda: wall.seconds).run(wall)
    return told, wall


class Publisher:
    """Notes the times of ticks."""

    def __init__(self, told: list[datetime]) -> None:
        self._told = told

    def encoded(self, topic: Any, messages: list[tuple[str, str]]) -> None:
        self._told += [datetime.fromisoformat(json.loads(value)["now"]) for _, value in messages]

    def flush(self) -> None:
        """Everything has arrived."""


@pytest.mark.parametrize("speed", [60.0, 3600.0, 100_000.0])
def test_a_fast_clock_ticks_exactly_at_every_boundary(
    monkeypatch: pytest.MonkeyPatch, speed: float
) -> None:
    last = NOW - NOW.hour * HOUR
    told, wall = ticks(monkeypatch, last, 2000, clock_speed=speed)
    assert told == sorted(told)
    assert [*boundaries(last, told[-1])] == sorted(
        {t for t in told if t > last and t.time() in clock.BOUNDARIES}
    )
    assert told[-1] - last >= timedelta(minutes=30)
    assert wall.longest <= 5


def test_a_system_clock_ticks_every_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    told, wall = ticks(monkeypatch, None, 20)
    assert told == sorted(told)
    assert wall.longest == 5
    assert abs(told[0] - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_system_clock_does_not_tell_times_at_which_it_was_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was due meanwhile is done now, and has the true time."""
    last = datetime.now(UTC) - 3 * DAY
    told, _ = ticks(monkeypatch, last, 3)
    assert told[0] - last > 3 * DAY - SECOND


def test_a_scaled_clock_stands_still_while_it_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    last = datetime.now(UTC) - 300 * DAY
    told, _ = ticks(monkeypatch, last, 3, clock_speed=10.0)
    assert told[0] == last


def test_a_tick_before_the_latest_has_the_time_of_the_latest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[datetime] = []
    context = Context(load_settings(lake_root=Tables().root.folder), {}, Tables())
    ticker = Ticker(context)
    ticker._seq, ticker.now = 4, NOW
    ticker._publisher = Publisher(told)  # type: ignore[assignment]
    numbers = [ticker.tick(at, "stepped", 1.0, "supply") for at in (NOW - DAY, NOW, NOW + SECOND)]
    assert (numbers, told) == ([5, 6, 7], [NOW, NOW, NOW + SECOND])


def test_boundaries_are_the_times_that_rules_name() -> None:
    assert (time(0), time(8), time(12)) == clock.BOUNDARIES


def test_a_clock_that_is_told_to_stop_ticks_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    told, _ = ticks(monkeypatch, NOW, 0)
    assert told == []
