"""What a client of Kafka says of who it is, and whom it believes: for librdkafka, and from that for Java."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from lakeshelf import secret_files
from lakeshelf.addresses import is_loopback
from lakeshelf.errors import ConfigurationError
from lakeshelf.settings import KafkaSecurity, Settings

PROTOCOLS: Mapping[KafkaSecurity, str] = {
    "plaintext": "PLAINTEXT",
    "tls": "SSL",
    "sasl_tls": "SASL_SSL",
    "sasl_plaintext": "SASL_PLAINTEXT",
}
OAUTH = "OAUTHBEARER"
PACKAGE = "org.apache.kafka.common.security"
MODULES = {
    "SCRAM-SHA-512": f"{PACKAGE}.scram.ScramLoginModule",
    "SCRAM-SHA-256": f"{PACKAGE}.scram.ScramLoginModule",
    "PLAIN": f"{PACKAGE}.plain.PlainLoginModule",
    OAUTH: f"{PACKAGE}.oauthbearer.OAuthBearerLoginModule",
}
"""Mechanism → Java's module for it."""
_SAME = ("bootstrap.servers", "security.protocol", "sasl.mechanism")
"""What librdkafka and Java call by one name."""
_TRIMMED = "".join(map(chr, range(33)))
"""What Java takes for blanks at an end."""
_JAAS_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"})


def security(settings: Settings) -> KafkaSecurity:
    """How Kafka is reached, said or derived from what else is said."""
    if settings.kafka_security is not None:
        return settings.kafka_security
    if settings.kafka_username is not None:
        return "sasl_tls"
    return "tls" if settings.kafka_ca_file or settings.kafka_cert_file else "plaintext"


def authentication(settings: Settings) -> dict[str, str]:
    """Librdkafka settings of the configured security; none for plain text.

    Raises:
        ConfigurationError: Settings that contradict each other, or a file that cannot be used.
    """
    chosen = security(settings)
    _refuse_contradictions(settings, chosen)
    options = {"security.protocol": PROTOCOLS[chosen]} if chosen != "plaintext" else {}
    if chosen.endswith("tls"):
        options |= _tls(settings)
    if chosen.startswith("sasl"):
        options |= _sasl(settings)
    return options


def password(settings: Settings) -> str | None:
    """The password, wherever it stands.

    Raises:
        ConfigurationError: Its file cannot be used.
    """
    if settings.kafka_password_file is not None:
        return secret_files.secret(settings.kafka_password_file, "kafka_password_file")
    return settings.kafka_password.get_secret_value() if settings.kafka_password else None


def secrets(settings: Settings) -> list[str]:
    """What must not be read in a log, also as Java has it; a file that cannot be used is told of by who needs it."""
    try:
        value = password(settings)
    except ConfigurationError:
        return []
    return list(dict.fromkeys((value, value.translate(_JAAS_ESCAPES)))) if value else []


def java_client(client: Mapping[str, str]) -> dict[str, str]:
    """Settings of the Java client for those of librdkafka: executors read no file of the driver's."""
    options = {name: client[name] for name in _SAME if name in client}
    if "ssl.ca.location" in client:
        options["ssl.truststore.type"] = "PEM"
        options["ssl.truststore.certificates"] = secret_files.certificates(
            Path(client["ssl.ca.location"]), "kafka_ca_file"
        )
    if "ssl.key.location" in client:
        options["ssl.keystore.type"] = "PEM"
        options["ssl.keystore.certificate.chain"] = secret_files.certificates(
            Path(client["ssl.certificate.location"]), "kafka_cert_file"
        )
        options["ssl.keystore.key"] = secret_files.key(
            Path(client["ssl.key.location"]), "kafka_key_file"
        )
    return options | (_java_sasl(client) if "sasl.mechanism" in client else {})


def _java_sasl(client: Mapping[str, str]) -> dict[str, str]:
    mechanism = client["sasl.mechanism"]
    if mechanism != OAUTH:
        values = {"username": client["sasl.username"], "password": client["sasl.password"]}
        return {"sasl.jaas.config": jaas(mechanism, values)}
    values = {
        "clientId": client["sasl.oauthbearer.client.id"],
        "clientSecret": client["sasl.oauthbearer.client.secret"],
    }
    return {
        "sasl.jaas.config": jaas(mechanism, values),
        "sasl.login.callback.handler.class": f"{PACKAGE}.oauthbearer.OAuthBearerLoginCallbackHandler",
        "sasl.oauthbearer.token.endpoint.url": client["sasl.oauthbearer.token.endpoint.url"],
    }


def jaas(mechanism: str, values: Mapping[str, str]) -> str:
    """What Java calls a login: a module and its options, quoted so that any value comes through."""
    quoted = (f'{name}="{value.translate(_JAAS_ESCAPES)}"' for name, value in values.items())
    return f"{MODULES[mechanism]} required {' '.join(quoted)};"


