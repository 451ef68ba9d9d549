"""What a batch on Spark is cut into follows from the cores that are there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lakeshelf.streams.commit.committers import spark as committers
from lakeshelf.streams.commit.committers.spark import SparkCommitter

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PARTITIONS = "spark.sql.shuffle.partitions"


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
