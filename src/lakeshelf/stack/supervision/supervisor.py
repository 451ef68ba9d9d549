"""The embedded stack of one lake as one tree of processes.

How a stack lives:

1. It takes the lock of the lake; a second stack is refused here, before it writes anything.
2. It ends what a killed predecessor left running.
3. It starts the broker, the JVM of the streams driver and the components side by side. As soon as the
   broker answers it sees whether every query goes on where its ledger ends, and creates tables and topics.
4. It tells driver and components to begin, and is ready when all queries and components run.
5. It starts a part that ended again: at once if it ran for long, else after pauses that grow.
6. Told to stop, it ends the driver at a batch boundary, then the components, then the broker. Data stay.

A part that is refused before the stack was ready for the first time ends the stack: what keeps it
from starting is for a person to correct.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from lakeshelf import lean
from lakeshelf.components import registry
from lakeshelf.errors import BrokerError, LakeshelfError
from lakeshelf.files import read_json, write_atomically
from lakeshelf.kafka import topics
from lakeshelf.lake.place.claims import claim
from lakeshelf.lake.place.locks import FileLock
from lakeshelf.lake.rows import tables
from lakeshelf.logs import log
from lakeshelf.settings import Settings
from lakeshelf.stack.embedded.broker import Broker
from lakeshelf.stack.embedded.clients import client_settings
from lakeshelf.stack.machine.processes import identify
from lakeshelf.stack.supervision import governed, handover, stack_file
from lakeshelf.stack.supervision.care import Care
from lakeshelf.stack.supervision.parts import (
    GOVERNED,
    BrokerPart,
    ComponentsPart,
    Part,
    ProcessPart,
    StreamsPart,
)
from lakeshelf.streams.declare import registry as streams_registry
from lakeshelf.streams.declare.plan import plan
from lakeshelf.streams.resume import continuity
from lakeshelf.streams.run import trials

ENDED = ("stopped", "failed")
STACK_LOCK = "stack.lock"
TOPICS, TABLES = "topics", "tables"
TEND_S, STEADY_TEND_S = 0.1, 0.25
BROKER_TRIES = 3
LEFTOVER_S = 15.0


class Supervisor:
    """Runs the stack of a lake in the calling thread.

    Args:
        settings: The lake, and the Kafka if it is not the embedded one.
        jobs: Names of the jobs to run; none: all.
        components: Names of the components to run; none: none.
        governed: Whether the service of governed datasets runs too, from when all else is ready.

    Attributes:
        prepared: Set when broker, topics and tables are there.
        ready: Set when everything runs for the first time.
    """

    def __init__(
        self,
        settings: Settings,
        jobs: Sequence[str] = (),
        components: Sequence[str] = (),
        *,
        governed: bool = False,
    ) -> None:
        self.prepared = threading.Event()
        self.ready = threading.Event()
        self._settings = settings
        self._jobs = jobs
        self._stop = threading.Event()
        self._held = False
        self._lock = FileLock(settings.stack_dir / STACK_LOCK, "a stack")
        self._processes: list[ProcessPart] = [StreamsPart(settings, jobs)]
        if components:
            self._processes.append(ComponentsPart(settings, components))
        self._governed = governed
        self._later: list[ProcessPart] = [part(settings) for part in GOVERNED] if governed else []
        self._cares: list[Care] = []
        self._state = "starting"
        self._error = ""
        self._started_at = time.time()
        own = (BrokerPart.name,) if settings.bootstrap_servers is None else ()
        self._steps = (*own, TOPICS, TABLES, *(part.name for part in self._processes))
        self._reached: dict[str, float] = {}
        self._servers = settings.bootstrap_servers
        self._written: dict[str, Any] = {}

    def acquire(self) -> None:
        """Take the lock of the lake.

        Raises:
            LakeError: Another stack has it, or the lake is that of another machine.
        """
        if not self._held:
            self._lock.acquire()
            try:
                claim(self._settings.lake_root, self._settings.state_dir)
            except LakeshelfError:
                self._lock.release()
                raise
            self._held = True

    def run(self) -> None:
        """Run until `stop`.

        Raises:
            LakeshelfError: The lake is taken, or the stack cannot start.
        """
        self.acquire()
        handover.begin_log("supervisor", self._settings)
        log.info("stack starts", lake=self._settings.lake)
        try:
            self._begin()
            while not self._stop.wait(TEND_S if self._state != "running" else STEADY_TEND_S):
                self._tend()
        except Exception as error:
            self._error = str(error)
            raise
        finally:
            self._end()

    def stop(self) -> None:
        """Ask `run` to end."""
        self._stop.set()

    def stop_on_signals(self) -> None:
        """First SIGINT or SIGTERM stops in order, a second one kills."""

        def handle(number: int, _: FrameType | None) -> None:
            if self._stop.is_set():
                self.kill()
                os._exit(128 + number)
            self.stop()

        signal.signal(signal.SIGINT, handle)
        signal.signal(signal.SIGTERM, handle)

    def kill(self) -> None:
        """End all parts at once."""
        for care in self._cares:
            care.part.kill()

    @property
    def pids(self) -> list[int]:
        """Processes of the parts that run now."""
        return [pid for care in self._cares if (pid := care.part.pid) is not None]

    def restarts(self) -> dict[str, int]:
        """How often each part was started again."""
        return {care.part.name: care.restarts for care in self._cares}

    @property
    def reached(self) -> dict[str, float]:
        """Step of the start → seconds after which it was done: broker, topics, tables, and each other part."""
        return dict(self._reached)

    @property
    def awaited(self) -> list[str]:
        """Steps of the start that are not done."""
        return [step for step in self._steps if step not in self._reached]

    def _begin(self) -> None:
        end_leftovers(self._settings)
        client = client_settings(self._settings)
        self._servers = client["bootstrap.servers"]
        for process in self._processes:
            self._care_for(process)
        if self._settings.bootstrap_servers is None:
            self._start_broker(self._care_for(BrokerPart(self._settings)))
            self._reach(BrokerPart.name)
        self._require_continuity(client)
        with ThreadPoolExecutor(1) as pool:
            created = pool.submit(tables.ensure_all, self._settings.lake_root)
            topics.ensure_all(client)
            self._reach(TOPICS)
            created.result()
            self._reach(TABLES)
        for process in self._processes:
            process.go()
        self.prepared.set()

    def _require_continuity(self, client: Mapping[str, str]) -> None:
        """Refuse what the driver would refuse before anything is made in the place of what was lost."""
        known = streams_registry.discover(*self._settings.homes)
        for query in plan(streams_registry.select(known, self._jobs)):
            try:
                standing = continuity.examine(query, self._settings, client)
            except BrokerError:
                continue  # the driver looks again
            continuity.require(query.name, standing)

    def _reach(self, step: str) -> None:
        """Note that a step of the start is done; only the first time counts."""
        if step not in self._reached:
            self._reached[step] = round(time.time() - self._started_at, 1)
            log.info("step reached", step=step, seconds=self._reached[step])
            self._write()

    def _care_for(self, part: Part) -> Care:
        care = Care(part, self._settings.backoff())
        self._cares.append(care)
        self._start(care)
        return care

    def _start(self, care: Care) -> None:
        care.backoff.start(time.monotonic())
        care.part.start()
        log.info("part starts", process=care.part.name, restarts=care.restarts)
        self._write()

    def _start_broker(self, care: Care) -> None:
        for last in (False,) * (BROKER_TRIES - 1) + (True,):
            try:
                Broker(self._settings).wait_healthy()
            except BrokerError:
                if last or self._stop.is_set():
                    raise
                care.restarts += 1
                care.part.start()
            else:
                return

    def _tend(self) -> None:
        for care in self._cares:
            if care.part.pid is None:
                self._tend_ended(care)
        ready = [care.part for care in self._cares if care.part.is_ready]
        for part in ready:
            self._reach(part.name)
        if all(part in ready for part in self._awaited):
            self._state = "running"
            self.ready.set()
            self._start_later()
        elif self._state == "running":
            self._state = "recovering"
        self._write()

    @property
    def _awaited(self) -> list[Part]:
        return [care.part for care in self._cares if care.part.is_awaited]

    def _start_later(self) -> None:
        """Start what nobody waits for, which would take the time of what is waited for."""
        while self._later:
            part = self._later.pop(0)
            self._care_for(part)
            part.go()

    def _tend_ended(self, care: Care) -> None:
        now = time.monotonic()
        if care.backoff.due is None:
            care.ended, care.error = care.part.how_it_ended(), care.part.last_words()
            log.error("part ended", process=care.part.name, how=care.ended, error=care.error)
            if care.part.was_refused and not self.ready.is_set():
                raise LakeshelfError(care.error)
            if care.part.is_awaited and self._state == "running":
                self._state = "recovering"  # before a status names the new start
            care.backoff.end(now, at_once=self._is_searching(care))
        if care.backoff.is_due(now):
            self._restart(care)

    def _is_searching(self, care: Care) -> bool:
        """Whether the driver ended while it looked for the record that it ends for."""
        if not isinstance(care.part, StreamsPart):
            return False
        how = ": ".join(filter(None, (care.ended, care.error)))
        trials.note_end(self._settings.stack_dir, care.part.last_pid, how)
        return trials.searching(self._settings.stack_dir)

    def _restart(self, care: Care) -> None:
        care.restarts += 1
        try:
            self._start(care)
        except LakeshelfError as error:
            care.error = str(error)
            care.backoff.end(time.monotonic())

    def _end(self) -> None:
        self._state = "stopping"
        self._write()
        for care in self._cares:
            care.part.stop()
        self._state = "failed" if self._error else "stopped"
        log.info("stack ended", state=self._state, error=self._error)
        self._write()
        self._lock.release()
        self._held = False

    def _write(self) -> None:
        status = {
            "state": self._state,
            **vars(identify(os.getpid())),
            "started_at": self._started_at,
            "error": self._error,
            "reached": self.reached,
            "awaited": self.awaited,
            "lake": self._settings.lake,
            "bootstrap_servers": self._servers,
            "governed": self._governed,
            "parts": {care.part.name: care.as_json() for care in self._cares},
        }
        if status != self._written:
            write_atomically(
                self._settings.stack_dir / stack_file.NAME, json.dumps(status, indent=1).encode()
            )
            self._written = status


def end_leftovers(settings: Settings) -> None:
    """End the parts of a stack whose supervisor was killed; only its successor may, under the lock."""
    listed = read_json(settings.stack_dir / stack_file.NAME).get("parts")
    parts = listed if isinstance(listed, dict) else {}
    for name in (StreamsPart.name, ComponentsPart.name, *(part.name for part in GOVERNED)):
        left = stack_file.process(parts.get(name, {}))
        if left.is_alive and not left.wait_gone(LEFTOVER_S):
            left.send(signal.SIGKILL)
            left.wait_gone(LEFTOVER_S)
    if settings.bootstrap_servers is None:
        Broker(settings).stop()


@contextmanager
def kafka_for(settings: Settings, who: str) -> Iterator[dict[str, str]]:
    """A client for Kafka; the embedded broker is started for as long as it takes if it does not run.

    Args:
        settings: The lake.
        who: Who needs it, for others that want the lake meanwhile.

    Raises:
        BrokerError: The broker cannot start.
        LakeError: A stack is just starting or ending.
    """
    broker = Broker(settings)
    if settings.bootstrap_servers is not None or broker.is_running():
        yield client_settings(settings)
        return
    with FileLock(settings.stack_dir / STACK_LOCK, who):
        try:
            broker.start(die_with_parent=True)
            broker.wait_healthy()
            yield client_settings(settings)
        finally:
            broker.stop()


def running_stack(settings: Settings) -> dict[str, Any]:
    """The status of the living stack of the lake; empty when there is none, whatever its process does since."""
    status = stack_file.read(settings.stack_dir)
    return (
        status if status.get("state") not in ENDED and stack_file.process(status).is_alive else {}
    )


def log_file(settings: Settings) -> Path:
    """Where a detached supervisor writes."""
    return settings.stack_dir / "logs" / "supervisor.log"


def main() -> int:
    """Run a stack with the settings that come on standard input; the exit code."""
    lean.without(lean.PANDAS)
    try:
        settings = handover.receive()
        supervisor = Supervisor(
            settings, components=registry.chosen(settings), governed=governed.is_wanted(settings)
        )
        supervisor.stop_on_signals()
        supervisor.run()
    except Exception as error:  # noqa: BLE001 - a process ends with one line, whatever it was
        return handover.ended(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
