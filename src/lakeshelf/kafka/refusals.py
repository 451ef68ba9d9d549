"""Why Kafka refuses a client, in one line: what failed, by which setting, and what to do."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException, Message

from lakeshelf.errors import BrokerError, first_line

Client = Mapping[str, str]
PERMISSIONS = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }
)
"""What Kafka answers whom no ACL allows what is asked."""
_UNREACHED = frozenset({"_TRANSPORT", "_TIMED_OUT", "_MSG_TIMED_OUT", "_ALL_BROKERS_DOWN"})
"""Names of errors that say no more than that no broker was reached."""
_HANDSHAKE_S = 5.0
_SHOW = "`lakeshelf config` shows the settings"
_MODE = "correct kafka_security"


class Remembered(Protocol):
    """What a client knows of its connection."""

    client: Client
    reason: KafkaError | None


class RememberingClient(Protocol):
    """A client that remembers why it has no connection, once it is polled."""

    @property
    def memory(self) -> Remembered:
        """What it knows."""

    def poll(self, timeout: float, /) -> Any:
        """Hear what there is."""


def said(error: Exception) -> str:
    """What an error says, in one line; of one of Kafka's client its text, without codes."""
    cause = _cause(error)
    return first_line(error) if cause is None else str(cause.str())


def refusal(
    what: str, error: Exception | KafkaError, *, hint: str, heard: RememberingClient | None = None
) -> BrokerError:
    """The error to raise for what a client of Kafka could not do.

    Args:
        what: What failed.
        error: What the client says, which often hides the reason.
        hint: What to do where the reason is none that settings explain.
        heard: The client.
    """
    cause = error if isinstance(error, KafkaError) else _cause(error)
    if cause is None:
        return BrokerError(f"{what}: {first_line(error)}", hint=hint)  # type: ignore[arg-type]
    if heard is not None and cause.name() in _UNREACHED:
        cause = _heard(heard) or cause
    client: Client = {} if heard is None else heard.memory.client
    explained = next(_explanations(cause, client), None)
    if explained is None:
        return BrokerError(f"{what}: {cause.str()}", hint=hint)
    return BrokerError(f"{what}: {explained.problem}", hint=explained.way)


def _cause(error: Exception) -> KafkaError | None:
    cause = error.args[0] if isinstance(error, KafkaException) and error.args else None
    return cause if isinstance(cause, KafkaError) else None


def _heard(heard: RememberingClient) -> KafkaError | None:
    """What a client has not been asked for yet: a consumer is told of permissions that it lacks as of a record."""
    message = heard.poll(0)
    error = message.error() if isinstance(message, Message) else None
    return error if error is not None and error.code() in PERMISSIONS else heard.memory.reason


@dataclass(frozen=True)
class _Explanation:
    problem: str
    way: str


def _explanations(reason: KafkaError, client: Client) -> Iterator[_Explanation]:
    """What explains a reason, the first one best."""
    text = str(reason.str())
    if reason.code() in PERMISSIONS:
        kind = reason.name().removesuffix("_AUTHORIZATION_FAILED").lower().replace("_", " ")
        yield _Explanation(
            f"{_who(client)} may not do that with this {kind}",
            "have Kafka's administrator allow it: `lakeshelf contracts acls` prints what each service needs",
        )
    for pattern, explain in _RULES:
        if match := re.search(pattern, text):
            yield explain(match, client)
    if reason.name() in _UNREACHED and "security.protocol" not in client and _takes_tls(client):
        yield _Explanation(
            "it speaks TLS, and setting kafka_security is plaintext",
            "set kafka_security = sasl_tls or tls",
        )


def _who(client: Client) -> str:
    name = client.get("sasl.username") or client.get("sasl.oauthbearer.client.id")
    if name:
        return f"user {name} (setting kafka_username)"
    return "the user" if "ssl.certificate.location" not in client else "the user of kafka_cert_file"


def _password(_: re.Match[str], client: Client) -> _Explanation:
    return _Explanation(
        f"it refuses {_who(client)} by {client.get('sasl.mechanism')}: unknown there, or another password",
        "correct kafka_username, and kafka_password_file or kafka_password",
    )


