"""Topics are created from the contract; one whose settings differ is reported and left alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
)

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.derived.kafka import settings as topic_settings
from lakeshelf.errors import BrokerError
from lakeshelf.kafka import open_transactions, topic_counts, topics
from lakeshelf.kafka.topic_counts import TopicCount
from tests.support import eventually

pytestmark = pytest.mark.slow

RETENTION = "retention.ms"


def change(client: dict[str, str], topic: str, value: str) -> None:
    entry = ConfigEntry(RETENTION, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
    admin = AdminClient(dict(client))
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(30)


def ensured(client: dict[str, str]) -> dict[str, topics.Ensured]:
    return {found.topic: found for found in topics.ensure_all(client)}


@pytest.fixture
def changed(client: dict[str, str]) -> Iterator[str]:
    """A topic that someone altered."""
    topic = "lost_sales"
    change(client, topic, "60000")
    yield topic
    change(client, topic, topic_settings(CATALOG.topics[topic])[RETENTION])


def test_every_topic_is_created_once(client: dict[str, str]) -> None:
    found = ensured(client)
    assert list(found) == list(CATALOG.topics)
    assert {e.outcome for e in found.values()} == {"unchanged"}


def test_a_topic_that_was_altered_is_reported_and_left_alone(
    client: dict[str, str], changed: str
) -> None:
    eventually(lambda: ensured(client)[changed].outcome == "differs", "the broker tells the change")
    found = ensured(client)
    wanted = topic_settings(CATALOG.topics[changed])[RETENTION]
    assert found[changed].differences == ((RETENTION, "60000", wanted),)
    assert {e.topic for e in found.values() if e.outcome != "unchanged"} == {changed}


def test_a_topic_that_differs_gets_the_settings_of_the_contract_when_somebody_asks(
    client: dict[str, str], changed: str
) -> None:
    eventually(lambda: ensured(client)[changed].outcome == "differs", "the broker tells the change")
    altered = topics.alter(client, ensured(client).values())
    assert {e.outcome for e in altered} == {"unchanged"}
    eventually(lambda: ensured(client)[changed].outcome == "unchanged", "the topic is as declared")


def test_records_are_counted_that_can_be_read(client: dict[str, str]) -> None:
    """Neither what was aborted nor the markers of transactions, nor what was deleted."""
    topic = "foot_traffic"
    before = topic_counts.readable(client, [topic, "no_such_topic"])
    assert before.keys() == {topic}
    producer = Producer({**client, "transactional.id": "counted"})
    producer.init_transactions()
    for end in (producer.abort_transaction, producer.commit_transaction):
        producer.begin_transaction()
        for _ in range(5):
            producer.produce(topic, b"{}", partition=0)
        producer.flush()
        end()
    eventually(lambda: not open_transactions.blocking(client, [topic]), "the markers are there")
    after = topic_counts.readable(client, [topic])[topic]
    assert after == TopicCount(before[topic].records + 5, exact=True)
    large = topic_counts.readable(client, [topic], most=3)[topic]
    assert not large.exact
    assert large.records >= after.records + 7
    end = topics.end_offsets(client, [topic])[topic]
    admin = AdminClient(dict(client))
    for future in admin.delete_records([TopicPartition(topic, 0, end["0"])]).values():
        future.result(30)
    assert topic_counts.readable(client, [topic])[topic].records <= end["1"]


def test_offsets_of_topics(client: dict[str, str]) -> None:
    ends = topics.end_offsets(client, ["shelf_events", "no_such_topic"])
    assert ends["no_such_topic"] == {}
    assert sorted(ends["shelf_events"]) == ["0", "1"]
    first = topics.first_offsets(client, ["shelf_events"])["shelf_events"]
    assert all(first[p] <= end for p, end in ends["shelf_events"].items())


def test_a_broker_that_does_not_answer_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "TIMEOUT", 0.5)
    nobody = {"bootstrap.servers": "127.0.0.1:9", "log_level": "0"}
    with pytest.raises(
        BrokerError, match=r"no broker answers at 127\.0\.0\.1:9.*unset `lakeshelf up`"
    ):
        topics.ensure_all(nobody)


def test_offsets_of_topics_that_are_being_made_and_made_larger(client: dict[str, str]) -> None:
    """A broker says of partitions that were just made, for a moment, that it does not lead them."""
    admin = AdminClient(dict(client))
    for n in range(10):
        topic = f"being_made_{n}"
        admin.create_topics([NewTopic(topic, 40)])[topic].result(30)
        eventually(lambda topic=topic: topics.end_offsets(client, [topic])[topic], "it is there")
        admin.create_partitions([NewPartitions(topic, 80)])[topic].result(30)
        eventually(
            lambda topic=topic: len(topics.end_offsets(client, [topic])[topic]) == 80,
            "they are there",
        )
        admin.delete_topics([topic])[topic].result(30)
