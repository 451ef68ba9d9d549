"""The embedded broker with passwords, certificates and access control, as a Kafka of others has them.

It listens twice: for users with passwords (SASL_SSL) where it listens otherwise, and on loopback for certificates
(mutual TLS). The broker itself is reached, and reaches its controller, by its own certificate alone. Nobody else may
do anything until an ACL allows it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lakeshelf import secret_files
from lakeshelf.errors import ConfigurationError
from lakeshelf.kafka.authentication import MODULES, OAUTH, PACKAGE, jaas
from lakeshelf.stack.machine.ports import LOOPBACK

PORTS = ("broker", "controller", "tls")
NAME = "lakeshelf-broker"
CERTIFICATE, AUTHORITY, USERS = "certificate.pem", "authority.pem", "users.json"
"""Files of the folder that the setting `broker_security` names."""
MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")
USER = re.compile(r"[A-Za-z0-9._-]+")
"""What can be the name of a user at all places where Kafka is told it, unquoted."""
_HASHES = {"SCRAM-SHA-512": "sha512", "SCRAM-SHA-256": "sha256"}
_ITERATIONS = 8192
_VALIDATOR = f"{PACKAGE}.oauthbearer.OAuthBearerValidatorCallbackHandler"


@dataclass(frozen=True)
class Secured:
    """Who the broker is, and whom it knows.

    Attributes:
        name: Common name of its certificate; it alone may do everything.
        certificate: PEM of its key (PKCS#8) and its chain.
        authority: PEM of the CA of its own certificate and of its clients'.
        users: Name → password.
        token_keys: Public keys (JWKS) of who signs tokens; None: nobody comes by OAUTHBEARER.
        trusted: Users who may do everything.
    """

    name: str
    certificate: Path
    authority: Path
    users: Mapping[str, str]
    token_keys: Path | None = None
    trusted: tuple[str, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> Secured:
        """What `lakeshelf init compose` has written, whose users may do everything.

        Raises:
            ConfigurationError: A file is missing or cannot be used.
        """
        files = (folder / name for name in (CERTIFICATE, AUTHORITY, USERS))
        certificate, authority, users = (file.absolute() for file in files)
        secret_files.key(certificate, "broker_security")
        secret_files.certificates(authority, "broker_security")
        passwords = _users(users)
        return cls(NAME, certificate, authority, passwords, trusted=tuple(passwords))

    def properties(self, ports: Mapping[str, int], client: str, advertised: str) -> dict[str, str]:
        """Settings of Kafka that replace those of plain text.

        Args:
            ports: Its ports on loopback.
            client: host:port at which it listens for users.
            advertised: host:port that it tells them.
        """
        tls, controller = (f"{LOOPBACK}:{ports[name]}" for name in ("tls", "controller"))
        return {
            "listeners": f"BROKER://{client},TLS://{tls},CONTROLLER://{controller}",
            "advertised.listeners": f"BROKER://{advertised},TLS://{tls}",
            "listener.security.protocol.map": "BROKER:SASL_SSL,TLS:SSL,CONTROLLER:SSL",
            "inter.broker.listener.name": "TLS",
            "sasl.enabled.mechanisms": ",".join((*MECHANISMS, *self._tokens)),
            **{
                f"listener.name.broker.{m.lower()}.sasl.jaas.config": self._jaas(m) for m in _HASHES
            },
            "listener.name.broker.plain.sasl.jaas.config": self._jaas("PLAIN"),
            **self._tokens_properties(),
            "listener.name.tls.ssl.client.auth": "required",
            "listener.name.controller.ssl.client.auth": "required",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.certificate),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority),
            "ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": ";".join(f"User:{name}" for name in (self.name, *self.trusted)),
        }

    def client(self, ports: Mapping[str, int]) -> dict[str, str]:
        """Librdkafka settings of the broker's own certificate, which may do everything."""
        return {
            "bootstrap.servers": f"{LOOPBACK}:{ports['tls']}",
            "security.protocol": "SSL",
            "ssl.ca.location": str(self.authority),
            "ssl.certificate.location": str(self.certificate),
            "ssl.key.location": str(self.certificate),
        }

    def records(self) -> Iterator[str]:
        """Arguments by which the users are known from the first start; no password can be read in them."""
        for user, password in self.users.items():
            for mechanism, algorithm in _HASHES.items():
                salt = os.urandom(16)
                salted = hashlib.pbkdf2_hmac(algorithm, password.encode(), salt, _ITERATIONS)
                values = f'name="{user}",salt="{_text(salt)}",saltedpassword="{_text(salted)}"'
                yield "--add-scram"
                yield f"{mechanism}=[{values},iterations={_ITERATIONS}]"

    @property
    def java_options(self) -> list[str]:
        """Options of the broker's JVM: Kafka reads keys of tokens from nowhere else than is said here."""
        allowed = "-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls"
        return [f"{allowed}={self.token_keys.as_uri()}"] if self.token_keys else []

    @property
    def _tokens(self) -> tuple[str, ...]:
        return (OAUTH,) if self.token_keys else ()

    def _tokens_properties(self) -> dict[str, str]:
        if self.token_keys is None:
            return {}
        prefix = f"listener.name.broker.{OAUTH.lower()}"
        return {
            f"{prefix}.sasl.jaas.config": self._jaas(OAUTH),
            f"{prefix}.sasl.server.callback.handler.class": _VALIDATOR,
            f"{prefix}.sasl.oauthbearer.jwks.endpoint.url": self.token_keys.as_uri(),
        }

    def _jaas(self, mechanism: str) -> str:
        if mechanism != "PLAIN":
            return f"{MODULES[mechanism]} required;"
        return jaas(mechanism, {f"user_{name}": value for name, value in self.users.items()})


def _users(file: Path) -> dict[str, str]:
    """Users and passwords; of both, what Kafka could take for something else is refused, and no password is shown."""
    try:
        passwords = json.loads(secret_files.secret(file, "broker_security"))
    except ValueError:
        passwords = None
    if not isinstance(passwords, dict) or not passwords:
        raise ConfigurationError(
            f"{file} does not tell users and passwords",
            hint='write it such as {"lakeshelf": "PASSWORD"}, or run `lakeshelf init compose --force`',
        )
    for name, password in passwords.items():
        if not USER.fullmatch(name):
            raise ConfigurationError(
                f"{file}: {name!r} is no name of a user",
                hint="take letters, digits, dot, hyphen and underscore",
            )
        if not isinstance(password, str) or not password or "\0" in password:
            raise ConfigurationError(
                f"{file}: the password of {name} is no text, or an empty one", hint="correct it"
            )
    return passwords


def argument_file(arguments: Iterable[str]) -> bytes:
    """Arguments as a file that Java reads in their place: no list of processes shows them."""
    escaped = (argument.replace("\\", "\\\\").replace('"', '\\"') for argument in arguments)
    return "".join(f'"{argument}"\n' for argument in escaped).encode()


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
