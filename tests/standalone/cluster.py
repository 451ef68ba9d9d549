"""A standalone cluster of Spark on loopback: a master and workers, whose executors find no Python."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psutil
import pyspark

from tests.support import eventually

SPARK = Path(pyspark.__file__).parent
NEEDED = ("bash", "dirname", "chmod")
"""What the scripts of Spark and Hadoop's local file system start."""
LOOPBACK = ("--host", "127.0.0.1", "--webui-port", "0")
PROGRAMS = ("/usr/bin", "/bin")
STARTED = re.compile(r"Starting Spark master at (spark://\S+)")
REGISTERED = re.compile(r"Registering worker (\S+)")
"""Said again of a worker that has asked again, because it had no answer yet."""


class Cluster:
    """Master and workers as processes of their own.

    Args:
        folder: For their logs and what executors write.
        java_home: Java that they run on.
        workers: How many there are.
        cores: Cores of each.
    """

    def __init__(self, folder: Path, java_home: Path, workers: int = 2, cores: int = 2) -> None:
        self._folder = folder
        self.cores = workers * cores
        self._environment = _without_python(folder / "bin", java_home)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._start("master", "org.apache.spark.deploy.master.Master", "--port", "0")
        eventually(lambda: STARTED.search(self._log("master")), "a master")
        self.master = STARTED.findall(self._log("master"))[0]
        for number in range(workers):
            self._start(
                f"worker-{number}",
                "org.apache.spark.deploy.worker.Worker",
                *("--cores", str(cores), "--memory", "2g"),
                *("--work-dir", str(folder / f"work-{number}"), self.master),
            )
        eventually(lambda: len(self._registered()) == workers, "workers")

    def executors(self) -> list[int]:
        """Process numbers of the executors that run now, children of workers."""
        _, *workers = self._processes
        return [child.pid for one in workers for child in psutil.Process(one.pid).children()]

    def logs(self) -> str:
        """What executors and workers have written."""
        files = sorted(self._folder.glob("work-*/*/*/std*")) + sorted(self._folder.glob("*.log"))
        return "\n".join(file.read_text(errors="replace") for file in files)

    def close(self) -> None:
        """End everything."""
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            process.wait(60)

    def _start(self, name: str, main: str, *arguments: str) -> None:
        with (self._folder / f"{name}.log").open("wb") as log:
            self._processes.append(
                subprocess.Popen(
                    [SPARK / "bin" / "spark-class", main, *arguments, *LOOPBACK],
                    env=self._environment,
                    stdout=log,
                    stderr=log,
                )
            )

    def _registered(self) -> set[str]:
        return set(REGISTERED.findall(self._log("master")))

    def _log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text(errors="replace")


def _without_python(tools: Path, java_home: Path) -> Mapping[str, str]:
    """The environment of workers, which executors inherit."""
    tools.mkdir(parents=True)
    for program in (p for folder in PROGRAMS for p in Path(folder).iterdir()):
        link = tools / program.name
        if "python" not in program.name and not link.is_symlink():
            link.symlink_to(program)
    assert shutil.which("python3", path=str(tools)) is None
    return {
        "PATH": str(tools),
        "JAVA_HOME": str(java_home),
        "SPARK_HOME": str(SPARK),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_NO_DAEMONIZE": "1",
        "PYSPARK_PYTHON": "/nonexistent",
        "PYSPARK_DRIVER_PYTHON": "/nonexistent",
        "LC_ALL": "C.UTF-8",
        "JDK_JAVA_OPTIONS": os.environ.get("JDK_JAVA_OPTIONS", ""),
    }
