"""Each service may do what it needs and nothing else: what it is allowed works, what it is not is denied."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    NewTopic,
)

from lakeshelf.components import permissions
from lakeshelf.components.permissions import BOOTSTRAP, Operation
from lakeshelf.contracts import CATALOG
from lakeshelf.settings import project_home
from lakeshelf.stack.embedded.clients import client_settings
from tests.conftest import Run
from tests.kafka.secured import OPERATIONS, Place

NEEDED = permissions.permissions((project_home(),))
SERVICES = sorted({one.service for one in NEEDED})
DENIED = KafkaError.TOPIC_AUTHORIZATION_FAILED


def test_services_are_jobs_components_and_who_comes_beside_them():
    assert {"bootstrap", "jobs", "clock", "replay", "people", "api"} < set(SERVICES)
    assert {"producer-pos", "dataset-publisher", "removal-scheduler"} < set(SERVICES)


def test_they_are_printed_as_commands_and_as_data(lakeshelf: Run):
    printed = lakeshelf("contracts", "acls", "--service", "producer-pos")
    tool = 'kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add'
    assert printed.out.splitlines() == [
        f"{tool} --allow-principal User:producer-pos --operation Read "
        "--group lakeshelf-producer-pos --group lakeshelf-producer-shelf",
        f"{tool} --allow-principal User:producer-pos --operation Read "
        "--topic clock --topic pos_transactions",
        f"{tool} --allow-principal User:producer-pos --operation Write "
        "--topic pos_transactions --topic quarantine",
    ]
    other = lakeshelf("contracts", "acls", "--service", "jobs", "--principal", "User:it's me")
    assert (
        "--allow-principal 'User:it'\"'\"'s me' --operation Read --resource-pattern-type prefixed"
        in (other.out)
    )
    assert (
        "no service 'job'; name one of" in lakeshelf("contracts", "acls", "--service", "job").error
    )


def test_topics_are_printed_as_commands(lakeshelf: Run):
    lines = lakeshelf("contracts", "topics", "--replication", "2").out.splitlines()
    assert len(lines) == len(CATALOG.topics)
    (clock,) = (line for line in lines if "--topic clock " in line)
    assert "--partitions 1 --replication-factor 2 --config cleanup.policy=compact" in clock


@pytest.fixture(scope="module")
def allowed(secured: Place) -> Place:
    """The broker, after everything that services need was allowed."""
    for service in SERVICES:
        secured.allow_services(service, [service], project_home())
    return secured


def as_service(place: Place, service: str) -> dict[str, str]:
    """Settings of librdkafka for a service, which shows a certificate."""
    own = place.authority.issue(service)
    return client_settings(
        place.settings(bootstrap_servers=place.tls_servers, kafka_cert_file=own, kafka_key_file=own)
    )


def with_operation(service: str, operation: Operation) -> set[str]:
    """Topics with which a service may do something."""
    own = (one for one in NEEDED if one.service == service and one.resource == "topic")
    return {one.name for one in own if operation in one.operations}


@pytest.mark.slow
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_do_what_it_needs_and_is_denied_all_else(allowed: Place, service: str):
    client = as_service(allowed, service)
    admin = AdminClient(client)
    visible = admin.describe_topics(
        TopicCollection(list(CATALOG.topics)), include_authorized_operations=True
    )
    for topic, future in visible.items():
        expected = {op for op in OPERATIONS if topic in with_operation(service, op)}
        if not expected:
            with pytest.raises(KafkaException) as refused:
                future.result()
            assert refused.value.args[0].code() == DENIED
            continue
        operations = {operation.name for operation in future.result().authorized_operations}
        implied = {"DESCRIBE"} | ({"DESCRIBE_CONFIGS"} if "AlterConfigs" in expected else set())
        assert operations == {OPERATIONS[op].name for op in expected} | implied, topic
    writable, readable = with_operation(service, "Write"), with_operation(service, "Read")
    assert not_written(client, CATALOG.topics.keys() - writable) == set()
    seen = {one.name for one in NEEDED if one.service == service and one.resource == "topic"}
    assert not_denied_to_read(client, seen - readable) == set()
    assert refusal_of_a_group(admin) == KafkaError.GROUP_AUTHORIZATION_FAILED
    assert refusal_of_a_new_topic(admin) == DENIED


def not_written(client: dict[str, str], topics: Iterable[str]) -> set[str]:
    """Those of the topics that take a record after all."""
    denied: set[str] = set()

    def delivered(error: KafkaError | None, message: object) -> None:
        if error is not None and error.code() == DENIED:
            denied.add(message.topic())  # type: ignore[attr-defined]

    producer = Producer({**client, "message.timeout.ms": 120_000})
    for topic in topics:
        producer.produce(topic, b"{}", b"key", on_delivery=delivered)
    producer.flush(150)
    return set(topics) - denied


def not_denied_to_read(client: dict[str, str], topics: Iterable[str]) -> set[str]:
    """Those of the topics of which the broker does not say that they must not be read."""
    left = set(topics)
    consumer = Consumer({**client, "group.id": "lakeshelf-reader", "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition(topic, 0, 0) for topic in left])
    try:
        while left and (message := consumer.poll(120)) is not None:
            assert message.error() is not None, message.topic()
            if message.error().code() == DENIED:
                left.discard(str(message.topic()))
    finally:
        consumer.close()
    return left


def refusal_of_a_group(admin: AdminClient) -> int:
    """What the broker says to one who asks how far others are."""
    asked = [ConsumerGroupTopicPartitions("of-others")]
    with pytest.raises(KafkaException) as refused:
        admin.list_consumer_group_offsets(asked)["of-others"].result()
    return int(refused.value.args[0].code())


def refusal_of_a_new_topic(admin: AdminClient) -> int:
    """What the broker says to one who makes a topic that no contract has."""
    with pytest.raises(KafkaException) as refused:
        admin.create_topics([NewTopic("of-no-contract", 1)])["of-no-contract"].result()
    return int(refused.value.args[0].code())


@pytest.mark.slow
def test_bootstrap_finds_every_topic_and_may_make_each(allowed: Place):
    from lakeshelf.kafka import topics

    client = as_service(allowed, BOOTSTRAP)
    assert {one.outcome for one in topics.ensure_all(client)} == {"unchanged"}
    admin = AdminClient(client)
    for topic in CATALOG.topics:
        with pytest.raises(KafkaException) as refused:
            admin.create_topics([NewTopic(topic, 1)])[topic].result()
        assert refused.value.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS
