"""The loop demo: simulated stores for some business days, moved by a stepped clock, then reconciled.

A step is a business time, and one tick for each phase in it. A phase is over when every component has
acted on its tick and every query stands at the end of its topics, so that what happens depends on the
seed alone and never on the machine's speed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from typing import Any

from confluent_kafka import KafkaException

from lakeshelf.components import registry
from lakeshelf.components.clock import PHASES, Ticker
from lakeshelf.components.component import DAY, Context
from lakeshelf.components.service import Leader
from lakeshelf.errors import BrokerError, StreamError
from lakeshelf.files import write_atomically
from lakeshelf.forecast.versions.registered import files_check
from lakeshelf.forecast.whatif.loops import loop_check
from lakeshelf.kafka import topics
from lakeshelf.kafka.refusals import said
from lakeshelf.lake import Lake
from lakeshelf.reconcile import Achieved, Reconciliation, achieved, chart, reconcile_loop
from lakeshelf.settings import Settings
from lakeshelf.stack.demos import demo
from lakeshelf.stack.embedded.clients import client_settings
from lakeshelf.stack.machine.memory import PeakMemory
from lakeshelf.stack.observing import lag
from lakeshelf.streams.declare import plan
from lakeshelf.streams.declare import registry as jobs
from lakeshelf.streams.declare.job import CLOCK

TIMES = tuple(time_of_day(hour) for hour in (0, 8, 10, 12, 14, 16, 18, 20, 22))
"""Business times of a day at which it is moved to, among them those that rules name."""
START = date(2026, 3, 2)
"""First business day if none is named, a Monday."""
POLL_S = 0.02
STALL_S = 240.0
REPORT, CHART = "loop.json", "loop.png"


@dataclass(frozen=True)
class LoopPlan:
    """What to play.

    Attributes:
        days: Business days.
        start: The first of them.
        times: Business times of a day at which it is moved to.
    """

    days: int = 7
    start: date = START
    times: tuple[time_of_day, ...] = TIMES

    @property
    def moments(self) -> list[datetime]:
        """The business times of all steps, in order."""
        return [
            datetime.combine(self.start + DAY * n, at, UTC)
            for n in range(self.days)
            for at in self.times
        ]


@dataclass(frozen=True)
class LoopReport:
    """What a loop demo did, found and achieved.

    Attributes:
        seconds: Step of the demo → seconds from the start to its end.
        restarts: Part of the stack → how often it was started again.
        peak_memory: Most bytes of all processes at once.
    """

    lake: str
    plan: LoopPlan
    simulation: Mapping[str, Any]
    records: Mapping[str, int]
    reconciliation: Reconciliation
    achieved: Achieved
    seconds: Mapping[str, float]
    restarts: Mapping[str, int]
    peak_memory: int

    @property
    def days_per_minute(self) -> float:
        """Business days played in a minute."""
        played = self.seconds["played"] - self.seconds["ready"]
        return round(60 * self.plan.days / played, 2)

    def as_json(self) -> dict[str, Any]:
        """The report as plain values."""
        reconciliation = self.reconciliation.as_json()
        return {
            "ok": self.reconciliation.ok,
            "lake": self.lake,
            "days": self.plan.days,
            "start": str(self.plan.start),
            "simulation": dict(self.simulation),
            "records": dict(self.records),
            "days_per_minute": self.days_per_minute,
            "seconds": dict(self.seconds),
            "peak_memory_bytes": self.peak_memory,
            "restarts": dict(self.restarts),
            "checks": reconciliation["checks"],
            "tables": reconciliation["tables"],
            "achieved": self.achieved.as_json(),
        }


def run(settings: Settings, loop_plan: LoopPlan, show: demo.Show) -> LoopReport:
    """Play on the lake of `settings`, which is emptied first.

    Args:
        settings: With the demo's lake and the simulation.
        loop_plan: What to play.
        show: Shows each step.

    Raises:
        LakeshelfError: Something cannot start, or the queries do not get on.
    """
    demo.refuse_foreign(settings)
    names = registry.ticking(settings.home)
    stack = demo.Stack(settings, show, names)
    stack.supervisor.acquire()
    demo.empty(settings)
    with PeakMemory() as memory:
        with stack:
            stack.await_topics()
            stack.await_ready()
            play(settings, loop_plan.moments, names, stack.check, lambda n, of: show("play", n, of))
            stack.clock.end("played")
            records = stack.records()
        stack.clock.end("stopped")
        show("reconcile", 0, 0)
        reconciliation = reconcile_loop(settings.lake_root, records)
        more = (
            files_check(Lake(settings.lake_root)),
            loop_check(settings.lake_root, loop_plan.moments),
        )
        reconciliation = replace(reconciliation, checks=(*reconciliation.checks, *more))
        reached = achieved(
            settings.lake_root, loop_plan.start, loop_plan.start + DAY * (loop_plan.days - 1)
        )
    stack.clock.end("reconciled")
    report = LoopReport(
        settings.lake,
        loop_plan,
        settings.model_dump(include={n for n in type(settings).model_fields if "simulation" in n}),
        records,
        reconciliation,
        reached,
        stack.clock.ends,
        stack.supervisor.restarts(),
        memory.peak,
    )
    write_atomically(settings.stack_dir / REPORT, json.dumps(report.as_json(), indent=1).encode())
    chart.draw(reached, settings.stack_dir / CHART)
    return report


def play(
    settings: Settings,
    moments: Sequence[datetime],
    components: Sequence[str],
    check: Callable[[], None] = lambda: None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> None:
    """Move the clock through business times, phase by phase, each to its end.

    Args:
        settings: The lake, whose stack runs without a clock of its own.
        moments: Business times, in order.
        components: Components that follow the clock.
        check: Raises if the stack has failed.
        progress: Called with the steps that are done and their number.

    Raises:
        LakeError: Another clock runs.
        StreamError: For `STALL_S` a phase did not end.
    """
    client = client_settings(settings)
    with Ticker(Context(settings, client, Lake(settings.lake_root))) as ticker:
        quiet = Quiet(settings, client, components, check)
        try:
            for n, moment in enumerate(moments):
                progress(n, len(moments))
                for phase in PHASES:
                    ticker.tick(moment, "stepped", 0.0, phase)
                    quiet.wait()
            progress(len(moments), len(moments))
        finally:
            quiet.close()


class Quiet:
    """Tells when a running stack has done all that the latest tick led to.

    Args:
        settings: The lake.
        client: librdkafka settings that reach the broker.
        components: Components that follow the clock.
        check: Raises if the stack has failed.
    """

    def __init__(
        self,
        settings: Settings,
        client: Mapping[str, str],
        components: Sequence[str],
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._client = client
        self._check = check
        self._followers = {name: Leader(client, name) for name in components}
        self._plans = plan.plan(jobs.discover(settings.home).values())

    def wait(self) -> None:
        """Wait until every component has acted and every query stands at the end of its topics.

        Raises:
            StreamError: Not within `STALL_S`.
        """
        deadline = time.monotonic() + STALL_S
        while waiting := self._waiting():
            self._check()
            if time.monotonic() > deadline:
                raise StreamError(
                    f"a phase does not end: {STALL_S:.0f} s were waited for {waiting}",
                    hint=f"see {self._settings.stack_dir / 'logs'}",
                )
            time.sleep(POLL_S)

    def close(self) -> None:
        """End the connections."""
        for follower in self._followers.values():
            follower.close()

    def _waiting(self) -> str:
        """What is waited for; components come first, because queries take up what they send."""
        try:
            return next(self._behind(), "")
        except (BrokerError, KafkaException) as error:  # a broker that was killed comes back
            return f"the broker ({said(error)})"

    def _behind(self) -> Iterator[str]:
        end = topics.end_offsets(self._client, [CLOCK])[CLOCK].get("0", 0)
        yield from (name for name, other in self._followers.items() if other.reached() < end)
        lags = lag.behind(self._settings, self._client, self._plans)
        yield from (name for name, by_topic in lags.items() if sum(by_topic.values()))
