"""What a failed query says of itself, and how a query ends."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from lakeshelf.settings import load_settings
from lakeshelf.streams.declare import registry
from lakeshelf.streams.declare.plan import plan
from lakeshelf.streams.run.failure import has_nothing_to_do_with_records
from lakeshelf.streams.run.query import RunningQuery, describe, lost_records

IN_PYTHON = """[FOREACH_BATCH_USER_FUNCTION_ERROR] An error occurred. Return Message: Traceback (most recent call last):
  File "clientserver.py", line 644, in _call_proxy
    raise e
_duckdb.ParserException: Parser Error: syntax error at or near "ELSE"

LINE 6: x
org.apache.spark.SparkException: behind it
"""
OF_THE_JVM = """An exception was raised by the Python Proxy. Return Message: Traceback (most recent call last):
  File "clientserver.py", line 644, in _call_proxy
    raise Py4JJavaError(
py4j.protocol.Py4JJavaError: An error occurred while calling o24125.getResult.
: org.apache.spark.SparkException: Exception thrown in awaitResult:
\tat org.apache.spark.util.ThreadUtils$.awaitResult(ThreadUtils.scala:440)
Caused by: org.apache.spark.SparkException: Job aborted due to stage failure: Task serialization failed
\tat org.apache.spark.scheduler.DAGScheduler.x(DAGScheduler.scala:1)
Caused by: java.nio.file.NoSuchFileException: /tmp/blockmgr-b3c806b6/09
\tat java.base/sun.nio.fs.UnixException.translateToIOException(UnixException.java:92)
"""
OURS = f"{IN_PYTHON}lakeshelf.errors.LakeError: disk full; free some space\n"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (IN_PYTHON, '_duckdb.ParserException: Parser Error: syntax error at or near "ELSE"'),
        (OURS, "disk full; free some space"),
        (OF_THE_JVM, "java.nio.file.NoSuchFileException: /tmp/blockmgr-b3c806b6/09"),
        (
            "org.apache.kafka.TimeoutException: late\n\tat x",
            "org.apache.kafka.TimeoutException: late",
        ),
        ("\n", "unknown failure"),
    ],
)
def test_the_line_that_says_most_is_shown(error: str, line: str) -> None:
    assert describe(error) == line


STAGE = "Job aborted due to stage failure: Task 0 in stage 0.0 failed 4 times, most recent failure: Lost task 0.3 in"


@pytest.mark.parametrize(
    "cause",
    [
        "java.lang.ClassNotFoundException: org.apache.spark.sql.kafka010.KafkaBatchInputPartition",
        "java.io.InvalidClassException: org.apache.spark.scheduler.Task; local class incompatible: stream",
        "java.lang.NoSuchMethodError: 'org.apache.spark.sql.types.DataType io.delta.x()'",
    ],
)
def test_a_worker_with_other_software_is_told_in_a_line(cause: str) -> None:
    error = f"[STREAM_FAILED] {STAGE} stage 0.0 (TID 3) (10.0.0.7 executor 2): {cause}\n\tat x.y(z)"
    line = describe(error)
    assert line.startswith("executor 2 on 10.0.0.7 has other software than the driver (")
    assert "`lakeshelf jobs conf`" in line
    assert "\n" not in line
    assert has_nothing_to_do_with_records(RuntimeError(error))


def test_rows_that_went_with_an_executor_are_no_fault_of_a_record() -> None:
    lost = "SparkException: [CHECKPOINT_RDD_BLOCK_ID_NOT_FOUND] Checkpoint block rdd_7_1 not found!"
    assert has_nothing_to_do_with_records(RuntimeError(lost))
    assert not has_nothing_to_do_with_records(RuntimeError(STAGE))


NESTED = """[STREAM_FAILED] Query shelf-aggregator terminated with exception: Job aborted due to stage failure: Task 0
in stage 3.0 failed 1 times: org.apache.spark.SparkException: [KAFKA_DATA_LOSS.COULD_NOT_READ_OFFSET_RANGE] Some data
may have been lost because they are not available in Kafka any more;
either the data was aged out by Kafka or the topic may have been deleted before all the data in the
topic was processed.
If you don't want your streaming query to fail on such cases, set the source option failOnDataLoss to false.
Reason: Could not read records in offset [5, 105) for topic partition shelf_events-0
with consumer group spark-kafka-source. SQLSTATE: 22000
\tat org.apache.spark.sql.kafka010.KafkaExceptions$.couldNotReadOffsetRange(KafkaExceptions.scala:152)
"""
RANGE = (
    "java.lang.RuntimeException: read\nCaused by: "
    "org.apache.kafka.clients.consumer.OffsetOutOfRangeException: Fetch position 5 is out of range"
)


@pytest.mark.parametrize(("error", "names"), [(NESTED, "[5, 105)"), (RANGE, "deleted records")])
def test_records_that_kafka_deleted_are_told_with_the_way_on(error: str, names: str) -> None:
    told = lost_records(error, "stock")
    assert names in told
    assert "`lakeshelf jobs accept-gap stock`" in told
    assert "\n" not in told


@pytest.mark.parametrize(
    "error", [IN_PYTHON, "[KAFKA_DATA_LOSS.PARTITIONS_DELETED] lost. Reason: Partitions x deleted."]
)
def test_what_accepting_a_gap_would_not_mend_is_told_otherwise(error: str) -> None:
    assert lost_records(error, "stock") == ""


def test_a_batch_that_begins_while_the_query_stops_ends_too(tmp_path: Path) -> None:
    settings = load_settings(lake_root=tmp_path)
    nothing: Any = None
    query = RunningQuery(plan(registry.discover(settings.home).values())[0], settings, nothing, {})
    query.stop()
    ended: list[Exception] = []

    def begin() -> None:
        try:
            query._batch(nothing, 0)
        except InterruptedError as error:
            ended.append(error)

    batch = threading.Thread(target=begin, daemon=True)
    batch.start()
    batch.join(60)
    assert [str(error) for error in ended] == ["the query is stopping"]
