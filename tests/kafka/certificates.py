"""A private certificate authority, and what it signs."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


class Authority:
    """A CA of its own.

    Args:
        folder: Takes the files.
        name: Its common name.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        signed = _builder(name, name, 365 * DAY).public_key(self._key.public_key())
        signed = signed.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self._certificate = signed.sign(self._key, hashes.SHA256())
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(_pem(self._certificate))

    def issue(self, name: str, *, lasts: timedelta = 365 * DAY, ip: str = "") -> Path:
        """A certificate: a PEM file with its key and chain; one that `lasts` less than nothing is over."""
        key = ec.generate_private_key(ec.SECP256R1())
        signed = _builder(name, self._name, lasts).public_key(key.public_key())
        if ip:
            address = x509.IPAddress(ipaddress.ip_address(ip))
            signed = signed.add_extension(x509.SubjectAlternativeName([address]), critical=False)
        file = self._folder / f"{self._name}-{name}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        chain = _pem(signed.sign(self._key, hashes.SHA256())) + _pem(self._certificate)
        file.write_bytes(private + chain)
        file.chmod(0o600)
        return file


def _builder(name: str, issuer: str, lasts: timedelta) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 30 * DAY)
        .not_valid_after(now + lasts)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
