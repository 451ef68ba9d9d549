"""One HTTP port a process: `/metrics`, `/health/live`, `/health/ready`, `/version`.

Health is what the process knows of what it runs, asked at the moment of the call; nothing is read from a table.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Summary,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from lakeshelf import __version__, logs
from lakeshelf.errors import ConfigurationError
from lakeshelf.settings import Settings
from lakeshelf.status_files import RECONCILED
from lakeshelf.telemetry import certificates, metrics
from lakeshelf.telemetry.metrics import OTHER, SECONDS, Metric

HOUR_S = 3600.0
"""How often certificates are read again."""
SILENT_S = 30.0
"""A process that did not come round for so long is not alive, whatever its threads do."""
DRIVER = "streams"
PARTS = (DRIVER, "components", "api", "worker", "followers")
"""Parts of a stack in the order of their ports, the first of which is `telemetry_port`."""
Problems = Callable[[], Sequence[str]]
"""Tells what keeps a process from doing its work, a line each; empty: nothing does."""
Members = Callable[[], Sequence[Mapping[str, Any]]]
"""Tells what a process runs, each with its `state`."""
CA_FILE = "kafka_ca_file"
ANY = ("0.0.0.0", "")  # noqa: S104 - recognised, not listened at
"""Hosts of a server that listens at all addresses of its machine."""


class Values:
    """What is measured in this process."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # a series more for each counter, which nobody asks for
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._made: dict[str, Any] = {}
        self._known: dict[str, set[tuple[str, ...]]] = {}
        self._lock = threading.Lock()

    def take(self, metric: Metric, value: float, labels: tuple[str, ...]) -> None:
        """Add to a counter, set a gauge, or observe a value."""
        with self._lock:
            child = self._child(metric, labels)
        if metric.kind == "counter":
            child.inc(value)
        elif metric.kind == "gauge":
            child.set(value)
        else:
            child.observe(value)

    def forget(self, metric: Metric) -> None:
        """Tell no series of a metric any more that has labels."""
        with self._lock:
            self._known.pop(metric.name, None)
            if metric.name in self._made:
                self._made[metric.name].clear()

    def _child(self, metric: Metric, labels: tuple[str, ...]) -> Any:
        if metric.name not in self._made:
            self._made[metric.name] = self._new(metric)
        whole = self._made[metric.name]
        if not metric.labels:
            return whole
        known = self._known.setdefault(metric.name, set())
        if labels not in known and len(known) >= metric.most:
            labels = (OTHER,) * len(labels)
        known.add(labels)
        return whole.labels(*labels)

    def _new(self, metric: Metric) -> Any:
        name, text = metric.exported, metric.help
        if metric.kind == "counter":
            return Counter(name, text, metric.labels, registry=self.registry)
        if metric.kind == "gauge":
            return Gauge(name, text, metric.labels, registry=self.registry)
        if metric.kind == "summary":
            return Summary(name, text, metric.labels, registry=self.registry)
        return Histogram(name, text, metric.labels, registry=self.registry, buckets=SECONDS)


@dataclass
class Telemetry:
    """What a process tells of itself.

    Attributes:
        part: What the process is.
        folder: Folder of its local state.
        problems: What keeps it from its work.
        members: What it runs.
        lake: The lake that it works on.
        beats: Whether it tells by `beat` that it comes round; one that does not lives as long as it answers.
        address: Where it tells; empty until it does.
        certificates: Setting → file of certificates that it uses.
        reconciled_in: The stack's folder, where a reconciliation leaves what it found; None: it does not tell that.
    """

    part: str
    folder: Path
    problems: Problems
    members: Members = list
    lake: str = ""
    beats: bool = True
    address: str = ""
    certificates: Mapping[str, Path] = field(default_factory=dict)
    reconciled_in: Path | None = None
    values: Values = field(default_factory=Values)
    _beaten: float = field(default_factory=time.monotonic)
    _read_again_at: float = 0.0
    _reconciled_at: float = 0.0

    def beat(self) -> None:
        """Note that the process came round."""
        self._beaten = time.monotonic()

    def is_alive(self) -> bool:
        """Whether it came round lately."""
        return self._silent_s() < SILENT_S

    def _silent_s(self) -> float:
        return time.monotonic() - self._beaten if self.beats else 0.0

    def scraped(self) -> bytes:
        """The metrics as Prometheus reads them."""
        self.values.take(metrics.HEARTBEAT, time.time() - self._silent_s(), (self.part,))
        self.values.take(metrics.BUILD_INFO, 1, (self.part, __version__))
        if self.folder.is_dir():
            usage = shutil.disk_usage(self.folder)
            self.values.take(metrics.DISK_FREE, usage.free, ("state",))
            self.values.take(metrics.DISK_SIZE, usage.total, ("state",))
        if self.reconciled_in is not None:
            self._tell_reconciled(RECONCILED.read(self.reconciled_in))
        if time.monotonic() >= self._read_again_at:
            self._read_again_at = time.monotonic() + HOUR_S
            self._read_certificates()
        return generate_latest(self.values.registry)

    def _tell_reconciled(self, result: Mapping[str, Any]) -> None:
        """Tell what the last reconciliation found; a check that it did not make is told no more."""
        if not result or result["written_at"] == self._reconciled_at:
            return
        self._reconciled_at = result["written_at"]
        self.values.forget(metrics.RECONCILE_DIFFERENCES)
        self.values.take(metrics.RECONCILED, self._reconciled_at, ())
        for check in result[RECONCILED.members]:
            self.values.take(metrics.RECONCILE_DIFFERENCES, check["differences"], (check["name"],))

    def _read_certificates(self) -> None:
        """Tell when certificates end: of a bundle of authorities the last, else the first, which is one's own."""
        for place, file in self.certificates.items():
            with suppress(OSError, ValueError, IndexError):
                ends = [end.timestamp() for end in certificates.expiries(file)]
                end = max(ends) if place == CA_FILE else ends[0]
                self.values.take(metrics.CERTIFICATE_EXPIRES, end, (place,))

    def health(self) -> tuple[HTTPStatus, dict[str, Any]]:
        """Whether it does its work, what keeps it from that, what it runs, and who says so."""
        alive = self.is_alive()
        silent = [] if alive else [f"the {self.part} did not come round for {SILENT_S:.0f} s"]
        problems = [*silent, *self.problems()]
        health = {"part": self.part, "ready": not problems, "alive": alive, "problems": problems}
        who = {"lake": self.lake, "host": socket.gethostname(), "pid": os.getpid()}
        status = HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK
        return status, {**health, "members": list(self.members()), **who}


