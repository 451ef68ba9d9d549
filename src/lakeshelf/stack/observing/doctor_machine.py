"""Examinations of the machine: programs, versions, space, limits."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from lakeshelf.settings import Settings
from lakeshelf.stack.embedded.broker import Broker
from lakeshelf.stack.machine import ports
from lakeshelf.stack.observing.diagnosis import CheckFinding, bad, good
from lakeshelf.stack.supervision.supervisor import running_stack
from lakeshelf.stack.toolchain import jars
from lakeshelf.stack.toolchain import java as java_runtime
from lakeshelf.status_files import STREAMS

LEAST_PYTHON = (3, 11)
LEAST_DISK = 2 * 2**30
LEAST_MEMORY = 3 * 2**30
LEAST_FILES = 1024
RELEASED = 1_735_689_600
"""2025-01-01: no clock that is right shows less."""

WHEELS_OF_JARS = {"spark-sql-kafka-0-10_2.13": "pyspark", "delta-spark_4.2_2.13": "delta-spark"}


def python(_: Settings) -> Iterator[CheckFinding]:
    """The interpreter."""
    version = ".".join(map(str, sys.version_info[:3]))
    minimum = ".".join(map(str, LEAST_PYTHON))
    yield (
        good(f"Python {version}")
        if sys.version_info >= LEAST_PYTHON
        else bad(
            f"Python {version}, {minimum} or newer is needed",
            f"run `make PYTHON=python{minimum} setup`",
        )
    )


def java(settings: Settings) -> Iterator[CheckFinding]:
    """The Java that would run broker and Spark."""
    runtime = java_runtime.find(settings, os.environ)
    yield good(f"Java {runtime.version}, {runtime.origin}")


def jar_files(settings: Settings) -> Iterator[CheckFinding]:
    """Every jar against its checksum."""
    folder = settings.cache_dir / "jars"
    declared = jars.declared(settings)
    wrong = [
        f"{folder / jar.file_name} {state}" for jar in declared if (state := _state(folder, jar))
    ]
    for line in wrong:
        yield bad(line, "run `make setup`")
    if not wrong:
        jars.spark_class_path(settings)
        yield good(f"{len(declared)} jars with the right SHA-256 in {folder}")


def versions(settings: Settings) -> Iterator[CheckFinding]:
    """Wheels and jars of one release."""
    for jar in jars.declared(settings):
        if wheel := WHEELS_OF_JARS.get(jar.artifact):
            version = jar.coordinates.rpartition(":")[2]
            installed = _installed(wheel)
            fits = installed == version
            yield (
                good(f"{wheel} {installed} fits {jar.file_name}")
                if fits
                else bad(
                    f"{wheel} {installed or 'is not installed'}, the jar is {jar.file_name}",
                    "run `make setup`",
                )
            )


def disk(settings: Settings) -> Iterator[CheckFinding]:
    """Free space of the lake, or of its local state."""
    place = existing(settings.state_dir)
    free = shutil.disk_usage(place).free
    text = f"{free / 2**30:.1f} GiB free at {place}"
    yield (
        good(text)
        if free >= LEAST_DISK
        else bad(
            f"{text}, {LEAST_DISK // 2**30} are needed",
            "free some, or set LAKESHELF_LAKE_ROOT to another disk",
        )
    )


def memory(settings: Settings) -> Iterator[CheckFinding]:
    """Memory for the stack, unless it runs already."""
    available = _available_memory()
    if running_stack(settings) or available is None:
        yield good("the stack runs" if available is not None else "not known on this system")
        return
    text = f"{available / 2**30:.1f} GiB available"
    yield (
        good(text)
        if available >= LEAST_MEMORY
        else bad(
            f"{text}, {LEAST_MEMORY // 2**30} are needed",
            "end other programs, or set LAKESHELF_DRIVER_MEMORY=1g",
        )
    )


def open_files(_: Settings) -> Iterator[CheckFinding]:
    """The limit of open files."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = soft == resource.RLIM_INFINITY or soft >= LEAST_FILES
    yield (
        good(f"{soft} allowed")
        if enough
        else bad(f"{soft} allowed, {LEAST_FILES} are needed", f"run `ulimit -n {LEAST_FILES}`")
    )


def clock(settings: Settings) -> Iterator[CheckFinding]:
    """A clock that is set, and not behind what the lake has seen."""
    now = time.time()
    seen = float(STREAMS.read(settings.stack_dir).get("written_at", 0.0))
    shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < max(RELEASED, seen - 60):
        yield bad(f"the clock shows {shown}, which is over", "set it: `timedatectl set-ntp true`")
    else:
        yield good(shown)


def permissions(settings: Settings) -> Iterator[CheckFinding]:
    """Whether the lake, or its local state, can be written."""
    place = existing(settings.state_dir)
    if settings.stack_dir.exists() and not settings.stack_dir.is_dir():
        yield bad(
            f"{settings.stack_dir} is a file",
            f"run `mv {settings.stack_dir} {settings.stack_dir}.old`",
        )
        return
    try:
        with tempfile.TemporaryFile(dir=place):
            yield good(f"{place} can be written")
    except OSError as error:
        yield bad(f"{place} cannot be written: {error.strerror}", f"run `chmod u+rwx {place}`")


def broker_ports(settings: Settings) -> Iterator[CheckFinding]:
    """Ports of the embedded broker: its own, or free."""
    broker = Broker(settings)
    if settings.bootstrap_servers is not None or not broker.ports_file.exists():
        yield good(
            "none of ours"
            if settings.bootstrap_servers
            else "free ones are chosen at the first start"
        )
        return
    chosen = ports.read(broker.ports_file)
    if not chosen:
        yield bad(
            f"{broker.ports_file} is damaged", f"run `rm {broker.ports_file}` to choose ports anew"
        )
        return
    taken = [] if broker.is_running() else [p for p in chosen.values() if not ports.is_free(p)]
    for port in taken:
        yield bad(
            f"port {port} of the embedded broker is taken by another process",
            f"stop that process, or run `rm {broker.ports_file}` to choose other ports",
        )
    if not taken:
        yield good(", ".join(f"{name} {port}" for name, port in chosen.items()))


def existing(place: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    absolute = place.absolute()
    return next(folder for folder in (absolute, *absolute.parents) if folder.is_dir())


def _state(folder: Path, jar: jars.Jar) -> str:
    file = folder / jar.file_name
    if not file.is_file():
        return "is missing"
    with file.open("rb") as opened:
        right = hashlib.file_digest(opened, "sha256").hexdigest() == jar.sha256
    return "" if right else f"has another SHA-256 than {jar.sha256[:12]}…"


def _installed(wheel: str) -> str:
    try:
        return importlib.metadata.version(wheel)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _available_memory() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    return next(
        (int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")), None
    )
