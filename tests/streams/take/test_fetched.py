"""Records that the driver fetches itself are those that Spark would have handed over, whatever stands among them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pytest

from lakeshelf.errors import BrokerError
from lakeshelf.kafka import topics
from lakeshelf.kafka.follower import PartitionFollower
from lakeshelf.settings import load_settings
from lakeshelf.streams.commit.committers.driver import DriverCommitter
from lakeshelf.streams.commit.publisher import Publisher
from lakeshelf.streams.commit.sink import Sink
from lakeshelf.streams.run.parted import PartedProcessor
from lakeshelf.streams.run.parts import Positions
from lakeshelf.streams.take import fetched
from lakeshelf.streams.take.parse import received
from tests.streams.corpus import TOPICS, adversarial
from tests.streams.harness import NOW, folding
from tests.streams.living import moved
from tests.streams.messages import Record, generated
from tests.streams.outside import Sent, producing
from tests.streams.pipeline import Offsets, Pipeline, between, send

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NAMES = sorted(topic.name for topic in TOPICS)
SHELF = "shelf_events"
ORDER = [(name, "ascending") for name in ("topic", "kafka_partition", "kafka_offset")]
pytestmark = [pytest.mark.slow, pytest.mark.spark]


@pytest.fixture
def follower(client: dict[str, str]) -> Iterator[PartitionFollower]:
    with closing(PartitionFollower(client, "tests-fetched")) as made:
        yield made


def ranges(start: Offsets, end: Offsets) -> dict[tuple[str, int], tuple[int, int]]:
    return {(t, int(p)): (start[t][p], e) for t, parts in end.items() for p, e in parts.items()}


def rows(follower: PartitionFollower, start: Offsets, end: Offsets) -> pa.Table:
    """What the driver fetches."""
    return fetched.table(follower.read(ranges(start, end)), headers=True).sort_by(ORDER)


def handed_over(spark: SparkSession, client: dict[str, str], start: Any, end: Any) -> pa.Table:
    """What Spark hands over."""
    frame = received(between(spark, client, NAMES, start, end), TOPICS)
    return frame.toArrow().cast(fetched.SCHEMA).sort_by(ORDER)


def transaction(client: dict[str, str], name: str, *, commit: bool) -> None:
    with producing("confluent-kafka", client, "none", "transactional", name) as outside:
        outside.begin()
        outside.send([Sent(SHELF, f"{name} {n}".encode(), partition=0) for n in range(5)])
        outside.end(commit=commit)


def test_they_are_the_same_records_batch_by_batch(
    spark: SparkSession, client: dict[str, str], follower: PartitionFollower
) -> None:
    marks = [topics.end_offsets(client, NAMES)]
    odd = (("version", b"\xff7"), ("producer", b"a"), ("producer", b"b"), ("other", b""))
    for sent in (adversarial(), generated(500), []):
        send(client, sent)
        marks.append(topics.end_offsets(client, NAMES))
    with producing("confluent-kafka", client, "zstd", "idempotent") as outside:
        outside.send([Sent(SHELF, None, None, odd), Sent(SHELF, b"", b"", ())])
    marks.append(topics.end_offsets(client, NAMES))
    for number, commit in enumerate((True, False, True, False)):
        transaction(client, f"fetched-{number}", commit=commit)
        marks.append(topics.end_offsets(client, NAMES))
    for start, end in pairwise(marks):
        assert rows(follower, start, end).equals(handed_over(spark, client, start, end))
    whole = rows(follower, marks[0], marks[-1])
    assert whole.equals(handed_over(spark, client, marks[0], marks[-1])), "begun anew"
    assert whole.num_rows > 500


def test_what_is_not_there_any_more_is_refused_and_what_is_there_read_afterwards(
    client: dict[str, str], follower: PartitionFollower
) -> None:
    end = topics.end_offsets(client, NAMES)
    beyond = {t: {p: e + 10 for p, e in parts.items()} for t, parts in end.items()}
    with pytest.raises(BrokerError):
        follower.read(
            ranges(beyond, {t: {p: e + 1 for p, e in b.items()} for t, b in beyond.items()}), 5.0
        )
    send(client, generated(20))
    now = topics.end_offsets(client, NAMES)
    taken = sum(now[t][p] - e for t, parts in end.items() for p, e in parts.items())
    assert rows(follower, end, now).num_rows == taken > 0, (
        "the broker refuses some: a compacted topic wants a key"
    )


def test_parts_of_a_batch_are_fetched_as_well_and_nothing_is_asked_of_spark(
    spark: SparkSession, client: dict[str, str], follower: PartitionFollower, tmp_path: Path
) -> None:
    pipeline = Pipeline(load_settings(lake_root=tmp_path), spark, client, folding())
    before = pipeline.ends()
    send(client, [Record(SHELF, orjson.dumps(moved(n)), b"A") for n in range(20)])
    ends, names = pipeline.ends(), [topic.name for topic in pipeline.plan.topics]
    offsets = {t: {p: (before[t][p], end) for p, end in ends[t].items()} for t in names}
    committer = DriverCommitter(tmp_path, 1000, follower=follower)
    sink: Sink[pa.Table] = Sink(committer, DriverCommitter(tmp_path, 0, shared=True))
    parted = PartedProcessor(pipeline.plan, sink, Publisher(client), "parts", lambda _: offsets)
    refusing = spark.sql(
        "SELECT 'none' AS topic, 0 AS kafka_partition, "
        "CAST(raise_error('read by Spark') AS BIGINT) AS kafka_offset"
    )
    positions, taken = Positions(offsets), 0
    for part in positions.whole.split(2):
        counts, _ = parted.part(refusing, 0, positions, part, NOW)
        taken += sum(of_topic.rows_in for of_topic in counts.values())
    assert taken == positions.whole.size > 0
