"""A message to a webhook: signed, sent once to an address that was looked at, following nobody elsewhere."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import socket
import ssl
import threading
from contextlib import closing, suppress
from dataclasses import dataclass

from lakeshelf.errors import first_line
from lakeshelf.governance.services.webhooks.addresses import Destination

LONGEST_S = 10.0
"""How long a try may take from its connection to the status of the answer."""
TIMESTAMP, SIGNATURE = "Lakeshelf-Timestamp", "Lakeshelf-Signature"
SCHEME = "v1="
_SUCCESS = range(200, 300)
_ELSEWHERE = range(300, 400)


class Undelivered(Exception):  # noqa: N818 - why, to be remembered
    """A message did not arrive."""


@dataclass(frozen=True)
class WebhookMessage:
    """What is sent.

    Attributes:
        body: JSON.
        event: Kind of the event.
        delivery: Id that stays the same when it is sent again.
        timestamp: When it is sent, in seconds since 1970.
        secret: What signs it.
    """

    body: bytes
    event: str
    delivery: str
    timestamp: int
    secret: str

    @property
    def headers(self) -> dict[str, str]:
        """Its headers."""
        return {
            "Content-Type": "application/json",
            "User-Agent": "Lakeshelf",
            "Lakeshelf-Event": self.event,
            "Lakeshelf-Delivery": self.delivery,
            TIMESTAMP: str(self.timestamp),
            SIGNATURE: SCHEME + signature(self.secret, self.timestamp, self.body),
        }


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """HMAC-SHA256 of `<timestamp>.<body>`, in hexadecimal digits."""
    signed = f"{timestamp}.".encode() + body
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def send(
    place: Destination, address: str, message: WebhookMessage, seconds: float = LONGEST_S
) -> None:
    """Send a message.

    Args:
        place: Where to.
        address: The address of its host that was looked at; no other is connected to.
        message: The message.
        seconds: How long it may take.

    Raises:
        Undelivered: With the reason.
    """
    kind = _Secure if place.url.scheme == "https" else _Plain
    connection = kind(place, address, seconds)
    late = threading.Event()

    def end() -> None:
        late.set()
        if connection.sock is not None:
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        with closing(connection):
            status = _status(connection, place, message)
    except (OSError, http.client.HTTPException, ValueError) as error:
        is_late = late.is_set() or isinstance(error, TimeoutError)  # the socket has the same limit
        reason = f"no answer within {seconds:g} s" if is_late else first_line(error)
        raise Undelivered(reason or type(error).__name__) from error
    finally:
        timer.cancel()
    if status in _ELSEWHERE:
        raise Undelivered(f"it answered {status}, and nobody is followed elsewhere")
    if status not in _SUCCESS:
        raise Undelivered(f"it answered {status}")


def _status(
    connection: http.client.HTTPConnection, place: Destination, message: WebhookMessage
) -> int:
    path = place.url._replace(scheme="", netloc="", fragment="").geturl() or "/"
    connection.request("POST", path, message.body, message.headers)
    return connection.getresponse().status


class _Plain(http.client.HTTPConnection):
    """A connection to an address, whatever the name of the host, which stays in the header `Host`."""

    def __init__(self, place: Destination, address: str, seconds: float) -> None:
        super().__init__(place.host, place.port, timeout=seconds)
        self._address = address

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), self.timeout)


class _Secure(_Plain):
    """The same by TLS, with the certificate of the name."""

    default_port = http.client.HTTPS_PORT

    def connect(self) -> None:
        super().connect()
        context = ssl.create_default_context()
        self.sock = context.wrap_socket(self.sock, server_hostname=self.host)
