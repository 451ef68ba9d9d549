"""The Spark session of the streams driver, and why each of its settings is as it is."""

from __future__ import annotations

from pyspark.sql import SparkSession

from lakeshelf.settings import Settings
from lakeshelf.streams.run.checkpoint import SHUFFLE_PARTITIONS

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
}

LOCAL = {
    # 200 shuffle partitions stall two cores (docs/design/pitfalls.md#trap-20).
    "spark.sql.shuffle.partitions": SHUFFLE_PARTITIONS,
    "spark.default.parallelism": "2",
    "spark.databricks.delta.snapshotPartitions": "1",
    # Hadoop's own local file system forks two processes for each checkpoint file.
    "spark.hadoop.fs.file.impl": "io.lakeshelf.fs.BareLocalFileSystem",
    "spark.hadoop.fs.AbstractFileSystem.file.impl": "io.lakeshelf.fs.BareLocalFs",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.cleaner.periodicGC.interval": "10min",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "50000",
}

DELTA = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.databricks.delta.properties.defaults.enableDeletionVectors": "false",
}

# The code that Spark generates to parse a message is longer than 8,000 bytes; the JVM only interprets
# such methods unless it is told otherwise, at a tenth of the speed.
JAVA_OPTIONS = "-XX:+UseSerialGC -XX:-DontCompileHugeMethods -XX:ReservedCodeCacheSize=160m -Duser.timezone=UTC"


def build(
    settings: Settings,
    class_path: str,
    *,
    master: str | None = None,
    name: str = "lakeshelf",
    java_options: str = "",
) -> SparkSession:
    """A session for streaming.

    Args:
        settings: Memory of the driver.
        class_path: Jars of Kafka and Delta; `spark.jars` would add them too late for file-system classes.
        master: Where Spark runs; None leaves it to `spark-submit`, `local[N]` is the embedded mode.
        name: Application name.
        java_options: More options of the driver's JVM.
    """
    builder = SparkSession.builder.appName(name)
    local = master is not None and master.startswith("local")
    for key, value in {**STREAMING, **DELTA, **(LOCAL if local else {})}.items():
        builder = builder.config(key, value)
    builder = (
        builder.config("spark.driver.memory", settings.driver_memory)
        .config("spark.driver.extraJavaOptions", f"{JAVA_OPTIONS} {java_options}")
        .config("spark.driver.extraClassPath", class_path)
        .config("spark.executor.extraClassPath", class_path)
    )
    if master is not None:
        builder = builder.master(master)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session
