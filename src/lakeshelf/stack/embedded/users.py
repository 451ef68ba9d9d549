"""Users of a broker that runs: Kafka keeps what proves them in its data, from when those were formatted."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from lakeshelf.errors import BrokerError

ITERATIONS = 8192
MECHANISMS = (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512)
TIMEOUT_S = 10.0


def renew(client: AdminClient, passwords: Mapping[str, str]) -> None:
    """Have a broker know its users by these passwords, whichever it knew before.

    Args:
        client: One who may do everything.
        passwords: Name → password; other users stay as they are.

    Raises:
        BrokerError: It does not take them.
    """
    for how in MECHANISMS:  # Kafka takes one change of a user in a request
        changes: list[UserScramCredentialAlteration] = [
            UserScramCredentialUpsertion(
                name, ScramCredentialInfo(how, ITERATIONS), password.encode()
            )
            for name, password in passwords.items()
        ]
        futures = client.alter_user_scram_credentials(changes, request_timeout=TIMEOUT_S)
        for name, future in futures.items():
            _require(name, future)


def _require(name: str, future: Future[None]) -> None:
    try:
        future.result()
    except KafkaException as error:
        raise BrokerError(
            f"the broker does not take the password of {name}: {error.args[0].str()}",
            hint="start it again",
        ) from error
