"""Stacks for benchmarks: a broker, a streams driver of some jobs, or everything as `lakeshelf up` has it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.harness import wait_for
from benchmarks.machine import home
from lakeshelf.components.registry import module
from lakeshelf.kafka import topics
from lakeshelf.lake.rows import tables
from lakeshelf.settings import Settings, load_settings
from lakeshelf.stack.embedded.broker import Broker
from lakeshelf.stack.embedded.clients import client_settings
from lakeshelf.stack.observing import lag
from lakeshelf.streams.commit import ledger
from lakeshelf.streams.declare import plan, registry

JOB = "shelf-aggregator"
START_S = 120.0
FOLD_S = 1_800.0
STOP_S = 90.0
CLI = (sys.executable, "-m", "lakeshelf.cli.main")


@dataclass(frozen=True)
class DriverProcess:
    """A running streams driver.

    Attributes:
        settings: What it runs with.
        process: The process.
        launched: When it was started, seconds since 1970.
    """

    settings: Settings
    process: subprocess.Popen[bytes]
    launched: float

    def check(self) -> None:
        """Raise if it has ended, with the end of its log."""
        if self.process.poll() is not None:
            raise RuntimeError(f"the streams driver ended: {log_end(_log(self.settings))}")

    def wait_folded(self, ends: Mapping[str, Mapping[str, int]], timeout: float = FOLD_S) -> None:
        """Wait until the query of `JOB` has folded everything below `ends`, ledger row included."""

        def done() -> bool:
            self.check()
            at = lag.position(self.settings, JOB)
            return all(
                at.get(topic, {}).get(partition, 0) >= end
                for topic, partitions in ends.items()
                for partition, end in partitions.items()
            )

        wait_for(f"{JOB} to fold {dict(ends)}", done, timeout)


@contextmanager
def broker(folder: Path) -> Iterator[dict[str, str]]:
    """A broker with all topics; the settings of its clients."""
    settings = load_settings(lake_root=folder / "broker", bootstrap_servers=None)
    kafka = Broker(settings)
    kafka.start()
    try:
        kafka.wait_healthy()
        client = client_settings(settings)
        topics.ensure_all(client)
        yield client
    finally:
        kafka.stop()


@contextmanager
def driver(
    lake: Path, client: Mapping[str, str], jobs: Iterable[str] = (JOB,), **overrides: Any
) -> Iterator[DriverProcess]:
    """A streams driver in a process of its own, on a lake that has all tables."""
    options = {"lake_root": lake, "bootstrap_servers": client["bootstrap.servers"], **overrides}
    settings = load_settings(**options)
    tables.ensure_all(lake)
    settings.stack_dir.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "lakeshelf.stack.supervision.streams_process",
        "--jobs",
        ",".join(jobs),
    ]
    with _log(settings).open("wb") as log:
        launched = time.time()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(options)
        )
    try:
        yield DriverProcess(settings, process, launched)
    finally:
        end(process)


@dataclass(frozen=True)
class BenchmarkedStack:
    """A whole stack as `lakeshelf up` starts it.

    Attributes:
        settings: What it runs with.
        pid: The supervisor; all other processes descend from it.
        parts: Name of a part → its process.
        up_seconds: From the start of the command to its end: all queries run.
    """

    settings: Settings
    pid: int
    parts: Mapping[str, int]
    up_seconds: float

    @property
    def client(self) -> dict[str, str]:
        """Settings of a client of its Kafka."""
        return client_settings(self.settings)

    def wait_folded(self, timeout: float = FOLD_S) -> None:
        """Wait until every query has folded all that is in its topics."""
        plans = plan.plan(registry.discover(self.settings.home).values())

        def done() -> bool:
            return lag.total(lag.behind(self.settings, self.client, plans)) == 0

        wait_for("all queries to fold what was sent", done, timeout)


@contextmanager
def stack(lake: Path, **overrides: Any) -> Iterator[BenchmarkedStack]:
    """`lakeshelf up` with all jobs and components, and `lakeshelf down` afterwards.

    Args:
        lake: Its lake.
        overrides: Settings; without any the clock tells the time of day and no store is simulated.
    """
    options = {"lake_root": lake, "simulation": False, "clock_speed": 1, **overrides}
    started = time.monotonic()
    try:
        report = cli(options, "up", "--json", timeout=START_S + 30)
        seconds = time.monotonic() - started
        parts = {name: int(part["pid"]) for name, part in report["parts"].items()}
        settings = load_settings(lake_root=lake, bootstrap_servers=None)
        yield BenchmarkedStack(settings, int(report["pid"]), parts, seconds)
    finally:
        cli(options, "down", "--json", timeout=STOP_S + 90)


def cli(settings: Mapping[str, Any], *arguments: str, timeout: float) -> dict[str, Any]:
    """What a command of `lakeshelf … --json` prints.

    Raises:
        RuntimeError: It printed no JSON.
    """
    done = subprocess.run(
        [*CLI, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
        env=environment(settings),
    )
    try:
        return dict(json.loads(done.stdout))
    except ValueError:
        command = f"lakeshelf {' '.join(arguments)}"
        raise RuntimeError(f"{command} failed ({done.returncode}): {done.stderr[-2000:]}") from None


def environment(settings: Mapping[str, Any]) -> dict[str, str]:
    """The environment of a child with these settings, whatever ours says of lake and Kafka."""
    foreign = ("DELTA_ROOT", "DELTA_DATA_ROOT", "LAKESHELF_BOOTSTRAP_SERVERS")
    kept = {name: value for name, value in os.environ.items() if name not in foreign}
    named = {f"LAKESHELF_{name.upper()}": str(value) for name, value in settings.items()}
    return {**kept, "LAKESHELF_HOME": str(home()), **named}


def end(process: subprocess.Popen[bytes]) -> None:
    """Stop a process in order, or kill it when that takes too long."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def send(client: Mapping[str, str], batches: Iterable[pa.RecordBatch]) -> float:
    """Send records with the replay's own sender until all are acknowledged; the seconds it took."""
    sender = module(home(), "replay").Sender(client["bootstrap.servers"])
    started = time.monotonic()
    for batch in batches:
        sender.send(batch)
    sender.finish()
    return time.monotonic() - started


def batches_of(lake: Path | str, topic: str) -> list[dict[str, Any]]:
    """Ledger rows of the batches that read something of a topic, in order."""
    return [row for row in ledger.entries(lake) if topic in row["topics"]]


def began(row: Mapping[str, Any]) -> float:
    """When the batch of a ledger row began, seconds since 1970."""
    return ended(row) - float(row["duration_ms"]) / 1000


def ended(row: Mapping[str, Any]) -> float:
    """When the batch of a ledger row was done, seconds since 1970."""
    return float(row["committed_at"].timestamp())


def log_end(log: Path, lines: int = 5) -> str:
    """The last lines of a log."""
    return " | ".join(log.read_text(errors="replace").splitlines()[-lines:])


def _log(settings: Settings) -> Path:
    return settings.stack_dir / "bench-driver.log"
