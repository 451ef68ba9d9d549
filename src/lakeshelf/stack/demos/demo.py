"""The demo: real receipts through the whole pipeline, then the tables against the receipts.

1. The demo's lake is taken and emptied; a folder that no demo made is never emptied.
2. The stack starts; receipts are sent as soon as there are topics, while Spark still starts.
3. When everything is sent and folded, the stack stops.
4. The tables are reconciled with the receipts, and the report is written.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException

from lakeshelf.components import registry as components
from lakeshelf.counts import count_of
from lakeshelf.errors import BrokerError, ConfigurationError, StreamError
from lakeshelf.files import write_atomically
from lakeshelf.kafka import topics
from lakeshelf.lake.place import storage
from lakeshelf.lake.place.claims import IDENTITY
from lakeshelf.lake.place.location import Root
from lakeshelf.reconcile import Reconciliation, reconcile
from lakeshelf.settings import Settings
from lakeshelf.stack.embedded.clients import client_settings
from lakeshelf.stack.machine.memory import PeakMemory
from lakeshelf.stack.observing import lag
from lakeshelf.stack.supervision.parts import BrokerPart, StreamsPart
from lakeshelf.stack.supervision.supervisor import STACK_LOCK, TOPICS, Supervisor
from lakeshelf.status_files import STREAMS
from lakeshelf.streams.declare import plan, registry
from lakeshelf.streams.run import trials

MARKER, REPORT = "demo.marker", "demo.json"
POLL_S = 0.25
STALL_S = 180.0
"""With nothing folded for so long the demo gives up; a cold JVM on a busy machine needs 30 s."""

Show = Callable[[str, int, int], None]
"""Called with the name of a step, what is done and what there is; (0, 0) begins a step."""


@dataclass
class Clock:
    """When each step ended, in seconds since the start."""

    started: float = field(default_factory=time.monotonic)
    ends: dict[str, float] = field(default_factory=dict)

    def end(self, step: str) -> None:
        """Note the end of a step."""
        self.ends[step] = round(time.monotonic() - self.started, 2)


@dataclass(frozen=True)
class DemoReport:
    """What a demo did and found.

    Attributes:
        replay: What was sent, as the replay counts it.
        reconciliation: The tables against the receipts.
        ends: Step → seconds from the start to its end.
        restarts: Part of the stack → how often it was started again.
        peak_memory: Most bytes of all processes at once.
    """

    lake: str
    stores: int | None
    committer: str
    replay: Mapping[str, Any]
    reconciliation: Reconciliation
    ends: Mapping[str, float]
    restarts: Mapping[str, int]
    peak_memory: int

    @property
    def events(self) -> int:
        """Records that were sent."""
        return int(self.replay["records"])

    @property
    def events_per_second(self) -> float:
        """Records over the time from the first one sent to the last one folded."""
        seconds = self.ends["folded"] - self.ends["topics"]
        return round(self.events / seconds, 1)

    def as_json(self) -> dict[str, Any]:
        """The report as plain values."""
        reconciliation = self.reconciliation.as_json()
        return {
            "ok": self.reconciliation.ok,
            "lake": self.lake,
            "stores": self.stores or "all",
            "committer": self.committer,
            "events": self.events,
            "events_per_second": self.events_per_second,
            "seconds": dict(self.ends),
            "peak_memory_bytes": self.peak_memory,
            "restarts": dict(self.restarts),
            "replay": dict(self.replay),
            "checks": reconciliation["checks"],
            "tables": reconciliation["tables"],
        }


def demo_lake(settings: Settings, named: str | None) -> str:
    """The lake of the demo: the named one, the configured one if a demo made it, else `demo` in it."""
    if named is not None:
        return named
    return settings.lake if is_demo(settings) else f"{settings.lake}/demo"


def is_demo(settings: Settings) -> bool:
    """Whether a demo made this lake; a state folder apart from it may have been that of another lake."""
    marker = settings.stack_dir / MARKER
    if settings.state_dir == settings.lake_root:
        return marker.exists()
    return marker.exists() and marker.read_text().rstrip().endswith(f" {settings.lake}")


def run(settings: Settings, replay_options: Mapping[str, Any], show: Show) -> DemoReport:
    """Run the demo on the lake of `settings`, which is emptied first.

    Args:
        settings: With the demo's lake.
        replay_options: Arguments of the replay's plan.
        show: Shows each step.

    Raises:
        LakeshelfError: Something cannot start, or the queries do not get on.
    """
    app = components.module(settings.home, "replay")
    replay_plan = app.ReplayPlan(**replay_options)
    refuse_foreign(settings)
    stack = Stack(settings, show)
    stack.supervisor.acquire()
    empty(settings)
    with PeakMemory() as memory:
        with stack:
            stack.await_topics()
            client = client_settings(settings)
            sent = app.replay(
                replay_plan, client["bootstrap.servers"], stack.show_sent, settings=client
            )
            stack.await_folded()
            records = stack.records()
        stack.clock.end("stopped")
        show("reconcile", 0, 0)
        reconciliation = reconcile(
            settings.lake_root, records, stores=replay_plan.stores, baskets=replay_plan.baskets
        )
    stack.clock.end("reconciled")
    report = DemoReport(
        lake=settings.lake,
        stores=replay_plan.stores,
        committer=settings.committer,
        replay=sent.as_json(),
        reconciliation=reconciliation,
        ends=stack.clock.ends,
        restarts=stack.supervisor.restarts(),
        peak_memory=memory.peak,
    )
    write_atomically(settings.stack_dir / REPORT, json.dumps(report.as_json(), indent=1).encode())
    return report


class Stack:
    """A supervised stack in a thread of its own, while it is entered.

    Args:
        settings: The lake.
        show: Shows each step.
        components: Names of the components to run; none: none.
    """

    def __init__(self, settings: Settings, show: Show, components: Sequence[str] = ()) -> None:
        self.supervisor = Supervisor(settings, components=components)
        self.clock = Clock()
        self._settings = settings
        self._show = show
        self._plans = plan.plan(registry.discover(settings.home).values())
        self._failure: Exception | None = None
        self._records = 0
        self._thread = threading.Thread(target=self._supervise, name="supervisor")

    def __enter__(self) -> Stack:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._show("stop", 0, 0)
        self.supervisor.stop()
        try:
            self._thread.join()
        except KeyboardInterrupt:
            self.supervisor.kill()
            raise

    def await_topics(self) -> None:
        """Wait until records can be sent."""
        self._show(BrokerPart.name, 0, 0)
        while not self.supervisor.prepared.wait(POLL_S):
            self.check()
            if BrokerPart.name in self.supervisor.reached:
                self._show(TOPICS, 0, 0)
        self.clock.end("topics")

    def await_ready(self) -> None:
        """Wait until everything runs."""
        self._show(StreamsPart.name, 0, 0)
        while not self.supervisor.ready.wait(POLL_S):
            self.check()
        self.clock.end("ready")

    def show_sent(self, sent: int, records: int) -> None:
        """Pass on how much was sent; raise if the stack has failed meanwhile."""
        self.check()
        self._show("send", max(0, sent), records)
        self._records = records
        if records and sent == records:
            self.clock.end("sent")

    def await_folded(self) -> None:
        """Wait until every query has folded all that is in its topics.

        Raises:
            StreamError: For `STALL_S` nothing was folded.
        """
        self._show("fold", 0, 0)
        left, parts, moved = -1, 0, time.monotonic()
        while (now := self._behind()) != 0:
            self.check()
            done = self._done_in_parts()
            if now is not None and (now, done) != (left, parts):
                left, parts, moved = now, done, time.monotonic()
                self._show("fold", *self._folded())
            if time.monotonic() - moved > STALL_S:
                raise StreamError(
                    f"nothing was folded for {STALL_S:.0f} s, {count_of(left, 'record')} left; {self._why()}"
                )
            time.sleep(POLL_S)
        self.clock.end("folded")

    def records(self) -> dict[str, int]:
        """Records of each raw topic, from its offsets; waits for a broker that is started again."""
        while (ends := self._ends()) is None:
            self.check()
            time.sleep(POLL_S)
        return {topic: sum(partitions.values()) for topic, partitions in ends.items()}

    @property
    def _mirrored(self) -> list[str]:
        return [topic for query in self._plans for topic in query.mirrors]

    def _folded(self) -> tuple[int, int]:
        """Records of the raw topics that are folded, and that there are."""
        reached = [lag.position(self._settings, query.name) for query in self._plans]
        mirrored = set(self._mirrored)
        done = sum(
            sum(ends.values()) for at in reached for topic, ends in at.items() if topic in mirrored
        )
        return done, max(done, self._records)

    def _done_in_parts(self) -> int:
        """Records that are done of batches done in parts, which the ledger has at the end of the whole batch."""
        kept = trials.all_kept(self._settings.stack_dir)
        return sum(of_topic["rows_in"] for _, trial in kept for of_topic in trial.counts.values())

    def _behind(self) -> int | None:
        with suppress(BrokerError, KafkaException):  # a broker that was killed comes back
            return lag.total(
                lag.behind(self._settings, client_settings(self._settings), self._plans)
            )
        return None

    def _ends(self) -> dict[str, dict[str, int]] | None:
        with suppress(BrokerError, KafkaException):
            return topics.end_offsets(client_settings(self._settings), self._mirrored)
        return None

    def check(self) -> None:
        """Raise if the stack has failed."""
        if self._failure is not None:
            raise self._failure
        if self.supervisor.ready.is_set() and "queries" not in self.clock.ends:
            self.clock.end("queries")

    def _why(self) -> str:
        queries = STREAMS.read(self._settings.stack_dir).get(STREAMS.members, [])
        failed = (f"{q['query']}: {q['error']}" for q in queries if q["error"])
        return next(failed, f"see {self._settings.stack_dir / 'logs'}")

    def _supervise(self) -> None:
        try:
            self.supervisor.run()
        except Exception as error:  # noqa: BLE001 - raised again where it is waited for
            self._failure = error


def refuse_foreign(settings: Settings) -> None:
    """Refuse a lake, or a folder of local state, that holds something else than a demo's."""
    if is_demo(settings):
        return
    places = (Root.at(settings.lake_root), Root.at(settings.state_dir))
    for place in places:
        if not storage.is_empty(place):
            raise ConfigurationError(
                f"{place} holds something that no demo made, and a demo begins with an empty lake",
                hint="name another lake with `lakeshelf demo --lake`",
            )


def empty(settings: Settings) -> None:
    """Remove everything but the lease, which is held, and mark the lake as a demo's."""
    if settings.state_dir != settings.lake_root:
        storage.remove(Root.at(settings.lake_root))
    for entry in settings.state_dir.iterdir():
        if entry not in (settings.stack_dir, settings.state_dir / IDENTITY):
            _remove(entry)
    for entry in settings.stack_dir.iterdir():
        if entry.name != STACK_LOCK:
            _remove(entry)
    (settings.stack_dir / MARKER).write_text(
        f"this lake is emptied when a demo begins: {settings.lake}\n"
    )


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink()
