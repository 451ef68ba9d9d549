"""A small batch on a cluster costs what it needs, and workers need nothing but Java and Spark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lakeshelf.contracts import CATALOG
from tests.standalone.cluster import Cluster
from tests.standalone.driving import JOB, Driving

pytestmark = [pytest.mark.slow, pytest.mark.spark]
RECORDS = 1000
MOST_TASKS = 150
"""Of a batch in all: some 95, and some 2,700 with Spark's own 200 shuffle partitions and Delta's 50."""


@pytest.fixture
def driving(cluster: Cluster, tmp_path: Path) -> Iterator[Driving]:
    """A lake that no other test has filled."""
    made = Driving(tmp_path, cluster)
    yield made
    made.close()


def test_a_stage_has_no_more_tasks_than_cores_and_partitions_that_it_reads(
    driving: Driving,
) -> None:
    driving.move(RECORDS)
    driving.run("jobs", "run", JOB, "--master", driving.cluster.master)
    driving.await_folded()
    assert driving.stop() == 0, driving.log()
    assert driving.balances() == [1] * RECORDS
    tasks = [stage["Number of Tasks"] for stage in driving.stages()]
    assert max(tasks) <= driving.cluster.cores + CATALOG.topics["wh_events"].partitions
    assert sum(tasks) < MOST_TASKS, tasks
    assert "Cannot run program" not in driving.cluster.logs()