def _mechanism(match: re.Match[str], client: Client) -> _Explanation:
    taken = match["taken"].strip() or "none there"
    return _Explanation(
        f"it does not take setting kafka_mechanism = {client.get('sasl.mechanism')}: its mechanisms are {taken}",
        "correct kafka_mechanism, kafka_security or bootstrap_servers",
    )


def _token(match: re.Match[str], client: Client) -> _Explanation:
    place = client.get("sasl.oauthbearer.token.endpoint.url")
    return _Explanation(
        f"no token for {_who(client)} from kafka_token_url = {place}: {match['why']}",
        "correct kafka_token_url, kafka_username and kafka_password_file",
    )


def _plain(_: re.Match[str], client: Client) -> _Explanation:
    protocol = client.get("security.protocol")
    return _Explanation(
        f"it ends what TLS begins with, as a port in plain text does (kafka_security: {protocol})",
        f"{_MODE}, or the port in bootstrap_servers",
    )


def _own_certificate(_: re.Match[str], client: Client) -> _Explanation:
    file = client.get("ssl.certificate.location")
    if file is None:
        return _Explanation(
            "it asks for a certificate, and setting kafka_cert_file is unset",
            "set kafka_cert_file and kafka_key_file, or name a port for passwords in bootstrap_servers",
        )
    return _Explanation(
        f"it refuses the certificate of kafka_cert_file = {file}: expired, or of a CA unknown there",
        f"run `openssl x509 -noout -enddate -issuer -in {file}`, and renew it",
    )


def _their_certificate(match: re.Match[str], client: Client) -> _Explanation:
    host, port = match["host"].strip("[]"), int(match["port"])
    authority = client.get("ssl.ca.location")
    problem = _verified(host, port, authority)
    if "mismatch" in problem:
        return _Explanation(
            f"its certificate is not for {host} (setting bootstrap_servers)",
            "name Kafka as its certificate does, or have that name put into the certificate",
        )
    if "expired" in problem or "not yet valid" in problem:
        return _Explanation(
            f"the certificate of {host}:{port} cannot be believed: {problem}",
            "have Kafka's administrator renew it",
        )
    return _Explanation(
        f"the certificate of {host}:{port} is of no CA in "
        f"{f'kafka_ca_file = {authority}' if authority else 'the public ones (setting kafka_ca_file is unset)'}",
        "set kafka_ca_file to the PEM of the CA that signed it",
    )


_Explain = Callable[[re.Match[str], Client], _Explanation]
_RULES: tuple[tuple[str, _Explain], ...] = (
    (r"mechanism handshake failed.*supported mechanisms:(?P<taken>[^(]*)", _mechanism),
    (r"acquire SASL OAUTHBEARER token: (?P<why>.*)", _token),
    (r"SASL authentication error", _password),
    (r"://(?P<host>[^/]+):(?P<port>\d+)/.*certificate verify failed", _their_certificate),
    (r"connecting to a PLAINTEXT broker listener|Disconnected: .*in state SSL_HANDSHAKE", _plain),
    (r"alert (bad certificate|certificate|unknown ca|handshake failure)", _own_certificate),
)
"""What librdkafka's words mean."""


def _verified(host: str, port: int, authority: str | None) -> str:
    """What is wrong with the certificate of a server: librdkafka says only that something is."""
    try:
        context = ssl.create_default_context(cafile=authority)
        with (
            socket.create_connection((host, port), _HANDSHAKE_S) as connection,
            context.wrap_socket(connection, server_hostname=host),
        ):
            return ""
    except ssl.SSLCertVerificationError as error:
        return str(error.verify_message)
    except OSError as error:
        return first_line(error)


def _takes_tls(client: Client) -> bool:
    """Whether the first server speaks TLS, whoever it is."""
    host, _, port = client.get("bootstrap.servers", "").split(",")[0].rpartition(":")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host.strip("[]"), int(port)), _HANDSHAKE_S) as connection,
            context.wrap_socket(connection),
        ):
            return True
    except (OSError, ValueError):
        return False
