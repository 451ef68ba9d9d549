"""What a batch on Spark is cut into follows from the cores that are there; it is read once, in few jobs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyspark.sql import functions as F

from lakeshelf.lake.rows import tables
from lakeshelf.settings import Settings
from lakeshelf.streams.commit.committers import spark as committers
from lakeshelf.streams.commit.committers.spark import SparkCommitter
from lakeshelf.streams.declare.plan import plan
from lakeshelf.streams.take.duplicates import POSITION
from tests.streams import harness
from tests.streams.messages import Record
from tests.streams.pipeline import Pipeline, record, send
from tests.streams.strategies import TIMES, event

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PARTITIONS = "spark.sql.shuffle.partitions"
JOB, TOPIC = "wh-aggregator", "wh_events"
CLASSES = 100
"""Fewer than half of those that a batch of the job runs; a few hold numbers of the batch itself."""


JOBS = 14
"""Most jobs of a batch of new events: one to take it, two to fold it, the others are those of Delta."""


class Sized:
    """A session of a cluster with so many cores."""

    def __init__(self, cores: int) -> None:
        self.sparkContext: Any = self
        self.defaultParallelism = cores


@pytest.mark.parametrize(("cores", "partitions"), [(1, 1), (4, 4), (1000, 200)])
def test_a_shuffle_has_as_many_parts_as_executors_have_cores(cores: int, partitions: int) -> None:
    session: Any = Sized(cores)
    assert committers.shuffle_partitions(session) == partitions


@pytest.mark.slow
@pytest.mark.spark
def test_a_checkpoint_of_a_cluster_of_another_size_does_not_say_how_a_batch_is_cut(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Spark restores the number that the checkpoint was begun with."""
    session = spark.newSession()
    session.conf.set(PARTITIONS, "200")
    SparkCommitter(tmp_path).attend(session)
    assert session.conf.get(PARTITIONS) == str(spark.sparkContext.defaultParallelism) == "2"


@pytest.mark.slow
@pytest.mark.spark
def test_a_batch_that_is_kept_is_read_once_however_often_it_is_asked_about(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Else each query would read the records from Kafka, and parse them, again."""
    committer = SparkCommitter(tmp_path, parses="stream")
    session = spark.newSession()
    committer.attend(session)
    read = session.sparkContext.accumulator(0)

    def counted(rows: Iterator[Any]) -> Iterator[Any]:
        for row in rows:
            read.add(1)
            yield row

    records = session.createDataFrame(
        session.range(20).rdd.mapPartitions(counted), "id long"
    ).withColumns({"original_key": F.lit(None), "original_value": F.lit(None)})
    batch = committer.begin(records, ())
    for _ in range(3):
        evens = committer.query("SELECT id FROM {batch} WHERE id % 2 = 0", batch=batch)
        assert committer.count(evens) == 10
    assert committer.count(batch) == 20
    assert read.value == 20
    some = records.where("id >= 5").withColumn("removed", F.col("id") > 9)
    frozen = committer.freeze(some)
    before = jobs(spark)
    assert committer.count(frozen) == 15
    assert not committer.is_empty(frozen)
    parts = committer.parted(frozen, "removed")
    assert all(committer.spread(rows, 15) is None for rows in (frozen, *parts))
    assert jobs(spark) == before, "the job that froze the rows has counted them"
    assert [committer.count(part) for part in parts] == [10, 5]
    assert read.value == 40
    assert committer.is_empty(committer.freeze(records.where("id < 0")))
    committer.end()
    assert not batch.storageLevel.useMemory


@pytest.mark.slow
@pytest.mark.spark
def test_a_batch_runs_the_code_that_was_compiled_for_an_earlier_one(
    settings: Settings, spark: SparkSession, client: dict[str, str]
) -> None:
    (found,) = plan([harness.jobs()[JOB]])
    running = Pipeline(settings, spark, client, found)
    compiled = [taken(running, spark, number) for number in range(3)]
    assert compiled[-1] < CLASSES, compiled
    before = jobs(spark)
    taken(running, spark, 3)
    assert jobs(spark) - before <= JOBS


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.parametrize(("most", "files"), [(committers.MESSAGE_BYTES, 1), (1, 3)])
def test_messages_become_as_many_files_of_raw_as_their_bytes_ask_for(
    settings: Settings,
    spark: SparkSession,
    client: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    most: int,
    files: int,
) -> None:
    monkeypatch.setattr(committers, "MESSAGE_BYTES", most)
    (found,) = plan([harness.jobs()[JOB]])
    running = Pipeline(settings, spark, client, found)
    send(running.client, [moved(number) for number in range(3)])
    running.take("spark")
    raw = tables.open_table(settings.lake_root, f"raw/{TOPIC}")
    assert len(raw.file_uris()) == files
    assert tables.row_count(settings.lake_root, f"raw/{TOPIC}") == 3


@pytest.mark.slow
@pytest.mark.spark
def test_a_few_places_are_left_out_without_a_join_and_many_by_one(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    committer = SparkCommitter(tmp_path)
    committer.attend(spark)
    everywhere = [(partition, offset) for partition in (0, 1) for offset in range(9)]
    some = [(0, 3), (1, 3), (1, 8)]
    places = pa.Table.from_pylist([dict(zip(POSITION, place, strict=True)) for place in some])
    rows = spark.createDataFrame(everywhere, ", ".join(f"{name} long" for name in POSITION))
    few = committer.without(rows, places)
    monkeypatch.setattr(committers, "FEW_PLACES", 0)
    many = committer.without(rows, places)
    for left, joins in ((few, False), (many, True)):
        assert ("Join" in left._jdf.queryExecution().optimizedPlan().toString()) == joins
        assert sorted(map(tuple, left.collect())) == sorted(set(everywhere) - set(some))


@pytest.mark.slow
@pytest.mark.spark
def test_several_tasks_that_append_share_hardly_a_day(spark: SparkSession) -> None:
    """Each day that a task has is a file more."""
    days, of_day = 20, F.expr("date_add(DATE'2017-01-01', CAST(id % 20 AS INT))")
    rows = spark.range(1000).select(of_day.alias("event_date"), F.expr("uuid()").alias("event_id"))
    parts = committers.cut(f"raw/{TOPIC}", rows, 4 * committers.MESSAGE_BYTES)
    pieces = parts.select("event_date", F.spark_partition_id().alias("part")).distinct()
    assert pieces.select("part").distinct().count() == 4
    assert pieces.count() < days + 4


def jobs(spark: SparkSession) -> int:
    """Jobs that Spark has begun so far."""
    return 1 + max(spark.sparkContext.statusTracker().getJobIdsForGroup(None))


def taken(running: Pipeline, spark: SparkSession, number: int) -> int:
    """Classes that Spark compiles while it takes a batch of one record."""
    metrics: Any = spark._jvm.org.apache.spark.metrics.source.CodegenMetrics
    before = metrics.METRIC_COMPILATION_TIME().getCount()
    send(running.client, [moved(number)])
    running.take("spark")
    return int(metrics.METRIC_COMPILATION_TIME().getCount() - before)


def moved(number: int) -> Record:
    """An event as it is sent."""
    fields = {"event_type": "wh_in", "shelf_id": "S1-I1", "item_id": "I1", "batch_code": "L1"}
    return record(TOPIC, event(TOPIC, number, TIMES[0], quantity=1, **fields))
