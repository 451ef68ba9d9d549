"""Where webhooks may lead: not into the network that the service itself stands in, unless that is allowed."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from lakeshelf.governance.errors import GovernanceError, refused

LONGEST_URL = 2_000
LOOPBACK = "127.0.0.1"
_URL = re.compile(r"[\x21-\x7e]+")
_HOST = re.compile(r"[0-9a-z._-]+|[0-9a-f:.]+")
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""Addresses of IPv6 that a gateway makes addresses of IPv4 of."""
_THIS_MACHINE = re.compile(r"(.+\.)?localhost")
"""Names that lead to this machine alone, whether they are looked up or not."""
Resolve = Callable[..., Sequence[tuple[Any, ...]]]


@dataclass(frozen=True)
class Destination:
    """Where a webhook leads.

    Attributes:
        url: Its parts.
        is_private: Whether it may lead into private networks and to this machine.
    """

    url: SplitResult
    is_private: bool

    @classmethod
    def of(cls, url: str, *, is_private: bool) -> Destination:
        """The place that a URL names.

        Raises:
            GovernanceError: `webhook_refused`: it is no URL of http or https, holds credentials or a fragment, or
                would send what is signed in the clear through the Internet.
        """
        if len(url) > LONGEST_URL or not _URL.fullmatch(url):
            raise _refused(url, f"it is no text of 1 to {LONGEST_URL} visible ASCII characters")
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError as error:
            raise _refused(url, str(error)) from None
        is_named = _HOST.fullmatch(parts.hostname or "")
        if parts.scheme not in ("http", "https") or not is_named or parts.port == 0:
            raise _refused(url, "it is no address of http or https")
        if "@" in parts.netloc or parts.fragment:
            raise _refused(url, "it holds credentials or a fragment")
        if parts.scheme == "http" and not is_private:
            raise _refused(url, "events go to addresses outside by https alone")
        return cls(parts, is_private)

    @property
    def host(self) -> str:
        """Name or address of the host; a point behind it says nothing more."""
        return str(self.url.hostname).removesuffix(".")

    @property
    def port(self) -> int:
        """The port."""
        return self.url.port or (443 if self.url.scheme == "https" else 80)

    def addresses(self, resolve: Resolve = socket.getaddrinfo) -> list[str]:
        """Addresses of the host as it is now, however it is written; none: nobody knows the name yet.

        Raises:
            GovernanceError: `webhook_refused`: one of them is private, or the name can have none.
        """
        if _THIS_MACHINE.fullmatch(self.host):
            self._require(LOOPBACK)
        try:
            listed = resolve(self.host, self.port, type=socket.SOCK_STREAM)
        except UnicodeError as error:
            raise _refused(self.url.geturl(), f"{self.host} is no name: {error}") from error
        except OSError:
            return []
        addresses = [str(one[4][0]) for one in listed]
        for address in addresses:
            self._require(address)
        return addresses

    def resolved(self, resolve: Resolve = socket.getaddrinfo) -> str:
        """An address of the host as it is now.

        Raises:
            GovernanceError: `webhook_refused`: it has none, or one of them is private.
        """
        if addresses := self.addresses(resolve):
            return addresses[0]
        raise _refused(self.url.geturl(), f"nobody knows an address of {self.host}")

    def _require(self, address: str) -> None:
        if not self.is_private and not _is_public(address):
            raise _refused(
                self.url.geturl(),
                f"{address} is an address of a private network or of this machine",
            )


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        embedded = address.ipv4_mapped
        if embedded is not None:
            return _is_public(str(embedded))
        if address.sixtofour or address.teredo or address in _TRANSLATED:
            return False
    return address.is_global and not address.is_multicast


def _refused(url: str, problem: str) -> GovernanceError:
    return refused(
        "webhook_refused",
        f"no events are sent to {url[:200]}: {problem}",
        hint="give an address of https, or allow private ones by `webhook_private_addresses`",
    )
