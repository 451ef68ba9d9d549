"""Which Kafka is meant, and how a librdkafka client reaches and authenticates with it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

from lakeshelf.errors import BrokerError
from lakeshelf.kafka.authentication import authentication
from lakeshelf.settings import Settings
from lakeshelf.stack.embedded.broker import Broker

PORT = 9092
"""Port of a server that is named without one."""
REACHED_S = 2.0
"""How long a server may take to take a connection before it counts as not there."""
# librdkafka tells of every lost connection on stderr; here an error is raised where it matters.
_QUIET = {"log_level": "0"}


def client_settings(settings: Settings) -> dict[str, str]:
    """Settings of a client for the Kafka of `settings`, whether or not it runs.

    Security by settings is that of a Kafka that is named; the embedded broker is reached as its host can.
    """
    servers = settings.bootstrap_servers
    if servers is None:
        return {**Broker(settings).own_client, **_QUIET}
    return {"bootstrap.servers": servers, **_QUIET, **authentication(settings)}


def running_client(settings: Settings) -> dict[str, str]:
    """Settings of a client for a Kafka that should answer.

    Raises:
        BrokerError: No Kafka is configured and the embedded broker of the lake does not run.
    """
    if settings.bootstrap_servers is None and not Broker(settings).is_running():
        raise BrokerError(
            f"no broker runs for the lake {settings.lake}",
            hint="start it with `lakeshelf up`, or set LAKESHELF_BOOTSTRAP_SERVERS",
        )
    return client_settings(settings)


def listening_client(settings: Settings) -> dict[str, str]:
    """Settings of a client for those who only look, and shall not wait for a Kafka that is not there.

    Raises:
        BrokerError: As for `running_client`, or no server of the Kafka that is named takes a connection.
    """
    client = running_client(settings)
    servers = settings.bootstrap_servers
    if servers is not None and not any(_listens(*place) for place in _places(servers)):
        raise BrokerError(
            f"no broker answers at {servers}",
            hint="correct LAKESHELF_BOOTSTRAP_SERVERS or start that Kafka",
        )
    return client


def _places(servers: str) -> Iterator[tuple[str, int]]:
    """Hosts and ports of servers, as librdkafka reads them: `[protocol://]host[:port],…`."""
    for server in servers.split(","):
        _, _, place = server.strip().rpartition("://")
        parts = urlsplit(f"//{place}")
        yield parts.hostname or "", parts.port or PORT


def _listens(host: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((host, port), REACHED_S):
        return True
    return False
