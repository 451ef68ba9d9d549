"""Until when the certificates of a PEM file are valid, read from their DER without a library for it."""

from __future__ import annotations

import re
import ssl
from datetime import UTC, datetime
from pathlib import Path

_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_VERSION, _UTC_TIME = 0xA0, 0x17
_BEFORE_VALIDITY = 3
"""Fields between the version and the validity of a certificate: serial number, algorithm, issuer."""


def expiries(file: Path) -> list[datetime]:
    """When each certificate of a file ends, in the order of the file.

    Raises:
        OSError: The file cannot be read.
        ValueError: It holds something that is no certificate.
    """
    blocks = _BLOCK.findall(file.read_text(encoding="ascii", errors="replace"))
    return [_not_after(ssl.PEM_cert_to_DER_cert(block)) for block in blocks]


def _not_after(certificate: bytes) -> datetime:
    try:
        body = _content(_content(certificate))
        first, rest = _taken(body)
        skipped = _BEFORE_VALIDITY if first == _VERSION else _BEFORE_VALIDITY - 1
        for _ in range(skipped):
            rest = rest[_size(rest) :]
        validity = _content(rest)
        end = validity[_size(validity) :]
        text = _content(end).decode("ascii")
    except IndexError as error:
        raise ValueError("no certificate") from error
    century = "%y%m%d%H%M%SZ" if end[0] == _UTC_TIME else "%Y%m%d%H%M%SZ"
    return datetime.strptime(text, century).replace(tzinfo=UTC)


def _taken(data: bytes) -> tuple[int, bytes]:
    """Tag of the first value, and what follows that value."""
    return data[0], data[_size(data) :]


def _content(data: bytes) -> bytes:
    """Content of the first value."""
    start, length = _head(data)
    return data[start : start + length]


def _size(data: bytes) -> int:
    """Bytes of the first value with its head."""
    return sum(_head(data))


def _head(data: bytes) -> tuple[int, int]:
    """Where the content of the first value begins, and how long it is."""
    short = data[1]
    if short < 0x80:
        return 2, short
    bytes_of_length = short & 0x7F
    return 2 + bytes_of_length, int.from_bytes(data[2 : 2 + bytes_of_length])
