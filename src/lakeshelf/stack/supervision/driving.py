"""What a process that drives queries does, one step after the other.

1. It takes the leases of the lake and of every table that it will write.
2. It waits for the end of a JVM that a killed predecessor left, and kills it if need be.
3. It starts the JVM, whose files have a folder of its own, and remembers its process for a successor.
4. Supervised, it waits for the word that topics and tables are there.
5. It runs the queries until SIGTERM or SIGINT, and ends at a batch boundary; a second one kills.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa
from pyspark.sql import SparkSession

from lakeshelf.settings import Settings
from lakeshelf.stack.embedded.clients import client_settings
from lakeshelf.stack.machine.processes import identify, read_pid_file, write_pid_file
from lakeshelf.stack.supervision import handover, submitted
from lakeshelf.stack.toolchain import class_data, jars, java, jvm_metrics
from lakeshelf.streams.declare import plan, registry
from lakeshelf.streams.run import session
from lakeshelf.streams.run.runner import Driver
from lakeshelf.telemetry import lineage, tracing
from lakeshelf.telemetry.serving import served

LOCAL_MASTER = "local[4]"
"""More threads than cores: a task that reads Kafka waits for the broker most of its time."""
JVM_FILE = "streams-jvm.json"
SCRATCH = "spark"
"""Folder of what Spark has on disk while it runs.

In the system's it would be removed beneath a driver that runs for weeks (systemd-tmpfiles(8)), would be memory in a
container, and would stay for good after a kill.
"""
ORPHAN_SECONDS, KILLED_SECONDS = 2.0, 15.0


def run(
    settings: Settings,
    names: Iterable[str],
    until_prepared: handover.UntilPrepared = lambda: None,
    *,
    master: str | None = LOCAL_MASTER,
) -> None:
    """Run the named jobs in this process until a signal.

    Args:
        settings: Lake, Kafka, memory.
        names: Jobs; none: all.
        until_prepared: Returns when topics and tables are there; Spark starts meanwhile.
        master: Where Spark runs; None leaves it to `spark-submit`.

    Raises:
        ConfigurationError: An unknown job.
        LakeError: Another driver owns one of the tables, or a table is not there.
        ToolchainError: Java or jars are missing, or `spark-submit` was not told of ours.
    """
    # What batches held goes back to the system when they end.
    pa.set_memory_pool(pa.system_memory_pool())
    known = registry.discover(*settings.homes)
    jobs = registry.select(known, names)
    if not isinstance(settings.lake_root, Path):
        plan.require_whole(plan.plan(jobs), plan.plan(known.values()))
    build = _adopted(settings) if master is None else _launched(settings, master)
    driver = Driver(jobs, settings, client_settings(settings))
    driver.acquire(alone=False)
    try:
        driver.stop_on_signals()
        with (
            lineage.emitting(settings),
            tracing.sending(settings, "streams"),
            served(settings, "streams", driver.problems, driver.members) as telemetry,
        ):
            driver.address, driver.beat = telemetry.address, telemetry.beat
            _end_orphan(settings)
            spark = build()
            driver.stop_on_signals()  # Spark has taken SIGINT for itself
            _remember_jvm(settings, spark)
            until_prepared()
            driver.run(lambda: spark)
    finally:
        driver.release()
    (settings.stack_dir / JVM_FILE).unlink(missing_ok=True)


def _launched(settings: Settings, master: str) -> Callable[[], SparkSession]:
    """What starts a JVM of this process."""
    class_path = jars.spark_class_path(settings)
    os.environ.update(java.UTF_8, JAVA_HOME=str(java.java_home(settings)))

    def build() -> SparkSession:
        kept = class_data.used_or_made(settings, class_path) if master == LOCAL_MASTER else ""
        agent = jvm_metrics.option(settings, "spark")
        options = f"{kept} {agent}".strip()
        scratch = _emptied(settings.stack_dir / SCRATCH)
        return session.build(
            settings, class_path, master=master, java_options=options, scratch=scratch
        )

    return build


def _emptied(folder: Path) -> Path | None:
    """The folder, without what a killed predecessor left; None: Spark would take its name for those of several."""
    if "," in str(folder):
        return None
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)  # what cannot be removed is in nobody's way
    return folder


def _adopted(settings: Settings) -> Callable[[], SparkSession]:
    """What takes the JVM of `spark-submit`."""
    submitted.adopt()

    def build() -> SparkSession:
        submitted.relay_signals()
        return session.build(settings, "")

    return build


def _end_orphan(settings: Settings) -> None:
    """See the JVM of a killed predecessor off: it ends by itself with its parent, as a rule."""
    orphan = read_pid_file(settings.stack_dir / JVM_FILE)
    if orphan is not None and not orphan.wait_gone(ORPHAN_SECONDS):
        orphan.send(signal.SIGKILL)
        orphan.wait_gone(KILLED_SECONDS)


def _remember_jvm(settings: Settings, spark: SparkSession) -> None:
    gateway = spark.sparkContext._gateway  # noqa: SLF001 - the one place that knows the JVM's process
    process = getattr(gateway, "proc", None)
    if process is not None:
        write_pid_file(settings.stack_dir / JVM_FILE, identify(process.pid))
