"""Users of a broker that runs: Kafka keeps what proves them in its data, from when those were formatted."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from typing import cast

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialDeletion,
    UserScramCredentialsDescription,
    UserScramCredentialUpsertion,
)

from lakeshelf.errors import BrokerError

ITERATIONS = 8192
MECHANISMS = (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512)
TIMEOUT_S = 10.0


def renew(client: AdminClient, passwords: Mapping[str, str]) -> None:
    """Have a broker know these users by these passwords, and nobody else, whomever it knew before.

    Args:
        client: One who may do everything.
        passwords: Name → password.

    Raises:
        BrokerError: It does not take them.
    """
    with _explained("its users"):
        asked = client.describe_user_scram_credentials(request_timeout=TIMEOUT_S)
        known = cast("Future[dict[str, UserScramCredentialsDescription]]", asked).result()
    for how in MECHANISMS:  # Kafka takes one change of a user in a request
        proofs = [_proof(how, name, password) for name, password in passwords.items()]
        futures = client.alter_user_scram_credentials(
            [*proofs, *_without(how, known, passwords)], request_timeout=TIMEOUT_S
        )
        for name, future in futures.items():
            with _explained(name):
                future.result()


def _proof(how: ScramMechanism, name: str, password: str) -> UserScramCredentialAlteration:
    return UserScramCredentialUpsertion(
        name, ScramCredentialInfo(how, ITERATIONS), password.encode()
    )


def _without(
    how: ScramMechanism,
    known: Mapping[str, UserScramCredentialsDescription],
    users: Container[str],
) -> list[UserScramCredentialAlteration]:
    return [
        UserScramCredentialDeletion(name, how)
        for name, proofs in known.items()
        if name not in users and any(p.mechanism == how for p in proofs.scram_credential_infos)
    ]


@contextmanager
def _explained(whose: str) -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        raise BrokerError(
            f"the broker does not take what proves {whose}: {error.args[0].str()}",
            hint="start it again",
        ) from error
