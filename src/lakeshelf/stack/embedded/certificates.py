"""A certificate for the embedded broker, signed by an authority that signs nothing else: its key is not kept."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lakeshelf.stack.machine.ports import LOOPBACK

LASTS = timedelta(days=730)
SKEW = timedelta(days=1)
"""How far clocks of clients may be behind."""


def issued(name: str, host: str) -> tuple[str, str]:
    """A new certificate.

    Args:
        name: Its common name.
        host: Name of the host that it is for, beside loopback.

    Returns:
        PEM of the authority; PEM of key (PKCS#8), certificate and authority.
    """
    signer, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _builder(f"{name}-authority", f"{name}-authority", signer.public_key())
    constraints = x509.BasicConstraints(ca=True, path_length=0)
    signed = authority.add_extension(constraints, critical=True).sign(signer, hashes.SHA256())
    names = (x509.DNSName(host), x509.DNSName("localhost"))
    hosts = [*names, x509.IPAddress(ipaddress.ip_address(LOOPBACK))]
    own = _builder(name, f"{name}-authority", key.public_key())
    own = own.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    chain = _pem(own.sign(signer, hashes.SHA256())) + _pem(signed)
    return _pem(signed), private.decode() + chain


def _builder(name: str, issuer: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + LASTS)
        .public_key(key)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
