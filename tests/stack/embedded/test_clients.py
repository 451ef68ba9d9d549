"""Who only looks is told at once of a Kafka that is not there."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from lakeshelf.errors import BrokerError
from lakeshelf.settings import Settings, load_settings
from lakeshelf.stack.embedded import clients
from lakeshelf.stack.observing import status


def settings_of(lake: Path, servers: str) -> Settings:
    return load_settings(lake_root=lake, bootstrap_servers=servers)


@pytest.fixture
def closed() -> int:
    """A port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as place:
        return int(place.getsockname()[1])


def test_servers_are_read_as_clients_do() -> None:
    named = "PLAINTEXT://one:9093, two,[::1]:9094,SASL_SSL://three"
    assert list(clients._places(named)) == [
        ("one", 9093),
        ("two", 9092),
        ("::1", 9094),
        ("three", 9092),
    ]


def test_one_server_that_listens_is_enough(lake: Path, closed: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as place:
        servers = f"127.0.0.1:{closed},127.0.0.1:{place.getsockname()[1]}"
        client = clients.listening_client(settings_of(lake, servers))
    assert client["bootstrap.servers"] == servers


def test_nobody_asks_a_kafka_that_does_not_listen(
    lake: Path, closed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(lake, f"127.0.0.1:{closed}")
    with pytest.raises(BrokerError, match=rf"no broker answers at 127\.0\.0\.1:{closed}") as told:
        clients.listening_client(settings)
    monkeypatch.setattr("lakeshelf.stack.observing.lag.behind", None)  # it would wait for an answer
    assert status._kafka(settings, ()) == ({}, [], [str(told.value)])