def _tls(settings: Settings) -> dict[str, str]:
    options = {}
    if settings.kafka_ca_file is not None:
        secret_files.certificates(settings.kafka_ca_file, "kafka_ca_file")
        options["ssl.ca.location"] = str(settings.kafka_ca_file)
    if settings.kafka_cert_file is not None and settings.kafka_key_file is not None:
        secret_files.certificates(settings.kafka_cert_file, "kafka_cert_file")
        secret_files.key(settings.kafka_key_file, "kafka_key_file")
        options["ssl.certificate.location"] = str(settings.kafka_cert_file)
        options["ssl.key.location"] = str(settings.kafka_key_file)
    return options


def _sasl(settings: Settings) -> dict[str, str]:
    user, value = settings.kafka_username or "", password(settings) or ""
    if settings.kafka_mechanism != OAUTH:
        return {
            "sasl.mechanism": settings.kafka_mechanism,
            "sasl.username": user,
            "sasl.password": value,
        }
    _require_untrimmed(settings, user, value)
    return {
        "sasl.mechanism": OAUTH,
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.client.id": user,
        "sasl.oauthbearer.client.secret": value,
        "sasl.oauthbearer.token.endpoint.url": settings.kafka_token_url or "",
    }


def _require_untrimmed(settings: Settings, client: str, secret: str) -> None:
    """Refuse what Java would trim of a client id and its secret, and librdkafka at the left alone."""
    file = settings.kafka_password_file
    own = "setting kafka_password" if file is None else f"setting kafka_password_file = {file}"
    for what, value in (
        (f"setting kafka_username = {client!r}", client),
        (f"{own}: the client secret", secret),
    ):
        if value != value.strip(_TRIMMED):
            raise ConfigurationError(
                f"{what} begins or ends with a blank, which Kafka's clients drop for {OAUTH}",
                hint="take it out, or have the provider give another; `lakeshelf config` shows the settings",
            )


def _refuse_contradictions(settings: Settings, chosen: KafkaSecurity) -> None:
    for contradicts, problem, way in (
        *_of_the_connection(settings, chosen),
        *_of_the_user(settings, chosen),
    ):
        if contradicts:
            raise ConfigurationError(problem, hint=f"{way}; `lakeshelf config` shows the settings")


_Contradiction = tuple[bool, str, str]


def _of_the_connection(settings: Settings, chosen: KafkaSecurity) -> tuple[_Contradiction, ...]:
    servers = settings.bootstrap_servers or ""
    hosts = [urlsplit(f"//{server.strip()}").hostname or "" for server in servers.split(",")]
    files = (settings.kafka_ca_file, settings.kafka_cert_file, settings.kafka_key_file)
    return (
        (
            chosen == "sasl_plaintext" and not all(map(is_loopback, hosts)),
            f"setting kafka_security = sasl_plaintext would show the password on the way to {servers}",
            "set kafka_security = sasl_tls",
        ),
        (
            not chosen.endswith("tls") and any(files),
            f"setting kafka_security = {chosen} has no use for kafka_ca_file, kafka_cert_file, kafka_key_file",
            "set kafka_security = tls or sasl_tls, or unset them",
        ),
        (
            (settings.kafka_cert_file is None) != (settings.kafka_key_file is None),
            "of kafka_cert_file and kafka_key_file only one is set",
            "set both, or none",
        ),
    )


def _of_the_user(settings: Settings, chosen: KafkaSecurity) -> tuple[_Contradiction, ...]:
    mechanism, user = settings.kafka_mechanism, settings.kafka_username
    passwords = (settings.kafka_password is not None) + (settings.kafka_password_file is not None)
    proves = chosen.startswith("sasl")
    return (
        (
            passwords == 2,
            "kafka_password and kafka_password_file are both set",
            "unset one of them",
        ),
        (
            proves and not (user and passwords),
            f"setting kafka_security = {chosen} needs kafka_username, and kafka_password_file or kafka_password",
            "set them",
        ),
        (
            not proves and user is not None,
            f"setting kafka_security = {chosen} has no use for kafka_username = {user}",
            "set kafka_security = sasl_tls, or unset kafka_username",
        ),
        (
            chosen == "sasl_plaintext" and mechanism == "PLAIN",
            "setting kafka_mechanism = PLAIN would send the password as it is",
            "set kafka_security = sasl_tls, or another kafka_mechanism",
        ),
        (
            proves and (mechanism == OAUTH) != (settings.kafka_token_url is not None),
            f"setting kafka_mechanism = {mechanism} and kafka_token_url do not go together",
            f"set kafka_token_url for {OAUTH}, and only for it",
        ),
    )
