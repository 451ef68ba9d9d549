"""Clients that are not ours: what they send is folded once or refused, what we send they can read."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import kafka
import pytest
from pyspark.sql import SparkSession

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.validate import check
from lakeshelf.kafka import open_transactions, topics
from lakeshelf.kafka.consuming import between, reader
from lakeshelf.settings import Settings, load_settings

from .harness import folding
from .outside import (
    CODECS,
    MAKES,
    WAYS,
    Client,
    Running,
    Sent,
    keeping_times,
    producing,
    restock,
)
from .pipeline import consume

pytestmark = pytest.mark.slow
FAR_FUTURE_MS = 4_102_444_800_000
"""The year 2100."""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(lake_root=tmp_path_factory.mktemp("outside") / "lake")


@pytest.fixture(scope="module")
def running(own: Settings, spark: SparkSession, client: Client) -> Iterator[Running]:
    """The query of all jobs that fold events, at work."""
    made = Running(folding(), own, client)
    made.start(spark)
    yield made
    made.stop()


@pytest.mark.parametrize("make", MAKES)
def test_an_aborted_unit_is_no_stock_and_its_retry_no_conflict(
    running: Running, client: Client, make: str
) -> None:
    shelf = f"{make}-retried"
    refused = len(running.refused())
    with producing(make, client, "lz4", "transactional", f"{make}-retry") as outside:
        for quantity, commit in ((3, False), (7, True)):
            outside.begin()
            unit = [restock(f"{shelf}-{n}", shelf, quantity) for n in range(5)]
            outside.send([Sent("shelf_events", value, shelf.encode()) for value in unit])
            outside.end(commit=commit)
    running.catch_up()
    assert running.balance(shelf) == 35
    assert len(running.refused()) == refused


def test_a_query_gets_past_units_that_end_in_nothing(running: Running, client: Client) -> None:
    """The last offsets of the topic are aborted records and markers, which nobody can read."""
    with producing("confluent-kafka", client, "none", "transactional", "nothing") as outside:
        for _ in range(3):
            outside.begin()
            outside.send([Sent("shelf_events", restock("nothing", "nothing"), partition=0)])
            outside.end(commit=False)
    running.catch_up()
    assert running.balance("nothing") is None
    ends = topics.end_offsets(client, ["shelf_events"])["shelf_events"]
    assert running.reached("shelf_events")["0"] == ends["0"]
    assert topics.end_offsets(client, ["shelf_events"], committed=False)["shelf_events"] == ends
    consumer = reader(client, "tests")
    left = list(between(consumer, {("shelf_events", 0): (ends["0"] - 6, ends["0"])}))
    consumer.close()
    assert left == []


def test_an_open_unit_keeps_what_follows_from_being_read(running: Running, client: Client) -> None:
    running.catch_up()
    with (
        producing("confluent-kafka", client, "none", "transactional", "open") as outside,
        producing("kafka-python", client, "none", "plain") as other,
    ):
        outside.begin()
        outside.send([Sent("shelf_events", restock("open", "open", 2), partition=0)])
        other.send([Sent("shelf_events", restock("behind", "open", 5), partition=0)])
        running.catch_up(opened=1)
        assert running.balance("open") is None
        (held,) = open_transactions.blocking(client, ["shelf_events", "clock"])
        assert (held.topic, held.partition, held.waiting) == ("shelf_events", 0, 2)
        assert held.since is not None
        assert [held.outlasts(60, held.since + timedelta(seconds=s)) for s in (59, 61)] == [
            False,
            True,
        ]
        outside.end(commit=True)
    running.catch_up()
    assert running.balance("open") == 7


def test_every_client_is_read_whatever_it_compresses_with(running: Running, client: Client) -> None:
    shelves = []
    for make, codec, way in itertools.product(MAKES, CODECS, WAYS):
        shelf = f"{make}-{codec}-{way}"
        shelves.append(shelf)
        with producing(make, client, codec, way) as outside:
            if way == "transactional":
                outside.begin()
            outside.send(
                [Sent("shelf_events", restock(f"{shelf}-{n}", shelf, n)) for n in range(1, 101)]
            )
            if way == "transactional":
                outside.end(commit=True)
    running.catch_up()
    assert {running.balance(shelf) for shelf in shelves} == {5050}


@pytest.mark.parametrize("make", MAKES)
def test_keys_headers_and_times_of_their_own_change_nothing(
    running: Running, client: Client, make: str
) -> None:
    """The topics stamp records when they arrive; a key of an event decides its partition alone."""
    shelf = f"{make}-own"
    odd = [
        {"key": None},
        {"key": b""},
        {"key": b"another shelf"},
        {"key": b"\xff\xfe"},
        {"headers": (("version", b"x"), ("producer", b"\xff"), ("trace", b""))},
        {"headers": (("a", b"1"), ("a", b"2"))},
        *({"time": time} for time in (0, 1, 1_000_000_000_000, FAR_FUTURE_MS)),
    ]
    if make == "kafka-python":
        odd.append({"time": -1})
    with producing(make, client, "none", "plain") as outside:
        outside.send(
            [
                Sent("shelf_events", restock(f"{shelf}-{n}", shelf), **more)
                for n, more in enumerate(odd)
            ]
        )
    running.catch_up()
    assert running.balance(shelf) == len(odd)
    stamps = {
        r["kafka_timestamp"].year for r in running.raw("shelf_events") if r["shelf_id"] == shelf
    }
    assert stamps.isdisjoint({1970, 2001, 2100})


def test_times_of_producers_do_no_harm_where_a_topic_keeps_them(
    running: Running, client: Client
) -> None:
    """A record of now comes first: retention would take a segment in which all are old."""
    ends = topics.end_offsets(client, ["quarantine"])["quarantine"]
    with (
        keeping_times(client, "shelf_events"),
        producing("kafka-python", client, "none", "plain") as outside,
    ):
        for n, time in enumerate((None, 0, 1, 1_000_000_000_000)):
            value = restock(f"kept-{n}", "kept")
            outside.send([Sent("shelf_events", v, b"kept", time=time) for v in (value, b"{")])
        running.catch_up()
    assert running.balance("kept") == 4
    stamps = {
        r["kafka_timestamp"].year for r in running.raw("shelf_events") if r["shelf_id"] == "kept"
    }
    assert {1970, 2001} <= stamps
    found = consume(client, "quarantine", ends)
    assert [check(CATALOG.topics["quarantine"], r.value, r.key) for r in found] == [None] * 4


@pytest.mark.parametrize("make", MAKES)
def test_what_is_refused_is_kept_whoever_sent_it(
    running: Running, client: Client, make: str
) -> None:
    with producing(make, client, "zstd", "idempotent") as outside:
        outside.send(
            [
                Sent("shelf_events", None, make.encode()),
                Sent("shelf_events", b"", make.encode()),
                Sent("shelf_events", b"\x00\x01", make.encode()),
                Sent("wh_events", b"[]", make.encode()),
            ]
        )
    running.catch_up()
    kept = [r for r in running.refused() if r["key"] == make.encode()]
    assert sorted(r["reason"] for r in kept) == ["not_json", "not_json", "not_json", "not_object"]


def test_both_clients_read_every_topic_that_the_query_writes(
    running: Running, client: Client
) -> None:
    with producing("confluent-kafka", client, "none", "plain") as outside:
        outside.send([Sent("shelf_events", b"{", b"S1"), Sent("shelf_events", restock("r", "R"))])
    running.catch_up()
    written = (*sorted(running.plan.published), "quarantine")
    ends = topics.end_offsets(client, written)
    sent = {name: sum(parts.values()) for name, parts in ends.items()}
    assert min(sent["shelf_state"], sent["quarantine"]) > 0
    assert _read_by_confluent(client, written) == _read_by_kafka_python(client, written) == sent


def _read_by_confluent(client: Client, names: tuple[str, ...]) -> dict[str, int]:
    consumer = reader(client, "tests")
    ends = topics.end_offsets(client, names)
    places = {(name, int(p)): (0, end) for name in names for p, end in ends[name].items()}
    found = Counter(str(message.topic()) for message in between(consumer, places))
    consumer.close()
    return {name: found[name] for name in names}


def _read_by_kafka_python(client: Client, names: tuple[str, ...]) -> dict[str, int]:
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=client["bootstrap.servers"], isolation_level="read_committed"
    )
    found = dict.fromkeys(names, 0)
    places = [
        kafka.TopicPartition(name, p)
        for name in names
        for p in range(CATALOG.topics[name].partitions)
    ]
    consumer.assign(places)
    consumer.seek_to_beginning()
    ends = consumer.end_offsets(places)
    while any(consumer.position(place) < end for place, end in ends.items()):
        for place, records in consumer.poll(1000).items():
            found[place.topic] += len(records)
    consumer.close()
    return found
