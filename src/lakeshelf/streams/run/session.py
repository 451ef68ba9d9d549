"""The Spark session of the streams driver, and why each of its settings is as it is."""

from __future__ import annotations

import os
from pathlib import Path

from pyspark.sql import SparkSession

from lakeshelf.lake.place import object_stores
from lakeshelf.lake.place.location import Place, Root
from lakeshelf.settings import Settings
from lakeshelf.streams.resume.checkpoint import SHUFFLE_PARTITIONS

STREAMING = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.streaming.minBatchesToRetain": "20",
    "spark.sql.streaming.numRecentProgressUpdates": "20",
    "spark.sql.streaming.noDataMicroBatches.enabled": "false",
    # A driver killed while it writes the first offsets leaves half a file, which Spark would refuse for ever.
    "spark.sql.streaming.verifyCheckpointDirectoryEmptyOnStart": "false",
    "spark.sql.adaptive.enabled": "false",
    "spark.ui.enabled": "false",
    # Beside Spark's own words, those that options of Kafka's client have for secrets.
    "spark.redaction.regex": "(?i)secret|password|token|access[.]?key|jaas|keystore[.]key",
    "spark.ui.showConsoleProgress": "false",
    # What a checkpoint keeps for ever; the committer sets the cores of the executors (docs/design/pitfalls.md#trap-20).
    "spark.sql.shuffle.partitions": SHUFFLE_PARTITIONS,
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.cleaner.periodicGC.interval": "10min",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "50000",
    # A batch on Spark runs more generated classes than the hundred that Spark keeps (docs/design/pitfalls.md#trap-59).
    "spark.sql.codegen.cache.maxEntries": "2000",
}

LOCAL = {
    "spark.default.parallelism": "2",
    # Hadoop's own local file system forks two processes for each checkpoint file.
    "spark.hadoop.fs.file.impl": "io.lakeshelf.fs.BareLocalFileSystem",
    "spark.hadoop.fs.AbstractFileSystem.file.impl": "io.lakeshelf.fs.BareLocalFs",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}

DELTA = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.databricks.delta.properties.defaults.enableDeletionVectors": "false",
    # Delta's own is safe in one JVM only (docs/design/pitfalls.md#trap-7).
    "spark.delta.logStore.s3a.impl": "io.lakeshelf.fs.ConditionalLogStore",
}

# Where the agent of `jvm_metrics_port` finds them.
JMX_SINK = {"spark.metrics.conf.driver.sink.jmx.class": "org.apache.spark.metrics.sink.JmxSink"}

# The code that Spark generates to parse a message is longer than 8,000 bytes; the JVM only interprets
# such methods unless it is told otherwise, at a tenth of the speed.
EXECUTOR_OPTIONS = "-XX:-DontCompileHugeMethods -XX:ReservedCodeCacheSize=160m -Duser.timezone=UTC"
JAVA_OPTIONS = f"-XX:+UseSerialGC {EXECUTOR_OPTIONS}"
# Five times the JVM's own, where Spark commits: its batches run so much code, most of it seldom, that the JVM's second
# compiler took much of the processor's time for minutes (docs/benchmarks.md#catch-up). The driver committer's code in
# the JVM is little, and is to be fast soon.
LATE_COMPILATION = (
    "-XX:Tier4InvocationThreshold=25000 -XX:Tier4MinInvocationThreshold=3000"
    " -XX:Tier4CompileThreshold=75000 -XX:Tier4BackEdgeThreshold=200000"
)


def properties(
    settings: Settings,
    class_path: str,
    *,
    master: str,
    java_options: str = "",
    scratch: Path | None = None,
) -> dict[str, str]:
    """Everything that Spark is told, much of it before its JVM starts.

    Args:
        settings: Memory of the driver.
        class_path: Jars of Kafka and Delta; `spark.jars` alone would add them too late for file-system classes.
        master: Where Spark runs; `local[N]` is the embedded mode.
        java_options: More options of the driver's JVM.
        scratch: Folder for what Spark has on disk while it runs; None: that of the system.
    """
    # Executors get the jars from the driver, so that a worker needs nothing but Spark.
    cluster = {
        "spark.jars": class_path.replace(os.pathsep, ","),
        "spark.executor.extraJavaOptions": f"{EXECUTOR_OPTIONS} {LATE_COMPILATION}",
    }
    late = () if settings.committer == "driver" else (LATE_COMPILATION,)
    return {
        **STREAMING,
        **DELTA,
        **(LOCAL if master.startswith("local") else cluster),
        **({} if settings.jvm_metrics_port is None else JMX_SINK),
        **({} if scratch is None else {"spark.local.dir": str(scratch)}),
        "spark.master": master,
        "spark.driver.memory": settings.driver_memory,
        "spark.driver.extraJavaOptions": " ".join((JAVA_OPTIONS, *late, java_options)).rstrip(),
        "spark.driver.extraClassPath": class_path,
    }


def build(
    settings: Settings,
    class_path: str,
    *,
    master: str | None = None,
    name: str = "lakeshelf",
    java_options: str = "",
    scratch: Path | None = None,
) -> SparkSession:
    """A session for streaming.

    Args:
        settings: Memory of the driver.
        class_path: Jars of Kafka and Delta.
        master: Where Spark runs; None leaves it to `spark-submit`, whose JVM has its options already.
        name: Application name.
        java_options: More options of the driver's JVM.
        scratch: Folder for what Spark has on disk while it runs; None: that of the system.
    """
    builder = SparkSession.builder.appName(name)
    options = (
        {**STREAMING, **DELTA}
        if master is None
        else properties(
            settings, class_path, master=master, java_options=java_options, scratch=scratch
        )
    )
    for key, value in options.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    reach(session, settings.lake_root)
    return session


def reach(session: SparkSession, place: Place) -> None:
    """Tell a session how the bucket of a lake is reached; a folder needs nothing.

    Keys go this way, because options of a JVM stand in the list of processes.
    """
    root = Root.at(place)
    if root.folder is None:
        configuration = session.sparkContext._jsc.hadoopConfiguration()  # noqa: SLF001
        for name, value in object_stores.hadoop(root.options or {}).items():
            configuration.set(name, value)
