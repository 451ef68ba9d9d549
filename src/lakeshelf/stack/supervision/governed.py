"""Where the service of governed datasets is: its address, its sockets, and the tokens of its sample people."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from lakeshelf import extras, secret_files
from lakeshelf.addresses import is_confidential
from lakeshelf.errors import ConfigurationError
from lakeshelf.settings import Settings
from lakeshelf.stack.machine import ports

EXTRA = "governance"
PAGES = "web"
"""Extra with which the API serves pages, too."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Names of this machine for itself."""
LONGEST_SOCKET = 100
"""Characters that the path of a socket may have."""


def is_wanted(settings: Settings) -> bool:
    """Whether a stack of these settings serves governed datasets."""
    return settings.governance and not extras.absent((EXTRA,))


def has_sample(settings: Settings) -> bool:
    """Whether there are sample people: where they were asked for, or beside the embedded broker, for trying."""
    if settings.governance_sample is not None:
        return settings.governance_sample
    return settings.bootstrap_servers is None


def port(settings: Settings) -> int:
    """The port of the API."""
    if settings.api_port is not None:
        return settings.api_port
    return ports.remembered(settings.stack_dir / "api-ports.json", ["api"])["api"]


def address(settings: Settings) -> str:
    """The address of the API."""
    host = f"[{settings.api_host}]" if ":" in settings.api_host else settings.api_host
    return f"http://{host}:{port(settings)}"


def hosts(settings: Settings) -> frozenset[str]:
    """Names by which the API may be called."""
    named = {name.strip("[]").lower() for name in settings.api_hosts.split(",")}
    return frozenset({*LOOPBACK, settings.api_host.lower(), *named} - {""})


def openid(settings: Settings) -> tuple[str, str, Path | None] | None:
    """The OpenID provider by which people sign in: issuer, its name for the API, file of the secret; None: none.

    Raises:
        ConfigurationError: It has no name for the API, the file of the secret cannot be used, or what is sent to it
            could be read on the way.
    """
    issuer, client = settings.oidc_issuer, settings.oidc_client_id
    if issuer is None:
        return None
    if client is None:
        raise ConfigurationError(
            f"setting oidc_issuer = {issuer} without oidc_client_id",
            hint="set `oidc_client_id` to the name that the provider gave you",
        )
    if not is_confidential(issuer):
        raise ConfigurationError(
            f"setting oidc_issuer = {issuer}: passwords would go through the network in the clear",
            hint="use its address of https; http is for this machine",
        )
    if (file := settings.oidc_client_secret_file) is not None:
        secret_files.secret(file, "oidc_client_secret_file")
    return issuer, client, file


def tokens(settings: Settings) -> Path:
    """Folder with a file for each token that was made on this machine."""
    return settings.state_dir / "_governance" / "tokens"


def worker(settings: Settings) -> str:
    """Where rows are judged: an address, or a socket below the state folder."""
    if settings.governance_worker is not None:
        return settings.governance_worker
    own = settings.stack_dir.absolute() / "worker.sock"
    if len(str(own)) <= LONGEST_SOCKET:
        return str(own)
    folder = Path(tempfile.gettempdir()) / f"lakeshelf-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return str(folder / f"{hashlib.sha256(str(own).encode()).hexdigest()[:16]}.sock")
