"""Whatever keeps a client from Kafka is told in one line: what failed, by which setting, what to do."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AclOperation  # type: ignore[attr-defined]

from lakeshelf.components import service
from lakeshelf.components.registry import module
from lakeshelf.errors import BrokerError, ConfigurationError
from lakeshelf.kafka import consuming, handles, refusals, topics
from lakeshelf.kafka.handles import Admin
from lakeshelf.settings import Settings, project_home
from lakeshelf.stack.embedded.clients import client_settings
from lakeshelf.streams.commit.publisher import Publisher
from tests.kafka.certificates import DAY, Authority
from tests.kafka.secured import Place

pytestmark = pytest.mark.slow

HEARD_S = 8.0
"""In so long a handshake comes to its end, also on a busy machine."""
UNKNOWN = {"kafka_username": "zed", "kafka_password": "open-sesame"}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is there after a handshake; how long a broker may take to answer is not what is tested."""
    monkeypatch.setattr(topics, "TIMEOUT", HEARD_S)


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A CA that the broker does not know."""
    return Authority(tmp_path_factory.mktemp("foreign"), "foreign")


def line(settings: Settings) -> str:
    """What is said to somebody who cannot come."""
    with pytest.raises(BrokerError) as refused:
        topics.end_offsets(client_settings(settings), ["clock"])
    text = str(refused.value)
    assert text.startswith(f"no broker answers at {settings.bootstrap_servers}: ")
    assert "\n" not in text
    assert "open-sesame" not in text
    return text


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"])
def test_an_unknown_user_and_another_password_are_named(secured: Place, mechanism: str):
    for user in ("zed", "ann"):
        text = line(
            secured.settings(**UNKNOWN | {"kafka_username": user}, kafka_mechanism=mechanism)
        )
        assert f"refuses user {user} (setting kafka_username) by {mechanism}: unknown there" in text
        assert "; correct kafka_username, and kafka_password_file or kafka_password" in text


def test_without_what_the_client_hears_nobody_would_know_why(
    secured: Place, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(handles.ConnectionMemory, "_hear", lambda *_: None)
    assert "zed" not in line(secured.settings(**UNKNOWN))


def test_a_password_that_begins_with_a_blank_is_sent_whole(secured: Place):
    assert Admin(client_settings(secured.of_user("dan"))).list_topics(timeout=60).brokers


def test_a_token_that_cannot_be_fetched_is_told_with_its_address(secured: Place):
    place = "http://127.0.0.1:9/token"
    token = {"kafka_mechanism": "OAUTHBEARER", "kafka_token_url": place}
    assert f"no token for user zed (setting kafka_username) from kafka_token_url = {place}" in line(
        secured.settings(**UNKNOWN, **token)
    )


@pytest.mark.parametrize("known", [True, False])
def test_a_certificate_of_no_ca_that_is_believed_is_told_with_the_setting(
    secured: Place, foreign: Authority, known: bool
):
    file = foreign.file if known else None
    text = line(secured.of_user("bob", kafka_ca_file=file))
    assert (f"kafka_ca_file = {file}" if known else "kafka_ca_file is unset") in text
    assert "; set kafka_ca_file to the PEM of the CA that signed it" in text


def test_a_certificate_of_another_name_is_told_with_the_name(secured: Place):
    port = secured.broker.bootstrap_servers.rpartition(":")[2]
    text = line(secured.of_user("bob", bootstrap_servers=f"localhost:{port}"))
    assert "its certificate is not for localhost (setting bootstrap_servers); name Kafka as" in text


def test_a_certificate_that_is_over_is_told_so(secured: Place):
    with serving(secured.authority.issue("over", lasts=-DAY, ip="127.0.0.1")) as port:
        text = line(secured.of_user("bob", bootstrap_servers=f"127.0.0.1:{port}"))
    assert "cannot be believed: certificate has expired; have Kafka's administrator renew" in text


@contextlib.contextmanager
def serving(certificate: Path) -> Iterator[int]:
    """The port of a server that shows a certificate and says no more."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with contextlib.suppress(OSError), connection:
                        context.wrap_socket(connection, server_side=True).close()

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)


