"""What executors publish survives them."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Mapping
from contextlib import closing

import orjson
import pytest
from confluent_kafka import TopicPartition

from lakeshelf.contracts import CATALOG
from lakeshelf.kafka import topics
from lakeshelf.kafka.consuming import available, is_end, reader
from tests.standalone.driving import JOB, STATE, Driving
from tests.streams.harness import keyed
from tests.streams.pipeline import consume
from tests.support import eventually

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.faults]
RECORDS = 60_000
KILLS, JOBS_OF_A_BATCH = 6, 24
TOPIC = "wh_state"
REDONE_SECONDS = 600.0
"""A batch of this size twice, and new executors for the second time."""


@pytest.mark.nightly
@pytest.mark.timeout(1500)
def test_executors_that_are_killed_while_they_publish_lose_nothing(driving: Driving) -> None:
    begun = ends(driving)
    driving.move(RECORDS)
    driving.run(
        *("jobs", "run", JOB, "--master", driving.cluster.master),
        LAKESHELF_PUBLISH_DRIVER_ROWS="1000",
    )
    killed = threading.Thread(target=lambda: kill_publishing(driving, begun))
    killed.start()
    driving.await_folded(REDONE_SECONDS)
    killed.join(60)
    assert driving.stop() == 0, driving.log()
    assert driving.killed_at < RECORDS, "the publication was over before"
    assert driving.lost_tasks() > 0, "nobody has missed the executors"
    assert "ProducerConfig values" in driving.cluster.logs(), "the driver has published"
    assert_whole(driving)


@pytest.mark.nightly
@pytest.mark.timeout(1500)
def test_executors_that_are_killed_at_any_moment_lose_nothing(driving: Driving) -> None:
    driving.run(
        *("jobs", "run", JOB, "--master", driving.cluster.master),
        LAKESHELF_PUBLISH_DRIVER_ROWS="0",
    )
    killed = 0
    for _ in range(KILLS):
        driving.move(200)
        moment = driving.spark_jobs() + driving.random.randint(1, JOBS_OF_A_BATCH)
        eventually(
            lambda moment=moment: driving.spark_jobs() >= moment or driving.is_folded(),
            "that Spark job, or the end of its batch",
        )
        for executor in driving.cluster.executors()[:1]:
            os.kill(executor, signal.SIGKILL)
            killed += 1
    driving.await_folded()
    assert driving.stop() == 0, driving.log()
    assert killed == KILLS
    assert keyed(driving.settings.lake_root, "raw/quarantine") == {}
    assert_whole(driving)


def assert_whole(driving: Driving) -> None:
    """Each record counts once, and the highest version of each shelf is that of the table."""
    kept = keyed(driving.settings.lake_root, STATE)
    assert [row["balance"] for row in kept.values()] == [1] * driving.sent_records
    assert latest(driving) == {shelf: row["version"] for (shelf,), row in kept.items()}


def kill_publishing(driving: Driving, begun: Mapping[str, int]) -> None:
    """Kill the executors as soon as the first message is there, of which a consumer hears at once.

    They are halted before anybody counts: what is not published by then is with one of them.
    """
    with closing(reader(driving.client, "tests-of-publication")) as consumer:
        consumer.assign([TopicPartition(TOPIC, int(p), end) for p, end in begun.items()])
        looks = (available(consumer, 1.0, most=1) for _ in range(int(REDONE_SECONDS)))
        first = (message for messages in looks for message in messages if not is_end(message))
        assert next(first, None) is not None, "no message came"
    executors = driving.cluster.executors()
    for executor in executors:
        os.kill(executor, signal.SIGSTOP)
    driving.killed_at = sum(ends(driving).values()) - sum(begun.values())
    for executor in executors:
        os.kill(executor, signal.SIGKILL)


def ends(driving: Driving) -> dict[str, int]:
    return topics.end_offsets(driving.client, [TOPIC])[TOPIC]


def latest(driving: Driving) -> dict[str, int]:
    """Shelf → highest version that was published; equal versions have equal values."""
    key = CATALOG.topics[TOPIC].key[0]
    told: dict[tuple[str, int], bytes] = {}
    for message in consume(driving.client, TOPIC, {}):
        value = orjson.loads(message.value or b"")
        place = (value[key], value["version"])
        assert told.setdefault(place, message.value or b"") == message.value, place
        assert message.key == value[key].encode()
    return dict(sorted(told))
