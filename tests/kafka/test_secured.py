"""Every client comes to a Kafka with passwords, certificates and access control."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from confluent_kafka.admin import AclOperation, AdminClient  # type: ignore[attr-defined]

from lakeshelf.kafka import authentication, consuming
from lakeshelf.kafka.authentication import java_client
from lakeshelf.settings import Settings
from lakeshelf.stack.embedded.clients import client_settings
from lakeshelf.streams.commit.publisher import Publisher
from tests.kafka import tokens
from tests.kafka.secured import PASSWORDS, Place

pytestmark = pytest.mark.slow

TOPIC, TOKEN_TOPIC = "foot_traffic", "lost_sales"
READ = (AclOperation.READ, AclOperation.DESCRIBE)


def comes(settings: Settings) -> bool:
    """Whether Kafka answers; to one who may see no topic, too."""
    return bool(AdminClient(client_settings(settings)).list_topics(timeout=60).brokers)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"])
@pytest.mark.parametrize("user", ["ann", "bob"])
def test_a_user_comes_by_every_mechanism_whatever_the_password(
    secured: Place, password_file: Path, user: str, mechanism: str
):
    password_file.write_text(PASSWORDS[user] + "\n")
    chosen = {"kafka_mechanism": mechanism, "kafka_password_file": password_file}
    assert comes(secured.settings(kafka_username=user, **chosen))


@pytest.mark.spark
def test_what_a_user_with_an_odd_password_sends_is_read_by_python_and_by_spark(
    secured: Place, spark
):
    secured.allow("ann", AclOperation.WRITE, *READ, topic=TOPIC)
    secured.allow("carl", *READ, topic=TOPIC)
    certificate = secured.authority.issue("carl")
    own = {"kafka_cert_file": certificate, "kafka_key_file": certificate}
    ann = [
        client_settings(secured.of_user("ann", kafka_mechanism=mechanism))
        for mechanism in ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")
    ]
    carl = client_settings(secured.settings(bootstrap_servers=secured.tls_servers, **own))
    publisher = Publisher(ann[0])
    publisher.records(TOPIC, [b"a"], [b"1"])
    publisher.flush()
    for client in (*ann, carl):
        assert [record.value() for record in consuming.records(client, TOPIC)] == [b"1"]
        assert by_spark(spark, client) == [b"1"]


def by_spark(spark, client: dict[str, str], topic: str = TOPIC) -> list[bytes]:
    reader = spark.read.format("kafka").option("subscribe", topic)
    for name, value in java_client(client).items():
        reader = reader.option(f"kafka.{name}", value)
    return [bytes(row.value) for row in reader.load().collect()]


@pytest.mark.spark
def test_tokens_are_fetched_and_believed_in_python_and_in_spark(secured: Place, spark):
    secured.allow(tokens.CLIENT, AclOperation.WRITE, *READ, topic=TOKEN_TOPIC)
    with secured.provider.serving() as place:
        own = {"kafka_username": tokens.CLIENT, "kafka_password": tokens.SECRET}
        chosen = {"kafka_mechanism": "OAUTHBEARER", "kafka_token_url": place}
        client = client_settings(secured.settings(**own, **chosen))
        publisher = Publisher(client)
        publisher.records(TOKEN_TOPIC, [b"a"], [b"2"])
        publisher.flush()
        assert [record.value() for record in consuming.records(client, TOKEN_TOPIC)] == [b"2"]
        assert by_spark(spark, client, TOKEN_TOPIC) == [b"2"]


@pytest.mark.spark
def test_unescaped_the_odd_password_would_break_what_java_reads(
    secured: Place, spark, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(authentication, "_JAAS_ESCAPES", {})
    with pytest.raises(Exception, match=r"JAAS|Login|kafka"):
        by_spark(spark, client_settings(secured.of_user("ann")))


@pytest.mark.spark
def test_spark_masks_the_secrets_among_the_options_of_kafka(secured: Place, spark):
    own = secured.authority.issue("hal")
    files = {"kafka_cert_file": own, "kafka_key_file": own}
    options = java_client(client_settings(secured.of_user("bob", **files)))
    assert PASSWORDS["bob"] in options["sasl.jaas.config"]
    assert "PRIVATE KEY" in options["ssl.keystore.key"]
    scala = spark._jvm.PythonUtils.toScalaMap({f"kafka.{n}": v for n, v in options.items()})
    shown = spark._jsparkSession.sessionState().conf().redactOptions(scala).toString()
    assert "kafka.sasl.jaas.config" in shown
    assert PASSWORDS["bob"] not in shown
    assert "PRIVATE KEY" not in shown


def test_no_password_stands_in_a_list_of_processes_a_log_or_what_everybody_may_read(secured: Place):
    process = secured.broker.process
    assert process is not None
    command = Path(f"/proc/{process.pid}/cmdline").read_text()
    assert "kafka.Kafka" in command
    assert not any(password in command for password in PASSWORDS.values())
    home = secured.broker.ports_file.parent
    for file in [*home.glob("*"), secured.broker.log_file]:
        if file.is_file() and os.stat(file).st_mode & 0o077:
            assert not any(p.encode() in file.read_bytes() for p in PASSWORDS.values()), file
