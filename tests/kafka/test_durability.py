"""Topics of which less outlives a broker than could are named with what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclOperation,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
)

from lakeshelf.kafka import topics
from lakeshelf.kafka.durability import IN_SYNC, Kept
from tests.conftest import Run
from tests.kafka.secured import PASSWORDS, Place
from tests.kafka.test_refusals import HEARD_S

TOPIC = "lost_sales"


@pytest.mark.parametrize(
    ("brokers", "replicas", "in_sync", "problem", "way"),
    [
        (3, 1, 1, "one broker's disk is all that keeps it", "3 replicas by `kafka-reassign"),
        (2, 1, 1, "one broker's disk is all that keeps it", "2 replicas by `kafka-reassign"),
        (3, 3, 1, "what is acknowledged may be lost with one broker", f"{IN_SYNC}=2`"),
        (3, 2, 3, "nothing can be written to it", f"{IN_SYNC}=2`"),
        (1, 1, 2, "nothing can be written to it", f"{IN_SYNC}=1`"),
    ],
)
def test_what_would_be_lost_with_a_broker_is_told_with_the_way_out(
    brokers: int, replicas: int, in_sync: int, problem: str, way: str
):
    topic = Kept("clock", brokers, replicas, in_sync)
    numbers = f"clock has replication {replicas} and {IN_SYNC} {in_sync}"
    assert topic.problem == f"{numbers}: {problem}"
    assert way in topic.way


@pytest.mark.parametrize("numbers", [(3, 3, 2), (5, 3, 3), (2, 2, 2), (1, 1, 1)])
def test_what_is_kept_as_well_as_it_can_is_in_order(numbers: tuple[int, int, int]):
    assert Kept("clock", *numbers).problem == ""


@pytest.fixture
def erin(secured: Place, lake: Path, password_file: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The environment of a user who may look at topics."""
    secured.allow("erin", AclOperation.READ, AclOperation.DESCRIBE_CONFIGS)
    password_file.write_text(PASSWORDS["erin"] + "\n")
    for name, value in {
        "BOOTSTRAP_SERVERS": secured.broker.bootstrap_servers,
        "KAFKA_USERNAME": "erin",
        "KAFKA_PASSWORD_FILE": password_file,
        "KAFKA_CA_FILE": secured.authority.file,
    }.items():
        monkeypatch.setenv(f"LAKESHELF_{name}", str(value))
    return secured


def checks(lakeshelf: Run, *names: str) -> list[tuple[bool, str]]:
    """What `doctor` says of some things."""
    found = json.loads(lakeshelf("doctor", *names, "--json").out)["checks"]
    return [(check["ok"], check["message"]) for check in found]


def keep_by(place: Place, in_sync: str) -> None:
    """Give a topic another `min.insync.replicas`."""
    entry = ConfigEntry(IN_SYNC, in_sync, incremental_operation=AlterConfigOpType.SET)
    topic = ConfigResource(ConfigResource.Type.TOPIC, TOPIC, incremental_configs=[entry])
    admin = AdminClient(place.master)  # its answers come while it lives
    admin.incremental_alter_configs([topic])[topic].result()


@pytest.mark.slow
def test_doctor_tells_how_a_kafka_of_others_is_reached_and_keeps_its_topics(
    erin: Place, lakeshelf: Run
):
    servers = erin.broker.bootstrap_servers
    alone = "1 broker, at least 1 replica of each topic: what it has is lost with its disk"
    assert checks(lakeshelf, "kafka", "replication") == [
        (True, f"answers at {servers} by sasl_tls"),
        (True, alone),
    ]
    keep_by(erin, "2")
    try:
        problem = f"{TOPIC} has replication 1 and {IN_SYNC} 2: nothing can be written to it"
        assert checks(lakeshelf, "replication") == [(False, problem)]
    finally:
        keep_by(erin, "1")
    assert checks(lakeshelf, "replication") == [(True, alone)]


@pytest.mark.slow
def test_doctor_tells_of_a_wrong_password_and_of_security_without_servers(
    erin: Place, lakeshelf: Run, password_file: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(topics, "TIMEOUT", HEARD_S)
    password_file.write_text("open-sesame")
    ((ok, message),) = checks(lakeshelf, "kafka")
    assert not ok
    assert "refuses user erin (setting kafka_username)" in message
    assert "open-sesame" not in message
    monkeypatch.delenv("LAKESHELF_BOOTSTRAP_SERVERS")
    problems = [text for ok, text in checks(lakeshelf, "kafka") if not ok]
    assert len(problems) == 1
    assert (
        "security of Kafka is set (sasl_tls), and setting bootstrap_servers is not" in problems[0]
    )
