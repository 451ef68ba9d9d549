"""Runs components in one process, a thread each; one that fails starts again while the others go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lakeshelf.components import registry
from lakeshelf.components.clock import ClockService
from lakeshelf.components.component import Component, Context
from lakeshelf.components.service import ComponentService, Service
from lakeshelf.errors import first_line
from lakeshelf.lake import Lake
from lakeshelf.logs import log
from lakeshelf.settings import Settings
from lakeshelf.status_files import COMPONENTS, StatusFile
from lakeshelf.telemetry import metrics

STATUS_S = 1.0


@dataclass
class ComponentHealth:
    """How a component is doing, for `status`.

    Attributes:
        component: Its name.
        state: starting, running, failed or stopped.
        error: First line of the last failure.
        restarts: How often it was started again.
    """

    component: str
    state: str = "starting"
    error: str = ""
    restarts: int = 0

    def runs(self) -> None:
        """Note that it works."""
        self.state = "running"


class Host:
    """Runs the named components until it is told to stop.

    Args:
        names: Components, the clock among them if it shall run here; none: all.
        settings: Lake and runtime settings.
        client: librdkafka settings that reach the broker.
        status: Where it tells how they are.

    Raises:
        ConfigurationError: An unknown name.
    """

    def __init__(
        self,
        names: Iterable[str],
        settings: Settings,
        client: Mapping[str, str],
        status: StatusFile = COMPONENTS,
    ) -> None:
        known = registry.discover(*settings.homes)
        self.names = registry.select((registry.CLOCK, *known), names)
        self._settings = settings
        self._context = Context(settings, client, Lake(settings.lake_root))
        self._known = known
        self._status = status
        self.address = ""
        """Where the process tells its health; empty where it does not."""
        self.beat: Callable[[], None] = lambda: None
        """Called whenever the host comes round."""
        self._stop = threading.Event()
        self.health = {name: ComponentHealth(name) for name in self.names}

    def stop(self) -> None:
        """Ask `run` to end; decisions that have begun are finished."""
        self._stop.set()

    @property
    def stopping(self) -> bool:
        """Whether it was asked to end."""
        return self._stop.is_set()

    def run(self) -> None:
        """Run until `stop`."""
        for name in self.names:
            metrics.COMPONENT_RESTARTS.add(0, component=name)
        threads = [
            threading.Thread(target=self._tend, args=(name,), name=name) for name in self.names
        ]
        for thread in threads:
            thread.start()
        while not self._stop.wait(STATUS_S):
            self._write_status()
        for thread in threads:
            thread.join()
        self._write_status()

    def _tend(self, name: str) -> None:
        health, backoff = self.health[name], self._settings.backoff()
        while not self._stop.is_set():
            backoff.start(time.monotonic())
            log.info("component starts", component=name, restarts=health.restarts)
            try:
                self._service(name).run(self._stop, health.runs)
            except Exception as error:  # noqa: BLE001 - whatever stops one must not stop the others
                health.state, health.error = "failed", first_line(error)
                health.restarts += 1
                metrics.COMPONENT_RESTARTS.add(component=name)
                log.error("component failed", component=name, error=health.error, exc_info=error)
                self._stop.wait(backoff.end(time.monotonic()))
        health.state = "stopped"

    def _service(self, name: str) -> Service:
        if name == registry.CLOCK:
            return ClockService(self._context)
        component = self._known[name]
        if issubclass(component, Component):
            return ComponentService(component, self._context)
        return component(self._context)

    def problems(self) -> list[str]:
        """What keeps components from acting, a line each; empty: nothing does."""
        return [
            f"{health.component} is {health.state}{f': {health.error}' if health.error else ''}"
            for health in self.health.values()
            if health.state != "running"
        ]

    def members(self) -> list[dict[str, Any]]:
        """What it runs, and how that is."""
        return [asdict(health) for health in self.health.values()]

    def _write_status(self) -> None:
        self.beat()
        for health in self.health.values():
            metrics.COMPONENT_UP.take(health.state == "running", component=health.component)
        self._status.write(self._settings.stack_dir, self.members(), telemetry=self.address)
