"""The embedded broker as a container has it on a cluster: with the secrets that `lakeshelf init compose` writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from lakeshelf.cli.platform import scaffolding
from lakeshelf.errors import BrokerError, ConfigurationError
from lakeshelf.kafka import topics
from lakeshelf.settings import Settings, load_settings
from lakeshelf.stack.embedded import users
from lakeshelf.stack.embedded.broker import Broker
from lakeshelf.stack.embedded.clients import client_settings, running_client
from lakeshelf.stack.embedded.secured import AUTHORITY, USERS, Secured
from tests.support import eventually


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Secrets as they lie on the machine of who owns them."""
    secrets = tmp_path_factory.mktemp("secrets")
    scaffolding.write_secrets(secrets, scaffolding.compose_files())
    return secrets


@pytest.fixture(scope="module")
def host(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of the host of a broker that runs."""
    settings = load_settings(
        lake_root=tmp_path_factory.mktemp("lake") / "lake", broker_security=folder
    )
    broker = Broker(settings)
    broker.start(die_with_parent=True)
    broker.wait_healthy()
    yield settings
    broker.kill()


def user(host: Settings, folder: Path, **others: object) -> Settings:
    """Settings of a client elsewhere."""
    return load_settings(
        lake_root=host.lake_root,
        bootstrap_servers=Broker(host).bootstrap_servers,
        **{
            "kafka_username": scaffolding.KAFKA_USER,
            "kafka_ca_file": folder / AUTHORITY,
            "kafka_password_file": folder / "kafka_password",
            **others,
        },
    )


@pytest.mark.slow
def test_the_user_of_the_secrets_may_do_everything(host: Settings, folder: Path) -> None:
    client = client_settings(user(host, folder))
    topics.ensure_all(client)
    assert "shelf_events" in topics.ids(client, ["shelf_events"])


@pytest.mark.slow
def test_its_own_host_reaches_it_by_its_certificate(host: Settings) -> None:
    assert topics.ids(running_client(host), ["nothing"]) == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    "others",
    [
        {"kafka_username": "somebody"},
        {"kafka_username": None, "kafka_password_file": None, "kafka_ca_file": None},
    ],
)
def test_nobody_else_is_let_in(host: Settings, folder: Path, others: dict[str, object]) -> None:
    client = client_settings(user(host, folder, **others))
    with pytest.raises(BrokerError):
        topics.ids(client, ["shelf_events"])


@pytest.mark.slow
@pytest.mark.parametrize("is_told", [False, True])
def test_new_secrets_are_in_force_once_the_broker_starts_again(
    host: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch, is_told: bool
) -> None:
    """Its data are older than the password; where nobody tells it the new one, it knows the old one alone."""
    if not is_told:
        monkeypatch.setattr(users, "renew", lambda *_: None)
    scaffolding.write_secrets(folder, scaffolding.compose_files())
    broker = Broker(host)
    broker.stop()
    broker.start(die_with_parent=True)
    broker.wait_healthy()
    if is_told:
        eventually(lambda: is_let_in(user(host, folder)), "the broker knows the new password")
    else:
        assert not is_let_in(user(host, folder))


@pytest.mark.slow
def test_who_is_taken_out_of_the_users_is_not_let_in_any_more(host: Settings, folder: Path) -> None:
    kept = json.loads((folder / USERS).read_text())
    (folder / "leaver").write_text("so-long")
    (folder / "leaver").chmod(0o600)
    leaver = user(host, folder, kafka_username="leaver", kafka_password_file=folder / "leaver")
    for known in (kept | {"leaver": "so-long"}, kept):
        (folder / USERS).write_text(json.dumps(known))
        broker = Broker(host)
        broker.stop()
        broker.start(die_with_parent=True)
        broker.wait_healthy()
        eventually(lambda: is_let_in(user(host, folder)), "the broker has its users")
        eventually(lambda: is_let_in(leaver) == ("leaver" in known), f"of {len(known)} users")  # noqa: B023


def is_let_in(settings: Settings) -> bool:
    """Whether the broker answers this user."""
    try:
        return bool(AdminClient(client_settings(settings)).list_topics(timeout=2).brokers)
    except KafkaException:
        return False


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"certificate\.pem: the file cannot be read"):
        Secured.read(tmp_path)
    scaffolding.write_secrets(tmp_path, scaffolding.compose_files())
    Secured.read(tmp_path)
    for content, problem in (
        ([1], "does not tell users and passwords"),
        ({}, "does not tell users and passwords"),
        ({"ann;User:ben": "open-sesame"}, "'ann;User:ben' is no name of a user"),
        ({'a"b': "open-sesame"}, "is no name of a user"),
        ({"ann": 271828}, "the password of ann is no text"),
        ({"ann": ""}, "or an empty one"),
    ):
        (tmp_path / USERS).write_text(json.dumps(content))
        with pytest.raises(ConfigurationError, match=problem) as refused:
            Secured.read(tmp_path)
        assert "271828" not in str(refused.value)
        assert "open-sesame" not in str(refused.value)
