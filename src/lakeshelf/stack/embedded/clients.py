"""Which Kafka is meant, and how a librdkafka client reaches and authenticates with it."""

from __future__ import annotations

from lakeshelf.errors import BrokerError
from lakeshelf.kafka.authentication import authentication
from lakeshelf.settings import Settings
from lakeshelf.stack.embedded.broker import Broker

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