def test_own_certificates_that_are_missing_foreign_or_over_are_told_with_the_file(
    secured: Place, foreign: Authority
):
    there = {"bootstrap_servers": secured.tls_servers}
    assert "setting kafka_cert_file is unset; set kafka_cert_file and kafka_key_file" in line(
        secured.settings(**there)
    )
    for file in (foreign.issue("eve"), secured.authority.issue("old", lasts=-DAY)):
        text = line(secured.settings(kafka_cert_file=file, kafka_key_file=file, **there))
        assert f"refuses the certificate of kafka_cert_file = {file}" in text
        assert f"; run `openssl x509 -noout -enddate -issuer -in {file}`" in text


def test_a_key_of_another_certificate_is_refused_before_anything_connects(secured: Place):
    own, other = secured.authority.issue("own"), secured.authority.issue("other")
    settings = secured.settings(kafka_cert_file=own, kafka_key_file=other)
    with pytest.raises(
        ConfigurationError, match=r"key values mismatch; correct the settings kafka_"
    ):
        Admin(client_settings(settings))


def test_security_that_is_not_that_of_the_port_is_told(secured: Place, client: dict[str, str]):
    plain = secured.settings(kafka_ca_file=None)
    assert "it speaks TLS, and setting kafka_security is plaintext; set" in line(plain)
    elsewhere = secured.of_user("bob", bootstrap_servers=client["bootstrap.servers"])
    assert (
        "as a port in plain text does (kafka_security: SASL_SSL); correct kafka_security"
        in line(elsewhere)
    )
    bare = {"kafka_security": "sasl_plaintext", "kafka_ca_file": None}
    text = line(elsewhere.model_copy(update=bare))
    assert "does not take setting kafka_mechanism = SCRAM-SHA-512: its mechanisms are none" in text


def _publish(client: dict[str, str]) -> None:
    publisher = Publisher(client)
    publisher.records("clock", [b"a"], [b"{}"])
    publisher.flush()


def _replay(client: dict[str, str]) -> None:
    module(project_home(), "replay").Sender(client["bootstrap.servers"], client).require(["clock"])


ACTS: dict[str, Callable[[dict[str, str]], Any]] = {
    "topic clock cannot be described": lambda client: topics.ids(client, ["clock"]),
    "cannot be created": topics.ensure_all,
    "topic clock cannot be read": lambda client: list(consuming.records(client, "clock")),
    "not acknowledged: 1 message": _publish,
}


@pytest.mark.parametrize("what", ACTS)
def test_what_no_acl_allows_is_told_with_the_user(secured: Place, what: str):
    with pytest.raises(BrokerError) as refused:
        ACTS[what](client_settings(secured.of_user("guest")))
    text = str(refused.value)
    assert f"{what}: user guest (setting kafka_username) may not do that with this topic" in text
    assert "`lakeshelf contracts acls` prints what each service needs" in text


def test_who_may_only_see_a_topic_cannot_read_it(secured: Place):
    secured.allow("ida", AclOperation.DESCRIBE, topic="clock")
    _publish(secured.master)
    with pytest.raises(BrokerError, match="may not do that with this topic"):
        list(consuming.records(client_settings(secured.of_user("ida")), "clock"))


def test_a_group_that_no_acl_allows_is_told_with_the_user(
    secured: Place, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(service, "ANSWER_S", HEARD_S)
    secured.allow("bob", AclOperation.READ, topic="clock")
    leader = service.Leader(client_settings(secured.of_user("bob")), "producer-pos")
    try:
        with pytest.raises(BrokerError) as refused:
            leader.reached()
    finally:
        leader.close()
    what = "no broker tells how far producer-pos is: user bob (setting kafka_username)"
    assert str(refused.value).startswith(f"{what} may not do that with this group; ")


def test_the_replay_says_the_same(secured: Place):
    with pytest.raises(BrokerError, match=r"refuses user zed \(setting kafka_username\)"):
        _replay(client_settings(secured.settings(**UNKNOWN)))


def test_an_error_that_nothing_explains_is_told_as_it_is():
    error = refusals.refusal("it failed", OSError("no luck"), hint="try again")
    assert str(error) == "it failed: no luck; try again"
