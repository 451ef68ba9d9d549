# ruff: noqa: D102 - Part says what its methods do
"""The parts that the supervisor keeps alive: broker, streams driver, components, service of governed datasets."""

from __future__ import annotations

import os
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from lakeshelf import status_files
from lakeshelf.errors import BrokerError
from lakeshelf.settings import Settings
from lakeshelf.stack.embedded.broker import Broker
from lakeshelf.stack.machine import ports
from lakeshelf.stack.supervision import handover
from lakeshelf.status_files import StatusFile

STOP_S = 90.0


class Part(ABC):
    """One process that the supervisor owns."""

    name: str
    log: Path
    is_awaited = True
    """Whether the stack is not ready before it."""

    @property
    @abstractmethod
    def pid(self) -> int | None:
        """Its process number while it runs."""

    @property
    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it does its work; asked again and again, so it must be quick."""

    @property
    @abstractmethod
    def was_refused(self) -> bool:
        """Whether it ended with an error of its own, which a restart would only repeat."""

    @abstractmethod
    def start(self) -> None:
        """Start it and return before it is ready; not called while it runs."""

    @abstractmethod
    def stop(self) -> None:
        """End it in order, and wait for that."""

    @abstractmethod
    def kill(self) -> None:
        """End it at once."""

    @abstractmethod
    def last_words(self) -> str:
        """Why it ended."""

    @abstractmethod
    def how_it_ended(self) -> str:
        """Signal or exit code of its last run; empty if nobody saw it end."""


class BrokerPart(Part):
    """The embedded broker."""

    name = "broker"

    def __init__(self, settings: Settings) -> None:
        self.broker = Broker(settings)
        self.log = self.broker.log_file
        self._port = int(self.broker.bootstrap_servers.rpartition(":")[2])

    @property
    def pid(self) -> int | None:
        process = self.broker.process
        return process.pid if process else None

    @property
    def is_ready(self) -> bool:
        return self.pid is not None and ports.answers(self._port)

    @property
    def was_refused(self) -> bool:
        return False

    def start(self) -> None:
        self.broker.start(die_with_parent=True)

    def stop(self) -> None:
        self.broker.stop()

    def kill(self) -> None:
        self.broker.kill()

    def last_words(self) -> str:
        try:
            self.broker.wait_healthy(0.1)
        except BrokerError as error:
            return str(error)
        return ""

    def how_it_ended(self) -> str:
        return ""


class ProcessPart(Part):
    """A Python process of ours; its work begins once `go` was called.

    Args:
        settings: What it runs with.
        names: Names of what it runs; none: all.

    Attributes:
        module: Module that it runs.
        option: Option that takes the names.
        status: Where it tells how it is.
    """

    module: str
    option: str
    status: StatusFile

    def __init__(self, settings: Settings, names: Sequence[str] = ()) -> None:
        self._settings = settings
        self._names = names
        self._child: subprocess.Popen[bytes] | None = None
        self._prepared = False
        self._log_start = 0
        self.log = settings.stack_dir / "logs" / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        running = self._child is not None and self._child.poll() is None
        return self._child.pid if running and self._child else None

    @property
    def last_pid(self) -> int:
        """Process number of its last run, which may have ended; 0 before the first."""
        return self._child.pid if self._child else 0

    @property
    def is_ready(self) -> bool:
        status = self.status.read(self._settings.stack_dir)
        members = status.get(self.status.members, [])
        own = self._child is not None and status.get("pid") == self._child.pid
        return own and bool(members) and all(m["state"] == "running" for m in members)

    @property
    def was_refused(self) -> bool:
        return self._child is not None and (self._child.poll() or 0) > 0

    def start(self) -> None:
        self._log_start = handover.size(self.log)
        arguments = ["--supervised", str(os.getpid()), self.option, ",".join(self._names)]
        self._child = handover.start(self.module, arguments, self._settings, self.log)
        if self._prepared:
            self.go()

    def go(self) -> None:
        """Tell it, and every later one, that topics and tables are there."""
        self._prepared = True
        if self._child is not None:
            handover.say(self._child.stdin, "go")

    def stop(self) -> None:
        if self._child is None:
            return
        self._signal(signal.SIGTERM)
        if self._child.stdin:
            self._child.stdin.close()
        try:
            self._child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        if self._child is not None:
            self._child.wait()

    def last_words(self) -> str:
        error = handover.last_error(self.log, self._log_start)
        return error or f"{self.name} ended without a word; see {self.log}"

    def how_it_ended(self) -> str:
        code = self._child.poll() if self._child else None
        if code is None:
            return ""
        return f"signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"exit code {code}"

    def _signal(self, number: signal.Signals) -> None:
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(number)


class StreamsPart(ProcessPart):
    """The streams driver with its jobs."""

    name = "streams"
    module = "lakeshelf.stack.supervision.streams_process"
    option = "--jobs"
    status = status_files.STREAMS


class ComponentsPart(ProcessPart):
    """The Kafka components in one process."""

    name = "components"
    module = "lakeshelf.stack.supervision.components_process"
    option = "--components"
    status = status_files.COMPONENTS


class ApiPart(ProcessPart):
    """The HTTP API of governed datasets."""

    name = "api"
    module = "lakeshelf.stack.serving.api_process"
    option = "--api"
    status = status_files.API
    is_awaited = False


class WorkerPart(ProcessPart):
    """The process that judges rows of governed datasets."""

    name = "worker"
    module = "lakeshelf.stack.supervision.worker_process"
    option = "--worker"
    status = status_files.WORKER
    is_awaited = False


GOVERNED: tuple[type[ProcessPart], ...] = (ApiPart, WorkerPart)
"""The service of governed datasets."""
