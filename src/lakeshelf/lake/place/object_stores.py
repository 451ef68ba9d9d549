"""Object stores: what delta-rs is given to reach one, beyond what it finds by itself, and what Spark is.

delta-rs reads `AWS_*` variables and asks the instance for its role. It reads no profile files, and of an endpoint
that is dead it would wait three minutes for an answer.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from lakeshelf.errors import ConfigurationError

BOUNDS = {
    "connect_timeout": "5s",
    "timeout": "30s",
    "max_retries": "6",
    "retry_timeout": "20s",
}
"""How long one request is tried; an option of the same name counts instead."""
CONNECT_S, REQUEST_S, ATTEMPTS = 5, 30, 4
"""The same bounds for pyarrow and Spark."""
ENDPOINTS = ("endpoint_url", "endpoint", "endpoint_url_s3")
_ACCESS = {
    "access_key": ("access_key_id",),
    "secret_key": ("secret_access_key",),
    "session_token": ("session_token", "token"),
    "region": ("region", "default_region"),
    "endpoint_override": ENDPOINTS,
}
_S3A = {
    "access_key": "access.key",
    "secret_key": "secret.key",
    "session_token": "session.token",
    "region": "endpoint.region",
    "endpoint_override": "endpoint",
}
_PROFILE = {
    "aws_access_key_id": "AWS_ACCESS_KEY_ID",
    "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "aws_session_token": "AWS_SESSION_TOKEN",
}
_PROFILE_PLACE = {"region": "AWS_REGION", "endpoint_url": "AWS_ENDPOINT_URL"}


def options(
    user_options: Mapping[str, str], environment: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Storage options of an object store: the user's, `BOUNDS`, and those of a profile.

    Args:
        user_options: The user's own options, which precede variables; those precede a profile.
        environment: Variables; None: those of this process.

    Raises:
        ConfigurationError: A profile that is not there or has no keys, or an endpoint without encryption.
    """
    environment = os.environ if environment is None else environment
    merged = {**BOUNDS, **_profile(user_options, environment), **user_options}
    endpoint = first(merged, environment, *ENDPOINTS) or ""
    if endpoint.startswith("http://") and first(merged, environment, "allow_http") is None:
        _require_loopback(endpoint)
        merged["AWS_ALLOW_HTTP"] = "true"
    return merged


def first(options: Mapping[str, str], environment: Mapping[str, str], *names: str) -> str | None:
    """The value of an option, however it is spelt: `region`, `aws_region` or `AWS_REGION`; then of a variable."""
    spelt = {name.lower().removeprefix("aws_"): value for name, value in options.items()}
    for name in names:
        if value := spelt.get(name) or environment.get(f"AWS_{name.upper()}"):
            return value
    return None


def access(
    merged: Mapping[str, str], environment: Mapping[str, str] | None = None
) -> dict[str, str]:
    """What tells one bucket's file system from another's, by the names of pyarrow.

    Args:
        merged: Storage options, as `options` gives them.
        environment: Variables; None: those of this process.
    """
    environment = os.environ if environment is None else environment
    arguments = {
        argument: value
        for argument, names in _ACCESS.items()
        if (value := first(merged, environment, *names))
    }
    if arguments.get("endpoint_override", "").startswith("http://"):
        arguments["scheme"] = "http"
    return arguments


def hadoop(
    merged: Mapping[str, str], environment: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Configuration of Hadoop's S3A that reaches the same store; keys are among it.

    Args:
        merged: Storage options, as `options` gives them.
        environment: Variables; None: those of this process.
    """
    reached = access(merged, environment)
    named = {f"fs.s3a.{_S3A[name]}": value for name, value in reached.items() if name in _S3A}
    if "endpoint_override" in reached:
        named["fs.s3a.path.style.access"] = "true"
        named["fs.s3a.connection.ssl.enabled"] = str("scheme" not in reached).lower()
    return named | {
        "fs.s3a.connection.establish.timeout": f"{CONNECT_S}s",
        "fs.s3a.connection.request.timeout": f"{REQUEST_S}s",
        "fs.s3a.attempts.maximum": str(ATTEMPTS),
        "fs.s3a.retry.limit": str(ATTEMPTS),
    }


def _require_loopback(endpoint: str) -> None:
    host = urlsplit(endpoint).hostname or ""
    try:
        is_loopback = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise ConfigurationError(
            f"endpoint {endpoint} is not encrypted", hint="use https, or set AWS_ALLOW_HTTP=true"
        )


def _profile(options: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Keys and place of the profile that is chosen, unless options or variables have them."""
    named = environment.get("AWS_PROFILE")
    section = _section(named or "default", environment)
    if named and section is None:
        raise ConfigurationError(
            f"no profile {named!r} in the credentials file", hint="correct AWS_PROFILE"
        )
    place = {
        option: section[key]
        for key, option in _PROFILE_PLACE.items()
        if section and key in section and _lacks(options, environment, key)
    }
    if not _lacks(
        options, environment, "access_key_id", "web_identity_token_file", "skip_signature"
    ):
        return place
    keys = {option: section[key] for key, option in _PROFILE.items() if section and key in section}
    if named and len(keys) < 2:
        raise ConfigurationError(
            f"profile {named!r} has no keys; roles, sso and processes are not followed",
            hint="run `aws configure export-credentials --format env`",
        )
    return place | keys


def _lacks(options: Mapping[str, str], environment: Mapping[str, str], *names: str) -> bool:
    synonyms = {"region": ("region", "default_region"), "endpoint_url": ENDPOINTS}
    return not any(first(options, environment, *synonyms.get(name, (name,))) for name in names)


def _section(name: str, environment: Mapping[str, str]) -> dict[str, str] | None:
    """Entries of a profile in the credentials file and the config file; None: neither has it."""
    from configparser import ConfigParser  # noqa: PLC0415 - slow to import, and seldom needed
    from configparser import Error as NotIni  # noqa: PLC0415 - with it

    home = Path(environment.get("HOME") or Path.home()) / ".aws"
    credentials = environment.get("AWS_SHARED_CREDENTIALS_FILE") or home / "credentials"
    config = environment.get("AWS_CONFIG_FILE") or home / "config"
    titled = name if name == "default" else f"profile {name}"
    entries: dict[str, str] | None = None
    for file, section in ((config, titled), (credentials, name)):
        parser = ConfigParser(interpolation=None, default_section="")
        try:
            parser.read(file, encoding="utf-8")
        except (NotIni, OSError, UnicodeDecodeError) as error:
            # The error itself would quote the line, which may hold a secret.
            raise ConfigurationError(f"{file} cannot be read", hint="correct the file") from error
        if parser.has_section(section):
            entries = {**(entries or {}), **parser[section]}
    return entries
