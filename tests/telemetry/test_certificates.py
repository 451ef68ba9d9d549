"""Until when certificates are valid is read right, and told by whoever uses them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from prometheus_client.parser import text_string_to_metric_families

from lakeshelf.settings import load_settings
from lakeshelf.telemetry.certificates import expiries
from lakeshelf.telemetry.serving import served

BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
SOON, LATE = datetime(2027, 3, 4, 5, 6, 7, tzinfo=UTC), datetime(2061, 2, 3, tzinfo=UTC)
"""The time is written in two ways, before and after 2050."""


def certificate(end: datetime, name: str = "lakeshelf") -> bytes:
    """A certificate that ends then, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(
        subject, subject, key.public_key(), x509.random_serial_number()
    )
    built = builder.not_valid_before(BEGIN).not_valid_after(end).sign(key, hashes.SHA256())
    return built.public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize("end", [SOON, LATE])
@pytest.mark.parametrize("name", ["lakeshelf", "ü" * 32])
def test_the_end_of_a_certificate_is_read(tmp_path: Path, end: datetime, name: str) -> None:
    """As another library wrote it, text around it or not."""
    file = tmp_path / "one.pem"
    file.write_bytes(b"# ours\n" + certificate(end, name))
    assert expiries(file) == [end]


def test_a_file_that_is_no_certificate_is_refused(tmp_path: Path) -> None:
    """Cut or garbled, it raises what is expected."""
    file = tmp_path / "one.pem"
    file.write_text("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n")
    with pytest.raises(ValueError, match="no certificate"):
        expiries(file)
    file.write_text("nothing")
    assert expiries(file) == []


def test_a_process_tells_when_its_certificates_end(lake: Path, tmp_path: Path) -> None:
    """Of one's own the first of the file counts, of authorities the last to end; what cannot be read is left out."""
    own, authorities = tmp_path / "own.pem", tmp_path / "ca.pem"
    own.write_bytes(certificate(SOON) + certificate(LATE))
    authorities.write_bytes(certificate(LATE) + certificate(SOON))
    settings = load_settings(kafka_cert_file=own, kafka_ca_file=authorities)
    assert told(settings) == {"kafka_cert_file": SOON, "kafka_ca_file": LATE}
    own.unlink()
    assert told(settings) == {"kafka_ca_file": LATE}


def told(settings):
    """Setting → end of its certificate, as it is scraped."""
    with served(settings, "streams") as telemetry:
        families = text_string_to_metric_families(telemetry.scraped().decode())
    return {
        sample.labels["place"]: datetime.fromtimestamp(sample.value, UTC)
        for family in families
        for sample in family.samples
        if sample.name == "lakeshelf_certificate_expires_timestamp_seconds"
    }