@contextmanager
def served(
    settings: Settings,
    part: str,
    problems: Problems = list,
    members: Members = list,
    *,
    beats: bool = True,
) -> Iterator[Telemetry]:
    """Serve health and metrics of this process for as long as the block takes.

    Args:
        settings: Where it listens.
        part: What the process is, one of `PARTS`.
        problems: What keeps it from its work; unset: nothing does.
        members: What it runs, as its status file has it; unset: what that file says.
        beats: Whether it tells by `Telemetry.beat` that it comes round.

    Raises:
        ConfigurationError: The port that settings name cannot be had.
    """
    folder, lake = settings.state_dir, settings.lake
    files = {CA_FILE: settings.kafka_ca_file, "kafka_cert_file": settings.kafka_cert_file}
    telemetry = Telemetry(part, folder, problems, members, lake, beats)
    telemetry.certificates = {name: file for name, file in files.items() if file is not None}
    if part == DRIVER:
        telemetry.reconciled_in = settings.stack_dir
    server = _listening(settings, telemetry)
    host, port = server.server_address[:2]
    telemetry.address = f"http://{_own_host() if host in ANY else host!s}:{port}"
    thread = threading.Thread(target=server.serve_forever, name="telemetry", daemon=True)
    thread.start()
    metrics.begin(telemetry.values)
    try:
        yield telemetry
    finally:
        metrics.end(telemetry.values)
        server.shutdown()
        server.server_close()


def port_of(settings: Settings, part: str) -> int:
    """Port of a part; 0: any that is free."""
    first = settings.telemetry_port
    return 0 if first is None else first + PARTS.index(part)


def _own_host() -> str:
    """Address by which others reach this machine, as containers and pods have it; else its name."""
    name = socket.gethostname()
    try:
        address = socket.gethostbyname(name)
    except OSError:
        return name
    return name if address.startswith("127.") else address


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    telemetry: Telemetry

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a caller who has not waited for the answer, as a scrape does in a busy moment."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _listening(settings: Settings, telemetry: Telemetry) -> _Server:
    place = (settings.telemetry_host, port_of(settings, telemetry.part))
    try:
        server = _Server(place, _Handler)
    except OSError as error:
        raise ConfigurationError(
            f"the {telemetry.part} cannot tell its health at {place[0]}:{place[1]}: {error.strerror}",
            hint="free that port, or set LAKESHELF_TELEMETRY_PORT to another, or to none",
        ) from error
    server.telemetry = telemetry
    return server


class _Handler(BaseHTTPRequestHandler):
    """Answers GET."""

    server_version, sys_version = "lakeshelf", ""

    def do_GET(self) -> None:
        """Answer a call."""
        telemetry = cast("_Server", self.server).telemetry
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._answer(HTTPStatus.OK, telemetry.scraped(), CONTENT_TYPE_LATEST)
        elif path == "/health/ready":
            self._json(*telemetry.health())
        elif path == "/health/live":
            alive = telemetry.is_alive()
            status = HTTPStatus.OK if alive else HTTPStatus.SERVICE_UNAVAILABLE
            self._json(status, {"part": telemetry.part, "alive": alive})
        elif path == "/version":
            who = {"part": telemetry.part, "version": __version__, "run_id": logs.run_id()}
            self._json(HTTPStatus.OK, who)
        else:
            known = ["/metrics", "/health/live", "/health/ready", "/version"]
            self._json(HTTPStatus.NOT_FOUND, {"error": "no such page", "pages": known})

    def _json(self, status: HTTPStatus, body: Any) -> None:
        self._answer(status, json.dumps(body).encode() + b"\n", "application/json")

    def _answer(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: a scrape every few seconds is no news."""
